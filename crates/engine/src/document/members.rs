//! The fields of one object, found by name and read with the type that each needs.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use super::cursor::{Cursor, Kind, Token};
use super::duration::{DurationError, parse_duration};
use super::fields::{Field, Names};
use super::findings::Findings;
use super::names;
use super::percent::PercentError;
use super::percent::parse_percent;
use super::seen::{Insert, Seen};
use super::time::{TimeError, parse_time};
use super::value;
use crate::diagnostic::{Code, Trail, quote};
use crate::{Micros, Share, Span, limits};

/// The known fields of an object; unknown ones have been reported.
pub(crate) struct Members<'t, 'a, F> {
    pub(crate) trail: &'a Trail<'a>,
    /// The token at which a missing field is reported.
    pub(crate) name: Token<'t>,
    tokens: [Option<Token<'t>>; FIELDS_MAX],
    names: PhantomData<F>,
}

/// A field that is present.
#[derive(Clone, Copy)]
pub(crate) struct At<'t, 'a> {
    pub(crate) token: Token<'t>,
    pub(crate) trail: Trail<'a>,
    pub(crate) field: &'static Field,
}

impl<'t, 'a, F: Names> Members<'t, 'a, F> {
    /// Reads the members of an object. A missing field is reported at `name`.
    pub(crate) fn read(mut cursor: Cursor<'t>, name: Token<'t>, trail: &'a Trail<'a>, findings: &mut Findings) -> Self {
        let mut members = Self::new(name, trail);
        // The object is part of a value whose nesting has been checked.
        members.fill(&mut cursor, 0, findings);
        members
    }

    /// No members yet.
    pub(crate) fn new(name: Token<'t>, trail: &'a Trail<'a>) -> Self {
        Self { trail, name, tokens: [None; FIELDS_MAX], names: PhantomData }
    }

    /// Reads the members of an object whose values are within `above` braces, and leaves the cursor behind the last one. They are
    /// a kilobyte, so they are filled where they are.
    pub(crate) fn fill(&mut self, cursor: &mut Cursor<'t>, above: usize, findings: &mut Findings) {
        let trail = self.trail;
        let mut unknown = Seen::new(findings.seed);
        while let Some(name_token) = cursor.name() {
            let Some(member) = cursor.value() else { break };
            // A text that was scanned has been refused before, with the place at which it nests too deep.
            if above.saturating_add(member.depth as usize) > limits::NESTING_MAX {
                findings.add(Code::NestedTooDeep, *trail, member.span(), Default::default);
                break;
            }
            let Some(name) = names::decode(name_token, *trail, findings) else { continue };
            let Some(field) = F::from_name(&name) else {
                match unknown.insert(name.clone()) {
                    Insert::New => report_unknown::<F>(name_token, &name, trail.name(&name), findings),
                    Insert::Twice => names::report_twice(name_token, &name, trail.name(&name), findings),
                    Insert::Full => {
                        names::report_full(name_token, *trail, findings);
                        break;
                    }
                }
                value::check(member, trail.name(&name), findings);
                continue;
            };
            let Some(slot) = self.tokens.get_mut(field.index()) else { continue };
            if slot.replace(member).is_some() {
                names::report_twice(name_token, &name, trail.name(&name), findings);
            }
        }
    }

    /// The field, if it is present.
    pub(crate) fn get(&self, field: F) -> Option<At<'t, 'a>> {
        let token = (*self.tokens.get(field.index())?)?;
        let field = F::TABLE.get(field.index())?;
        Some(At { token, trail: self.trail.name(field.name), field })
    }

    /// Whether the field is present.
    pub(crate) fn has(&self, field: F) -> bool {
        self.tokens.get(field.index()).is_some_and(Option::is_some)
    }

    /// The field; reports if it is missing.
    pub(crate) fn require(&self, field: F, findings: &mut Findings) -> Option<At<'t, 'a>> {
        let found = self.get(field);
        if let (None, Some(field)) = (found, F::TABLE.get(field.index())) {
            findings.add(Code::FieldMissing, *self.trail, self.name.span(), || {
                (
                    format!("`{}` is missing", field.name),
                    format!("add `\"{}\": {}` or the like", field.name, field.example),
                )
            });
        }
        found
    }
}

impl<'t> At<'t, '_> {
    /// Whether the field is of this kind; reports if it is not.
    pub(crate) fn is(&self, kind: Kind, findings: &mut Findings) -> bool {
        let found = self.token.kind();
        if found != kind {
            findings.add(Code::WrongType, self.trail, self.token.span(), || {
                (
                    format!("`{}` is {}, but must be {}", self.field.name, found.described(), kind.described()),
                    format!("write it like `\"{}\": {}`", self.field.name, self.field.example),
                )
            });
        }
        found == kind && (kind != Kind::Number || value::check_length(self.token, self.trail, findings))
    }

