//! The smallest run that breaks the same invariant.

use super::{Fault, Setup, run};

/// Leaves out faults, nodes and time, for as long as the run still breaks `invariant`.
///
/// A smaller run that breaks another invariant does not count: it would show another failure than the one that was found.
pub fn shrink(setup: &Setup, invariant: &str) -> Setup {
    shrink_by(setup, |setup| run(setup).violation.is_some_and(|violation| violation.invariant == invariant))
}

fn shrink_by(setup: &Setup, is_failing: impl Fn(&Setup) -> bool) -> Setup {
    let mut smallest = setup.clone();
    for fault in Fault::ALL.into_iter().filter(|fault| !setup.without.contains(fault)) {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Mutant;

    fn setup(seed: u64) -> Setup {
        Setup { seed, nodes: 4, seconds: 40, mutant: None, without: Vec::new() }
    }

    #[test]
    fn a_failure_shrinks_to_a_smaller_run_that_breaks_the_same_invariant() {
        let setup = Setup { mutant: Some(Mutant::NoAntiEntropy), ..setup(1) };
        let invariant = run(&setup).violation.unwrap().invariant;
        let smallest = shrink(&setup, invariant);
        assert_eq!(run(&smallest).violation.unwrap().invariant, invariant);
        assert!(smallest.nodes < setup.nodes || smallest.seconds < setup.seconds || !smallest.without.is_empty());
    }

    #[test]
    fn what_the_failure_needs_stays_and_what_was_left_out_is_not_named_twice() {
        let needs = |setup: &Setup| !setup.without.contains(&Fault::Loss) && setup.nodes >= 3 && setup.seconds >= 20;
        let smallest = shrink_by(&Setup { without: vec![Fault::Jump], ..setup(1) }, needs);
        assert_eq!((smallest.nodes, smallest.seconds), (3, 22));
        let all_but_loss = Fault::ALL.into_iter().filter(|fault| *fault != Fault::Loss);
        let mut without = smallest.without.clone();
        without.sort_by_key(ToString::to_string);
        let mut expected: Vec<Fault> = all_but_loss.collect();
        expected.sort_by_key(ToString::to_string);
        assert_eq!(without, expected);
    }
}
