//! The engine of Tidegate: decides which keys get the new value of a flag, and when.
//!
//! A flag moves keys (users, hosts) from its value `stable` to its value `new` along a ramp. The engine reads documents,
//! compiles them to an immutable [`Snapshot`], and evaluates flags. It does no input or output, reads no clock, draws no
//! random number and keeps no global state: the caller passes bytes, keys and the instant. The same call has the same
//! result on every machine, and in every language that follows the vectors in `conformance/`.
//!
//! Most programs embed the crate `tidegate`, which adds sources, a cache, live changes and a background thread. Use this
//! crate alone to evaluate documents that you fetch yourself, or to check and explain them.
//!
//! # Stages
//!
//! ```text
//! bytes ── document::read ──> Document ── compile ──> Snapshot ── evaluate(flag, subject, moment) ──> Decision
//!              │                                         │  ├──── explain ──> Explanation
//!              └──> Vec<Diagnostic>        Overlay ──────┘  └──── Flag::plan ──> Plan (for a handle)
//! ```
//!
//! | to | start with |
//! |---|---|
//! | read or check a document | [`read`], [`check`]; [`Diagnostic`], [`Code`] |
//! | evaluate a flag | [`compile()`], [`Snapshot::evaluate`]; [`Subject`], [`Moment`], [`Decision`] |
//! | say why a key has its value | [`Snapshot::explain`], [`Explanation`] |
//! | override flags | [`Snapshot::set_activation`], [`Snapshot::set_lock`], [`Overlay`] |
//! | forecast a ramp | [`Flag::flips`], [`Flag::next_change`], [`Ramp`]; [`forecast`], [`population`] |
//! | stop ramps while a source is unreachable | [`lease`] |
//! | convert a percentage | [`document::parse_percent`], [`Share`] |
//!
//! # Example
//!
//! ```
//! use tidegate_engine::lease::Clocks;
//! use tidegate_engine::{CompileOptions, Moment, Subject, compile, document::parse_time, read};
//!
//! let text = r#"{"shop": {"dark": {"stable": false, "new": true,
//!     "start_time": "2026-12-01 00:00Z", "duration": "14d"}}}"#;
//! let (document, _) = read(text.as_bytes()).expect("an accepted document");
//! let snapshot = compile(&document, &CompileOptions::default());
//!
//! let moment = Moment { now: parse_time("2026-12-08 00:00Z").unwrap(), leases: &Clocks::synced() };
//! let flag = snapshot.find("shop", "dark").expect("a flag of the document");
//! assert_eq!(snapshot.flag(flag).share_at(&moment).to_string(), "50");
//!
//! // Half of all keys have `new`, and each keeps it.
//! let is_dark = |user| snapshot.evaluate(Some(flag), &Subject::key(user), &moment).answer.as_bool();
//! assert_eq!((is_dark("user-1"), is_dark("user-45578")), (Some(true), Some(false)));
//! ```
//!
//! # Limits
//!
//! [`limits`] has every limit as a constant with its reason: 16 MiB and 100,000 flags for a document, for example. Evaluation
//! never fails, blocks or panics. Decisions are integer arithmetic on microseconds and 2^32 positions; no float decides.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unreachable)
)]
#![warn(missing_docs)]

mod attributes;
mod bucket;
mod change;
mod compile;
mod condition;
mod custom_hash;
mod decision;
pub mod diagnostic;
mod digest;
pub mod document;
mod ends;
mod evaluate;
mod explain;
mod flag_key;
pub mod forecast;
pub mod lease;
pub mod limits;
mod micros;
mod moment;
mod network;
mod overlay;
mod plan;
pub mod population;
mod ramp;
mod same_text;
mod scalar;
mod settled;
mod share;
mod snapshot;
mod span;
mod split;
mod timeline;
mod trace;
mod variant;
mod version_range;

pub use attributes::{Attribute, Attributes, AttributesError, JsonAttributes};
pub use bucket::{HashAlgorithm, Subject};
pub use change::{Change, ChangeKind, Flips};
pub use compile::{CompileOptions, Part, compile, compile_all};
pub use custom_hash::{CustomHash, HashName};
pub use decision::{Answer, Decision, ErrorCode, Reason, Rule};
pub use diagnostic::{Code, Diagnostic, Path, Place, Severity};
pub use digest::Digest;
pub use document::{Checked, Document, Tally, check, read};
pub use explain::{Explanation, Part as ConditionPart, Passed, Tried};
pub use flag_key::{FlagKey, FlagKeyError};
pub use micros::Micros;
pub use moment::Moment;
pub use overlay::{Activation, HostLock, Overlay, Pin};
pub use plan::{KeyHash, Plan, PlanKind};
pub use ramp::{Fall, Point, Ramp, Rise, Stretch};
pub use scalar::{NamedValue, Scalar, ScalarKind, StoredValue};
pub use share::{Position, Share};
pub use snapshot::{Flag, FlagIndex, Snapshot};
pub use span::Span;
pub use variant::Variant;
