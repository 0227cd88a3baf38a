//! The server over real connections.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]
#![expect(clippy::disallowed_methods, reason = "clients and servers of a test are tasks of their own")]

mod activation;
mod changes;
mod check;
mod connections;
mod contract;
mod flags;
mod follow;
mod forecast;
mod hostile;
mod load;
mod mistakes;
mod ofrep;
mod operating;
mod preconditions;
mod saturation;
mod starting;
mod stop;
mod support;
mod watch;
