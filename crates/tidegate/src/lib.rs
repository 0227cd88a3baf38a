//! Feature ramps for services.
#![warn(missing_docs)]

mod builder;
mod client;
mod clock;
mod error;
mod files;
mod ingest;
#[cfg(feature = "cluster")]
mod live;
mod read;
mod registry;
mod shared;
mod status;
#[cfg(feature = "cluster")]
pub mod store;
#[cfg(test)]
mod warnings;

pub use builder::{Builder, TextError};
pub use client::Tidegate;
pub use clock::Clock;
pub use error::ConnectError;
pub use files::locks;
pub use files::regular_file::{FileKind, FileProblem, open_file, read_file};
pub use ingest::cache::{CacheError, FileError};
pub use ingest::signature::{KeyId, SignatureError, TrustedKeyError};
/// For the command line of the same version: its connections to servers trust what sources trust.
#[doc(hidden)]
pub use ingest::source::client_config;
pub use ingest::source::{
    BoxError, FetchError, Fetched, Phase, RedirectError, Source, SourceError, Tag, TagError, TlsProblem, proxy_of,
};
#[cfg(feature = "cluster")]
pub use live::{
    ActivationValue, AddressView, Change, ChangeError, ChangeKind, Cluster, ClusterError, ClusterProblem,
    ClusterStatus, DEFAULT_CLUSTER, Effect, FlagRecord, FlagTags, HistoryEntry, HistoryPage, InvalidPercentage, Live,
    LiveError, MAX_DRIFT_RANGE, MemberStatus, MissingChange, NetworkError, NodeName, NodeStatus, OutrankedBy,
    ParkedChange, PeerView, Percentage, QuarantineEntry, QuarantinedChange, Receipt, Record, RegisterValue,
    RestoreError, Restored, UnknownKind, UnreachedPeer, Verdict,
};
pub use read::handle::FlagHandle;
pub use read::subscription::{Changed, ChangedFlags, Changes, Closed, RecvTimeoutError, Subscription};
pub use read::view::{FlagView, KeyView, View};
pub use status::{
    CacheStatus, ClockOffset, Health, LockStatus, LocksStatus, LocksTrouble, Misreads, Poisoned, Refusal,
    RollbackAlarm, ServedFrom, Shadowed, ShadowedEntry, SignatureStatus, SourceTrouble, Status,
};
pub use tidegate_engine as engine;
pub use tidegate_engine::document::parse_time;
pub use tidegate_engine::{
    Answer, Decision, ErrorCode, Explanation, FlagKey, Flips, HashName, HostLock, Micros, Pin, Reason, Rule, Share,
    Snapshot, Span, Subject, Variant,
};
#[cfg(feature = "cluster")]
pub use tidegate_mesh::{AddressError, authority, check_address};
#[cfg(feature = "cluster")]
pub use tidegate_replica::{Level, LevelError, NodeId, NodeIdError, Stamp, StampError, WriteError};

#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/guide/service.md")]
struct ServiceGuide;

#[cfg(all(doctest, feature = "cluster"))]
#[doc = include_str!("../../../docs/guide/live.md")]
struct LiveGuide;
