//! When something changes: the flips of one key, and the next change of a flag's share.

use std::fmt;

use crate::{Micros, Share};

/// The instants at which one key changes variant.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Flips {
    /// From here on it has `new`; `None`: the ramp never brings it there.
    pub on: Option<Micros>,
    /// From here on it has `stable` again; `None`: no rollback takes it back.
    pub off: Option<Micros>,
}

impl Flips {
    /// The next flip after `now`, or the last one there was.
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

/// The next turn of a flag's share.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Change {
    /// When it comes.
    pub at: Micros,
    /// The share from that instant on, or at that instant where it moves.
    pub share: Share,
    /// What begins then.
    pub kind: ChangeKind,
}

/// What begins at a [`Change`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ChangeKind {
    /// The share begins to rise, or rises at another speed.
    Rises,
    /// The share stays for now.
    Holds,
    /// The share stays for good.
    Ends,
    /// A rollback begins.
    Falls,
    /// A lock or a dial ends by itself.
    Expires,
}

impl ChangeKind {
    /// The word for it in answers and reports.
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

/// The earlier of two instants, either of which may never come.
pub(crate) fn earliest(one: Option<Micros>, other: Option<Micros>) -> Option<Micros> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
