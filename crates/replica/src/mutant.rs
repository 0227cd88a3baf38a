//! Mutants: rules that are left out on purpose, to show that the simulator notices.

use std::fmt;
use std::str::FromStr;

/// A rule that is left out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mutant {
    /// Nodes push writes and never run anti-entropy.
    NoAntiEntropy,
    /// The clock does not observe stamps of other nodes.
    ReceivedStampsDoNotAdvance,
    /// The Merkle tree keeps the hash of an overwritten register.
    OverwriteForgetsHash,
    /// A writer counts itself before its register is on its disk.
    AckBeforeSync,
    /// Tombstones are collected before all members have them.
    TombstoneCollectedEarly,
    /// After a restart the clock ignores its reservation, and may go back.
    ClockReservationNotPersisted,
    /// Registers far in the future are merged like any other.
    DriftNotRefused,
    /// A member that seems to be unreachable is never asked again.
    DeadPeersNeverTried,
    /// A node writes right after a start, without learning which stamps it has used.
    WritesBeforeLearning,
    /// A node keeps writing although another process has its id.
    CopiesNotRefused,
    /// A node acknowledges what others wrote before it is on its disk.
    PeerAcksBeforeSync,
    /// A node acknowledges a register although another one outranks it there.
    OutrankedIsAcknowledged,
    /// A writer counts itself although its write is outranked on its own node.
    LostWriteCountsHere,
    /// A node that expects peers and knows none is a majority by itself.
    MajorityOfOne,
    /// A write does not supersede the quarantined register of its key.
    QuarantineNotSuperseded,
    /// A clock repair releases the quarantined registers of earlier epochs.
    RepairReleasesQuarantine,
    /// A node that has missed more than one repair refuses the latest.
    MissedRepairsShutOut,
    /// A stamp without a repair begins an epoch.
    EpochsNeedNoRepair,
    /// A node collects tombstones although it has not met every configured peer.
    UnmetPeersIgnored,
    /// Anti-entropy and answers carry registers whose clock reservation is not on the disk; only pushes wait for it.
    AntiEntropyBeforeReservation,
    /// A write of several registers goes to the disk in two batches.
    WriteIsTorn,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 21] = [
        Self::NoAntiEntropy,
        Self::ReceivedStampsDoNotAdvance,
        Self::OverwriteForgetsHash,
        Self::AckBeforeSync,
        Self::TombstoneCollectedEarly,
        Self::ClockReservationNotPersisted,
        Self::DriftNotRefused,
        Self::DeadPeersNeverTried,
        Self::WritesBeforeLearning,
        Self::CopiesNotRefused,
        Self::PeerAcksBeforeSync,
        Self::OutrankedIsAcknowledged,
        Self::LostWriteCountsHere,
        Self::MajorityOfOne,
        Self::QuarantineNotSuperseded,
        Self::RepairReleasesQuarantine,
        Self::MissedRepairsShutOut,
        Self::EpochsNeedNoRepair,
        Self::UnmetPeersIgnored,
        Self::AntiEntropyBeforeReservation,
        Self::WriteIsTorn,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoAntiEntropy => "no-anti-entropy",
            Self::ReceivedStampsDoNotAdvance => "received-stamps-do-not-advance",
            Self::OverwriteForgetsHash => "overwrite-forgets-hash",
            Self::AckBeforeSync => "ack-before-sync",
            Self::TombstoneCollectedEarly => "tombstone-collected-early",
            Self::ClockReservationNotPersisted => "clock-reservation-not-persisted",
            Self::DriftNotRefused => "drift-not-refused",
            Self::DeadPeersNeverTried => "dead-peers-never-tried",
            Self::WritesBeforeLearning => "writes-before-learning",
            Self::CopiesNotRefused => "copies-not-refused",
            Self::PeerAcksBeforeSync => "peer-acks-before-sync",
            Self::OutrankedIsAcknowledged => "outranked-is-acknowledged",
            Self::LostWriteCountsHere => "lost-write-counts-here",
            Self::MajorityOfOne => "majority-of-one",
            Self::QuarantineNotSuperseded => "quarantine-not-superseded",
            Self::RepairReleasesQuarantine => "repair-releases-quarantine",
            Self::MissedRepairsShutOut => "missed-repairs-shut-out",
            Self::EpochsNeedNoRepair => "epochs-need-no-repair",
            Self::UnmetPeersIgnored => "unmet-peers-ignored",
            Self::AntiEntropyBeforeReservation => "anti-entropy-before-reservation",
            Self::WriteIsTorn => "write-is-torn",
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mutant_reads_back_from_its_name() {
        for mutant in Mutant::ALL {
            assert_eq!(mutant.to_string().parse(), Ok(mutant));
        }
        assert!("no-such-mutant".parse::<Mutant>().is_err());
    }
}
