//! The server over real connections.

mod activation;
mod connections;
mod flags;
mod mistakes;
mod operating;
mod preconditions;
mod stop;
mod support;
mod watch;
