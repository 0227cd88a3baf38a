//! The faults of a run, and their rates.

use std::fmt;
use std::str::FromStr;

use super::Setup;
use crate::random::Random;

/// Something that may go wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// Messages are lost.
    Loss,
    /// Messages take up to 0.9 s, and overtake each other.
    Delay,
    /// Messages come twice.
    Duplication,
    /// Groups of nodes do not reach each other.
    Partition,
    /// One group of nodes does not receive what another one sends.
    OneWay,
    /// Single nodes stop and start again.
    Crash,
    /// All nodes stop at once.
    Blackout,
    /// Syncs fail, and the disk is given up.
    FailingSync,
    /// Rows of a disk cannot be read after a crash.
    Damage,
    /// Clocks are up to 0.4 s off.
    Skew,
    /// The clock of one node jumps by hours or years, and is corrected later.
    Jump,
    /// Members are forgotten while they are unreachable, and come back.
    Forget,
    /// Disks are full for a while, and what is to be written waits.
    FullDisk,
    /// A disk goes back to what it was some time ago, sometimes with the clock of a machine that slept.
    Restore,
    /// A disk is copied, and two processes of one node run until one of them is stopped.
    Copy,
    /// The cluster's clock is repaired, some times in a row, and an operator accepts or drops what is in quarantine.
    Repair,
    /// A member sends registers, repairs and stamps of epochs that no operator has opened, and registers from the next minute.
    Forge,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 17] = [
        Self::Loss,
        Self::Delay,
        Self::Duplication,
        Self::Partition,
        Self::OneWay,
        Self::Crash,
        Self::Blackout,
        Self::FailingSync,
        Self::Damage,
        Self::Skew,
        Self::Jump,
        Self::Forget,
        Self::FullDisk,
        Self::Restore,
        Self::Copy,
        Self::Repair,
        Self::Forge,
    ];
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let found = Self::ALL.into_iter().find(|fault| fault.to_string() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(|fault| fault.to_string()).join(", ");
            format!("there is no fault `{text}`; the faults are {names}")
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Loss => "loss",
            Self::Delay => "delay",
            Self::Duplication => "duplication",
            Self::Partition => "partition",
            Self::OneWay => "one-way",
            Self::Crash => "crash",
            Self::Blackout => "blackout",
            Self::FailingSync => "failing-sync",
            Self::Damage => "damage",
            Self::Skew => "skew",
            Self::Jump => "jump",
            Self::Forget => "forget",
            Self::FullDisk => "full-disk",
            Self::Restore => "restore",
            Self::Copy => "copy",
            Self::Repair => "repair",
            Self::Forge => "forge",
        })
    }
}

/// The faults of one run.
#[derive(Clone, Debug)]
pub struct Plan {
    faults: Vec<Fault>,
    /// Messages lost, of a thousand.
    pub(crate) loss: u64,
    /// Messages that come twice, of a thousand.
    pub(crate) duplication: u64,
    /// The longest way of a message, in milliseconds.
    pub(crate) delay_ms: u64,
    /// The longest sync of a disk, in milliseconds: some disks are slow.
    pub(crate) sync_ms: u64,
    /// Keys that are written to.
    pub(crate) keys: u64,
    /// The pause between two writes anywhere, in milliseconds, on average.
    pub(crate) write_ms: u64,
    /// The pause between two faults, in milliseconds, on average.
    pub(crate) fault_ms: u64,
    /// Whether some writes have several changes.
    pub(crate) has_change_sets: bool,
}

impl Plan {
    /// Draws a plan; each fault is in it half the time.
    pub(crate) fn draw(setup: &Setup, random: &mut Random) -> Self {
        let drawn: Vec<Fault> = Fault::ALL.into_iter().filter(|_| random.below(2) == 0).collect();
        let faults: Vec<Fault> = drawn.into_iter().filter(|fault| !setup.without.contains(fault)).collect();
        let mut if_in = |fault: Fault, most: u64, least: u64| {
            let drawn = least + random.below(most - least + 1);
            if faults.contains(&fault) { drawn } else { 0 }
        };
        let (loss, duplication) = (if_in(Fault::Loss, 50, 10), if_in(Fault::Duplication, 50, 10));
        let delay_ms = if_in(Fault::Delay, 900, 20).max(5);
        Self {
            loss,
            duplication,
            delay_ms,
            sync_ms: if random.below(3) == 0 { 400 } else { 20 },
            keys: 4 + random.below(40),
            write_ms: 20 + random.below(200) + 500 / setup.nodes as u64,
            fault_ms: 2_000 + random.below(10_000),
            has_change_sets: Self::draw_change_sets(setup.seed),
            faults,
        }
    }

    /// Whether the runs of a seed have change sets: half of them. Drawn by numbers of its own, so that all other runs stay what they were,
    /// those of `tests/seeds.tsv` among them.
    pub(crate) fn draw_change_sets(seed: u64) -> bool {
        Random::new(seed ^ CHANGE_SETS).below(2) == 0
    }

    /// Whether a fault may happen.
    pub fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }
}

/// Chosen so that no seed of `tests/seeds.tsv` has change sets.
const CHANGE_SETS: u64 = 0x7365_7473_4336;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_that_have_failed_have_no_change_sets_and_about_half_of_the_others_do() {
        let kept = include_str!("../../tests/seeds.tsv").lines().filter_map(|line| line.strip_prefix("--seed "));
        let kept: Vec<u64> = kept.filter_map(|line| line.split_whitespace().next()?.parse().ok()).collect();
        assert!(kept.len() > 10 && !kept.iter().any(|seed| Plan::draw_change_sets(*seed)), "{kept:?}");
        let drawn = (1..=200).filter(|seed| Plan::draw_change_sets(*seed)).count();
        assert!((80..=120).contains(&drawn), "{drawn} of 200");
    }
}
