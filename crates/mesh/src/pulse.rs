//! When to ping, and when a peer counts as gone.
//!
//! Each end of a link sends something at least every few seconds: a message, a ping, or the pong to one. At rest the end that
//! made the connection pings and the other answers, because the other waits a little longer. A peer of which nothing came for three
//! intervals is gone. What came counts, not which ping was answered: on a slow link a pong may wait behind messages for long.
//!
//! One task looks at all links once a second. With a timer for each link a node of twenty would wake six times as often, and
//! that is most of what a cluster at rest costs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use crate::cause::Cause;
use crate::clock;
use crate::link::{End, Link};
use crate::registry::Registry;
use crate::wire::{Reason, ping};

/// Looks at all links until it is dropped.
pub(crate) async fn run(registry: Arc<Registry>) {
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let now = ticks.tick().await.into_std();
        for link in registry.all() {
            check(&link, now);
        }
    }
}

fn check(link: &Link, now: Instant) {
    if clock::now() >= link.peer().expires {
        return link.end(End::Goodbye(Reason::Distrusted));
    }
    let observed = Observed { is_outbound: link.peer().is_outbound, heard: link.last_heard(), sent: link.last_sent() };
    match observed.verdict(now) {
        Verdict::Fine => {}
        Verdict::Ping => _ = link.send(ping(0)),
        Verdict::Gone => link.end(End::Broken(Cause::Silent)),
    }
}

/// What there is to know of a link.
#[derive(Clone, Copy, Debug)]
struct Observed {
    is_outbound: bool,
    /// When something last came, and when something was last sent.
    heard: Instant,
    sent: Instant,
}

#[derive(Debug, Eq, PartialEq)]
enum Verdict {
    Fine,
    Ping,
    Gone,
}

impl Observed {
    fn verdict(self, now: Instant) -> Verdict {
        if now.saturating_duration_since(self.heard) >= SILENCE_MAX {
            return Verdict::Gone;
        }
        let interval = if self.is_outbound { PING_AFTER } else { PING_AFTER + PING_GRACE };
        if now.saturating_duration_since(self.sent) >= interval { Verdict::Ping } else { Verdict::Fine }
    }
}

/// Between two looks.
const TICK: Duration = Duration::from_secs(1);

/// A link on which nothing was sent for this long is pinged: every third look at rest, so that a ping goes out every three
/// seconds.
const PING_AFTER: Duration = Duration::from_millis(2_500);

/// The accepting end waits this much longer, so that at rest only one of the two pings.
const PING_GRACE: Duration = Duration::from_secs(1);

/// A peer of which nothing came for this long is gone: by the look after nine seconds three pings were not answered. A process
/// that dies is noticed at once, because its system closes its connections; this is for hosts that vanish and processes that
/// are stopped.
const SILENCE_MAX: Duration = Duration::from_millis(9_500);

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten minutes of one link, looked at once a second by each end, half a second apart. Messages take a hundredth of a second.
    /// Returns how often each end pinged.
    fn at_rest() -> [u32; 2] {
        let start = Instant::now();
        // The connecting end, then the other one.
        let mut ends = [true, false].map(|is_outbound| Observed { is_outbound, heard: start, sent: start });
        let mut pings = [0, 0];
        let trip = Duration::from_millis(10);
        for half_second in 2..1_200 {
            let (own, other) = (half_second % 2, 1 - half_second % 2);
            let now = start + Duration::from_millis(500) * u32::try_from(half_second).unwrap();
            match ends[own].verdict(now) {
                Verdict::Fine => {}
                Verdict::Ping => {
                    pings[own] += 1;
                    (ends[own].sent, ends[own].heard) = (now, now + 2 * trip);
                    (ends[other].heard, ends[other].sent) = (now + trip, now + trip);
                }
                Verdict::Gone => panic!("it is there"),
            }
        }
        pings
    }

    #[test]
    fn the_connecting_end_pings_at_rest_and_the_other_answers() {
        assert_eq!(at_rest(), [199, 0]);
    }

    #[test]
    fn three_pings_without_an_answer_end_a_link() {
        let start = Instant::now();
        let mut observed = Observed { is_outbound: true, heard: start, sent: start };
        let mut pings = Vec::new();
        for second in 1..=20 {
            let now = start + Duration::from_secs(second);
            match observed.verdict(now) {
                Verdict::Fine => {}
                Verdict::Ping => {
                    observed.sent = now;
                    pings.push(second);
                }
                Verdict::Gone => {
                    assert_eq!((pings, second), (vec![3, 6, 9], 10));
                    return;
                }
            }
        }
        panic!("it is still there");
    }

    #[test]
    fn an_end_that_only_receives_pings_all_the_same() {
        let start = Instant::now();
        let mut observed = Observed { is_outbound: false, heard: start, sent: start };
        let mut pings = 0;
        for second in 1..60 {
            let now = start + Duration::from_secs(second);
            observed.heard = now;
            if observed.verdict(now) == Verdict::Ping {
                (observed.sent, pings) = (now, pings + 1);
            }
        }
        assert_eq!(pings, 14);
    }
}
