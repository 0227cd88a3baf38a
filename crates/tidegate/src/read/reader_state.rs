//! What all reads of one instance share besides the snapshot: counts of misreads, and random draws.

use std::sync::atomic::{AtomicU64, Ordering};

use tidegate_engine::{Position, Subject};

use crate::random::{SPLITMIX_STEP, random, splitmix};
use crate::read::misreads::Misreads;

/// Counts misreads, and draws random positions.
#[derive(Debug)]
pub(crate) struct ReaderState {
    pub(crate) misreads: Misreads,
    /// The state of a generator that was given a seed.
    seeded: Option<AtomicU64>,
}

impl ReaderState {
    /// `seed`: of the random draws, for tests; without one each thread draws from a generator of its own.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self { misreads: Misreads::new(), seeded: seed.map(AtomicU64::new) }
    }

    /// A subject with a position drawn at random.
    #[inline]
    pub(crate) fn draw(&self) -> Subject<'static> {
        Subject::drawn(self.position())
    }

    /// A position, drawn at random.
    #[inline]
    pub(crate) fn position(&self) -> Position {
        let number = match &self.seeded {
            None => random(),
            Some(state) => splitmix(state.fetch_add(SPLITMIX_STEP, Ordering::Relaxed).wrapping_add(SPLITMIX_STEP)),
        };
        Position::new((number >> 32) as u32)
    }
}

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
}
