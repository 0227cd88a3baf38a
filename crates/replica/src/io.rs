//! The inputs and outputs of a replica.

use std::sync::Arc;

use crate::{Change, Level, NodeId, Receipt, Register, Stamp, WriteError};

/// The time, by the clocks of the host.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Now {
    /// Milliseconds since 1970. It may be wrong, and it may jump.
    pub wall_ms: u64,
    /// Milliseconds of a clock that never goes back. Where it begins does not matter.
    pub steady_ms: u64,
}

/// What the disk had at the start.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// All registers, in any order.
    pub registers: Vec<Register>,
    /// The latest [`Batch::meta`].
    pub meta: Option<Vec<u8>>,
    /// Whether some of it could not be read. It is fetched from others then.
    pub is_damaged: bool,
}

/// An event for the replica.
#[derive(Clone, Debug)]
pub enum Input {
    /// A message has arrived.
    Message {
        /// The sender, as the carrier has verified.
        from: NodeId,
        /// The bytes. They are not trusted.
        bytes: Vec<u8>,
    },
    /// Registers from the shared store, in which other processes have put them. They are not trusted.
    FromStore {
        /// Registers, in any order; a repair of the clock ([`Register::is_repair`]) should come before what is of its epoch.
        registers: Vec<Register>,
    },
    /// A node can be reached, as the carrier believes.
    PeerUp {
        /// Which node.
        node: NodeId,
        /// Which process of it.
        instance: u64,
    },
    /// It cannot be reached any more.
    PeerDown {
        /// Which node.
        node: NodeId,
        /// Which process of it.
        instance: u64,
    },
    /// How many configured addresses have shown no node since the start. Until all have, this node may not know every member, and
    /// collects no tombstones. The caller says it whenever the number changes.
    UnmetPeers {
        /// How many.
        count: usize,
    },
    /// A caller writes registers: all of them, or none. Each has a stamp of its own; they become active together, are in one
    /// [`Batch`], and go to other nodes in one message. Of two nodes that write the same key at once the later one wins, key by key.
    Write {
        /// Names the receipt.
        request: u64,
        /// The registers; no two have the same key, and there are at most [`WRITE_CHANGES_MAX`](crate::limits::WRITE_CHANGES_MAX).
        changes: Vec<Change>,
        /// When it counts as acknowledged.
        level: Level,
        /// How long to wait for that, in milliseconds.
        timeout_ms: u64,
    },
    /// The operator repairs the cluster's clock: from now on, stamps outrank all of before.
    RaiseEpoch {
        /// Names the receipt.
        request: u64,
        /// Who.
        actor: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// A person decides about a register in quarantine: it becomes active, or it never will, on all nodes.
    Resolve {
        /// Names the receipt.
        request: u64,
        /// The key.
        key: Arc<[u8]>,
        /// The stamp of the register in quarantine: what was seen when it was decided.
        stamp: Stamp,
        /// What was decided.
        resolution: Resolution,
        /// Who.
        actor: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// The operator takes a node out of the membership.
    Forget {
        /// Names the receipt.
        request: u64,
        /// Which node.
        node: NodeId,
        /// Who.
        actor: Arc<str>,
        /// Why.
        reason: Arc<str>,
    },
    /// All batches up to this one are on the disk.
    Persisted {
        /// The number of the last one.
        upto: u64,
    },
    /// The disk failed for good. Nothing more is written.
    PersistFailed {
        /// What was wrong with it.
        message: String,
    },
    /// The time of `wake_at_ms` has come.
    Tick,
}

/// What becomes of a register in quarantine.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Resolution {
    /// Its value is written again, with a new stamp.
    Accept,
    /// The value that is active on this node is written again, with a new stamp; without one, the key is removed.
    Drop,
}

/// What the caller has to do.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// Messages to single nodes. One to the replica's own id is for other processes with that id.
    pub send: Vec<(NodeId, Vec<u8>)>,
    /// Messages to all others.
    pub broadcast: Vec<Vec<u8>>,
    /// Registers that have become active here, and that the shared store may not have. Those that came from it are not among them.
    pub to_store: Vec<Register>,
    /// What to make durable, in this order. Several may be written at once.
    pub persist: Vec<Batch>,
    /// Keys whose active registers have changed.
    pub changed: Vec<Arc<[u8]>>,
    /// Whether [`Replica::members`](crate::Replica::members) are others than before, or called otherwise.
    pub is_membership_changed: bool,
    /// Answers to writes.
    pub receipts: Vec<(u64, Result<Receipt, WriteError>)>,
    /// When to come back with [`Input::Tick`] at the latest, by the steady clock.
    pub wake_at_ms: u64,
}

/// Changes to be made durable, all of them or none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Batch {
    /// Its number; each is one greater than the one before.
    pub seq: u64,
    /// Registers that take the place of those of their keys.
    pub registers: Vec<Register>,
    /// Keys whose registers go without a trace.
    pub dropped: Vec<Arc<[u8]>>,
    /// What is added to the history.
    pub history: Vec<Event>,
    /// What the replica remembers besides; takes the place of the one before.
    pub meta: Option<Vec<u8>>,
    /// Whether a caller waits for it. If not, the caller may delay it by some milliseconds, so that several batches share one sync.
    pub is_awaited: bool,
}

impl Batch {
    /// Whether nothing is in it that a disk would have to keep.
    pub(crate) fn is_empty(&self) -> bool {
        self.registers.is_empty() && self.dropped.is_empty() && self.history.is_empty() && self.meta.is_none()
    }
}

/// One change in the history of a key.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// What was written. The event's name is its key and stamp.
    pub register: Register,
    /// The change that counts for more although this one has the greater stamp or was not known to its writer: a
    /// concurrent one, or one that supersedes this one while it is in quarantine. A later event of the same name may say
    /// so of an earlier one.
    pub lost_to: Option<Stamp>,
}
