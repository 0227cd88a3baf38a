//! What all reads of one instance share besides the snapshot: counts of reads as a wrong type, and random draws.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use tidegate_engine::{FlagKey, Position, Subject};

use crate::read::publish::{SPLITMIX_STEP, random, splitmix};

/// Counts reads as a wrong type, and draws random positions.
#[derive(Debug, Default)]
pub(crate) struct ReaderState {
    type_errors: AtomicU64,
    /// The flags that were read as another type than they are, the first few.
    misread: Mutex<Vec<FlagKey>>,
    /// The state of a generator that was given a seed.
    seeded: Option<AtomicU64>,
}

impl ReaderState {
    /// `seed`: of the random draws, for tests; without one each thread draws from a generator of its own.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self { seeded: seed.map(AtomicU64::new), ..Self::default() }
    }

    /// Counts a value that was not of the type that it was asked as; the flag is named by its key. Nothing is
    /// allocated for a flag that is known already.
    #[cold]
    pub(crate) fn type_error_of(&self, flag_key: &str) {
        match flag_key.split_once('/') {
            None => self.type_error(FlagKey::DEFAULT_SECTION, flag_key),
            Some((section, flag)) if !section.contains('%') => self.type_error(section, flag),
            Some(_) => {
                let key = FlagKey::parse(flag_key);
                self.type_error(key.section(), key.flag());
            }
        }
    }

    /// The same.
    #[cold]
    pub(crate) fn type_error(&self, section: &str, flag: &str) {
        self.type_errors.fetch_add(1, Ordering::Relaxed);
        // Somebody else is at it: this flag will come by again.
        let Ok(mut misread) = self.misread.try_lock() else { return };
        let is_known = misread.iter().any(|known| known.flag() == flag && known.section() == section);
        if !is_known && misread.len() < MISREAD_MAX {
            misread.push(FlagKey::new(section, flag));
        }
    }

    /// How often that happened, and the first few flags.
    pub(crate) fn type_errors(&self) -> (u64, Vec<FlagKey>) {
        let misread = self.misread.lock().unwrap_or_else(PoisonError::into_inner).clone();
        (self.type_errors.load(Ordering::Relaxed), misread)
    }

    /// A place on the line, drawn at random.
    #[inline]
    pub(crate) fn draw(&self) -> Subject<'static> {
        let number = match &self.seeded {
            None => random(),
            Some(state) => splitmix(state.fetch_add(SPLITMIX_STEP, Ordering::Relaxed).wrapping_add(SPLITMIX_STEP)),
        };
        let place = (number >> 32) as u32;
        Subject::drawn(Position::new(place))
    }
}

/// Flags that are named where types do not match; the count goes on.
const MISREAD_MAX: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_draws() {
        let draws = |seed| {
            let reader_state = ReaderState::new(seed);
            (0..5).map(|_| format!("{:?}", reader_state.draw())).collect::<Vec<_>>()
        };
        assert_eq!(draws(Some(7)), draws(Some(7)));
        assert_ne!(draws(Some(7)), draws(Some(8)));
        assert_ne!(draws(None), draws(None));
    }

    #[test]
    fn mistakes_are_counted_and_the_first_few_named() {
        let reader_state = ReaderState::new(None);
        for count in 0..MISREAD_MAX + 5 {
            reader_state.type_error("s", &format!("f{count}"));
            reader_state.type_error("s", "f0");
        }
        let (count, flags) = reader_state.type_errors();
        assert_eq!(count, 2 * (MISREAD_MAX as u64 + 5));
        assert_eq!(flags.len(), MISREAD_MAX);
        assert_eq!(flags[0].to_string(), "s/f0");
    }
}
