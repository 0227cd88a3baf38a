//! Reading early adopters: exact keys, and patterns that compile within their limits.

use std::borrow::Cow;

use super::Adopter;
use super::cursor::{Kind, Token};
use super::fields::AdopterField;
use super::findings::Findings;
use super::flag_patterns::Patterns;
use super::members::{At, Members};
use super::seen::{Insert, Seen};
use crate::diagnostic::{Code, Trail, quote};
use crate::limits;

/// Reads the list; reports wrong elements and leaves them out.
pub(crate) fn read(at: At<'_, '_>, patterns: &mut Patterns, findings: &mut Findings) -> Vec<Adopter> {
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
            // The document is refused; the patterns need not be compiled together.
            *patterns = Patterns::default();
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
                let members = Members::<AdopterField>::read(token.inside(), token, &trail, findings);
                let Some(at) = members.require(AdopterField::Regex, findings) else { continue };
                if let Some(pattern) = patterns.read(at, "everyone is an early adopter", findings) {
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
        again.patterns.compiled = 0;
        reader::read(text.as_bytes(), &mut again);
        assert_eq!(again.patterns.compiled, 0, "the second reading compiles nothing");
        assert_eq!(
            again.into_list().iter().map(|finding| finding.code.as_str()).filter(|code| *code == "E027").count(),
            3
        );
    }

    #[test]
    fn beyond_the_budget_nothing_is_compiled() {
        // Not closed, so that it is refused at once however much it would cost.
        let costly = format!(r#"{{"regex": "({}"}}"#, ".".repeat(300));
        let adopters =
            [&[r#"{"regex": "^a"}"#, r#"{"regex": "^b"}"#], [costly.as_str(); 5].as_slice()].concat().join(",");
        let text = format!(r#"{{"s":{{"x":{{"stable":1,"new":2,"early_adopters":[{adopters}]}}}}}}"#);
        let mut findings = Findings::new(Keep::All);
        reader::read(text.as_bytes(), &mut findings);
        // Two good ones and the costly one, each once, and not the good ones together.
        assert_eq!(findings.patterns.compiled, 3);
        let codes: Vec<&str> = findings.into_list().iter().map(|finding| finding.code.as_str()).collect();
        let costly = |code: &&&str| **code == Code::PatternsTooCostly.as_str();
        assert_eq!(codes.iter().filter(costly).count(), 1, "{codes:?}");
    }
}
