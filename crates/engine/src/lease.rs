//! A ramp's own clock: it holds when this host is blind, and catches up without a jump.
//!
//! A ramp that is a pure function of time keeps climbing on a host that can no longer hear "stop". With a
//! lease, the ramp's instant follows the wall clock only for so long after the last fresh word, then holds;
//! when word comes again it runs at twice its speed until it has caught up, so that hosts which were blind
//! together do not jump together. Invariant: for a given host the ramp's instant never falls while its wall
//! clock does not, and is never after the wall clock.

use crate::{Micros, Span};

/// The clocks of all leases in use on one host: the instant of the last fresh word, and where each lease's
/// ramp stood then. It is small, and is kept beside the cache so that a restart changes nothing.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Clocks {
    /// The instant of the last fresh word; `None` where the ramp simply follows the wall clock.
    pub last_poll: Option<Micros>,
    /// The ramp's instant at the last fresh word, for each lease in use.
    pub ramps: Vec<LeaseRamp>,
    /// The ramp's instant at the start of each rollback that has begun, so that the share from which a
    /// rollback leads down does not move any more.
    pub marks: Vec<RollbackMark>,
    /// Flags whose ramps stand elsewhere than those of their lease, because the flag had another lease when this host
    /// was blind. Nearly always none.
    pub moved: Vec<MovedRamp>,
    /// The clocks of further sources, whose numbers begin at 1: a lease counts from the last word of the flag's own source.
    pub additional: Vec<Clocks>,
}

/// Where the ramps under one lease stood at the last fresh word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct LeaseRamp {
    /// The lease.
    pub lease: Span,
    /// The ramp's instant at the last fresh word; not after it.
    pub instant: Micros,
}

/// Where the ramps under one lease stood when a rollback began.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct RollbackMark {
    /// The lease.
    pub lease: Span,
    /// The start of the rollback, on the wall clock.
    pub start: Micros,
    /// The ramp's instant at that time.
    pub instant: Micros,
}

/// Where the ramp of one flag stood at the last fresh word, while it stands elsewhere than those of its lease.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MovedRamp {
    /// The flag's key, as text.
    pub flag: Box<str>,
    /// Its lease.
    pub lease: Span,
    /// The ramp's instant at the last fresh word; not after it.
    pub instant: Micros,
    /// The start of its rollback, on the wall clock, if it has one.
    pub rollback: Option<Micros>,
    /// The ramp's instant at that time, once it has come.
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
    /// Clocks of a host that is always well informed: every ramp follows the wall clock.
    pub const fn synced() -> Self {
        Self { last_poll: None, ramps: Vec::new(), marks: Vec::new(), moved: Vec::new(), additional: Vec::new() }
    }

    /// Takes note of fresh word from the source at `now`, for the leases that the snapshot in force uses.
    ///
    /// Leases no longer in use are forgotten, one that is new to this host begins in step with the wall clock. When a document
    /// changes, call [`Clocks::note_document`] instead.
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

    /// Whether the ramps of its lease stand where this one does.
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
    /// With F the last fresh word and T the ramp's instant then: n = min(now, F + lease), and the answer is
    /// min(n, T + 2 (n - F)). Before F, which only a clock set back can show, the ramp goes back as fast as
    /// the clock does.
    pub fn ramp_instant(&self, lease: Span, now: Micros) -> Micros {
        self.clock(lease, "").ramp_instant(now)
    }

    /// The ramp's instant at `later`, as foreseen at `now`: the one it will have if fresh word keeps coming.
    pub fn ramp_instant_foreseen(&self, lease: Span, later: Micros, now: Micros) -> Micros {
        self.clock(lease, "").ramp_instant_foreseen(later, now)
    }

    /// The ramp's instant when a rollback began at `start`.
    pub fn ramp_instant_at_rollback(&self, lease: Span, start: Micros) -> Micros {
        self.clock(lease, "").ramp_instant_at_rollback(start)
    }

    /// The wall-clock instant at which the ramp's instant is `ramp_instant`, as seen at `now`: the one at
    /// which it came to it, or will come to it if fresh word keeps coming. A ramp that is held now cannot
    /// come to it sooner than by catching up from now on.
    pub fn wall(&self, lease: Span, ramp_instant: Micros, now: Micros) -> Micros {
        self.clock(lease, "").wall(ramp_instant, now)
    }
}

/// The clock of one flag's ramp.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LeaseClock<'c> {
    lease: Span,
    last_poll: Option<Micros>,
    /// The ramp's instant at the last fresh word.
    ramp: Option<Micros>,
    marks: &'c [RollbackMark],
    moved: Option<&'c MovedRamp>,
}

impl LeaseClock<'_> {
    /// See [`Clocks::ramp_instant`].
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

    /// See [`Clocks::ramp_instant_foreseen`].
    pub(crate) fn ramp_instant_foreseen(&self, later: Micros, now: Micros) -> Micros {
        let ahead = later.since(now);
        later.min(self.ramp_instant(now).saturating_add(ahead).saturating_add(ahead))
    }

    /// See [`Clocks::ramp_instant_at_rollback`].
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
            // The rollback began before the last fresh word, and nobody was told of it then: the ramp was at
            // most where it was later.
            Some((last_poll, ramp)) if start < last_poll => start.min(ramp),
            _ => self.ramp_instant(start),
        }
    }

    /// The ramp's instant at the start of a rollback that has begun.
    pub(crate) fn mark(&self, rollback: Option<Micros>, now: Micros) -> Option<Micros> {
        rollback.filter(|start| *start <= now).map(|start| self.ramp_instant_at_rollback(start))
    }

    /// See [`Clocks::wall`].
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

    /// The last fresh word and the ramp's instant then; `None` where the ramp follows the wall clock.
    fn poll_and_ramp(&self) -> Option<(Micros, Micros)> {
        Some((self.last_poll?, self.ramp?))
    }
}
