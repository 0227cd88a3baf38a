//! Which of two processes of one node is the older.
//!
//! Two processes have one node when a folder of certificates was copied to another host. The node's own lock on the folder
//! ends at the host, so other nodes have to notice. Each process says in its hello how long it has been running, measured by
//! its own steady clock, and whether it is still starting. Both ends of a link, and any other node that has links to both
//! processes, compare the ages: the younger process is refused while it is starting. No time of day takes part.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a process has been running, and whether it is still starting. Clones are of the same process.
#[derive(Clone, Debug)]
pub struct Startup(Arc<State>);

#[derive(Debug)]
struct State {
    since: Instant,
    is_over: AtomicBool,
}

impl Startup {
    /// A process that begins to start now. Other nodes refuse it while another process of its node is running, until
    /// [`finish`](Self::finish).
    pub fn new() -> Self {
        Self(Arc::new(State { since: Instant::now(), is_over: AtomicBool::new(false) }))
    }

    /// A process that is never refused for another one of its node.
    pub fn finished() -> Self {
        let startup = Self::new();
        startup.finish();
        startup
    }

    /// The process has started: from now on it is no longer refused.
    pub fn finish(&self) {
        self.0.is_over.store(true, Ordering::Release);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.0.is_over.load(Ordering::Acquire)
    }

    pub(crate) fn age(&self) -> Duration {
        self.0.since.elapsed()
    }
}

impl Default for Startup {
    fn default() -> Self {
        Self::new()
    }
}

/// An age and the number of a process's start.
pub(crate) type Age = (Duration, u64);

/// Whether a process is younger than another one of its node. Ages that are almost equal may be seen in either order by two
/// nodes; then the numbers of the starts decide.
pub(crate) fn is_younger(process: Age, other: Age) -> bool {
    let is_close = process.0.abs_diff(other.0) < CLOSE_AGES;
    if is_close { process.1 > other.1 } else { process.0 < other.0 }
}

/// Longer than a hello is on its way.
const CLOSE_AGES: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_greater_age_wins_and_close_ages_are_decided_by_the_number() {
        let age = |ms: u64, instance: u64| (Duration::from_millis(ms), instance);
        assert!(is_younger(age(500, 1), age(60_000, 2)) && !is_younger(age(60_000, 2), age(500, 1)));
        for (one, other) in [(500, 1_400), (1_400, 500), (500, 500)] {
            assert!(is_younger(age(one, 9), age(other, 3)), "{one} {other}");
            assert!(!is_younger(age(one, 3), age(other, 9)), "{one} {other}");
        }
    }
}
