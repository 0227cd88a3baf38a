//! The parts that only some flags have, in a table of their own so that records stay small.

use crate::document::{Details, Flag};
use crate::ramp::Fall;
use crate::share::round_half_even;
use crate::{Answer, FlagKey, Micros, Share, Span};

use super::{Adopters, RecordKind, Targeting, Variants};

/// The rarer parts of a flag.
#[derive(Debug)]
pub(crate) struct Extra {
    pub(crate) adopters: Adopters,
    /// The instant from which early adopters no longer have `new`: the end of a rollback to 0.
    pub(crate) adopters_leave: Option<Micros>,
    /// The rollback, from the share that the ramp has by the wall clock.
    pub(crate) rollback: Option<Fall>,
    /// The share that the document names as the rollback's end, which may be above the active share.
    pub(crate) rollback_to: Share,
    pub(crate) lease: Option<Span>,
    /// The source whose polls the lease counts from: see [`crate::lease::Clocks::for_source`].
    pub(crate) source: u16,
    pub(crate) interpolation: Option<Interpolation>,
    pub(crate) targeting: Option<Box<Targeting>>,
    pub(crate) variants: Option<Box<Variants>>,
    pub(crate) details: Option<Box<Details>>,
}

impl Extra {
    /// Whether the answer may depend on who the subject is besides its position.
    pub(crate) fn is_targeted(&self) -> bool {
        !self.adopters.is_empty() || self.has_rules()
    }

    pub(crate) fn has_rules(&self) -> bool {
        self.targeting.as_ref().is_some_and(|targeting| !targeting.rules.is_empty())
    }

    /// Whether positions are made of an attribute.
    pub(crate) fn is_by_attribute(&self) -> bool {
        self.targeting.as_ref().is_some_and(|targeting| targeting.bucket_by.is_some())
    }

    /// The flags that its rules ask for, also through segments.
    pub(crate) fn prerequisites(&self) -> &[FlagKey] {
        self.targeting.as_ref().map_or(&[], |targeting| &targeting.prerequisites)
    }

    /// What decides a flag with it that is not constant.
    pub(crate) fn kind(&self) -> RecordKind {
        let is_more = !self.adopters.is_empty()
            || self.rollback.is_some()
            || self.lease.is_some()
            || self.interpolation.is_some()
            || self.variants.is_some();
        match &self.targeting {
            None if !is_more => RecordKind::Share,
            Some(targeting) if !is_more && !targeting.rules.is_empty() => RecordKind::Targeted,
            _ => RecordKind::Rules,
        }
    }
}

/// Two numbers, for values between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Interpolation {
    /// Both are integers, and so is everything between.
    Integers(i128, i128),
    /// At least one is written as a float.
    Floats(f64, f64),
}

impl Interpolation {
    pub(crate) fn from_flag(flag: &Flag) -> Option<Self> {
        if !flag.interpolate {
            return None;
        }
        let (stable, new) = (flag.stable.as_str(), flag.new.as_ref()?.as_str());
        match (stable.parse(), new.parse()) {
            (Ok(stable), Ok(new)) => Some(Self::Integers(stable, new)),
            _ => Some(Self::Floats(stable.parse().ok()?, new.parse().ok()?)),
        }
    }

    /// The number at this share: exact at both ends, integers rounded half to even.
    pub(crate) fn at(self, share: Share) -> Answer<'static> {
        match self {
            Self::Integers(stable, new) => Answer::Integer(between(stable, new, share)),
            Self::Floats(stable, new) => {
                #[expect(clippy::cast_precision_loss, reason = "a share is at most 2^32, which a double holds exactly")]
                let x = share.get() as f64 / Share::FULL.get() as f64;
                Answer::Float(stable * (1.0 - x) + new * x)
            }
        }
    }
}

/// `stable + (new - stable) * share`, rounded half to even. JSON integers here are those of 64 bits, so no
/// product comes near 128.
fn between(stable: i128, new: i128, share: Share) -> i128 {
    let moved = new.saturating_sub(stable).saturating_mul(i128::from(share.get()));
    let full = i128::from(Share::FULL.get());
    // The whole sum is rounded, not the difference alone: which neighbour is even depends on the sum.
    let sum = stable.saturating_mul(full).saturating_add(moved);
    let magnitude = round_half_even(sum.unsigned_abs(), Share::FULL.get().into());
    let magnitude = i128::try_from(magnitude).unwrap_or(i128::MAX);
    if sum < 0 { magnitude.saturating_neg() } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_rounded_half_to_even_on_both_sides_of_zero() {
        let half = Share::new(1 << 31).unwrap();
        let cases = [(0, 1, 0), (1, 2, 2), (2, 3, 2), (0, -1, 0), (-1, -2, -2), (-2, -3, -2), (10, 20, 15), (-5, 5, 0)];
        for (stable, new, expected) in cases {
            assert_eq!(between(stable, new, half), expected, "half-way from {stable} to {new}");
        }
        let (low, high) = (i128::from(i64::MIN), i128::from(u64::MAX));
        assert_eq!(between(low, high, Share::ZERO), low);
        assert_eq!(between(low, high, Share::FULL), high);
    }

    #[test]
    fn floats_are_exact_at_both_ends() {
        let ends = Interpolation::Floats(0.1, 0.7);
        assert_eq!(ends.at(Share::ZERO), Answer::Float(0.1));
        assert_eq!(ends.at(Share::FULL), Answer::Float(0.7));
    }
}
