//! From bytes to a [`Document`]: one pass reports every problem.
//!
//! Only problems that make the rest meaningless stop the reader: size, encoding, syntax, a limit that protects memory. A
//! strict JSON reader checks the syntax of the text without comments; the cursor after it can rely on valid JSON.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::cursor::{Cursor, Token};
use super::fields::{EntryField, Names as _};
use super::findings::Findings;
use super::members::Members;
use super::names;
use super::scan::{self, ScanError, Scanned};
use super::seen::{Insert, Seed, Seen};
use super::uses::Uses;
use super::{Document, Flag, Section, entry, header, syntax, targets, value};
use crate::diagnostic::{Code, Trail, quote};
use crate::{HashAlgorithm, limits};

/// Reads a document. It is complete if the findings have no errors.
pub(crate) fn read(bytes: &[u8], findings: &mut Findings) -> Document {
    let mut reader = Reader {
        findings,
        document: Document::default(),
        sections: 0,
        flags: 0,
        unsalted: Vec::new(),
        uses: Uses::default(),
    };
    let Some(text) = reader.decode(bytes) else { return reader.document };
    if !reader.findings.keeps_all() && is_strict_json(text) {
        // There is nothing to blank, and the walk checks the limits of nesting and of numbers itself.
        reader.read_json(text);
    } else if let Some(scanned) = reader.scan(text)
        && reader.check_syntax(&scanned.text)
    {
        reader.read_json(&scanned.text);
    }
    reader.document
}

struct Reader<'f> {
    findings: &'f mut Findings,
    document: Document,
    sections: usize,
    flags: usize,
    /// For each algorithm, the ramps without a salt: how many, and the first few with their place.
    unsalted: Vec<Unsalted>,
    /// The segments and the flags that conditions name.
    uses: Uses,
}

struct Unsalted {
    hash: HashAlgorithm,
    count: usize,
    first: Vec<(Box<str>, Box<str>, usize)>,
}

