//! The two sides of every flag, the number between them, and what only rules serve.

use std::fmt;

/// Which of a flag's values an answer is. Where a flag has named variants, this is the side that decided, and
/// [`Decision::variant_name`](crate::Decision::variant_name) is the name.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Variant {
    /// The value to move away from.
    Stable,
    /// The value to move to.
    New,
    /// A number between the two, the same for everyone.
    Interpolated,
    /// A named variant that a rule serves and that is neither what `stable` nor what `new` says.
    Named,
}

impl Variant {
    /// The word in documents, answers and reports.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stable => "stable",
            Self::New => "new",
            Self::Interpolated => "interpolated",
            Self::Named => "named",
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
