//! A replica of last-writer-wins registers as a state machine without input or output.
//!
//! A cluster of replicas agrees on registers: keys with values, both bytes. Each replica keeps all of them. A write is made on any
//! node, pushed to the others, and acknowledged by those that have it on their disks; anti-entropy over a Merkle tree repairs what
//! pushes missed. Timestamps are hybrid logical clocks, removals are tombstones with garbage collection, and the membership is kept in
//! registers, too. No node leads.
//!
//! # The engine
//!
//! ```text
//!  Message  PeerUp  PeerDown  UnmetPeers      from the carrier of messages
//!  Write  RaiseEpoch  Resolve  Forget         from callers
//!  Persisted  PersistFailed                   from the disk
//!  Tick                                       from the timer
//!      |
//!      v  Input, Now
//!  +---------+
//!  | Replica |   no input or output, no clock, no random source, no threads
//!  +---------+
//!      |  Output
//!      v
//!  send  broadcast                            messages, for the carrier
//!  persist                                    batches, in order; answer each with Persisted
//!  changed  is_membership_changed             what readers should look at again
//!  receipts                                   answers to Write, RaiseEpoch, Resolve, Forget
//!  wake_at_ms                                 when to call with Tick at the latest
//! ```
//!
//! Start with [`Replica::new`], which takes [`Options`] and what the disk had ([`Loaded`]), and call [`Replica::handle`] with each
//! [`Input`] and the time ([`Now`]). Perform each [`Output`] in the order of its fields. Read with [`Replica::get`] and
//! [`Replica::iter`], and show people [`Replica::status`].
//!
//! The carrier may lose, duplicate, delay and reorder messages, and what it says of peers may be wrong. Batches may be written late or
//! several at once, but in order, and `Persisted` must not come before they are durable.
//!
//! ```
//! use tidegate_replica::{Change, Expected, Input, Level, Loaded, NodeId, Now, Options, Replica};
//!
//! let now = Now { wall_ms: 1_700_000_000_000, steady_ms: 0 };
//! let (mut replica, _) = Replica::new(Options::new("example", NodeId::new(1)), Loaded::default(), now);
//! let change = Change {
//!     key: b"color".as_slice().into(),
//!     value: Some(b"blue".as_slice().into()),
//!     actor: "dana".into(),
//!     reason: "".into(),
//!     expected: Expected::Anything,
//! };
//! let output = replica.handle(Input::Write { request: 1, changes: vec![change], level: Level::Local, timeout_ms: 500 }, now);
//! // Readers see the value at once; the writer is answered when it is durable.
//! assert!(replica.get(b"color").is_some() && output.receipts.is_empty());
//! let upto = output.persist.last().map_or(0, |batch| batch.seq);
//! let output = replica.handle(Input::Persisted { upto }, now);
//! let (request, receipt) = &output.receipts[0];
//! assert!(*request == 1 && receipt.as_ref().is_ok_and(|receipt| receipt.is_reached));
//! ```
//!
//! # What holds
//!
//! | | |
//! | --- | --- |
//! | I1 | once writes stop and faults heal, all nodes hold the same |
//! | I2 | an acknowledged write is not lost while a disk that acknowledged it survives |
//! | I3 | the rank of a register never decreases on a node, restarts included: see [`Register::rank`] |
//! | I4 | a node never issues a stamp twice, or one below a stamp that it has seen |
//! | I5 | a removed key does not return without a newer write |
//! | I7 | memory, queues and bytes a second stay within their [`limits`] |
//! | I8 | a stamp more than `max_drift_ms` ahead, or of an epoch without a repair, is not adopted; a clock repair changes no value |
//! | I9 | at rest each node sends about two small messages a second, however many nodes there are |
//! | I11 | what a node acknowledges is active there, and only such acknowledgements count towards a level |
//! | I12 | a quarantined register that a write superseded does not become active |
//! | I13 | on the node that makes a write of several registers all of them are there or none, restarts included |
//!
//! The feature `simulate` adds the `simulator` that checks them, and the rules that it can leave out ([`Mutant`]). Messages, bytes,
//! orderings and the terms of the field are in `docs/reference/replication.md`.
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unreachable)
)]
#![warn(missing_docs)]

mod change;
mod clock;
mod codec;
mod durable;
mod io;
pub mod limits;
mod membership;
mod merkle;
mod message;
mod mutant;
mod node;
mod options;
mod random;
mod register;
mod replica;
#[cfg(feature = "simulate")]
pub mod simulator;
mod stamp;
mod status;
mod table;

pub use change::{Change, Expected, Level, LevelError, Outranked, Receipt, WriteError};
pub use codec::DecodeError;
pub use io::{Batch, Event, Input, Loaded, Now, Output, Resolution};
pub use mutant::Mutant;
pub use node::{NodeId, NodeIdError};
pub use options::{Options, Timing};
pub use register::{RANK_BYTES, Register};
pub use replica::Replica;
pub use stamp::{Stamp, StampError};
pub use status::{Counters, Member, PeerStatus, Quarantined, Status};
