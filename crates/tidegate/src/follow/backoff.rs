//! When to connect again: outcome and randomness in, delay out.

use std::time::Duration;

use super::limits::{BACKOFF_FIRST, BACKOFF_MAX};
use crate::random::between;

/// Counts attempts that failed.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// All is well: the next failure is the first one.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The delay before the next attempt, drawn evenly up to a ceiling that doubles. A server that names a time is left alone
    /// for that long, and then asked at a moment within as long again. `random` must be evenly distributed.
    pub(crate) fn after(&mut self, retry_after: Option<Duration>, random: u64) -> Duration {
        let ceiling = BACKOFF_FIRST.saturating_mul(1 << self.failures.min(16)).min(BACKOFF_MAX);
        self.failures = self.failures.saturating_add(1);
        match retry_after {
            Some(wait) => between(wait, wait + wait.max(BACKOFF_FIRST), random),
            None => between(Duration::ZERO, ceiling, random),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_a_ceiling_and_begin_again_after_success() {
        let mut backoff = Backoff::default();
        let ceilings: Vec<u128> = (0..7).map(|_| backoff.after(None, u64::MAX).as_millis() + 1).collect();
        assert_eq!(ceilings, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
        assert_eq!(backoff.after(None, 0), Duration::ZERO);
        backoff.reset();
        assert!(backoff.after(None, u64::MAX) < BACKOFF_FIRST);
    }

    #[test]
    fn a_thousand_followers_come_back_spread_over_the_time_that_the_server_names() {
        let mut counts = [0; 10];
        for number in 0..1_000_u64 {
            let random = crate::random::splitmix(number);
            let delay = Backoff::default().after(Some(Duration::from_secs(5)), random);
            counts[usize::try_from((delay.as_millis() - 5_000) / 500).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (60..=140).contains(count)), "{counts:?}");
    }
}
