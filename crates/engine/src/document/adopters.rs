//! Reading early adopters: exact keys, and patterns that compile within their limits.

use std::borrow::Cow;

use super::Adopter;
use super::cursor::{Kind, Token};
use super::fields::AdopterField;
use super::findings::Findings;
use super::members::{At, Members};
use super::patterns::{Spent, Verdict};
use super::seen::{Insert, Seen};
use crate::diagnostic::{Code, Trail, quote};
use crate::limits;

/// Reads the list; reports wrong elements and leaves them out.
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

fn short(text: &str) -> &str {
    if text.len() <= 40 { text } else { "\"...\"" }
}

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
}
