//! Values: any JSON, checked strictly and kept as it was written.
//!
//! The strict reader has checked the syntax. This module refuses what that reader accepts although readers differ on it:
//! names that occur twice in one object, half surrogate pairs, and numbers out of range. Nothing is rounded.

use std::borrow::Cow;

use super::Value;
use super::cursor::{Kind, Token};
use super::findings::Findings;
use super::names;
use super::seen::{Insert, Seen};
use crate::diagnostic::{Code, Trail, quote};
use crate::limits;

/// A value of a flag: strictly JSON, within the limit of its size.
pub(crate) fn read(token: Token<'_>, trail: Trail<'_>, findings: &mut Findings) -> Option<Value> {
    if !check(token, trail, findings) {
        return None;
    }
    let text = compact(token);
    if text.len() > limits::VALUE_BYTES_MAX {
        report_too_large(token, text.len(), trail, findings);
        return None;
    }
    Some(Value::from_checked(text))
}

/// Reports that a value or a text is larger than the limit.
pub(crate) fn report_too_large(token: Token<'_>, bytes: usize, trail: Trail<'_>, findings: &mut Findings) {
    findings.add(Code::ValueTooLarge, trail, token.span(), || {
        (
            format!(
                "there are {bytes} bytes here, more than the limit of {} (VALUE_BYTES_MAX)",
                limits::VALUE_BYTES_MAX
            ),
            "keep the data elsewhere and let the flag name it".to_owned(),
        )
    });
}

/// Whether a value passes the strict checks; reports what is wrong.
pub(crate) fn check(token: Token<'_>, trail: Trail<'_>, findings: &mut Findings) -> bool {
    let mut names = 0;
    check_within(token, trail, &mut names, findings)
}

/// The same for a part of a value, with the names counted so far. It recurses as deep as the value, which the scan has
/// limited.
fn check_within(token: Token<'_>, trail: Trail<'_>, names: &mut usize, findings: &mut Findings) -> bool {
    match token.kind() {
        Kind::Null | Kind::Boolean => true,
        Kind::Number => check_number(token, trail, findings),
        Kind::String => check_string(token, trail, findings),
        Kind::List => {
            let mut elements = token.inside();
            let mut is_good = true;
            let mut index = 0;
            while let Some(element) = elements.value() {
                is_good &= check_within(element, trail.index(index), names, findings);
                index += 1;
            }
            is_good
        }
        Kind::Object => check_object(token, trail, names, findings),
    }
}

fn check_object(token: Token<'_>, trail: Trail<'_>, names: &mut usize, findings: &mut Findings) -> bool {
    let mut members = token.inside();
    let mut seen = Seen::new(findings.seed);
    let mut is_good = true;
    while let Some(name_token) = members.name() {
        let Some(member) = members.value() else { break };
        let Some(name) = names::decode(name_token, trail, findings) else {
            is_good = false;
            continue;
        };
        is_good &= check_within(member, trail.name(&name), names, findings);
        *names += 1;
        if *names > limits::NAMES_MAX {
            // Reported once: the objects around this one have as many names and stop, too.
            if *names == limits::NAMES_MAX + 1 {
                names::report_full(token, trail, findings);
            }
            return false;
        }
        if seen.insert(name.clone()) != Insert::New {
            names::report_twice(name_token, &name, trail.name(&name), findings);
            is_good = false;
        }
    }
    is_good
}

fn check_string(token: Token<'_>, trail: Trail<'_>, findings: &mut Findings) -> bool {
    let is_good = token.decode().is_some();
    if !is_good {
        report_half_character(token, trail, findings);
    }
    is_good
}

/// Reports that a text holds half a surrogate pair.
pub(crate) fn report_half_character(token: Token<'_>, trail: Trail<'_>, findings: &mut Findings) {
    findings.add(Code::NotUnicode, trail, token.span(), || {
        (
            format!("the JSON text {} holds half a surrogate pair", quote(token.text)),
            "write the character itself, or both halves of its escape".to_owned(),
        )
    });
}

/// Whether a number is written with few enough characters; reports if it is not. A text that was scanned has been refused before.
pub(crate) fn check_length(token: Token<'_>, trail: Trail<'_>, findings: &mut Findings) -> bool {
    let is_good = token.text.len() <= limits::NUMBER_BYTES_MAX;
    if !is_good {
        findings.add(Code::NumberTooLong, trail, token.span(), Default::default);
    }
    is_good
}

