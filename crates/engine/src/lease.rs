//! Leases: a ramp stops rising on a host whose source is unreachable, and catches up without a jump.
//!
//! A ramp that is a pure function of time keeps rising on a host that cannot learn that it should stop. With a lease, the
//! ramp has a clock of its own. It follows the wall clock until the lease has passed since the last successful poll of the
//! flag's source, and then stands still. After the next successful poll it runs at twice the speed of the wall clock until
//! it has caught up, so that hosts which were cut off together do not jump together. Invariant: on one host the ramp's
//! instant never decreases unless the wall clock does, and is never later than the wall clock.

use crate::{Micros, Span};

/// The clocks of all leases in use on one host: the instant of the last successful poll, and the ramp's instant at that
/// time for each lease. Programs keep it beside the cached document, so that a restart changes nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Clocks {
    /// The last successful poll; `None`: every ramp follows the wall clock.
    pub last_poll: Option<Micros>,
    /// The ramp's instant at the last successful poll, for each lease in use.
    pub ramps: Vec<LeaseRamp>,
    /// The ramp's instant at the start of each rollback that has begun. It fixes the share from which the rollback leads
    /// down.
    pub marks: Vec<RollbackMark>,
    /// Flags whose ramps differ from the others with the same lease, because the flag had another lease while the source
    /// was unreachable. Nearly always empty.
    pub moved: Vec<MovedRamp>,
    /// The clocks of additional sources, whose numbers begin at 1: a lease counts from the last successful poll of the
    /// flag's own source.
    pub additional: Vec<Clocks>,
}

/// The instant of the ramps with one lease at the last successful poll.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LeaseRamp {
    /// The lease.
    pub lease: Span,
    /// The ramp's instant at the last successful poll; not later than the poll.
    pub instant: Micros,
}

/// The instant of the ramps with one lease at the start of a rollback.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RollbackMark {
    /// The lease.
    pub lease: Span,
    /// The start of the rollback, on the wall clock.
    pub start: Micros,
    /// The ramp's instant at that time.
    pub instant: Micros,
}

/// The instant of one flag's ramp at the last successful poll, while it differs from the others with its lease.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MovedRamp {
    /// The flag's key, as text.
    pub flag: Box<str>,
    /// Its lease.
    pub lease: Span,
    /// The ramp's instant at the last successful poll; not later than the poll.
    pub instant: Micros,
    /// The start of its rollback, on the wall clock, if it has one.
    pub rollback: Option<Micros>,
    /// The ramp's instant at the start of the rollback, once the rollback has begun.
    pub mark: Option<Micros>,
}

/// A lease in use by some flag of a snapshot, with the start of the flag's rollback if it has one.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Leased {
    /// The lease.
    pub lease: Span,
    /// The start of the rollback, on the wall clock.
    pub rollback: Option<Micros>,
}

impl Clocks {
    /// Clocks without any lease: every ramp follows the wall clock. For tests, and for one-shot commands that have just
    /// read their source.
    pub const fn synced() -> Self {
        Self { last_poll: None, ramps: Vec::new(), marks: Vec::new(), moved: Vec::new(), additional: Vec::new() }
    }

