//! A deterministic simulator: the real replicas, seeded faults, and virtual time.
//!
//! Messages are lost, duplicated, delayed and reordered; the network partitions, also in one direction only; nodes crash with
//! writes on the way to their disks, alone and all at once; syncs fail, disks fill up, rows are damaged, clocks drift and jump; disks
//! are restored and copied; an operator forgets members, repairs clocks and decides about quarantined registers; a member sends
//! stamps of epochs that no operator has opened. Each seed draws its own set of these. Meanwhile every node writes, and the invariants
//! of the crate are checked at each step, and at the end, when everything has healed.
//!
//! A write is lost if its receipt said that its level was reached, and after healing some node holds neither it nor something newer,
//! although one of the disks named in the receipt has not been damaged, restored or copied since the write was requested, and did not
//! belong to a node that was forgotten. `docs/reference/simulator.md` explains the output.

mod checks;
mod disk;
mod log;
mod network;
mod plan;
mod shrink;
#[expect(clippy::indexing_slicing, reason = "nodes are numbered, and only developers run it")]
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
    world::World::new(setup, None).run()
}

/// The same, and gives `log` a line for each step of each node: the time, the node, its input, and what follows from it.
pub fn run_logged(setup: &Setup, log: Log<'_>) -> Outcome {
    world::World::new(setup, Some(log)).run()
}

/// Takes the lines of a log.
pub type Log<'l> = &'l mut dyn FnMut(&str);

impl Setup {
    /// The arguments of `cargo xtask simulate` that run exactly this.
    pub fn arguments(&self) -> String {
        let mut arguments = format!("--seed {} --nodes {} --seconds {}", self.seed, self.nodes, self.seconds);
        for (option, value) in self.mutant.iter().map(|mutant| ("mutant", mutant.to_string())) {
            arguments.extend([" --", option, " ", &value]);
        }
        for fault in &self.without {
            arguments.extend([" --without ", &fault.to_string()]);
        }
        arguments
    }
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
    fn the_log_has_a_line_for_each_step_and_changes_nothing() {
        let setup = Setup { seconds: 5, without: vec![Fault::Jump], ..setup(5) };
        let mut lines = Vec::new();
        let outcome = run_logged(&setup, &mut |line| lines.push(line.to_owned()));
        assert_eq!(outcome, run(&setup));
        assert!(lines.iter().any(|line| line.contains("  1     start -> ")), "{:?}", lines.first());
        assert!(lines.iter().any(|line| line.contains("write ") && line.contains(" -> ") && line.contains("persist ")));
        assert!(lines.iter().any(|line| line.contains("ack [")));
        assert_eq!(setup.arguments(), "--seed 5 --nodes 4 --seconds 5 --without jump");
    }

    #[test]
    fn the_reference_names_every_fault() {
        let page = include_str!("../../../docs/reference/simulator.md");
        for fault in Fault::ALL {
            assert!(page.contains(&format!("| `{fault}` |")), "{fault}");
        }
    }

    #[test]
    fn a_single_node_holds_every_invariant() {
        // Its disk is restored or copied, or loses what was not synced, and it issues a stamp again that no other node has seen.
        for seed in [2, 97, 161, 593] {
            let outcome = run(&Setup { nodes: 1, seconds: 300, ..setup(seed) });
            assert_eq!(outcome.violation, None, "seed {seed}");
        }
    }
}
