//! The server over real connections.

mod activation;
mod support;
