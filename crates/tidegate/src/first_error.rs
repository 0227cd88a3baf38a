//! Diagnostics in one line.

use std::fmt::Write as _;

use tidegate_engine::{Diagnostic, Severity};

/// The first error, and how many there are besides.
pub(crate) fn first_error(diagnostics: &[Diagnostic]) -> String {
    let mut errors = diagnostics.iter().filter(|diagnostic| diagnostic.code.severity() == Severity::Error);
    let Some(first) = errors.next() else { return "the loader failed".to_owned() };
    let mut text = first.to_string();
    match errors.count() {
        0 => {}
        1 => text.push_str(", and one more error"),
        more => {
            let _ = write!(text, ", and {more} more errors");
        }
    }
    text
}
