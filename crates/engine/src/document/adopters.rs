//! Early adopters: exact keys, and patterns that are known to compile within their limit.

use std::borrow::Cow;

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
        match compile_patterns([&*pattern]) {
            Ok(set) => {
                if PROBES.iter().all(|probe| set.is_match(probe)) {
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
            Err(regex::Error::CompiledTooBig(limit)) => {
                report_too_large(at, "REGEX_BYTES_MAX", limit, "once compiled", findings);
                None
            }
            Err(error) => {
                findings.add(Code::PatternUnreadable, at.trail, at.token.span(), || {
                    (
                        format!("the pattern {} is not a regular expression: {}", quote(&pattern), reason(&error)),
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
        if let Err(regex::Error::CompiledTooBig(limit)) = compile_patterns(self.list.iter().map(|pattern| &**pattern)) {
            report_too_large(at, "REGEX_BYTES_MAX", limit, "together once compiled", findings);
        }
    }
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
/// Groups inside groups of one pattern; people write three.
const PATTERN_NESTING_MAX: u32 = 64;
