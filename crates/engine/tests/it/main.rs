//! What the engine promises, from outside.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod boundaries;
mod conditions;
mod corpus;
mod custom_hash;
mod definitions;
mod documents;
mod evenness;
mod flags;
mod forecasts;
mod generated;
mod golden;
mod hostile;
mod laws;
mod lookups;
mod overlays;
mod plans;
mod redos;
mod roundtrip;
mod rules;
mod strict;
mod variants;
mod vectors;
