//! What other libraries for feature flags cost, beside Tidegate in the same run.
//!
//! Each library gets the same flags, written in its own format, and the same keys. A library is loaded from text
//! that is already in memory; no network takes part. Its answers are checked before anything is timed: an on/off
//! flag, the share of keys of a rollout, and that the answers for all flags of a key are those of single checks.
//!
//! `cargo xtask bench peers` runs both programs: `times` and `memory`.

mod flags;
mod library;
mod question;

pub use question::{Case, LIBRARIES, Memory, QUESTIONS, TIDEGATE, cases, memory};
