//! How much of the line gains or loses `new`, now and at most.

use crate::{Micros, Share, Span};

use super::Curve;

/// What a change does to the line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Movements {
    /// Keys that have `stable` by the old document and `new` by the new one.
    pub gain: Movement,
    /// Keys that have `new` by the old document and `stable` by the new one.
    pub loss: Movement,
}

/// How much of the line changes sides.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Movement {
    /// Now.
    pub now: Bounds,
    /// The most at any instant from now on.
    pub most: Bounds,
    /// The first instant at which it is most.
    pub most_at: Option<Micros>,
}

/// What is known of a part of the line; both are the same where it is known exactly.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Bounds {
    /// At least this share of the keys.
    pub at_least: Share,
    /// At most this share.
    pub at_most: Share,
}

impl Movements {
    /// The movements from the old to the new state of a flag, from `now` on. A flag that does not exist
    /// gives `new` to no key.
    pub fn between(old: Option<&Curve<'_>>, new: Option<&Curve<'_>>, is_shuffled: bool, now: Micros) -> Self {
        let sides = Sides { old, new, is_shuffled };
        Self { gain: movement(&sides, now, false), loss: movement(&sides, now, true) }
    }
}

/// The share by the old and by the new document.
struct Sides<'a, 's> {
    old: Option<&'a Curve<'s>>,
    new: Option<&'a Curve<'s>>,
    is_shuffled: bool,
}

impl Sides<'_, '_> {
    /// How much moves to the share `to` from the share `from`: the gain, or the loss with the two exchanged.
    fn moved_at(&self, at: Micros, is_loss: bool) -> Bounds {
        let share = |curve: Option<&Curve<'_>>| curve.map_or(Share::ZERO, |curve| curve.share_at(at)).get();
        let (old, new) = (share(self.old), share(self.new));
        let (from, to) = if is_loss { (new, old) } else { (old, new) };
        let least = to.saturating_sub(from);
        // Shuffled keys may all come from the part that is not on `new` yet, as far as there is room.
        let most = if self.is_shuffled { to.min(Share::FULL.get() - from) } else { least };
        let share = |places| Share::new(places).unwrap_or(Share::FULL);
        Bounds { at_least: share(least), at_most: share(most) }
    }

    /// Whether the two shares together are more than the whole line.
    fn is_crowded(&self, at: Micros) -> bool {
        let share = |curve: Option<&Curve<'_>>| curve.map_or(0, |curve| curve.share_at(at).get());
        share(self.old) + share(self.new) > Share::FULL.get()
    }

    /// Every instant from now on at which one of the bounds may be at its greatest: both sides of each
    /// corner, and, since the upper bound of shuffled keys rises with one share and falls with the other, the
    /// instant between two corners at which it changes.
    fn candidates(&self, now: Micros) -> Vec<Micros> {
        let changes = self.old.iter().chain(&self.new).flat_map(|curve| &curve.changes);
        let mut corners: Vec<Micros> = changes.map(|change| change.at).filter(|at| *at > now).collect();
        corners.sort_unstable();
        corners.dedup();
        let mut candidates = vec![now];
        let mut from = now;
        for corner in corners {
            let before = corner.saturating_sub(Span::from_micros(1)).max(from);
            if self.is_shuffled {
                candidates.extend(self.crossing(from, before));
            }
            candidates.extend([before, corner]);
            from = corner;
        }
        candidates.dedup();
        candidates
    }

    /// The two instants between which both shares together become, or cease to be, more than the line.
    fn crossing(&self, from: Micros, to: Micros) -> Vec<Micros> {
        let at_first = self.is_crowded(from);
        if at_first == self.is_crowded(to) {
            return Vec::new();
        }
        let (mut low, mut high) = (from, to);
        while high.since(low) > Span::from_micros(1) {
            let middle = low.saturating_add(Span::from_micros(high.since(low).get() / 2));
            if self.is_crowded(middle) == at_first { low = middle } else { high = middle }
        }
        vec![low, high]
    }
}

fn movement(sides: &Sides<'_, '_>, now: Micros, is_loss: bool) -> Movement {
    let moved: Vec<(Micros, Bounds)> =
        sides.candidates(now).into_iter().map(|at| (at, sides.moved_at(at, is_loss))).collect();
    let greatest = |bound: fn(&Bounds) -> Share| moved.iter().map(|(_, moved)| bound(moved)).max().unwrap_or_default();
    let most = Bounds { at_least: greatest(|moved| moved.at_least), at_most: greatest(|moved| moved.at_most) };
    let is_most = |at: Micros| sides.moved_at(at, is_loss).at_most.get() + NEARLY >= most.at_most.get();
    let first = moved.iter().map(|(at, _)| *at).find(|at| is_most(*at));
    // A corner is told of by its own instant rather than by the one before it.
    let rounder = first.map(|at| at.saturating_add(Span::from_micros(1))).filter(|next| *next > now && is_most(*next));
    Movement {
        now: sides.moved_at(now, is_loss),
        most,
        most_at: if most.at_most == Share::ZERO { None } else { first.filter(|at| *at == now).or(rounder).or(first) },
    }
}

