//! Rules of a flag and their conditions, as data.

use super::{Choice, Schedule, Value};
use crate::{FlagKey, Variant};

/// What decides about a flag besides its ramp: rules on attributes, and what its positions are made of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Targeting {
    /// The rules, in the order in which they are tried.
    pub rules: Vec<TargetingRule>,
    /// The attribute that the position is made of, instead of the key.
    pub bucket_by: Option<Box<str>>,
}

impl Targeting {
    /// Whether one of the rules has a ramp of its own.
    pub fn has_ramp(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.serve, Serve::Ramp(_)))
    }
}

/// One rule: subjects for which the condition holds have what it serves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TargetingRule {
    /// Its name, which no other rule of the flag has.
    pub name: Box<str>,
    /// For whom it decides.
    pub when: Condition,
    /// What they have.
    pub serve: Serve,
}

/// What a rule serves.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Serve {
    /// `stable` or `new`, in a flag without named variants.
    Variant(Variant),
    /// A named variant or a split, in a flag that has variants.
    Choice(Choice),
    /// A ramp of the rule's own, from `stable` to `new`; never [`Schedule::None`].
    Ramp(Schedule),
}

/// A named condition, for the rules of all flags of its document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Segment {
    /// Its name.
    pub name: Box<str>,
    /// Who belongs to it.
    pub when: Condition,
}

/// Something that holds for a subject or does not.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Condition {
    /// Compares one attribute.
    Compare(Comparison),
    /// All of these hold; at least one.
    All(Vec<Condition>),
    /// One of these holds; at least one.
    Any(Vec<Condition>),
    /// This does not hold.
    Not(Box<Condition>),
    /// The condition of the segment of this name.
    Segment(Box<str>),
    /// Another flag has this variant for the same subject at the same instant.
    Flag {
        /// The other flag.
        flag: FlagKey,
        /// The name of the variant: that of one of its `variants`; `stable` or `new` for a flag without.
        is: Box<str>,
    },
}

/// A comparison of one attribute, which holds if it passes all of its tests.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Comparison {
    /// The name of the attribute; with dots it reaches into objects. `$key` is the subject's key.
    pub attribute: Box<str>,
    /// At least one test, each of another kind.
    pub tests: Vec<Test>,
}

/// One test of an attribute. It fails for an attribute of another type.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Test {
    /// It is this string, number or boolean.
    Is(Value),
    /// It is one of these strings, numbers and booleans.
    In(Vec<Value>),
    /// It is a string with this part, or a list with this element.
    Contains(Value),
    /// It is a string that begins so.
    StartsWith(Box<str>),
    /// It is a string that ends so.
    EndsWith(Box<str>),
    /// It is a string in which this regular expression matches somewhere.
    Matches(Box<str>),
    /// It is a number, or a time, that lies there.
    Order(Order, Value),
    /// It is a version in this range.
    Semver(Box<str>),
    /// It is there; `false`: it is absent.
    Exists(bool),
    /// It is an address in one of these networks.
    InNetwork(Vec<Box<str>>),
}

/// On which side of a bound a number or a time lies.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Order {
    /// Below it.
    Less,
    /// Below it, or equal.
    LessOrEqual,
    /// Above it.
    Greater,
    /// Above it, or equal.
    GreaterOrEqual,
}

impl Order {
    /// The word in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Less => "lt",
            Self::LessOrEqual => "lte",
            Self::Greater => "gt",
            Self::GreaterOrEqual => "gte",
        }
    }

    /// Whether something that relates so to the bound lies on this side.
    #[inline]
    pub(crate) fn admits(self, order: std::cmp::Ordering) -> bool {
        match self {
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
        }
    }
}

impl Test {
    /// How many comparisons it takes at most.
    pub(crate) fn parts(&self) -> usize {
        match self {
            Self::InNetwork(networks) => networks.len(),
            _ => 1,
        }
    }
}

impl Condition {
    /// Its parts that are no groups of others, in the order of the text; a segment is one of them.
    pub(crate) fn leaves<'c>(&'c self, visit: &mut impl FnMut(&'c Self)) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.leaves(visit)),
            Self::Not(part) => part.leaves(visit),
            Self::Compare(_) | Self::Segment(_) | Self::Flag { .. } => visit(self),
        }
    }
}
