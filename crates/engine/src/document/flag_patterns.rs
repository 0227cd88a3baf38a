//! The patterns of one flag: each compiles within its limit, and all of them together.

use super::findings::Findings;
use super::members::At;
use super::patterns::{Spent, Verdict};
use crate::diagnostic::{Code, quote};
use crate::limits;

/// The patterns of one flag so far: those of its early adopters and of its rules share their limits.
#[derive(Default)]
pub(crate) struct Patterns {
    bytes: usize,
    list: Vec<Box<str>>,
}

impl Patterns {
    /// Reads one pattern; `all` says what is the case if it matches every text.
    pub(crate) fn read(&mut self, at: At<'_, '_>, all: &str, findings: &mut Findings) -> Option<Box<str>> {
        let pattern = at.string(findings)?;
        let was_within = self.bytes <= limits::REGEX_TEXT_BYTES_MAX;
        self.bytes = self.bytes.saturating_add(pattern.len());
        if self.bytes > limits::REGEX_TEXT_BYTES_MAX {
            if was_within {
                report_too_large(at, "REGEX_TEXT_BYTES_MAX", limits::REGEX_TEXT_BYTES_MAX, "of text", findings);
            }
            return None;
        }
        match findings.patterns.spend(&pattern) {
            Spent::Within => {}
            Spent::Beyond => return None,
            Spent::Exceeds => {
                report_too_costly(at, &pattern, findings);
                return None;
            }
        }
        match findings.patterns.verdict(&pattern) {
            Verdict::Good { matches_all } => {
                if matches_all {
                    findings.add(Code::PatternMatchesAll, at.trail, at.token.span(), || {
                        (
                            format!("the pattern {} matches every key, so {all}", quote(&pattern)),
                            "anchor it by `^` and `$` and say what has to stand between them".to_owned(),
                        )
                    });
                }
                self.list.push(pattern.clone());
                Some(pattern)
            }
            Verdict::TooLarge(limit) => {
                report_too_large(at, "REGEX_BYTES_MAX", limit, "once compiled", findings);
                None
            }
            Verdict::Unreadable(reason) => {
                findings.add(Code::PatternUnreadable, at.trail, at.token.span(), || {
                    (
                        format!("the pattern {} is not a regular expression: {}", quote(&pattern), reason),
                        "look-around and back-references are left out, because they cannot be matched in linear time"
                            .to_owned(),
                    )
                });
                None
            }
        }
    }

    /// Each pattern compiles alone; they also have to fit together.
    pub(crate) fn check(self, at: At<'_, '_>, findings: &mut Findings) {
        if self.list.len() < 2 {
            return;
        }
        // Beyond the budget nothing is compiled; the document is refused anyway.
        if findings.patterns.is_exceeded() {
            return;
        }
        if !findings.patterns.fit_together(&self.list) {
            let limit = limits::REGEX_BYTES_MAX;
            report_too_large(at, "REGEX_BYTES_MAX", limit, "together once compiled", findings);
        }
    }
}

fn report_too_costly(at: At<'_, '_>, pattern: &str, findings: &mut Findings) {
    findings.add(Code::PatternsTooCostly, at.trail, at.token.span(), || {
        (
            format!(
                "with the pattern {} the patterns of this document cost more to compile than {} units (PATTERN_COST_MAX)",
                quote(pattern),
                limits::PATTERN_COST_MAX
            ),
            "name keys as they are where you can, use `[0-9]` for `\\d` and `[0-9A-Za-z_]` for `\\w`, or join patterns".to_owned(),
        )
    });
}

fn report_too_large(at: At<'_, '_>, name: &str, limit: usize, what: &str, findings: &mut Findings) {
    findings.add(Code::PatternsTooLarge, at.trail, at.token.span(), || {
        (
            format!("the patterns of this flag have more than {limit} bytes {what} ({name})"),
            "use `[0-9]` for `\\d` and `[0-9A-Za-z_]` for `\\w`, which stand for all scripts and are large, or fewer repetitions".to_owned(),
        )
    });
}
