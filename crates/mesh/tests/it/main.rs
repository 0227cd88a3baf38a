//! Nodes over real links on loopback.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod addresses;
mod causes;
mod links;
mod raw;
mod reload;
mod second_process;
mod strangers;
mod support;
mod wire;
