//! Feature ramps for services.
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
#[cfg(feature = "cluster")]
mod live;
mod load;
pub mod locks;
mod paths;
mod publish;
mod readings;
mod regular_file;
mod schedule;
mod shared;
mod signature;
mod source;
mod stage;
mod status;
#[cfg(feature = "cluster")]
pub mod store;
mod subscription;
mod typed;
mod view;
#[cfg(test)]
mod warnings;
mod worker;

pub use builder::{Builder, TextError};
pub use cache::{CacheError, FileError};
pub use client::Tidegate;
pub use clock::Clock;
pub use error::ConnectError;
pub use handle::FlagHandle;
#[cfg(feature = "cluster")]
pub use live::{
    AddressView, Change, ChangeError, ChangeKind, Cluster, ClusterError, ClusterProblem, ClusterStatus,
    DEFAULT_CLUSTER, Effect, FlagRecord, HistoryEntry, HistoryPage, Live, LiveError, MAX_DRIFT_RANGE, MemberStatus,
    MissingChange, NetworkError, NodeName, NodeStatus, OutrankedBy, ParkedChange, PeerView, Percentage,
    QuarantineEntry, QuarantinedChange, Receipt, Record, RestoreError, Restored, UnknownKind, UnreachedPeer, Verdict,
};
pub use regular_file::{FileKind, FileProblem, open_file, read_file};
pub use signature::{KeyId, SignatureError, TrustedKeyError};
/// For the command line of the same version: its connections to servers trust what sources trust.
#[doc(hidden)]
pub use source::client_config;
pub use source::{
    BoxError, FetchError, Fetched, Phase, RedirectError, Source, SourceError, Tag, TagError, TlsProblem, proxy_of,
};
pub use status::{
    CacheStatus, ClockOffset, Health, LockStatus, LocksStatus, LocksTrouble, Poisoned, Refusal, RollbackAlarm,
    ServedFrom, Shadowed, ShadowedEntry, SignatureStatus, SourceTrouble, Status, TypeErrors,
};
pub use subscription::{Changed, Changes, Closed, RecvTimeoutError, Subscription};
pub use tidegate_engine as engine;
pub use tidegate_engine::document::parse_time;
pub use tidegate_engine::{
    Answer, Decision, ErrorCode, Explanation, FlagKey, Flips, HostLock, Micros, Pin, Reason, Rule, Share, Snapshot,
    Span, Subject, Variant,
};
#[cfg(feature = "cluster")]
pub use tidegate_mesh::{AddressError, authority, check_address};
#[cfg(feature = "cluster")]
pub use tidegate_replica::{Level, LevelError, NodeId, NodeIdError, Stamp, StampError, WriteError};
pub use view::{FlagView, KeyView, View};

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/embedding.md")]
struct EmbeddingGuide;

#[cfg(all(doctest, feature = "cluster"))]
#[doc = include_str!("../../../docs/guide/live.md")]
struct LiveGuide;
