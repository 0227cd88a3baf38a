//! Early adopters: exact keys, and patterns that are known to compile within their limit.

use std::borrow::Cow;
use std::collections::HashMap;

use regex::{RegexSet, RegexSetBuilder};

use super::Adopter;
use super::cursor::{Kind, Token};
use super::fields::AdopterField;
use super::findings::Findings;
use super::members::{At, Members};
use super::names::{Insert, Seen};
use crate::diagnostic::{Code, Trail, quote};
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

/// Reads the list; what is wrong in it has been reported and is left out.
pub(crate) fn read(at: At<'_, '_>, findings: &mut Findings) -> Vec<Adopter> {
    let mut adopters = Vec::new();
    if at.token.kind() == Kind::String {
        findings.add(Code::WrongType, at.trail, at.token.span(), || {
            (
                "`early_adopters` is a string, but must be a list: as a string it would match by parts".to_owned(),
                format!("put it into brackets: `\"early_adopters\": [{}]`", short(at.token.text)),
            )
        });
        return adopters;
    }
    if !at.is(Kind::List, findings) {
        return adopters;
    }
    let mut elements = at.token.inside();
    let mut patterns = Patterns { bytes: 0, list: Vec::new() };
    let mut seen = Seen::new(findings.seed);
    let mut index = 0;
    while let Some(token) = elements.value() {
        if index == limits::EARLY_ADOPTERS_MAX {
            findings.add(Code::TooManyAdopters, at.trail, token.span(), || {
                (
                    format!(
                        "there are more early adopters than the limit of {} (EARLY_ADOPTERS_MAX)",
                        limits::EARLY_ADOPTERS_MAX
                    ),
                    "use a pattern, or begin the ramp with a `start_pct`".to_owned(),
                )
            });
            return Vec::new();
        }
        let trail = at.trail.index(index);
        index += 1;
        match token.kind() {
            Kind::String => {
                let element = At { token, trail, field: at.field };
                let Some(key) = element.string(findings) else { continue };
                check_twice(token, trail, &mut seen, findings);
                adopters.push(Adopter::Key(key));
            }
            Kind::Object => {
                if let Some(pattern) = patterns.read(token, trail, findings) {
                    adopters.push(Adopter::Pattern(pattern));
                }
            }
            other => findings.add(Code::WrongType, trail, token.span(), || {
                (
                    format!("an early adopter is {}, but must be a string or a pattern", other.described()),
                    "write the key as a string, such as `\"canary-host\"`".to_owned(),
                )
            }),
        }
    }
    patterns.check(at, findings);
    adopters
}

fn check_twice<'t>(token: Token<'t>, trail: Trail<'_>, seen: &mut Seen<'t>, findings: &mut Findings) {
    let Some(key) = token.decode() else { return };
    if seen.insert(Cow::clone(&key)) == Insert::Twice {
        findings.add(Code::AdopterTwice, trail, token.span(), || {
            (format!("{} is named twice", quote(&key)), "remove one of the two".to_owned())
        });
    }
}

/// The patterns of one flag so far.
struct Patterns {
    bytes: usize,
    list: Vec<Box<str>>,
}

impl Patterns {
    /// Reads one `{"regex": ...}`.
    fn read(&mut self, token: Token<'_>, trail: Trail<'_>, findings: &mut Findings) -> Option<Box<str>> {
        let members = Members::<AdopterField>::read(token.inside(), token, &trail, findings);
        let at = members.require(AdopterField::Regex, findings)?;
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
                            format!(
                                "the pattern {} matches every key, so everyone is an early adopter",
                                quote(&pattern)
                            ),
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
    fn check(self, at: At<'_, '_>, findings: &mut Findings) {
        if self.list.len() < 2 {
            return;
        }
        // With an error found, nobody will use them together; and where the budget is used up, they are not compiled.
        if findings.patterns.is_exceeded {
            return;
        }
        if !findings.patterns.fit_together(&self.list) {
            let limit = limits::REGEX_BYTES_MAX;
            report_too_large(at, "REGEX_BYTES_MAX", limit, "together once compiled", findings);
        }
    }
}

/// What compiling patterns has cost in one document, and what was found out about each text, so that the same text is
/// compiled once, however often it occurs and however often the document is read.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    cost: usize,
    is_exceeded: bool,
    verdicts: HashMap<Box<str>, Verdict>,
    /// Lists of several patterns, by what they are: whether they fit together.
    together: HashMap<u128, bool>,
    /// How often something was compiled.
    #[cfg(test)]
    compiled: usize,
}

