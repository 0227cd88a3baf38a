//! The named variants of a flag, and what `stable`, `new` and rules choose among them.

use std::fmt;

use super::Value;

/// The named variants of a flag, and what its two sides are made of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Variants {
    /// The variants, each with a name of its own, in the order of the text; at least one.
    pub values: Vec<NamedVariant>,
    /// What keys have that do not have `new`.
    pub stable: Choice,
    /// What the ramp moves keys to; absent: everyone has `stable`.
    pub new: Option<Choice>,
}

/// A variant that a document gives a name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NamedVariant {
    /// Its name.
    pub name: Box<str>,
    /// Its value.
    pub value: Value,
}

/// What stands where a flag with `variants` says what subjects have.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Choice {
    /// The variant of this name.
    Variant(Box<str>),
    /// One of several variants for each key, in proportion to their weights; at least one weight is above 0.
    Split(Vec<Portion>),
}

/// A variant of a split, and its weight.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Portion {
    /// The name of the variant.
    pub variant: Box<str>,
    /// How much of the split it is, beside the weights of the others.
    pub weight: Weight,
}

/// A weight of a split: at most six decimals, up to [`limits::WEIGHT_MAX`](crate::limits::WEIGHT_MAX).
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Weight(u64);

impl Weight {
    /// No subject has a variant of this weight.
    pub const ZERO: Self = Self(0);

    /// The weight of so many millionths.
    pub(crate) const fn from_millionths(millionths: u64) -> Self {
        Self(millionths)
    }

    /// The weight in millionths.
    pub const fn to_millionths(self) -> u64 {
        self.0
    }
}

/// As documents write it: `50`, `33.3`.
impl fmt::Display for Weight {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, rest) = (self.0 / MILLION, self.0 % MILLION);
        if rest == 0 {
            return write!(formatter, "{whole}");
        }
        let text = format!("{whole}.{rest:06}");
        formatter.write_str(text.trim_end_matches('0'))
    }
}

impl Variants {
    /// Whether one of the variants has this name.
    pub fn has(&self, name: &str) -> bool {
        self.values.iter().any(|variant| *variant.name == *name)
    }

    /// Whether `stable` or `new` is a split.
    pub fn has_split(&self) -> bool {
        [Some(&self.stable), self.new.as_ref()].into_iter().flatten().any(|side| matches!(side, Choice::Split(_)))
    }
}

impl Choice {
    /// The names of the variants that it may give to a subject, those of weight 0 included.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let (one, portions) = match self {
            Self::Variant(name) => (Some(&**name), &[][..]),
            Self::Split(portions) => (None, portions.as_slice()),
        };
        one.into_iter().chain(portions.iter().map(|portion| &*portion.variant))
    }

    /// Whether a subject may have this variant by it.
    pub(crate) fn may_give(&self, name: &str) -> bool {
        match self {
            Self::Variant(variant) => **variant == *name,
            Self::Split(portions) => {
                portions.iter().any(|portion| *portion.variant == *name && portion.weight > Weight::ZERO)
            }
        }
    }
}

const MILLION: u64 = 1_000_000;