fn check_number(token: Token<'_>, trail: Trail<'_>, findings: &mut Findings) -> bool {
    if !check_length(token, trail, findings) {
        return false;
    }
    let is_integer = !token.text.contains(['.', 'e', 'E']);
    let is_good = if is_integer {
        token.text.parse::<i64>().is_ok() || token.text.parse::<u64>().is_ok()
    } else {
        token.text.parse::<f64>().is_ok_and(f64::is_finite)
    };
    if !is_good {
        findings.add(Code::NumberOutOfRange, trail, token.span(), || {
            let range = if is_integer { "integers end at -2^63 and 2^64 - 1" } else { "it is beyond any double" };
            (
                format!("the number {} is out of range: {range}", quote(token.text)),
                "write a smaller number, or a string".to_owned(),
            )
        });
    } else if is_integer && token.text.len() > EXACT_DIGITS {
        let size = token.text.parse::<i128>().unwrap_or_default().unsigned_abs();
        if size > EXACT_INTEGER_MAX {
            findings.add(Code::IntegerNotExact, trail, token.span(), || {
                (
                    format!(
                        "the integer {} is beyond 2^53: it is kept exactly here, but many readers round it",
                        quote(token.text)
                    ),
                    "write it as a string where JavaScript or the like reads it".to_owned(),
                )
            });
        }
    }
    is_good
}

/// The text without white space between its tokens.
fn compact(token: Token<'_>) -> Cow<'static, str> {
    let text = token.text;
    // Most values are one of these, and cost no allocation.
    if let Some(word) = WORDS.into_iter().find(|word| *word == text) {
        return Cow::Borrowed(word);
    }
    let is_blank = |byte: u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    if !matches!(token.kind(), Kind::List | Kind::Object) || !text.bytes().any(is_blank) {
        return Cow::Owned(text.to_owned());
    }
    let mut compact = String::with_capacity(text.len());
    let mut is_inside = false;
    let mut is_escaped = false;
    for part in text.split_inclusive(['"', '\\', ' ', '\t', '\n', '\r']) {
        let last = part.bytes().next_back().unwrap_or_default();
        let begins_with_escaped = std::mem::take(&mut is_escaped);
        match last {
            b'"' if !(begins_with_escaped && part.len() == 1) => is_inside = !is_inside,
            b'\\' if !(begins_with_escaped && part.len() == 1) => is_escaped = true,
            _ if is_blank(last) && !is_inside => {
                compact.push_str(part.get(..part.len() - 1).unwrap_or_default());
                continue;
            }
            _ => {}
        }
        compact.push_str(part);
    }
    compact.shrink_to_fit();
    Cow::Owned(compact)
}

const WORDS: [&str; 3] = ["false", "true", "null"];

/// Integers up to here are exact in every double.
const EXACT_INTEGER_MAX: u128 = 1 << 53;
/// Integers with at most this number of characters are below [`EXACT_INTEGER_MAX`].
const EXACT_DIGITS: usize = 15;

#[cfg(test)]
mod tests {
    use super::super::cursor::Cursor;
    use super::super::findings::Keep;
    use super::*;

    fn check_read(text: &str, expected: Result<&str, Code>) {
        let mut findings = Findings::new(Keep::All);
        let token = Cursor::new(text).value().unwrap();
        let value = read(token, Trail::Root, &mut findings);
        match expected {
            Ok(kept) => assert_eq!(value.map(|value| value.as_str().to_owned()).as_deref(), Some(kept), "{text}"),
            Err(code) => {
                assert_eq!(value, None, "{text}");
                assert_eq!(findings.into_list().first().map(|finding| finding.code), Some(code), "{text}");
            }
        }
    }

    #[test]
    fn kept_as_written_without_white_space() {
        check_read("1.50", Ok("1.50"));
        check_read("-0", Ok("-0"));
        check_read("1E5", Ok("1E5"));
        check_read("18446744073709551615", Ok("18446744073709551615"));
        check_read("-9223372036854775808", Ok("-9223372036854775808"));
        check_read("1e-400", Ok("1e-400"));
        check_read(r#"" a  \u0041 \" ""#, Ok(r#"" a  \u0041 \" ""#));
        check_read("[ 1 ,\n\t{ \"a b\" : \"c \\\" d \\\\\" , \"e\" : [ ] } ]", Ok(r#"[1,{"a b":"c \" d \\","e":[]}]"#));
        check_read(r#"[ "\\" , " " , "\"" ]"#, Ok(r#"["\\"," ","\""]"#));
    }

    #[test]
    fn refused_where_readers_would_differ() {
        check_read("1e999", Err(Code::NumberOutOfRange));
        check_read("-1e999", Err(Code::NumberOutOfRange));
        check_read("18446744073709551616", Err(Code::NumberOutOfRange));
        check_read("-9223372036854775809", Err(Code::NumberOutOfRange));
        check_read("[1, [18446744073709551617]]", Err(Code::NumberOutOfRange));
        check_read(r#"{"a":1,"a":1}"#, Err(Code::NameTwice));
        check_read(r#"[{"a":{"b":1,"\u0062":2}}]"#, Err(Code::NameTwice));
        check_read(r#""\ud800""#, Err(Code::NotUnicode));
        check_read(r#"{"\ud800":1}"#, Err(Code::NotUnicode));
        check_read(&format!("\"{}\"", "x".repeat(limits::VALUE_BYTES_MAX)), Err(Code::ValueTooLarge));
    }
}
