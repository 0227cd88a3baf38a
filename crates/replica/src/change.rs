//! Writes, acknowledgement levels, receipts, and why a write is refused.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::{NodeId, Stamp};

/// A write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Change {
    /// The key; see [`Register::key`](crate::Register::key).
    pub key: Arc<[u8]>,
    /// The new value; none removes the key.
    pub value: Option<Arc<[u8]>>,
    /// Who makes the change; at most [`TEXT_BYTES_MAX`](crate::limits::TEXT_BYTES_MAX) bytes.
    pub actor: Arc<str>,
    /// Why; at most as long.
    pub reason: Arc<str>,
    /// What has to be stored under the key, on this node, for the write to be made.
    pub expected: Expected,
}

/// What has to be stored under a key for a conditional write. Only the node that makes the write checks it; another node may have
/// written since.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Expected {
    /// Anything, or nothing.
    #[default]
    Anything,
    /// Nothing, not even a tombstone.
    Nothing,
    /// The register, or the tombstone, of this stamp.
    Stamp(Stamp),
}

impl Expected {
    pub(crate) fn is_met(self, found: Option<Stamp>) -> bool {
        match self {
            Self::Anything => true,
            Self::Nothing => found.is_none(),
            Self::Stamp(stamp) => found == Some(stamp),
        }
    }
}

/// On how many nodes a write must be durable and active before it is acknowledged.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum Level {
    /// This one.
    Local,
    /// This one and one more.
    One,
    /// More than half of the membership: survives whatever a majority of the disks survives.
    #[default]
    Majority,
    /// Every member that is there.
    All,
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Local => "local",
            Self::One => "one",
            Self::Majority => "majority",
            Self::All => "all",
        })
    }
}

/// The text is not an acknowledgement level. The caller is at fault; nothing has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an acknowledgement level is `local`, `one`, `majority` or `all`")]
pub struct LevelError;

impl FromStr for Level {
    type Err = LevelError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let levels = [Self::Local, Self::One, Self::Majority, Self::All];
        levels.into_iter().find(|level| level.to_string() == text).ok_or(LevelError)
    }
}

/// A write was accepted, and is stored whatever its level came to. All its changes have one receipt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Receipt {
    /// The stamp of each change, in their order: when, and by whom. Later reads elsewhere can wait for them.
    pub stamps: Vec<Stamp>,
    /// The level that was asked for.
    pub level: Level,
    /// Whether it was reached in time, by members on which all its changes are active, and before a node said that one is
    /// outranked.
    pub is_reached: bool,
    /// The members that have all its changes on their disks, and on which all are active.
    pub durable_on: Vec<NodeId>,
    /// The members that had not answered for all its changes.
    pub pending: Vec<NodeId>,
    /// Which changes have lost or will lose, and on which nodes, this one among them. With one in this list no level is reached.
    pub outranked: Vec<Outranked>,
}

impl Receipt {
    /// The stamp of the last change, or of the only one.
    pub fn stamp(&self) -> Stamp {
        self.stamps.last().copied().unwrap_or(Stamp::ZERO)
    }
}

/// On a node another register of the key counts for more than what was written.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Outranked {
    /// The stamp of the change that counts for less.
    pub stamp: Stamp,
    /// Which node says so.
    pub node: NodeId,
    /// The stamp of the register that counts for more; it names the node that wrote it.
    pub by: Stamp,
    /// Whether that one is quarantined there, so that it will count only when its time has come. It has come here, too, or
    /// is on its way: a write that is made again supersedes it.
    pub is_quarantined: bool,
}

