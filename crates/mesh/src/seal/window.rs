//! Which numbers of a sender have been seen.
//!
//! Messages may overtake each other by a little, so the last thousand numbers are remembered one by one, and what is older
//! counts as seen (the sliding window of RFC 4303, section 3.4.3).

use std::collections::BTreeMap;

use tidegate_replica::NodeId;

/// The windows of all senders.
#[derive(Debug, Default)]
pub(super) struct Windows {
    senders: BTreeMap<(NodeId, u64), Window>,
    /// Counts what was admitted, to tell which sender was silent for longest.
    clock: u64,
}

#[derive(Debug, Default)]
struct Window {
    greatest: u64,
    seen: [u64; WORDS],
    used: u64,
}

impl Windows {
    /// Whether this number is new.
    pub(super) fn admit(&mut self, sender: (NodeId, u64), number: u64) -> bool {
        self.clock += 1;
        if self.senders.len() >= SENDERS_MAX && !self.senders.contains_key(&sender) {
            let oldest = self.senders.iter().min_by_key(|(_, window)| window.used).map(|(sender, _)| *sender);
            if let Some(oldest) = oldest {
                self.senders.remove(&oldest);
            }
        }
        let window = self.senders.entry(sender).or_default();
        window.used = self.clock;
        window.admit(number)
    }
}

impl Window {
    fn admit(&mut self, number: u64) -> bool {
        if number > self.greatest {
            let steps = (number - self.greatest).min(SIZE);
            for step in 0..steps {
                self.set(number - step, false);
            }
            self.greatest = number;
        } else if self.greatest - number >= SIZE || self.is_seen(number) {
            return false;
        }
        self.set(number, true);
        true
    }

    fn is_seen(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        self.seen.get(word).is_some_and(|word| word & bit != 0)
    }

    fn set(&mut self, number: u64, is_seen: bool) {
        let (word, bit) = place(number);
        if let Some(word) = self.seen.get_mut(word) {
            *word = if is_seen { *word | bit } else { *word & !bit };
        }
    }
}

fn place(number: u64) -> (usize, u64) {
    (((number % SIZE) / 64) as usize, 1 << (number % 64))
}

const WORDS: usize = 16;

/// Numbers that are remembered one by one: more than are ever on their way at once.
const SIZE: u64 = 64 * WORDS as u64;

/// Processes that are remembered; of those beyond, the one that was silent for longest is forgotten.
const SENDERS_MAX: usize = 4 * tidegate_replica::limits::NODES_MAX;

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Nothing is admitted twice, and whatever is not too old is admitted once.
        #[test]
        fn a_number_is_admitted_once(numbers in prop::collection::vec(1_u64..4_000, 1..2_000)) {
            let mut windows = Windows::default();
            let mut seen = BTreeSet::new();
            for number in numbers {
                let is_recent = seen.last().is_none_or(|greatest| number + SIZE > *greatest);
                let is_new = is_recent && seen.insert(number);
                prop_assert_eq!(windows.admit((NodeId::new(1), 1), number), is_new, "{}", number);
            }
        }
    }

    #[test]
    fn the_sender_that_was_silent_for_longest_is_forgotten() {
        let mut windows = Windows::default();
        let sender = |instance: usize| (NodeId::new(1), instance as u64);
        for instance in 0..=SENDERS_MAX {
            assert!(windows.admit(sender(instance), 1));
            assert!(!windows.admit(sender(instance), 1));
            if instance > 0 {
                assert!(!windows.admit(sender(1), 1));
            }
        }
        assert_eq!(windows.senders.len(), SENDERS_MAX);
        assert!(!windows.admit(sender(1), 1), "still known");
        assert!(windows.admit(sender(0), 1), "forgotten");
    }

    #[test]
    fn the_last_number_there_is_is_taken() {
        let mut windows = Windows::default();
        assert!(windows.admit((NodeId::new(1), 1), u64::MAX));
        assert!(!windows.admit((NodeId::new(1), 1), u64::MAX));
        assert!(!windows.admit((NodeId::new(1), 1), 1));
    }
}
