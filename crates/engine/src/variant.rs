//! The two variants of every flag, and the one between them.

use std::fmt;

/// Which of a flag's values an answer is.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Variant {
    /// The value to move away from.
    Stable,
    /// The value to move to.
    New,
    /// A number between the two, the same for everyone.
    Interpolated,
}

impl Variant {
    /// The word in documents, answers and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::New => "new",
            Self::Interpolated => "interpolated",
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
