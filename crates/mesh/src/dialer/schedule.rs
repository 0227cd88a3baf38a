//! When to connect again.

use std::time::Duration;

use ring::rand::{SystemRandom, generate};

use crate::cause::Cause;

/// How often attempts have failed in a row.
#[derive(Debug, Default)]
pub(super) struct Schedule {
    failures: u32,
}

impl Schedule {
    /// How long to wait after an attempt that failed for this cause.
    pub(super) fn after(&mut self, cause: &Cause) -> Duration {
        let pause = self.pause(cause);
        self.failures = self.failures.saturating_add(1);
        spread(pause, random())
    }

    /// An attempt has succeeded.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    fn pause(&self, cause: &Cause) -> Duration {
        let (first, last) = match cause {
            Cause::Own => return OWN_PERIOD,
            cause if cause.is_transient() => TRANSIENT,
            _ => LASTING,
        };
        first.saturating_mul(1 << self.failures.min(10)).min(last)
    }
}

/// How long to wait before connecting again after a link was lost, so that both ends do not connect at the same instant.
pub(super) fn redial() -> Duration {
    spread(REDIAL, random())
}

/// Between half of a pause and one and a half of it, so that nodes that failed together do not come back together.
fn spread(pause: Duration, random: u64) -> Duration {
    let tenths = u32::try_from(random % 11).unwrap_or(5);
    pause * (5 + tenths) / 10
}

fn random() -> u64 {
    // Without random bytes all nodes wait equally long, which is no worse than that.
    generate::<[u8; 8]>(&SystemRandom::new()).map_or(5, |random| u64::from_ne_bytes(random.expose()))
}

/// First and last pause after a failure that may pass by itself. The last one is also how long two nodes may be without each
/// other after a network between them has healed.
const TRANSIENT: (Duration, Duration) = (Duration::from_millis(125), Duration::from_millis(500));

/// First and last pause after a failure that somebody has to do something about: each attempt costs both ends a handshake.
const LASTING: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));

/// A name that leads to this node may lead to another one later.
const OWN_PERIOD: Duration = Duration::from_mins(1);

/// The middle of the time before a lost link is replaced.
const REDIAL: Duration = Duration::from_millis(50);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_limit_and_start_again() {
        let mut schedule = Schedule::default();
        let mut pauses = |cause: Cause| -> Vec<u128> {
            let pauses = (0..20).map(|_| {
                let pause = schedule.pause(&cause).as_millis();
                schedule.failures += 1;
                pause
            });
            let pauses = pauses.collect();
            schedule.reset();
            pauses
        };
        assert_eq!(pauses(Cause::ConnectionRefused)[..5], [125, 250, 500, 500, 500]);
        assert_eq!(pauses(Cause::Expired)[..6], [500, 1_000, 2_000, 4_000, 5_000, 5_000]);
        assert_eq!(pauses(Cause::Own)[..2], [60_000, 60_000]);
    }

    #[test]
    fn pauses_are_spread_around_their_middle() {
        let pause = Duration::from_millis(100);
        let all: Vec<u128> = (0..11).map(|random| spread(pause, random).as_millis()).collect();
        assert_eq!(all, [50, 60, 70, 80, 90, 100, 110, 120, 130, 140, 150]);
        assert!(spread(pause, u64::MAX) <= pause * 3 / 2);
    }
}