/// Less than what is shown: a millionth of a per cent, in places.
const NEARLY: u64 = 43;

#[cfg(test)]
mod tests {
    use crate::document::{check, parse_percent, parse_time};
    use crate::{CompileOptions, Snapshot, compile};

    use super::*;

    fn snapshot(entry: &str) -> Snapshot {
        let checked = check(format!(r#"{{"f": {{"x": {entry}}}}}"#).as_bytes());
        compile(&checked.document.expect("an accepted document"), &CompileOptions::default())
    }

    /// Gain and loss now and at most, as per cent; `None` is a flag that is not there.
    fn check_movements(old: Option<&str>, new: Option<&str>, is_shuffled: bool, expected: [(&str, &str); 4]) {
        let (before, after) = (old.map(snapshot), new.map(snapshot));
        let old_curve = before.as_ref().and_then(|snapshot| snapshot.flags().map(Curve::new).next());
        let new_curve = after.as_ref().and_then(|snapshot| snapshot.flags().map(Curve::new).next());
        let now = parse_time("2026-01-05 00:00Z").unwrap();
        let found = Movements::between(old_curve.as_ref(), new_curve.as_ref(), is_shuffled, now);
        let bounds = [found.gain.now, found.gain.most, found.loss.now, found.loss.most];
        for (number, (bounds, (least, most))) in bounds.into_iter().zip(expected).enumerate() {
            let near = |share: Share, text: &str| {
                share.get().abs_diff(parse_percent(text).unwrap().get()) <= Share::FULL.get() / 100_000_000
            };
            assert!(
                near(bounds.at_least, least) && near(bounds.at_most, most),
                "bound {number} of {old:?} to {new:?}: {} to {}, not {least} to {most}",
                bounds.at_least,
                bounds.at_most
            );
        }
    }

    const RISING: &str = r#"{"stable": 0, "new": 1, "start_time": "2026-01-01 00:00Z", "duration": "10d"}"#;
    const LATER: &str = r#"{"stable": 0, "new": 1, "start_time": "2026-01-03 00:00Z", "duration": "10d"}"#;
    const STEEPER: &str = r#"{"stable": 0, "new": 1, "start_time": "2026-01-04 00:00Z", "duration": "4d"}"#;
    const BACK: &str = r#"{"stable": 0, "new": 1, "start_time": "2026-01-01 00:00Z", "duration": "10d",
        "rollback": {"start_time": "2026-01-07 00:00Z", "duration": "1d"}}"#;

    #[test]
    fn exact_where_the_keys_stay() {
        check_movements(Some(RISING), Some(RISING), false, [("0", "0"), ("0", "0"), ("0", "0"), ("0", "0")]);
        check_movements(Some(RISING), Some(LATER), false, [("0", "0"), ("0", "0"), ("20", "20"), ("20", "20")]);
        check_movements(Some(LATER), Some(RISING), false, [("20", "20"), ("20", "20"), ("0", "0"), ("0", "0")]);
        // Behind by 15 now, level after a day, ahead by 30 at its end.
        check_movements(Some(RISING), Some(STEEPER), false, [("0", "0"), ("30", "30"), ("15", "15"), ("15", "15")]);
        check_movements(Some(RISING), Some(BACK), false, [("0", "0"), ("0", "0"), ("0", "0"), ("100", "100")]);
        check_movements(None, Some(RISING), false, [("40", "40"), ("100", "100"), ("0", "0"), ("0", "0")]);
        check_movements(Some(RISING), None, false, [("0", "0"), ("0", "0"), ("40", "40"), ("100", "100")]);
    }

    #[test]
    fn the_first_instant_at_which_it_is_most() {
        let day = |day: u32| Some(parse_time(&format!("2026-01-{day:02} 00:00Z")).unwrap());
        let now = day(5).unwrap();
        for (old, new, is_shuffled, gain, loss) in [
            (Some(RISING), Some(RISING), false, None, None),
            (Some(RISING), Some(LATER), false, None, day(5)),
            (Some(RISING), Some(STEEPER), false, day(8), day(5)),
            (Some(RISING), Some(BACK), false, None, day(11)),
            (None, Some(RISING), false, day(11), None),
            (Some(RISING), Some(RISING), true, day(6), day(6)),
        ] {
            let (before, after) = (old.map(snapshot), new.map(snapshot));
            let old_curve = before.as_ref().and_then(|snapshot| snapshot.flags().map(Curve::new).next());
            let new_curve = after.as_ref().and_then(|snapshot| snapshot.flags().map(Curve::new).next());
            let found = Movements::between(old_curve.as_ref(), new_curve.as_ref(), is_shuffled, now);
            assert_eq!((found.gain.most_at, found.loss.most_at), (gain, loss), "{old:?} to {new:?}");
        }
    }

    #[test]
    fn bounds_where_the_keys_are_shuffled() {
        // Both at 40 now; at 50 each half could change sides, and at 100 no key can.
        check_movements(Some(RISING), Some(RISING), true, [("0", "40"), ("0", "50"), ("0", "40"), ("0", "50")]);
        check_movements(None, Some(RISING), true, [("40", "40"), ("100", "100"), ("0", "0"), ("0", "0")]);
    }
}
