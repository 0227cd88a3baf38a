//! A world in which replicas live and everything goes wrong: the real code, a seed, and time that is only counted.
//!
//! Messages are lost, doubled, delayed and turned round; the network parts, also in one direction only; nodes crash with
//! writes on the way to their disks, alone and all at once; syncs fail, disks fill up, rows are damaged, clocks run apart
//! and jump; disks are put back and copied; an operator forgets members, repairs clocks and decides about registers in
//! quarantine; a member sends stamps of epochs that nobody has opened. Each seed draws its own set of these. Meanwhile every node writes, and the invariants of the crate are checked at each step and at the end, when
//! everything has healed.
//!
//! What counts as lost: a write whose receipt said that its level was reached, and of which, after healing, some node
//! holds neither it nor something newer, though one of the disks named in the receipt has not been damaged, put back
//! or copied since it was asked for, nor belonged to a node that was forgotten.

mod checks;
mod disk;
mod network;
mod plan;
mod shrink;
#[expect(clippy::indexing_slicing, reason = "nodes are numbered, and nobody but a developer can make it panic")]
mod world;

use std::fmt;

use crate::Mutant;
pub use checks::Violation;
pub use plan::{Fault, Plan};
pub use shrink::shrink;

/// What one run is made of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Setup {
    /// Decides everything else.
    pub seed: u64,
    /// How many nodes, at least 1.
    pub nodes: usize,
    /// How long nodes write and faults happen, in virtual seconds.
    pub seconds: u64,
    /// The rule that is left out.
    pub mutant: Option<Mutant>,
    /// Faults that are left out; for shrinking.
    pub without: Vec<Fault>,
}

/// What came of a run.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Outcome {
    /// A number of everything that happened, in its order. The same setup gives the same.
    pub trace: u64,
    /// Events that were worked through.
    pub events: u64,
    /// Writes whose level was reached: local, one, majority, all.
    pub acknowledged: [u64; 4],
    /// Writes that were accepted, and whose level was not reached in time.
    pub unreached: u64,
    /// Writes that were refused.
    pub refused: u64,
    /// Messages and bytes that all nodes sent in the twenty seconds of rest at the end.
    pub at_rest: (u64, u64),
    /// The first invariant that was broken.
    pub violation: Option<Violation>,
}

/// The rest at the end, in seconds.
pub const REST_SECONDS: u64 = world::REST_MS / 1_000;

/// Runs a world to its end, or to the first broken invariant.
pub fn run(setup: &Setup) -> Outcome {
    world::World::new(setup).run()
}

impl fmt::Display for Setup {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "seed {}, {} nodes, {} s", self.seed, self.nodes, self.seconds)?;
        if let Some(mutant) = self.mutant {
            write!(formatter, ", mutant {mutant}")?;
        }
        for fault in &self.without {
            write!(formatter, ", without {fault}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(seed: u64) -> Setup {
        Setup { seed, nodes: 4, seconds: 40, mutant: None, without: Vec::new() }
    }

    #[test]
    fn a_seed_gives_the_same_run_again() {
        let outcome = run(&setup(5));
        assert_eq!(outcome, run(&setup(5)));
        assert_eq!(outcome.violation, None);
        assert!(outcome.acknowledged.iter().sum::<u64>() > 0, "{outcome:?}");
        assert_ne!(outcome.trace, run(&setup(6)).trace);
    }

    #[test]
    fn a_failure_shrinks_to_one_that_fails_too() {
        let setup = Setup { mutant: Some(Mutant::NoAntiEntropy), ..setup(1) };
        let smallest = shrink(&setup);
        assert!(run(&smallest).violation.is_some());
        assert!(smallest.nodes < setup.nodes || smallest.seconds < setup.seconds || !smallest.without.is_empty());
    }
}
