//! The laws of a decision, held by property tests among random ramps.
//!
//! A law that fails prints its case; proptest keeps it in `proptest-regressions/` and tries it first from
//! then on.

mod lease;
mod ramp;
mod rules;
mod snapshot;
mod splits;
mod strategies;
