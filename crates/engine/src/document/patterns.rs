//! Patterns of early adopters and rules: compiling them within the limits, and remembering the verdict on each.

use std::collections::HashMap;

use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use crate::limits;

/// All patterns of one flag as one set, within [`limits::REGEX_BYTES_MAX`].
///
/// The reader and the compiler use this one function, so that what was accepted also compiles.
pub(crate) fn compile_patterns<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<RegexSet, regex::Error> {
    RegexSetBuilder::new(patterns)
        .size_limit(limits::REGEX_BYTES_MAX)
        .dfa_size_limit(limits::REGEX_CACHE_BYTES_MAX)
        .nest_limit(PATTERN_NESTING_MAX)
        .build()
}

/// One pattern, under the limits of a set.
pub(crate) fn compile_pattern(pattern: &str) -> Result<Regex, regex::Error> {
    RegexBuilder::new(pattern)
        .size_limit(limits::REGEX_BYTES_MAX)
        .dfa_size_limit(limits::REGEX_CACHE_BYTES_MAX)
        .nest_limit(PATTERN_NESTING_MAX)
        .build()
}

/// The cost of the patterns of one document, and the verdict on each text, so that the same text is compiled once however
/// often it occurs and however often the document is read.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    cost: usize,
    is_exceeded: bool,
    verdicts: HashMap<Box<str>, Verdict>,
    /// Whether the patterns of a list fit together, by the hash of the list.
    together: HashMap<u128, bool>,
    /// How often something was compiled.
    #[cfg(test)]
    pub(super) compiled: usize,
}

/// The result of compiling one pattern.
#[derive(Clone, Debug)]
pub(super) enum Verdict {
    Good { matches_all: bool },
    TooLarge(usize),
    Unreadable(String),
}

/// Whether there is budget left for a pattern.
pub(super) enum Spent {
    Within,
    /// This pattern exceeds the budget.
    Exceeds,
    /// A pattern before it exceeded the budget.
    Beyond,
}

impl Ledger {
    /// The same verdicts, with nothing spent.
    pub(super) fn known(self) -> Self {
        Self { cost: 0, is_exceeded: false, ..self }
    }

    pub(super) fn spend(&mut self, pattern: &str) -> Spent {
        if self.is_exceeded {
            return Spent::Beyond;
        }
        self.cost = self.cost.saturating_add(cost(pattern));
        self.is_exceeded = self.cost > limits::PATTERN_COST_MAX;
        if self.is_exceeded { Spent::Exceeds } else { Spent::Within }
    }

    /// Whether the budget is used up.
    pub(super) fn is_exceeded(&self) -> bool {
        self.is_exceeded
    }

    pub(super) fn verdict(&mut self, pattern: &str) -> Verdict {
        if let Some(verdict) = self.verdicts.get(pattern) {
            return verdict.clone();
        }
        let verdict = match self.compile([pattern]) {
            Ok(set) => Verdict::Good { matches_all: PROBES.iter().all(|probe| set.is_match(probe)) },
            Err(regex::Error::CompiledTooBig(limit)) => Verdict::TooLarge(limit),
            Err(error) => Verdict::Unreadable(reason(&error)),
        };
        self.verdicts.insert(pattern.into(), verdict.clone());
        verdict
    }

    pub(super) fn fit_together(&mut self, patterns: &[Box<str>]) -> bool {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        for pattern in patterns {
            hash.update(&(pattern.len() as u64).to_le_bytes());
            hash.update(pattern.as_bytes());
        }
        let id = hash.digest128();
        if let Some(fit) = self.together.get(&id) {
            return *fit;
        }
        let compiled = self.compile(patterns.iter().map(|pattern| &**pattern));
        let fit = !matches!(compiled, Err(regex::Error::CompiledTooBig(_)));
        self.together.insert(id, fit);
        fit
    }

    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "tests count how often this is called"))]
    fn compile<'p>(&mut self, patterns: impl IntoIterator<Item = &'p str>) -> Result<RegexSet, regex::Error> {
        #[cfg(test)]
        {
            self.compiled += 1;
        }
        compile_patterns(patterns)
    }
}

/// The estimated cost of compiling a pattern, in the units of [`limits::PATTERN_COST_MAX`].
fn cost(pattern: &str) -> usize {
    let bytes = pattern.as_bytes();
    let pairs = bytes.windows(2).filter(|pair| match pair {
        [b'\\', escaped] => b"wWdDsSpPbB".contains(escaped),
        [b'[', b'^'] => true,
        _ => false,
    });
    // `(?:` is a group; any other may set a flag.
    let flags = bytes.windows(3).filter(|three| matches!(three, [b'(', b'?', other] if *other != b':'));
    let dots = bytes.iter().filter(|byte| **byte == b'.' || !byte.is_ascii());
    let large = pairs.count().saturating_add(flags.count()).saturating_add(dots.count());
    let cost = PATTERN_COST.saturating_add(bytes.len()).saturating_add(large.saturating_mul(CLASS_COST));
    cost.min(PATTERN_COST_EACH_MAX)
}

/// The message of the regular expression library, without its drawing.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

/// A pattern that matches both of these unusual keys matches every key.
const PROBES: [&str; 2] = ["", "\u{1}\u{2}"];
/// The cost of any pattern.
const PATTERN_COST: usize = 64;

/// The cost of a class of characters of all scripts, or of a flag that may turn what follows into one.
const CLASS_COST: usize = 1_024;

/// The largest cost of one pattern: compiling stops when a pattern is too large.
const PATTERN_COST_EACH_MAX: usize = 256 * 1024;

/// Nested groups of one pattern; people write three.
const PATTERN_NESTING_MAX: u32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_pattern_has_its_cost() {
        let costs = [
            ("", 64),
            ("^ci-[0-9]+$", 75),
            (r"^\w+\.$", 64 + 7 + 2_048),
            ("é", 64 + 2 + 2_048),
            ("[^a](?i)", 64 + 8 + 2_048),
            ("^(?:a|b)$", 64 + 9),
        ];
        for (pattern, expected) in costs {
            assert_eq!(cost(pattern), expected, "{pattern}");
        }
        assert_eq!(cost(&r"\w".repeat(4_000)), PATTERN_COST_EACH_MAX);
    }
}
