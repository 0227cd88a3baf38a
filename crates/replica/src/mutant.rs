//! Mistakes on purpose: a simulator that does not notice them is no good.

use std::fmt;
use std::str::FromStr;

/// A rule that is left out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mutant {
    /// Nodes push what is new and never compare what they hold.
    NoAntiEntropy,
    /// The clock takes no note of the stamps that come from others.
    ReceivedStampsDoNotAdvance,
    /// The tree keeps the number of what was overwritten.
    OverwriteForgetsHash,
    /// Nodes acknowledge before the register is on their disks.
    AckBeforeSync,
    /// Tombstones go before all members have them.
    TombstoneCollectedEarly,
    /// After a restart the clock may go back to what it was before.
    CeilingNotPersisted,
    /// Stamps far in the future are taken like any other.
    DriftNotRefused,
    /// A member that seems to be away is never asked again.
    DeadPeersNeverTried,
    /// A node writes at once after a start, whatever stamps it may have used.
    WritesBeforeLearning,
    /// A node goes on writing though another process has its id.
    CopiesNotRefused,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::NoAntiEntropy,
        Self::ReceivedStampsDoNotAdvance,
        Self::OverwriteForgetsHash,
        Self::AckBeforeSync,
        Self::TombstoneCollectedEarly,
        Self::CeilingNotPersisted,
        Self::DriftNotRefused,
        Self::DeadPeersNeverTried,
        Self::WritesBeforeLearning,
        Self::CopiesNotRefused,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoAntiEntropy => "no-anti-entropy",
            Self::ReceivedStampsDoNotAdvance => "received-stamps-do-not-advance",
            Self::OverwriteForgetsHash => "overwrite-forgets-hash",
            Self::AckBeforeSync => "ack-before-sync",
            Self::TombstoneCollectedEarly => "tombstone-collected-early",
            Self::CeilingNotPersisted => "ceiling-not-persisted",
            Self::DriftNotRefused => "drift-not-refused",
            Self::DeadPeersNeverTried => "dead-peers-never-tried",
            Self::WritesBeforeLearning => "writes-before-learning",
            Self::CopiesNotRefused => "copies-not-refused",
        }
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Mutant {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|mutant| mutant.name() == text);
        found.ok_or_else(|| format!("there is no mutant `{text}`; --list-mutants names them"))
    }
}
