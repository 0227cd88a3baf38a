//! Findings while the reader collects them: places as byte ranges, in the order in which the reader finds them.

use std::ops::Range;

use super::Tally;
use super::patterns::Ledger;
use super::seen::Seed;
use crate::diagnostic::{Code, Path, Severity, Trail};
use crate::limits;

/// What is kept of the findings.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Keep {
    /// All findings, for people to read.
    All,
    /// Only how many there are: a document that is accepted costs no messages.
    Counts,
}

/// One finding, its place still in bytes.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) code: Code,
    pub(crate) path: Path,
    pub(crate) span: Range<usize>,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// All findings about one document.
#[derive(Debug)]
pub(crate) struct Findings {
    keep: Keep,
    /// The seed with which names are hashed to find those that occur twice.
    pub(crate) seed: Seed,
    /// The cost of patterns so far, and the verdict on each.
    pub(crate) patterns: Ledger,
    list: Vec<Finding>,
    /// How often each code was found, by its place among all codes.
    counts: [usize; Code::ALL.len()],
    errors: usize,
    warnings: usize,
    notes: usize,
}

impl Findings {
    pub(crate) fn new(keep: Keep) -> Self {
        Self {
            keep,
            seed: Seed::default(),
            patterns: Ledger::default(),
            list: Vec::new(),
            counts: [0; Code::ALL.len()],
            errors: 0,
            warnings: 0,
            notes: 0,
        }
    }

    /// Adds a finding; message and help are only made where they are kept.
    pub(crate) fn add(
        &mut self,
        code: Code,
        trail: Trail<'_>,
        span: Range<usize>,
        words: impl FnOnce() -> (String, String),
    ) {
        self.put(code, || trail.to_path(), span, words);
    }

    /// The same for a path that was kept.
    pub(crate) fn add_at(
        &mut self,
        code: Code,
        path: Path,
        span: Range<usize>,
        words: impl FnOnce() -> (String, String),
    ) {
        self.put(code, || path, span, words);
    }

    fn put(
        &mut self,
        code: Code,
        path: impl FnOnce() -> Path,
        span: Range<usize>,
        words: impl FnOnce() -> (String, String),
    ) {
        match code.severity() {
            Severity::Error => self.errors += 1,
            Severity::Warning => self.warnings += 1,
            Severity::Note => self.notes += 1,
        }
        let Some(count) = self.counts.get_mut(code as usize) else { return };
        *count += 1;
        if self.keep == Keep::All && *count <= limits::DIAGNOSTICS_MAX {
            let (message, help) = words();
            self.list.push(Finding { code, path: path(), span, message, help });
        }
    }

    /// Whether the document has to be refused.
    pub(crate) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// How many errors there are so far.
    pub(crate) fn errors(&self) -> usize {
        self.errors
    }

    pub(crate) fn keeps_all(&self) -> bool {
        self.keep == Keep::All
    }

    pub(crate) fn tally(&self) -> Tally {
        Tally { errors: self.errors, warnings: self.warnings, notes: self.notes }
    }

    /// The findings in the order of the text, with one more where some were left out.
    pub(crate) fn into_list(mut self) -> Vec<Finding> {
        let left_out = Code::ALL
            .iter()
            .zip(self.counts)
            .filter_map(|(code, count)| {
                let more = count.checked_sub(limits::DIAGNOSTICS_MAX).filter(|&more| more > 0)?;
                Some(format!("{more} more {code}"))
            })
            .collect::<Vec<_>>();
        self.list.sort_by_key(|finding| (finding.span.start, finding.code.severity()));
        if !left_out.is_empty() {
            let end = self.list.last().map_or(0, |finding| finding.span.start);
            self.list.push(Finding {
                code: Code::MoreFindings,
                path: Path::default(),
                span: end..end,
                message: format!("there are {} than are shown", left_out.join(", ")),
                help: format!(
                    "fix these first; at most {} of each code are shown (DIAGNOSTICS_MAX)",
                    limits::DIAGNOSTICS_MAX
                ),
            });
        }
        self.list
    }
}
