//! What the engine promises, from outside.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod documents;
mod evenness;
mod generated;
mod laws;
mod overlays;
mod roundtrip;
mod units;
mod vectors;
