//! Feature ramps for services: a document says how each flag moves from **stable** to **new**, and this library
//! answers, in the request path and from memory, which of the two a key has now.
//!
//! ```no_run
//! use tidegate::Tidegate;
//!
//! let tide = Tidegate::builder().http("https://example.com/flags.json")?.connect()?;
//!
//! if tide.is_active_for("features/new_checkout", "user-17") {
//!     // the new way
//! }
//! let limit: u32 = tide.get("limits", "batch", "host-3", 100);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | to | use |
//! |---|---|
//! | begin | [`Tidegate::builder`]: a source (HTTP(S), file, callback, text), and what to do differently from the defaults |
//! | read a value | [`Tidegate::get`], [`Tidegate::raw`] |
//! | ask whether a boolean flag is on | [`Tidegate::is_active_for`] (per cent of keys), [`Tidegate::is_active`] (per cent of calls) |
//! | read in the hottest of paths | [`Tidegate::flag`]: a handle, resolved once |
//! | read several flags at one version | [`Tidegate::view`] |
//! | know why, and when | [`Tidegate::explain`], [`Tidegate::when`] |
//! | act on a change | [`Tidegate::subscribe`] |
//! | know how it is doing | [`Tidegate::status`] |
//! | pin flags on this host | [`locks`], and [`Builder::pin`] in tests |
//!
//! What can be relied on:
//!
//! - **A read reads memory.** No input or output, no lock that a writer can hold, no panic, no error, no
//!   allocation (but for what the value itself needs, and for early adopters given as regular expressions).
//! - **The last good document stays.** A source that is away, slow, wrong or hostile changes no answer; the
//!   [`Status`] says what is the matter and since when. The document survives a restart on the disk.
//! - **Nothing is global.** Each instance has its own thread, called `tidegate`, which ends with the last handle.
//!   The library works inside and outside of async programs, and in any runtime.
//!
//! Thread-local memory: a thread that reads keeps a pointer to the snapshot it last saw. One that has read and
//! then falls silent keeps that snapshot alive until it reads again or ends; [`Status::snapshots_held`] counts them.
#![warn(missing_docs)]

mod atomic_file;
mod builder;
mod cache;
mod cell;
mod cells;
mod client;
mod clock;
mod error;
mod handle;
mod load;
pub mod locks;
mod paths;
mod publish;
mod readings;
mod schedule;
mod shared;
mod signature;
mod source;
mod status;
mod subscription;
mod typed;
mod view;
mod worker;

pub use builder::{Builder, TextError};
pub use cache::{CacheError, FileError};
pub use client::Tidegate;
pub use clock::Clock;
pub use error::ConnectError;
pub use handle::FlagHandle;
pub use signature::{KeyId, SignatureError, TrustedKeyError};
pub use source::{
    BoxError, FetchError, Fetched, FileProblem, Phase, RedirectError, Source, SourceError, Tag, TagError, TlsProblem,
};
pub use status::{
    CacheStatus, ClockOffset, Health, LockStatus, LocksStatus, LocksTrouble, Poisoned, Refusal, RollbackAlarm,
    ServedFrom, SignatureStatus, SourceTrouble, Status, TypeErrors,
};
pub use subscription::{Changed, Changes, Closed, RecvTimeoutError, Subscription};
pub use tidegate_engine as engine;
pub use tidegate_engine::document::parse_time;
pub use tidegate_engine::{
    Answer, Decision, ErrorCode, Explanation, FlagKey, Flips, HostLock, Micros, Pin, Reason, Rule, Snapshot, Span,
    Subject, Variant,
};
pub use view::{FlagView, KeyView, View};

/// The guide's code is compiled and run with the tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/embedding.md")]
mod guide {}
