//! Random numbers: for draws, jitter, and ids. None of them is a secret.
//!
//! Each thread has a generator. These, what threads keep for their reads, and the counter of publications are the only state
//! outside of an instance.

use std::cell::Cell;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

thread_local! {
    /// The state of the generator; 0 before the first draw.
    static STATE: Cell<u64> = const { Cell::new(0) };
}

/// An evenly distributed number, from a generator of this thread's own (`SplitMix64`; Steele, Lea and Flood,
/// 2014) that the standard library's random keys have seeded.
#[inline]
pub(crate) fn random() -> u64 {
    STATE.with(|cell| {
        let mut state = cell.get();
        if state == 0 {
            state = seed();
        }
        state = state.wrapping_add(SPLITMIX_STEP);
        cell.set(state);
        splitmix(state)
    })
}

/// A number that no other process draws, for ids: children of a fork go on with the generator of their parent.
#[cfg(feature = "cluster")]
pub(crate) fn random_id() -> u64 {
    random() ^ splitmix(u64::from(std::process::id()))
}

/// The duration at the place `random` of the line from `low` to `high`: evenly distributed if `random` is.
pub(crate) fn between(low: Duration, high: Duration, random: u64) -> Duration {
    let width = high.saturating_sub(low).as_nanos();
    let offset = (width * u128::from(random)) >> 64;
    low + Duration::from_nanos(u64::try_from(offset).unwrap_or(u64::MAX))
}

/// The output of `SplitMix64` for a state.
pub(crate) const fn splitmix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cold]
fn seed() -> u64 {
    RandomState::new().hash_one(0)
}

/// What `SplitMix64` adds to its state at each draw.
pub(crate) const SPLITMIX_STEP: u64 = 0x9e37_79b9_7f4a_7c15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_are_spread_over_the_line() {
        let draws: Vec<u64> = (0..10_000).map(|_| random() >> 32).collect();
        let below_half = draws.iter().filter(|draw| **draw < 1 << 31).count();
        assert!((4_700..5_300).contains(&below_half), "{below_half} of 10000 draws are below one half");
    }
}
