//! Feature flags and gradual rollouts, read from memory.
//!
//! A JSON document says how each flag moves from its `stable` value to its `new` one; the clock and a hash of the key (a user, a
//! host) decide which of the two a key has. The crate fetches the document, keeps it on the disk for the next start, and answers
//! reads without asking anybody. With the feature `cluster` flags can also be changed while programs run.
//!
//! ```toml
//! [dependencies]
//! # A checkout beside your program; the crate is not on crates.io yet.
//! tidegate = { path = "../tidegate/crates/tidegate" }
//! # With live changes and the cluster node:
//! # tidegate = { path = "../tidegate/crates/tidegate", features = ["cluster"] }
//! ```
//!
//! ```
//! use tidegate::Tidegate;
//!
//! let tide = Tidegate::builder()
//!     .text(r#"{"shop": {"new_cart": {"stable": false, "new": true,
//!         "start_time": "2020-01-01 00:00Z", "duration": "14d"}}}"#)
//!     .without_locks()
//!     .connect()?;
//! assert!(tide.is_active_for("shop/new_cart", "user-17"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Where to start
//!
//! | type | is |
//! | --- | --- |
//! | [`Builder`] | everything that an instance needs; made by [`Tidegate::builder`] |
//! | [`Tidegate`] | an instance: reads, status, subscriptions. Make one for each program, and clone it freely |
//! | [`FlagHandle`] | one flag, looked up once, for the hottest paths; made by [`Tidegate::flag`] |
//! | [`View`], [`KeyView`], [`FlagView`] | several reads at one version and one instant; made by [`Tidegate::view`] |
//! | [`Subscription`] | notifications of changes, blocking or as a future; made by [`Tidegate::subscribe`] |
//! | [`Status`] | what is served, from where, how old it is, and what is wrong |
//! | [`Clock`] | the time; a test moves its own |
//! | `Live`, `Change`, `Cluster` | live changes, with the feature `cluster` |
//!
//! # Which read
//!
//! | read | for | consistency | cost |
//! | --- | --- | --- | --- |
//! | [`is_active_for`](Tidegate::is_active_for), [`get`](Tidegate::get), [`raw`](Tidegate::raw) | any flag, by its name | each read by itself | a look-up of the name, then the hash of the key |
//! | [`FlagHandle::is_active_for`], [`variant_for`](FlagHandle::variant_for) | a flag that is read very often | each read by itself | an on/off flag is one atomic load; a rollout is the hash of the key |
//! | [`View`] | all flags of one request | one version, one instant | one look at the exact clock, then as by name |
//! | [`KeyView`] | many flags of one key | as its view | flags without a salt share one hash of the key |
//! | [`is_active`](Tidegate::is_active) | a share of calls instead of keys | random | a random number instead of the hash |
//!
//! `is_active_for` is sticky: a key keeps its answer. `is_active` draws at random for each call, on every type that has it.
//! [`explain`](Tidegate::explain) says why a flag answers what it does, and [`when`](Tidegate::when) when a key flips.
//!
//! # What never fails and never blocks
//!
//! - Reads never fail: without an answer they return the default that the caller passes, or `false`. Reads of unknown flags, as
//!   another type, or with exchanged arguments are counted in the [`Status`] and logged once for each flag.
//! - Reads never wait for a lock, a disk or the network, and allocate nothing but what the value itself needs.
//! - [`Builder::connect`] never fails because a source is unreachable, slow or wrong: it waits for at most
//!   [`Builder::startup_wait`] and serves the cache, or the defaults. It fails where the program asks for something impossible.
//! - A document is accepted or refused as a whole; after a bad one the last good one stays active.
//!
//! [`Builder::connect`], [`Tidegate::shutdown`] and `Change::send` block; the first and the last have an async form.
//!
//! # Features
//!
//! | feature | adds |
//! | --- | --- |
//! | `cluster` | live changes, their store on the disk, and the node that agrees with others over TLS |
//! | `conformance` | `source::conformance`: the contract of a source as tests, for sources of your own; meant for tests only |
//! | `zookeeper` | documents in nodes of ZooKeeper, which are watched: `Builder::zookeeper` |
//!
//! Default: none. HTTP(S), files, callbacks, signatures and locks are always there. The crate brings its own threads and works with
//! and without tokio.
//!
//! # Errors
//!
//! Each operation has an error type of its own: [`ConnectError`] for [`Builder::connect`], [`ShutdownError`], `ChangeError` for a
//! change, `ClusterError` for questions about the cluster. Each variant says when it happens, whose fault it is and what to do.
//! What goes wrong later, in the background, is in the [`Status`].
//!
//! # Cookbook
//!
//! A service with a document, which is ready when it has something to answer from, and stops cleanly:
//!
//! ```no_run
//! use std::time::Duration;
//! use tidegate::Tidegate;
//!
//! let tide = Tidegate::builder().http("https://example.com/flags.json")?.cache_name("checkout").connect()?;
//! let is_ready = tide.is_ready();
//! let size: u32 = tide.get("shop", "page_size", "user-17", 20);
//! tide.shutdown(Duration::from_secs(5))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A request that reads several flags of one user at one version:
//!
//! ```
//! # use tidegate::Tidegate;
//! # let tide = Tidegate::builder().text(r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4}}}"#).without_locks().connect()?;
//! let view = tide.view();
//! let user = view.for_key("user-17");
//! assert!(user.is_active_for_key("shop/dark"));
//! assert_eq!(user.get("shop", "rows", 3), 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A test that moves the clock through a ramp:
//!
//! ```
//! use std::time::Duration;
//! use tidegate::{Clock, Tidegate, parse_time};
//!
//! let clock = Clock::manual(parse_time("2040-03-01 00:00Z")?);
//! let tide = Tidegate::builder()
//!     .text(r#"{"shop": {"x": {"stable": false, "new": true, "start_time": "2040-03-02 00:00Z", "duration": "1d"}}}"#)
//!     .clock(clock.clone())
//!     .without_locks()
//!     .connect()?;
//! assert!(!tide.is_active_for("shop/x", "user-17"));
//! clock.advance(Duration::from_secs(2 * 24 * 60 * 60));
//! assert!(tide.is_active_for("shop/x", "user-17"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A program that acts on changes, and only on those that concern it:
//!
//! ```no_run
//! # fn rebuild_index() {}
//! # let tide = tidegate::Tidegate::builder().text("{}").connect()?;
//! let mut subscription = tide.subscribe();
//! while let Ok(changes) = subscription.recv() {
//!     if changes.flags.contains("search/index") {
//!         rebuild_index();
//!     }
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A document from a place of your own:
//!
//! ```
//! use tidegate::{Fetched, Tidegate};
//!
//! let tide = Tidegate::builder()
//!     .callback(|_tag| Ok(Fetched::Changed { body: br#"{"flags": {"x": {"stable": 1}}}"#.to_vec(), tag: None }))
//!     .without_locks()
//!     .connect()?;
//! assert_eq!(tide.get("flags", "x", "user-17", 0), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Why did it answer that?
//!
//! ```
//! # use tidegate::{Rule, Tidegate};
//! # let tide = Tidegate::builder().text(r#"{"flags": {"x": {"stable": 1, "new": 2, "lock": "new"}}}"#).without_locks().connect()?;
//! let explanation = tide.explain("flags", "x", "user-17");
//! assert_eq!((explanation.rule, explanation.value.as_deref()), (Rule::DocumentLock, Some("2")));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![cfg_attr(
    feature = "cluster",
    doc = r###"
