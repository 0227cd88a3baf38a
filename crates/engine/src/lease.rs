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
    pub fresh: Option<Micros>,
    /// The ramp's instant at the last fresh word, for each lease in use.
    pub ramps: Vec<LeaseRamp>,
    /// The ramp's instant at the start of each rollback that has begun, so that the share from which a
    /// rollback leads down does not move any more.
    pub marks: Vec<RollbackMark>,
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
        Self { fresh: None, ramps: Vec::new(), marks: Vec::new() }
    }

    /// Takes note of fresh word from the source at `now`, for the leases that the snapshot in force uses.
    ///
    /// Call it with the leases of the new snapshot when a document changes. Leases no longer in use are
    /// forgotten, one that is new to this host begins in step with the wall clock.
    pub fn hear(&mut self, now: Micros, leases: &[Leased]) {
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
        *self = Self { fresh: Some(now), ramps, marks };
    }

    /// The ramp's instant at `now` under this lease.
    ///
    /// With F the last fresh word and T the ramp's instant then: n = min(now, F + lease), and the answer is
    /// min(n, T + 2 (n - F)). Before F, which only a clock set back can show, the ramp goes back as fast as
    /// the clock does.
    pub fn ramp_instant(&self, lease: Span, now: Micros) -> Micros {
        let Some((fresh, ramp)) = self.last_word(lease) else { return now };
        let heard = now.min(fresh.saturating_add(lease));
        let caught_up = if heard >= fresh {
            let since = heard.since(fresh);
            ramp.saturating_add(since.saturating_add(since))
        } else {
            ramp.saturating_sub(fresh.since(heard))
        };
        heard.min(caught_up)
    }

    /// The ramp's instant at `later`, as foreseen at `now`: the one it will have if fresh word keeps coming.
    pub fn ramp_instant_foreseen(&self, lease: Span, later: Micros, now: Micros) -> Micros {
        let ahead = later.since(now);
        later.min(self.ramp_instant(lease, now).saturating_add(ahead).saturating_add(ahead))
    }

    /// The ramp's instant when a rollback began at `start`.
    pub fn ramp_instant_at_rollback(&self, lease: Span, start: Micros) -> Micros {
        let marked = self.marks.iter().find(|mark| mark.lease == lease && mark.start == start);
        if let Some(mark) = marked {
            return mark.instant;
        }
        match self.last_word(lease) {
            // The rollback began before the last fresh word, and nobody was told of it then: the ramp was at
            // most where it was later.
            Some((fresh, ramp)) if start < fresh => start.min(ramp),
            _ => self.ramp_instant(lease, start),
        }
    }

    /// The wall-clock instant at which the ramp's instant is `ramp_instant`, as seen at `now`: the one at
    /// which it came to it, or will come to it if fresh word keeps coming. A ramp that is held now cannot
    /// come to it sooner than by catching up from now on.
    pub fn wall(&self, lease: Span, ramp_instant: Micros, now: Micros) -> Micros {
        let Some((mut fresh, mut ramp)) = self.last_word(lease) else { return ramp_instant };
        let stands_at = self.ramp_instant(lease, now);
        if now > fresh.saturating_add(lease) && ramp_instant > stands_at {
            (fresh, ramp) = (now, stands_at);
        }
        let reached = if ramp_instant <= ramp {
            fresh.saturating_sub(ramp.since(ramp_instant))
        } else {
            let ahead = ramp_instant.since(ramp).get();
            fresh.saturating_add(Span::from_micros(ahead.div_ceil(2)))
        };
        ramp_instant.max(reached)
    }

    /// The last fresh word and the ramp's instant then; `None` where the lease's ramp follows the wall clock.
    fn last_word(&self, lease: Span) -> Option<(Micros, Micros)> {
        let ramp = self.ramps.iter().find(|ramp| ramp.lease == lease)?;
        Some((self.fresh?, ramp.instant))
    }
}
