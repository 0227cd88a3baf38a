//! One round: one fault under load, then a wait until all nodes agree, and a comparison with what was acknowledged.

use std::time::Duration;

use super::faults::Fault;
use super::fleet::Fleet;
use super::load::{self, Load};
use super::random::Random;
use super::report::Outcome;

/// Causes one fault under load, removes it, and compares.
pub(super) fn run(fleet: &mut Fleet, fault: &Fault, random: &mut Random) -> Result<Outcome, String> {
    let ledger = load::ledger();
    let before = ledger.counts();
    let load = Load::start(fleet, fault.is_strict, random);
    let done = (fault.run)(fleet, random);
    let (reads, failed_reads) = load.stop()?;
    let faults = done?;
    let healed = fleet.wait_until_equal(PATIENCE)?;
    let standing = fleet.standing(0)?;
    let mut divergent = 0;
    for index in 1..fleet.nodes.len() {
        let other = fleet.standing(index)?;
        divergent += standing.iter().filter(|(flag, standing)| other.get(flag) != Some(standing)).count() as u64;
    }
    let after = ledger.counts();
    Ok(Outcome {
        faults,
        acknowledged: after.0 - before.0,
        refused: after.1 - before.1,
        lost: ledger.wrong(&standing),
        divergent,
        reads,
        failed_reads,
        healed: vec![healed],
    })
}

/// How long nodes may take to agree once the fault is removed.
const PATIENCE: Duration = Duration::from_secs(90);