A kill switch, on this node or on all nodes of a cluster:

```
use tidegate::{Live, Tidegate};

let tide = Tidegate::builder()
    .text(r##"{"shop": {"new_cart": {"stable": true}}}"##)
    // On several hosts: Live::at(folder).listen(address).peer("other:7947").certificates(folder)
    .live(Live::in_memory())
    .without_locks()
    .connect()?;
tide.activate_percentage("shop/banner", 100).send()?;
let receipt = tide.deactivate("shop/banner").actor("dana").reason("INC-1234").send()?;
assert!(receipt.is_reached && !tide.is_active_for("shop/banner", "user-17"));
# Ok::<(), Box<dyn std::error::Error>>(())
```
"###
)]
#![warn(missing_docs)]

mod bounded_thread;
mod builder;
mod client;
mod clock;
mod error;
mod files;
mod first_error;
mod flag_handle;
#[cfg(feature = "cluster")]
mod follow;
mod ingest;
mod instance;
#[cfg(feature = "cluster")]
mod live;
mod random;
mod read;
mod registry;
#[cfg(feature = "conformance")]
pub mod source;
mod source_status;
mod status;
#[cfg(feature = "cluster")]
pub mod store;
mod threads;
#[cfg(test)]
mod warnings;

pub use builder::{Builder, TextError};
pub use client::{Tidegate, WeakTidegate};
pub use clock::Clock;
pub use error::{ConnectError, ShutdownError};
pub use files::locks;
pub use files::regular_file::{FileKind, FileProblem, open_file, read_file};
pub use flag_handle::FlagHandle;
/// For the server of the same version: what it sends to followers.
#[cfg(feature = "cluster")]
#[doc(hidden)]
pub use follow::{Feed, FeedReader, FeedRefusal, FeedSnapshot};
#[cfg(feature = "cluster")]
pub use follow::{FollowPath, FollowStatus, Follower};
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
    ActivationValue, AddressView, Arrivals, ArrivedChange, ArrivedChanges, CHANGE_SET_MAX, Change, ChangeError,
    ChangeKind, ChangeSet, ChangeSetError, ChangeSetReceipt, Cluster, ClusterError, ClusterProblem, ClusterReceipt,
    ClusterStatus, DEFAULT_CLUSTER, Effect, FlagRecord, FlagSource, FlagState, FlagTags, Forgotten, HistoryEntry,
    HistoryPage, InapplicableChange, InvalidPercentage, Live, LiveError, MAX_DRIFT_RANGE, MadeChange, MemberStatus,
    MissingChange, NetworkError, NodeName, NodeStatus, OutrankedBy, PeerView, Percentage, QuarantineEntry,
    QuarantinedChange, Receipt, Record, RedisReceipt, RedisStatus, RegisterValue, RestoreError, Restored, UnknownKind,
    UnreachedPeer, Verdict,
};
#[cfg(feature = "redis")]
pub use live::{RedisUrlError, check_redis_url};
pub use read::subscription::{Changed, ChangedFlags, Changes, Closed, RecvTimeoutError, Subscription};
pub use read::view::{FlagView, KeyView, View};
pub use status::{
    CacheStatus, ClockOffset, Health, LockStatus, LocksStatus, LocksTrouble, Misreads, Poisoned, Refusal,
    RollbackAlarm, ServedFrom, Shadowed, ShadowedEntry, SignatureStatus, SourceTrouble, Status,
};
pub use tidegate_engine as engine;
pub use tidegate_engine::document::parse_time;
pub use tidegate_engine::{
    Answer, Attribute, Attributes, AttributesError, Decision, ErrorCode, Explanation, FlagKey, Flips, HashName,
    HostLock, JsonAttributes, Micros, Pin, Reason, Rule, Share, Snapshot, Span, Subject, Variant,
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
