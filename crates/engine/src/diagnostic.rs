//! Diagnostics: errors, warnings and notes about a document, each with code, path, place, message and help.
//!
//! Diagnostics are data about the user's text, not errors of the program. A message quotes the user's text escaped and
//! shortened, so that terminals, logs and pages can show it.

mod code;
mod json;
mod pages;
mod path;
mod quote;

use std::fmt;
use std::ops::Range;

pub use code::{Code, UnknownCode};
pub(crate) use path::Trail;
pub use path::{Path, Segment};
pub(crate) use quote::{is_deceptive, quote};

/// One finding about one place of a document.
///
/// [`Display`](fmt::Display) is one line: ``error[E031]: line 3, column 5: features.a: message; help``.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Diagnostic {
    /// What kind of finding it is; stable from version to version.
    pub code: Code,
    /// Which part of the document it is about.
    pub path: Path,
    /// Its place in the text; `None` if the text has no such place.
    pub place: Option<Place>,
    /// What was found, in one line.
    pub message: String,
    /// What to do about it, in one line; empty where there is nothing to do.
    pub help: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}[{}]: ", self.code.severity(), self.code)?;
        if let Some(Place { line, column, .. }) = self.place {
            write!(formatter, "line {line}, column {column}: ")?;
        }
        if !self.path.is_root() {
            write!(formatter, "{}: ", self.path)?;
        }
        formatter.write_str(&self.message)?;
        if self.help.is_empty() { Ok(()) } else { write!(formatter, "; {}", self.help) }
    }
}

/// A stretch of the text of a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The bytes of the text, as it was given.
    pub span: Range<usize>,
    /// The line on which the stretch begins, from 1.
    pub line: u32,
    /// The column at which it begins, from 1, in characters.
    pub column: u32,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Severity {
    /// The document is refused.
    Error,
    /// The document is accepted, but probably does not do what its author wants.
    Warning,
    /// Worth knowing.
    Note,
}

impl Severity {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}