    /// Records a successful poll of the source at `now`, for the leases that the active snapshot uses.
    ///
    /// Leases that are no longer in use are dropped; a lease that is new to this host begins in step with the wall clock.
    /// When the poll has brought another document, call [`Clocks::note_document`] instead.
    ///
    /// ```
    /// use tidegate_engine::lease::{Clocks, Leased};
    /// use tidegate_engine::{Micros, Span};
    ///
    /// let (hour, lease) = (3_600_000_000, Span::from_micros(3_600_000_000));
    /// let mut clocks = Clocks::default();
    /// clocks.note_poll(Micros::new(0), &[Leased { lease, rollback: None }]);
    /// // Three hours without a poll: the ramp stands still after one.
    /// assert_eq!(clocks.ramp_instant(lease, Micros::new(3 * hour)), Micros::new(hour));
    /// // A poll then: half an hour later the ramp has moved on by an hour.
    /// clocks.note_poll(Micros::new(3 * hour), &[Leased { lease, rollback: None }]);
    /// assert_eq!(clocks.ramp_instant(lease, Micros::new(3 * hour + hour / 2)), Micros::new(2 * hour));
    /// ```
    pub fn note_poll(&mut self, now: Micros, leases: &[Leased]) {
        let mut ramps: Vec<LeaseRamp> = Vec::new();
        let mut marks: Vec<RollbackMark> = Vec::new();
        for &Leased { lease, rollback } in leases {
            if !ramps.iter().any(|ramp| ramp.lease == lease) {
                ramps.push(LeaseRamp { lease, instant: self.ramp_instant(lease, now) });
            }
            if let Some(start) = rollback.filter(|start| *start <= now)
                && !marks.iter().any(|mark| mark.lease == lease && mark.start == start)
            {
                marks.push(RollbackMark { lease, start, instant: self.ramp_instant_at_rollback(lease, start) });
            }
        }
        let moved = std::mem::take(&mut self.moved);
        let mut next = Self {
            last_poll: Some(now),
            ramps,
            marks,
            moved: Vec::new(),
            additional: std::mem::take(&mut self.additional),
        };
        let stood = moved.into_iter().map(|ramp| {
            let clock = LeaseClock {
                last_poll: self.last_poll,
                ramp: Some(ramp.instant),
                moved: Some(&ramp),
                ..self.clock(ramp.lease, "")
            };
            MovedRamp { instant: clock.ramp_instant(now), mark: clock.mark(ramp.rollback, now), ..ramp.clone() }
        });
        let apart = stood.filter(|ramp| !next.has(ramp, now)).collect();
        next.moved = apart;
        *self = next;
    }

    /// Whether the other ramps with the same lease have the same instants as this one.
    pub(crate) fn has(&self, ramp: &MovedRamp, now: Micros) -> bool {
        let clock = self.clock(ramp.lease, "");
        clock.ramp_instant(now) == ramp.instant && clock.mark(ramp.rollback, now) == ramp.mark
    }

    /// The clocks of a source, by its number.
    #[inline]
    pub fn for_source(&self, number: u16) -> &Self {
        match number.checked_sub(1) {
            None => self,
            Some(index) => self.additional.get(usize::from(index)).unwrap_or(const { &Self::synced() }),
        }
    }

    /// The clock of a flag under this lease.
    pub(crate) fn clock<'c>(&'c self, lease: Span, flag: &str) -> LeaseClock<'c> {
        let moved = self.moved.iter().find(|ramp| ramp.lease == lease && *ramp.flag == *flag);
        let of_lease = || Some(self.ramps.iter().find(|ramp| ramp.lease == lease)?.instant);
        let ramp = moved.map(|ramp| ramp.instant).or_else(of_lease);
        LeaseClock { lease, last_poll: self.last_poll, ramp, marks: &self.marks, moved }
    }

    /// The ramp's instant at `now` under this lease.
    ///
    /// With F the last successful poll and T the ramp's instant at that time: n = min(now, F + lease), and the result is
    /// min(n, T + 2 (n - F)). If `now` is before F, because the wall clock was set back, the ramp goes back by as much.
    pub fn ramp_instant(&self, lease: Span, now: Micros) -> Micros {
        self.clock(lease, "").ramp_instant(now)
    }

    /// The ramp's instant at `later`, as predicted at `now`: the one it will have if the source stays reachable.
    pub fn ramp_instant_foreseen(&self, lease: Span, later: Micros, now: Micros) -> Micros {
        self.clock(lease, "").ramp_instant_foreseen(later, now)
    }

    /// The ramp's instant when a rollback began at `start`.
    pub fn ramp_instant_at_rollback(&self, lease: Span, start: Micros) -> Micros {
        self.clock(lease, "").ramp_instant_at_rollback(start)
    }

    /// The wall-clock instant at which the ramp's instant is `ramp_instant`, as seen at `now`: in the past, or in the future
    /// if the source stays reachable. A ramp that stands still can reach it only at twice its speed from `now` on.
    pub fn wall(&self, lease: Span, ramp_instant: Micros, now: Micros) -> Micros {
        self.clock(lease, "").wall(ramp_instant, now)
    }
}

