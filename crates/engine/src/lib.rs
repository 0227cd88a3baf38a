//! The engine.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unreachable)
)]
#![warn(missing_docs)]

mod bucket;
mod compile;
mod course;
mod decision;
mod digest;
pub mod document;
mod evaluate;
mod explain;
mod flag_key;
pub mod lease;
pub mod limits;
mod micros;
mod overlay;
mod plan;
mod ramp;
mod share;
mod snapshot;
mod span;
mod variant;

pub use bucket::{HashAlgorithm, Subject};
pub use compile::{CompileOptions, compile};
pub use decision::{Answer, Decision, ErrorCode, Reason};
pub use digest::Digest;
pub use document::Document;
pub use evaluate::{Moment, Rule};
pub use explain::Explanation;
pub use flag_key::FlagKey;
pub use micros::Micros;
pub use overlay::{Activation, HostLock, Overlay, Pin};
pub use plan::{Plan, PlanKind};
pub use ramp::{Fall, Point, Ramp, Rise, Stretch};
pub use share::{Position, Share};
pub use snapshot::{Change, ChangeKind, Flag, FlagIndex, Flips, Snapshot};
pub use span::Span;
pub use variant::Variant;
