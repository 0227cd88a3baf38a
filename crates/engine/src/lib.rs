//! Decides who has the new value and when, without any input or output.
//!
//! The way of the data is one-way: bytes become a [`Document`] or diagnostics, a document is [`compile()`]d to
//! a [`Snapshot`], a snapshot answers. Nothing here reads a clock, a file or the network, draws a random
//! number or keeps global state: the instant of a question is an argument, and the same question always has
//! the same answer, on any machine and in any language that follows the vectors in `conformance/`.
//!
//! | subject | where |
//! |---|---|
//! | what a user writes, and what is wrong with it | [`document`] |
//! | the share as a function of time, and when a key flips | [`Ramp`], [`Rise`], [`Fall`] |
//! | where a key falls on the line of 2^32 places | [`HashAlgorithm`], [`Position`] |
//! | all flags, compiled | [`Snapshot`], [`compile()`] |
//! | the decision, and how it came about | [`Decision`], [`Explanation`] |
//! | locks and dials above the document | [`Overlay`] |
//! | ramps that hold when the host is blind | [`lease`] |
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unreachable)
)]
#![warn(missing_docs)]

mod bucket;
mod change;
mod compile;
mod decision;
pub mod diagnostic;
mod digest;
pub mod document;
mod evaluate;
mod explain;
mod flag_key;
pub mod lease;
pub mod limits;
mod micros;
mod moment;
mod overlay;
mod plan;
mod ramp;
mod share;
mod snapshot;
mod span;
mod timeline;
mod variant;

pub use bucket::{HashAlgorithm, Subject};
pub use change::{Change, ChangeKind, Flips};
pub use compile::{CompileOptions, Part, compile, compile_all};
pub use decision::{Answer, Decision, ErrorCode, Reason};
pub use diagnostic::{Code, Diagnostic, Path, Place, Severity};
pub use digest::Digest;
pub use document::{Checked, Document, Tally, check, read};
pub use evaluate::Rule;
pub use explain::Explanation;
pub use flag_key::{FlagKey, FlagKeyError};
pub use micros::Micros;
pub use moment::Moment;
pub use overlay::{Activation, HostLock, Overlay, Pin};
pub use plan::{KeyHash, Plan, PlanKind};
pub use ramp::{Fall, Point, Ramp, Rise, Stretch};
pub use share::{Position, Share};
pub use snapshot::{Flag, FlagIndex, Snapshot};
pub use span::Span;
pub use variant::Variant;