/// The clock of one flag's ramp.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeaseClock<'c> {
    lease: Span,
    last_poll: Option<Micros>,
    /// The ramp's instant at the last successful poll.
    ramp: Option<Micros>,
    marks: &'c [RollbackMark],
    moved: Option<&'c MovedRamp>,
}

impl LeaseClock<'_> {
    /// Implements [`Clocks::ramp_instant`] for one flag.
    pub(crate) fn ramp_instant(&self, now: Micros) -> Micros {
        let Some((last_poll, ramp)) = self.poll_and_ramp() else { return now };
        let until = now.min(last_poll.saturating_add(self.lease));
        let caught_up = if until >= last_poll {
            let since = until.since(last_poll);
            ramp.saturating_add(since.saturating_add(since))
        } else {
            ramp.saturating_sub(last_poll.since(until))
        };
        until.min(caught_up)
    }

    /// Implements [`Clocks::ramp_instant_foreseen`] for one flag.
    pub(crate) fn ramp_instant_foreseen(&self, later: Micros, now: Micros) -> Micros {
        let ahead = later.since(now);
        later.min(self.ramp_instant(now).saturating_add(ahead).saturating_add(ahead))
    }

    /// Implements [`Clocks::ramp_instant_at_rollback`] for one flag.
    pub(crate) fn ramp_instant_at_rollback(&self, start: Micros) -> Micros {
        let of_flag = self.moved.filter(|ramp| ramp.rollback == Some(start)).and_then(|ramp| ramp.mark);
        let of_lease = || {
            let marked = self.marks.iter().find(|mark| mark.lease == self.lease && mark.start == start);
            marked.filter(|_| self.moved.is_none()).map(|mark| mark.instant)
        };
        if let Some(marked) = of_flag.or_else(of_lease) {
            return marked;
        }
        match self.poll_and_ramp() {
            // The rollback began before the last successful poll, and this host did not know of it then: the ramp's
            // instant was at most the one at that poll.
            Some((last_poll, ramp)) if start < last_poll => start.min(ramp),
            _ => self.ramp_instant(start),
        }
    }

    /// The ramp's instant at the start of a rollback that has begun.
    pub(crate) fn mark(&self, rollback: Option<Micros>, now: Micros) -> Option<Micros> {
        rollback.filter(|start| *start <= now).map(|start| self.ramp_instant_at_rollback(start))
    }

    /// Implements [`Clocks::wall`] for one flag.
    pub(crate) fn wall(&self, ramp_instant: Micros, now: Micros) -> Micros {
        let Some((mut last_poll, mut ramp)) = self.poll_and_ramp() else { return ramp_instant };
        let stands_at = self.ramp_instant(now);
        if now > last_poll.saturating_add(self.lease) && ramp_instant > stands_at {
            (last_poll, ramp) = (now, stands_at);
        }
        let reached = if ramp_instant <= ramp {
            last_poll.saturating_sub(ramp.since(ramp_instant))
        } else {
            let ahead = ramp_instant.since(ramp).get();
            last_poll.saturating_add(Span::from_micros(ahead.div_ceil(2)))
        };
        ramp_instant.max(reached)
    }

    /// The last successful poll and the ramp's instant at it; `None`: the ramp follows the wall clock.
    fn poll_and_ramp(&self) -> Option<(Micros, Micros)> {
        Some((self.last_poll?, self.ramp?))
    }
}