/// Why a write was refused. Nothing has changed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// This host's clock is off those of the others. Set it, and write again.
    #[error("this host's clock is {} ms {} those of the other nodes; set it and try again", .offset_ms.unsigned_abs(), if *.offset_ms < 0 { "behind" } else { "ahead of" })]
    ClockOff {
        /// How far this clock is ahead, in milliseconds.
        offset_ms: i64,
    },
    /// Stamps that are stored lie so far ahead of the clock that a new one would be refused by others. It takes an
    /// operator: check the host's clock, then raise the epoch.
    #[error("stored changes lie {ahead_ms} ms ahead of this host's clock; check the clock, then repair the cluster's")]
    ClockPoisoned {
        /// How far.
        ahead_ms: u64,
    },
    /// Another process has this node's id: a copied data folder. Stop one of them and give it a new one.
    #[error(
        "another process has the id of this node, {node}; stop one of the two and give it a data folder of its own"
    )]
    DuplicateNode {
        /// The id.
        node: NodeId,
    },
    /// The disk failed. Nothing more is accepted until the process is started again.
    #[error("the disk failed, and nothing more is accepted: {message}")]
    ReadOnly {
        /// What was wrong with it.
        message: String,
    },
    /// The key has another register than the caller had seen. Read again, and decide again.
    #[error("something else stands there than was expected")]
    Conflict {
        /// Which change of the write, from 0.
        index: usize,
        /// The stamp of that register.
        found: Option<Stamp>,
    },
    /// Key, value or texts are larger than their limits, or the key is empty or reserved. The caller's fault.
    #[error("the change is larger than its limits, or its key is empty or reserved")]
    Invalid {
        /// Which change of the write, from 0.
        index: usize,
    },
    /// Two changes of one write have the same key. The caller's fault: make one of the two, or one after the other.
    #[error("an earlier change of the same request is of the same register; make one of the two")]
    Repeated {
        /// The second of the two, from 0.
        index: usize,
    },
    /// The write has no change, or more than [`WRITE_CHANGES_MAX`](crate::limits::WRITE_CHANGES_MAX). The caller's fault.
    #[error("a request has 1 to {} changes, and this one has {count}", crate::limits::WRITE_CHANGES_MAX)]
    ChangeCount {
        /// How many it has.
        count: usize,
    },
    /// The changes take more than [`WRITE_BYTES_MAX`](crate::limits::WRITE_BYTES_MAX) together. The caller's fault: make them in
    /// several writes.
    #[error(
        "the changes take {bytes} bytes together, and at most {} may be made as one; make them in several requests",
        crate::limits::WRITE_BYTES_MAX
    )]
    TooLarge {
        /// How much they take.
        bytes: usize,
    },
    /// The node has started a moment ago, and does not know yet which stamps it has used: other nodes have to say so, for
    /// some seconds at most. Try again.
    #[error("this node has just started and has not heard from the others yet; try again in a moment")]
    Starting,
    /// No such register is in quarantine on this node. The caller's fault, or its time has come; look again.
    #[error("no change with that stamp is in quarantine on this node; list them again")]
    NotQuarantined {
        /// The stamp of what is there in its place.
        found: Option<Stamp>,
    },
    /// The cluster's clock was repaired as often as it can be. Make a new cluster from a backup.
    #[error(
        "the clock of this cluster was repaired {epochs} times and cannot be repaired again; restore a backup into a new cluster"
    )]
    EpochsExhausted {
        /// How often.
        epochs: u16,
    },
    /// Too many writes wait already. Try again.
    #[error("too many changes wait for their acknowledgement; try again")]
    Busy,
    /// There is no such member in the membership. The caller's fault.
    #[error("node {node} is not a member of the cluster")]
    NotMember {
        /// Which.
        node: NodeId,
    },
    /// A node was to forget itself. It runs, so it would enrol again, or no member would be left to form a majority. The
    /// caller's fault: stop the node, and have another one forget it.
    #[error("node {node} runs and cannot forget itself; stop it, and forget it on another node")]
    ForgetsItself {
        /// This one.
        node: NodeId,
    },
}

impl WriteError {
    /// Which change of the write is refused, from 0; none where all are.
    pub fn index(&self) -> Option<usize> {
        match self {
            Self::Conflict { index, .. } | Self::Invalid { index } | Self::Repeated { index } => Some(*index),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_reads_back_from_its_text() {
        for level in [Level::Local, Level::One, Level::Majority, Level::All] {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        for text in ["", "Local", "two", "majority "] {
            assert_eq!(text.parse::<Level>(), Err(LevelError), "`{text}`");
        }
    }
}