/// What there is to say of one pattern.
#[derive(Clone, Debug)]
enum Verdict {
    Good { matches_all: bool },
    TooLarge(usize),
    Unreadable(String),
}

/// Whether there is budget left for a pattern.
enum Spent {
    Within,
    /// It is this one that goes beyond the budget.
    Exceeds,
    /// One before it did.
    Beyond,
}

impl Ledger {
    /// The same knowledge, with nothing spent.
    pub(crate) fn known(self) -> Self {
        Self { cost: 0, is_exceeded: false, ..self }
    }

    fn spend(&mut self, pattern: &str) -> Spent {
        if self.is_exceeded {
            return Spent::Beyond;
        }
        self.cost = self.cost.saturating_add(cost(pattern));
        self.is_exceeded = self.cost > limits::PATTERN_COST_MAX;
        if self.is_exceeded { Spent::Exceeds } else { Spent::Within }
    }

    fn verdict(&mut self, pattern: &str) -> Verdict {
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

    fn fit_together(&mut self, patterns: &[Box<str>]) -> bool {
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

/// What it costs to compile a pattern, about, in the units of [`limits::PATTERN_COST_MAX`].
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

/// What the regular expression library says, on one line and without its drawing.
fn reason(error: &regex::Error) -> String {
    let text = error.to_string();
    let last = text.lines().last().unwrap_or_default();
    last.strip_prefix("error: ").unwrap_or(last).to_owned()
}

fn short(text: &str) -> &str {
    if text.len() <= 40 { text } else { "\"...\"" }
}

/// A pattern that matches both of these, which nobody means, matches everything.
const PROBES: [&str; 2] = ["", "\u{1}\u{2}"];
/// Of any pattern.
const PATTERN_COST: usize = 64;

/// Of a class that stands for characters of all scripts, or of a flag that may make one of what follows.
const CLASS_COST: usize = 1_024;

/// At most: a pattern is given up when it is too large.
const PATTERN_COST_EACH_MAX: usize = 256 * 1024;

/// Groups inside groups of one pattern; people write three.
const PATTERN_NESTING_MAX: u32 = 64;

#[cfg(test)]
mod tests {
    use super::super::findings::Keep;
    use super::super::reader;
    use super::*;

    fn document(patterns: &[&str]) -> String {
        let flag = |(number, pattern): (usize, &&str)| {
            format!(r#""f{number}":{{"stable":1,"new":2,"early_adopters":[{{"regex":"{pattern}"}},{{"regex":"^a"}}]}}"#)
        };
        let flags = patterns.iter().enumerate().map(flag).collect::<Vec<_>>();
        format!("{{\"s\":{{{}}}}}", flags.join(","))
    }

    #[test]
    fn the_same_text_is_compiled_once_however_often_it_is_read() {
        let text = document(&["x{9000}", "x{9000}", "(", "(", "^b", "^b", "x{9000}"]);
        let mut findings = Findings::new(Keep::Counts);
        reader::read(text.as_bytes(), &mut findings);
        assert!(findings.has_errors());
        // Two that are refused, two good ones, and the good ones together.
        assert_eq!(findings.patterns.compiled, 5);
        let mut again = Findings::new(Keep::All);
        again.patterns = findings.patterns.known();
        reader::read(text.as_bytes(), &mut again);
        assert_eq!(again.patterns.compiled, 5, "the second reading compiles nothing");
        assert_eq!(
            again.into_list().iter().map(|finding| finding.code.as_str()).filter(|code| *code == "E027").count(),
            3
        );
    }

    #[test]
    fn what_a_pattern_costs() {
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
