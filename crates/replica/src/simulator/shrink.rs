//! The smallest run that still fails.

use super::{Fault, Setup, run};

/// Leaves out faults, nodes and time, for as long as the run still breaks an invariant.
pub fn shrink(setup: &Setup) -> Setup {
    let mut smallest = setup.clone();
    let is_failing = |setup: &Setup| run(setup).violation.is_some();
    for fault in Fault::ALL {
        let mut smaller = smallest.clone();
        smaller.without.push(fault);
        if is_failing(&smaller) {
            smallest = smaller;
        }
    }
    while smallest.nodes > 2 {
        let smaller = Setup { nodes: smallest.nodes - 1, ..smallest.clone() };
        if !is_failing(&smaller) {
            break;
        }
        smallest = smaller;
    }
    while smallest.seconds > 5 {
        let smaller = Setup { seconds: smallest.seconds * 3 / 4, ..smallest.clone() };
        if !is_failing(&smaller) {
            break;
        }
        smallest = smaller;
    }
    smallest
}
