//! When something changes: the flips of one key, and the next change of a flag's share.

use std::fmt;

use crate::{Micros, Share};

/// The instants at which one key changes variant.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flips {
    /// From this instant on the key has `new`; `None`: the ramp never reaches it.
    pub on: Option<Micros>,
    /// From this instant on the key has `stable` again; `None`: no rollback takes `new` from it.
    pub off: Option<Micros>,
}

impl Flips {
    /// The next flip after `now`; without one, the last flip before it.
    pub fn nearest(self, now: Micros) -> Option<Micros> {
        match (self.on, self.off) {
            (Some(on), Some(off)) => Some(if on > now { on } else { off }),
            (on, off) => on.or(off),
        }
    }

    /// The next flip after `now`.
    pub fn coming(self, now: Micros) -> Option<Micros> {
        earliest(self.on.filter(|on| *on > now), self.off.filter(|off| *off > now))
    }
}

/// The next change in how a flag's share moves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Change {
    /// The instant of the change.
    pub at: Micros,
    /// The share at that instant.
    pub share: Share,
    /// What begins then.
    pub kind: ChangeKind,
}

/// What begins at a [`Change`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChangeKind {
    /// The share begins to rise, or continues to rise at another speed.
    Rises,
    /// The share stays, until a later change.
    Holds,
    /// The share stays, and no later change follows.
    Ends,
    /// A rollback begins.
    Falls,
    /// A lock or an activation expires.
    Expires,
}

impl ChangeKind {
    /// The word in explanations and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rises => "rises",
            Self::Holds => "holds",
            Self::Ends => "ends",
            Self::Falls => "falls",
            Self::Expires => "expires",
        }
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

/// The earlier of two instants; `None` is later than any instant.
pub(crate) fn earliest(one: Option<Micros>, other: Option<Micros>) -> Option<Micros> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