    /// Any string.
    pub(crate) fn text(&self, findings: &mut Findings) -> Option<Cow<'t, str>> {
        if !self.is(Kind::String, findings) {
            return None;
        }
        let text = self.token.decode();
        if text.is_none() {
            value::report_half_character(self.token, self.trail, findings);
        }
        text
    }

    /// A string within the limit of values.
    pub(crate) fn string(&self, findings: &mut Findings) -> Option<Box<str>> {
        let text = self.text(findings)?;
        if text.len() > limits::VALUE_BYTES_MAX {
            value::report_too_large(self.token, text.len(), self.trail, findings);
            return None;
        }
        Some(text.into())
    }

    pub(crate) fn boolean(&self, findings: &mut Findings) -> Option<bool> {
        self.is(Kind::Boolean, findings).then(|| self.token.text == "true")
    }

    /// One of a fixed set of words.
    pub(crate) fn word<W: Copy>(&self, words: &[(&str, W)], findings: &mut Findings) -> Option<W> {
        let text = self.text(findings)?;
        let found = words.iter().find_map(|&(word, meaning)| (word == text).then_some(meaning));
        if found.is_none() {
            findings.add(Code::UnknownWord, self.trail, self.token.span(), || {
                let list = words.iter().map(|(word, _)| format!("`{word}`")).collect::<Vec<_>>().join(", ");
                let near = names::nearest(&text, words.iter().map(|(word, _)| *word));
                (
                    format!("`{}` is {}, which is not one of its values", self.field.name, quote(&text)),
                    match near {
                        Some(word) => format!("did you mean `{word}`? the values are {list}"),
                        None => format!("write one of {list}"),
                    },
                )
            });
        }
        found
    }

    pub(crate) fn time(&self, findings: &mut Findings) -> Option<Micros> {
        let text = self.text(findings)?;
        parse_time(&text)
            .map_err(|error| {
                let code = if error == TimeError::NoZone { Code::TimeWithoutZone } else { Code::TimeUnreadable };
                self.report_unreadable(code, &text, error, error.help(), findings);
            })
            .ok()
    }

    pub(crate) fn duration(&self, findings: &mut Findings) -> Option<Span> {
        let text = self.text(findings)?;
        parse_duration(&text)
            .map_err(|error| {
                let is_long = error == DurationError::TooLong;
                let code = if is_long { Code::DurationTooLong } else { Code::DurationUnreadable };
                self.report_unreadable(code, &text, error, error.help(), findings);
            })
            .ok()
    }

    pub(crate) fn percent(&self, findings: &mut Findings) -> Option<Share> {
        if !self.is(Kind::Number, findings) {
            return None;
        }
        parse_percent(self.token.text)
            .map_err(|error| {
                let is_fine = error == PercentError::TooFine;
                let code = if is_fine { Code::PercentTooFine } else { Code::PercentOutOfRange };
                self.report_unreadable(code, self.token.text, error, error.help(), findings);
            })
            .ok()
    }

    fn report_unreadable(&self, code: Code, text: &str, why: impl fmt::Display, help: &str, findings: &mut Findings) {
        findings.add(code, self.trail, self.token.span(), || {
            (format!("`{}` is {}, which {why}", self.field.name, quote(text)), help.to_owned())
        });
    }
}

fn report_unknown<F: Names>(token: Token<'_>, name: &str, trail: Trail<'_>, findings: &mut Findings) {
    let near = || names::nearest(name, F::TABLE.iter().map(|field| field.name));
    if F::IS_STRICT {
        findings.add(Code::UnknownRuleField, trail, token.span(), || {
            let known = || F::TABLE.iter().map(|field| format!("`{}`", field.name)).collect::<Vec<_>>().join(", ");
            (
                format!(
                    "the field {} is unknown, and a rule that is not understood as a whole cannot decide",
                    quote(name)
                ),
                near().map_or_else(
                    || format!("the fields here are {}", known()),
                    |near| format!("did you mean `{near}`?"),
                ),
            )
        });
        return;
    }
    findings.add(Code::UnknownField, trail, token.span(), || {
        (
            format!("the field {} is unknown and has no effect", quote(name)),
            match near() {
                Some(known) => format!("did you mean `{known}`?"),
                None => "remove it, or put notes of your own into `metadata`".to_owned(),
            },
        )
    });
}

/// The most fields of any table.
const FIELDS_MAX: usize = 32;
