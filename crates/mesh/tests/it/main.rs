//! Nodes over real links on loopback.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod links;
mod support;
