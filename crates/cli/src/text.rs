//! Escapes text from outside before it is printed: names, values and messages of documents and servers.
//!
//! A name may contain escape sequences, or characters that change the direction of the line. Printed unescaped, they could
//! change what is shown around them. All text for people passes through this module.

use std::borrow::Cow;
use std::fmt::Write as _;

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// The text with every character escaped that a terminal would act on or not show.
pub(crate) fn escape(text: &str) -> Cow<'_, str> {
    escape_with(text, |character, escaped| escaped.push_str(&character.escape_unicode().to_string()))
}

/// The same for JSON, which stays JSON.
pub(crate) fn escape_json(json: &str) -> Cow<'_, str> {
    escape_with(json, |character, escaped| {
        let mut units = [0; 2];
        for unit in character.encode_utf16(&mut units) {
            let _ = write!(escaped, "\\u{unit:04x}");
        }
    })
}

fn escape_with(text: &str, write: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_unsafe(character) { write(character, &mut escaped) } else { escaped.push(character) }
    }
    Cow::Owned(escaped)
}

/// The beginning of a text that fits into `columns` columns, with `…` where something was left out.
pub(crate) fn shorten(text: &str, columns: usize) -> Cow<'_, str> {
    if text.width() <= columns {
        return Cow::Borrowed(text);
    }
    let mut kept = String::new();
    let mut width = 1;
    for character in text.chars() {
        width += character.width().unwrap_or(0);
        if width > columns {
            break;
        }
        kept.push(character);
    }
    kept.push('…');
    Cow::Owned(kept)
}

/// Whether a terminal acts on the character, or does not show it.
fn is_unsafe(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_acts_on_is_escaped() {
        let texts = [
            ("plain ünïcode 日本", "plain ünïcode 日本", "plain ünïcode 日本"),
            ("a\u{1b}[31mb", "a\\u{1b}[31mb", "a\\u001b[31mb"),
            ("a\nb\rc\td", "a\\u{a}b\\u{d}c\\u{9}d", "a\\u000ab\\u000dc\\u0009d"),
            ("x\u{202e}y\u{2066}", "x\\u{202e}y\\u{2066}", "x\\u202ey\\u2066"),
            ("\u{9b}1m\u{7f}\u{feff}\u{200b}", "\\u{9b}1m\\u{7f}\\u{feff}\\u{200b}", "\\u009b1m\\u007f\\ufeff\\u200b"),
            ("\u{e0041}", "\\u{e0041}", "\\udb40\\udc41"),
        ];
        for (text, escaped, json) in texts {
            assert_eq!(escape(text), escaped);
            assert_eq!(escape_json(text), json);
        }
    }

    #[test]
    fn shortened_by_columns_not_by_bytes() {
        let texts = [
            ("", 3, ""),
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("日本語", 6, "日本語"),
            ("日本語", 5, "日本…"),
            ("日本語", 4, "日…"),
        ];
        for (text, columns, short) in texts {
            assert_eq!(shorten(text, columns), short);
        }
    }
}
