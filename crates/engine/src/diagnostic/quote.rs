//! Quoting the user's text in messages: escaped, so that it cannot forge or reverse a line, and shortened, so that it cannot
//! fill a log.

use std::fmt::Write as _;

/// The text between backticks.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::from("`");
    push_escaped(&mut quoted, text, QUOTE_CHARACTERS_MAX);
    quoted.push('`');
    quoted
}

/// Appends the text up to a limit of characters, with `…` for the rest.
pub(crate) fn push_escaped(target: &mut String, text: &str, characters_max: usize) {
    for (count, character) in text.chars().enumerate() {
        if count == characters_max {
            target.push('…');
            return;
        }
        match character {
            '\n' => target.push_str("\\n"),
            '\r' => target.push_str("\\r"),
            '\t' => target.push_str("\\t"),
            _ if character.is_control() || is_deceptive(character) => {
                // JSON's own escapes, so that the quoted text can be searched for in the document.
                for unit in character.encode_utf16(&mut [0; 2]) {
                    let _ = write!(target, "\\u{unit:04x}");
                }
            }
            _ => target.push(character),
        }
    }
}

/// Whether a character is invisible or changes the direction of the text around it, so that two names can
/// look alike or a line can seem to say something else.
pub(crate) const fn is_deceptive(character: char) -> bool {
    matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
        | '\u{200b}'..='\u{200f}' // zero width, direction marks
        | '\u{2028}'..='\u{202e}' // line and paragraph separator, embeddings and overrides
        | '\u{2060}'..='\u{206f}' // invisible operators, isolates
        | '\u{fff9}'..='\u{fffb}' // interlinear annotation
        | '\u{e0000}'..='\u{e0fff}') // tags and invisible selectors
}

/// Longer quotations are cut off: enough to find the place, little enough to read.
const QUOTE_CHARACTERS_MAX: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoted_text_stays_on_its_line() {
        let quoted = [
            ("plain", "`plain`"),
            ("größe 😀", "`größe 😀`"),
            ("a\nINFO forged", "`a\\nINFO forged`"),
            ("\u{1b}[31m", "`\\u001b[31m`"),
            ("a\u{202e}gnp", "`a\\u202egnp`"),
            ("\u{e0041}", "`\\udb40\\udc41`"),
            ("\u{85}", "`\\u0085`"),
        ];
        for (text, expected) in quoted {
            assert_eq!(quote(text), expected);
        }
        assert_eq!(quote(&"x".repeat(1_000_000)), format!("`{}…`", "x".repeat(QUOTE_CHARACTERS_MAX)));
    }
}
