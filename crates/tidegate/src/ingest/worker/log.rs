//! Limits how often the log repeats a line about trouble that lasts.

use std::time::{Duration, Instant};

/// Says whether a line about trouble that repeats is due.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct LogLimit {
    last: Option<Instant>,
    /// Whether the line before was about the same stretch of trouble.
    is_within: bool,
}

impl LogLimit {
    /// Whether this piece of trouble is to be logged: the first of a stretch, if the last line was not just
    /// now, then one in ten minutes.
    pub(crate) fn trouble(&mut self, now: Instant) -> bool {
        let quiet = if self.is_within { AGAIN } else { APART };
        let is_due = self.last.is_none_or(|last| now.duration_since(last) >= quiet);
        if is_due {
            self.last = Some(now);
            self.is_within = true;
        }
        is_due
    }

    /// The trouble is over. Whether anybody was told of it.
    pub(crate) fn over(&mut self) -> bool {
        std::mem::take(&mut self.is_within)
    }
}

/// Between lines about one stretch of trouble.
const AGAIN: Duration = Duration::from_mins(10);

/// Between the lines of stretches that follow each other closely.
const APART: Duration = Duration::from_mins(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_for_a_stretch_and_one_in_ten_minutes() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut limit = LogLimit::default();
        assert!(!limit.over());
        assert!(limit.trouble(at(0)));
        assert!((1..600).step_by(7).all(|second| !limit.trouble(at(second))));
        assert!(limit.trouble(at(600)));
        assert!(limit.over());
        assert!(!limit.over());
        assert!(!limit.trouble(at(630)), "back and forth within a minute");
        assert!(limit.trouble(at(661)));
    }
}