impl Reader<'_> {
    fn error(&mut self, code: Code, span: std::ops::Range<usize>, message: String, help: &str) {
        self.findings.add(code, Trail::Root, span, || (message, help.to_owned()));
    }

    fn read_json(&mut self, text: &str) {
        self.findings.seed = Seed::from_text(text);
        self.walk(text);
        self.note_shared_fate();
        targets::check(&self.document, &self.uses, self.findings);
    }

    /// The text, if it is short enough and UTF-8.
    fn decode<'t>(&mut self, bytes: &'t [u8]) -> Option<&'t str> {
        if bytes.len() > limits::DOCUMENT_BYTES_MAX {
            let message = format!(
                "the document has {} bytes, more than the limit of {} (DOCUMENT_BYTES_MAX)",
                bytes.len(),
                limits::DOCUMENT_BYTES_MAX
            );
            self.error(Code::DocumentTooLarge, 0..0, message, "split it, or keep large values elsewhere");
            return None;
        }
        let error = match std::str::from_utf8(bytes) {
            Ok(text) => return Some(text),
            Err(error) => error,
        };
        let at = error.valid_up_to();
        let help = match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "this is UTF-16: save it as UTF-8",
            [0x1f, 0x8b, ..] => "this is gzip: decompress it, or serve it with `Content-Encoding: gzip`",
            _ => "save the file as UTF-8; the byte may come from another encoding or a damaged disk",
        };
        let byte = bytes.get(at).copied().unwrap_or_default();
        self.error(Code::NotUtf8, at..at + 1, format!("byte 0x{byte:02x} at offset {at} is not UTF-8"), help);
        None
    }

    /// The text with JSONC replaced by spaces, if it is within the limits.
    fn scan<'t>(&mut self, text: &'t str) -> Option<Scanned<'t>> {
        match scan::scan(text) {
            Ok(scanned) => {
                self.note_leniency(&scanned);
                Some(scanned)
            }
            Err(ScanError::NestedTooDeep(span)) => {
                let message =
                    format!("brackets and braces nest deeper than the limit of {} (NESTING_MAX)", limits::NESTING_MAX);
                self.error(Code::NestedTooDeep, span, message, "flatten the value, or keep it as a string");
                None
            }
            Err(ScanError::NumberTooLong(span)) => {
                let message = format!(
                    "a number has {} characters, more than the limit of {} (NUMBER_BYTES_MAX)",
                    span.len(),
                    limits::NUMBER_BYTES_MAX
                );
                self.error(Code::NumberTooLong, span, message, "write fewer digits, or a string");
                None
            }
            Err(ScanError::CommentOpen(span)) => {
                self.error(Code::NotJson, span, "not JSON: a comment is never closed".to_owned(), "end it by `*/`");
                None
            }
        }
    }

    fn note_leniency(&mut self, scanned: &Scanned<'_>) {
        if scanned.has_mark {
            let message = "the document begins with a byte order mark (BOM)".to_owned();
            self.error(Code::ByteOrderMark, 0..3, message, "save it as UTF-8 without BOM: other readers refuse it");
        }
        if let Some(span) = scanned.comment.clone() {
            let message = "the document has comments, which JSON does not know".to_owned();
            self.error(Code::Comment, span, message, "fine here; other readers of the same file may refuse it");
        }
        if let Some(span) = scanned.trailing_comma.clone() {
            let message = "a comma stands after the last element, which JSON does not allow".to_owned();
            self.error(Code::TrailingComma, span, message, "fine here; other readers of the same file may refuse it");
        }
    }

    /// Whether a strict reader accepts the text.
    fn check_syntax(&mut self, text: &str) -> bool {
        let Err(error) = parse_strictly(text) else { return true };
        let at = if error.is_eof() { text.len() } else { offset(text, error.line(), error.column()) };
        let whole = error.to_string();
        let message = whole.split(" at line ").next().unwrap_or_default();
        let help = syntax::help(text, at, message);
        let end = text.get(at..).and_then(|rest| rest.chars().next()).map_or(at, |next| at + next.len_utf8());
        self.error(Code::NotJson, at..end, format!("not JSON: {message}"), help);
        false
    }

    fn walk(&mut self, text: &str) {
        let mut cursor = Cursor::new(text);
        if !cursor.enter_object() {
            if let Some(token) = cursor.value() {
                let found = token.kind().described();
                let message = format!("the document is {found}, but must be an object of sections");
                self.error(
                    Code::DocumentNotObject,
                    token.span(),
                    message,
                    "write `{\"section\": {\"flag\": {\"stable\": ...}}}`",
                );
            }
            return;
        }
        let (mut seen, mut alike) = (Seen::new(self.findings.seed), Seen::new(self.findings.seed));
        while let Some(name_token) = cursor.name() {
            let root = Trail::Root;
            let decoded = names::decode(name_token, root, self.findings);
            let name = decoded.clone().unwrap_or(Cow::Borrowed(name_token.text));
            let trail = root.name(&name);
            let is_new = decoded.map_or(Insert::New, |name| seen.insert(name));
            if is_new == Insert::Twice {
                names::report_twice(name_token, &name, trail, self.findings);
            }
            if matches!(&*name, "$schema" | "$tidegate") {
                self.read_reserved(&mut cursor, &name, trail);
                continue;
            }
            self.sections += 1;
            if is_new == Insert::Full || self.sections > limits::SECTIONS_MAX {
                let message =
                    format!("there are more sections than the limit of {} (SECTIONS_MAX)", limits::SECTIONS_MAX);
                self.error(Code::TooManyFlags, name_token.span(), message, "put more flags into each section");
                return;
            }
            names::check("section", &name, name_token, trail, self.findings);
            if is_new == Insert::New {
                names::note_alike("section", &name, name_token, trail, (&seen, &mut alike), self.findings);
            }
            if !self.read_section(&mut cursor, &name, trail) {
                return;
            }
        }
        if self.flags == 0 && !self.findings.has_errors() {
            let message = "the document has no flags, so every caller gets its default".to_owned();
            self.error(Code::NoFlags, 0..0, message, "add a flag; if an empty document is meant, all is well");
        }
    }

    /// `$schema` is for editors, `$tidegate` is the header.
    fn read_reserved(&mut self, cursor: &mut Cursor<'_>, name: &str, trail: Trail<'_>) {
        let Some(token) = cursor.value() else { return };
        // The limits that the walk checks elsewhere: fields of a later version's header are not looked at.
        let is_too_deep = token.depth as usize >= limits::NESTING_MAX;
        if is_too_deep || scan::scan(token.text).is_err() {
            let code = if is_too_deep { Code::NestedTooDeep } else { Code::NumberTooLong };
            self.error(code, token.span(), String::new(), "");
            return;
        }
        if name == "$tidegate" {
            if let Some((header, segments)) = header::read(token, trail, &mut self.uses, self.findings) {
                (self.document.header, self.document.segments) = (Some(header), segments);
            }
        } else {
            value::check(token, trail, self.findings);
        }
    }

    /// Reads the flags of a section; `false` to stop reading.
    fn read_section(&mut self, cursor: &mut Cursor<'_>, name: &str, trail: Trail<'_>) -> bool {
        if !cursor.enter_object() {
            let Some(token) = cursor.value() else { return false };
            let found = token.kind().described();
            self.findings.add(Code::SectionNotObject, trail, token.span(), || {
                (
                    format!("the section {} is {found}, but must be an object of flags", quote(name)),
                    "write `{\"section\": {\"flag\": {\"stable\": ...}}}`".to_owned(),
                )
            });
            return true;
        }
        let (mut flags, (start, _)) = (Vec::new(), cursor.sides());
        let (mut seen, mut alike) = (Seen::new(self.findings.seed), Seen::new(self.findings.seed));
        while let Some(name_token) = cursor.name() {
            self.flags += 1;
            if self.flags > limits::FLAGS_MAX {
                let message = format!("there are more flags than the limit of {} (FLAGS_MAX)", limits::FLAGS_MAX);
                self.error(Code::TooManyFlags, name_token.span(), message, "split the document");
                self.document.sections = Vec::new();
                return false;
            }
            let decoded = names::decode(name_token, trail, self.findings);
            let flag_name = decoded.clone().unwrap_or(Cow::Borrowed(name_token.text));
            let flag_trail = trail.name(&flag_name);
            match decoded.map(|name| seen.insert(name)) {
                Some(Insert::Twice) => names::report_twice(name_token, &flag_name, flag_trail, self.findings),
                Some(_) => {
                    names::note_alike("flag", &flag_name, name_token, flag_trail, (&seen, &mut alike), self.findings);
                }
                // A name that cannot be decoded has been reported already.
                None => {}
            }
            names::check("flag", &flag_name, name_token, flag_trail, self.findings);
            let Some(flag) = self.read_flag(cursor, name_token, &flag_name, &flag_trail) else { continue };
            // A document that will be refused need not be kept.
            if self.findings.has_errors() {
                continue;
            }
            self.count_unsalted(&flag, name, name_token);
            if flags.len() == MANY_FLAGS {
                let (before, after) = cursor.sides();
                let each = before.saturating_sub(start) / MANY_FLAGS;
                flags.reserve(after.checked_div(each).unwrap_or(0).min(limits::FLAGS_MAX));
            }
            flags.push(flag);
        }
        cursor.leave_object();
        if self.findings.has_errors() {
            self.document.sections = Vec::new();
        } else {
            if flags.len() < FEW_FLAGS {
                flags.shrink_to_fit();
            }
            self.document.sections.push(Section { name: name.into(), flags });
        }
        true
    }

    fn read_flag<'t>(
        &mut self,
        cursor: &mut Cursor<'t>,
        name_token: Token<'t>,
        name: &str,
        trail: &Trail<'_>,
    ) -> Option<Flag> {
        if !cursor.enter_object() {
            let token = cursor.value()?;
            let looks_like_field = EntryField::from_name(name).is_some();
            self.findings
                .add(Code::FlagNotObject, *trail, token.span(), || entry::not_an_object(token, looks_like_field));
            return None;
        }
        let mut members = Members::new(name_token, trail);
        members.fill(cursor, ENTRY_DEPTH, self.findings);
        let flag = entry::read(name, &members, &mut self.uses, self.findings);
        cursor.leave_object();
        flag
    }

    fn count_unsalted(&mut self, flag: &Flag, section: &str, token: Token<'_>) {
        let Some(hash) = entry::unsalted_ramp(flag) else { return };
        let index = self.unsalted.iter().position(|unsalted| unsalted.hash == hash).unwrap_or_else(|| {
            self.unsalted.push(Unsalted { hash, count: 0, first: Vec::new() });
            self.unsalted.len() - 1
        });
        let Some(unsalted) = self.unsalted.get_mut(index) else { return };
        unsalted.count += 1;
        if unsalted.first.len() < SHARED_FATE_NAMED && self.findings.keeps_all() {
            unsalted.first.push((section.into(), flag.name.clone(), token.start));
        }
    }

    fn note_shared_fate(&mut self) {
        for unsalted in std::mem::take(&mut self.unsalted) {
            if unsalted.count < 2 || self.findings.has_errors() {
                continue;
            }
            // If only counts are kept, the places of an accepted text are not stored.
            let unnamed = (Box::default(), Box::default(), 0);
            let (section, flag, at) = unsalted.first.get(1).unwrap_or(&unnamed);
            let section = Trail::Root.name(section);
            self.findings.add(Code::SharedFate, section.name(flag), *at..*at + 1, || {
                let named = |(section, flag, _): &(Box<str>, Box<str>, usize)| {
                    format!("`{}`", Trail::Root.name(section).name(flag).to_path())
                };
                let named = unsalted.first.iter().map(named).collect::<Vec<_>>().join(", ");
                let more = unsalted.count.saturating_sub(unsalted.first.len());
                let and_more = if more == 0 { String::new() } else { format!(" and {more} more") };
                (
                    format!("the ramps {named}{and_more} have no `salt`, so the same keys go first in all of them"),
                    "give each a `salt` of its own, unless that is meant".to_owned(),
                )
            });
        }
    }
}

/// The byte at a line and a column as the strict reader counts them: both from 1, the column in bytes.
fn offset(text: &str, line: usize, column: usize) -> usize {
    let before = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum::<usize>();
    let at = before.saturating_add(column.saturating_sub(1)).min(text.len());
    text.floor_char_boundary(at)
}

/// Whether a text is JSON as it stands.
fn is_strict_json(text: &str) -> bool {
    parse_strictly(text).is_ok()
}

/// The strict reader, which is the judge of what JSON is. It is not recursive, so no nesting is too deep for it.
fn parse_strictly(text: &str) -> serde_json::Result<IgnoredAny> {
    serde_json::from_str(text)
}

/// The braces around the value of a field: those of document, section and entry.
const ENTRY_DEPTH: usize = 3;
/// Up to this number of flags, a section's list is shrunk: spare capacity would be a multiple of its flags.
const FEW_FLAGS: usize = 64;
/// After this number of flags, a section's list gets room for as many as the rest of the text has, if they are as long as those
/// before. A list that grows by doubling is copied twice.
const MANY_FLAGS: usize = 64;
/// How many ramps the note about a shared order of keys names.
const SHARED_FATE_NAMED: usize = 5;
