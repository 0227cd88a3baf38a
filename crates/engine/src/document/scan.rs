//! The first pass over the bytes of a document, before the JSON reader. Loading leaves it out for a text that is strict JSON as it
//! stands; see `reader`.
//!
//! It replaces what only JSONC allows (comments, trailing commas, a byte order mark) by spaces, so that every byte keeps
//! its offset and a strict JSON reader can check the rest. It also checks the limits that protect that reader: nesting and
//! the length of numbers.

use std::borrow::Cow;
use std::ops::Range;

use super::string_end::string_end;
use crate::limits;

/// A text ready for a strict reader, with what was blanked.
pub(crate) struct Scanned<'t> {
    /// The text with every byte in its place.
    pub(crate) text: Cow<'t, str>,
    /// Whether it began with a byte order mark.
    pub(crate) has_mark: bool,
    /// The first comment.
    pub(crate) comment: Option<Range<usize>>,
    /// The first trailing comma.
    pub(crate) trailing_comma: Option<Range<usize>>,
}

/// Why a text is refused before the strict reader sees it.
pub(crate) enum ScanError {
    NestedTooDeep(Range<usize>),
    NumberTooLong(Range<usize>),
    CommentOpen(Range<usize>),
}

/// Replaces JSONC by spaces and checks the limits.
pub(crate) fn scan(text: &str) -> Result<Scanned<'_>, ScanError> {
    let mut scan = Scan { bytes: text.as_bytes(), blanked: None, depth: 0, comment: None, trailing_comma: None };
    let has_mark = text.starts_with('\u{feff}');
    if has_mark {
        scan.blank(0..'\u{feff}'.len_utf8());
    }
    scan.run()?;
    let text = match scan.blanked {
        None => Cow::Borrowed(text),
        // Whole characters were replaced by ASCII, so this is still UTF-8.
        Some(bytes) => Cow::Owned(String::from_utf8(bytes).unwrap_or_default()),
    };
    Ok(Scanned { text, has_mark, comment: scan.comment, trailing_comma: scan.trailing_comma })
}

struct Scan<'t> {
    bytes: &'t [u8],
    /// A copy, made when there is something to blank.
    blanked: Option<Vec<u8>>,
    depth: usize,
    comment: Option<Range<usize>>,
    trailing_comma: Option<Range<usize>>,
}

/// What the last token was, as far as a comma after it is concerned.
#[derive(Clone, Copy)]
enum Last {
    /// The start of something, a colon, or a comma after one of these.
    Other,
    /// The end of a value.
    Value,
    /// A comma after a value, at this byte.
    Comma(usize),
}

impl Scan<'_> {
    fn run(&mut self) -> Result<(), ScanError> {
        let mut last = Last::Other;
        let mut at = usize::from(self.blanked.is_some()) * '\u{feff}'.len_utf8();
        while let Some(&byte) = self.bytes.get(at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => at += 1,
                b'"' => {
                    at = string_end(self.bytes, at);
                    last = Last::Value;
                }
                b'{' | b'[' => {
                    self.depth += 1;
                    if self.depth > limits::NESTING_MAX {
                        return Err(ScanError::NestedTooDeep(at..at + 1));
                    }
                    last = Last::Other;
                    at += 1;
                }
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    if let Last::Comma(comma) = last {
                        self.blank(comma..comma + 1);
                        self.trailing_comma.get_or_insert(comma..comma + 1);
                    }
                    last = Last::Value;
                    at += 1;
                }
                b',' => {
                    last = if matches!(last, Last::Value) { Last::Comma(at) } else { Last::Other };
                    at += 1;
                }
                b'/' => match self.comment_end(at)? {
                    Some(end) => {
                        self.blank(at..end);
                        self.comment.get_or_insert(at..end);
                        at = end;
                    }
                    None => at += 1,
                },
                b'-' | b'0'..=b'9' => {
                    at = self.number_end(at)?;
                    last = Last::Value;
                }
                b':' => {
                    last = Last::Other;
                    at += 1;
                }
                // Letters of true, false and null, or something that the strict reader refuses.
                _ => {
                    last = Last::Value;
                    at += 1;
                }
            }
        }
        Ok(())
    }

    /// The byte after a comment that starts here, if one does.
    fn comment_end(&self, start: usize) -> Result<Option<usize>, ScanError> {
        let rest = self.bytes.get(start..).unwrap_or_default();
        if rest.starts_with(b"//") {
            let length = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
            return Ok(Some(start + length));
        }
        let Some(body) = rest.strip_prefix(b"/*") else { return Ok(None) };
        match body.windows(2).position(|pair| pair == b"*/") {
            Some(length) => Ok(Some(start + length + 4)),
            None => Err(ScanError::CommentOpen(start..start + 2)),
        }
    }

    fn number_end(&self, start: usize) -> Result<usize, ScanError> {
        let rest = self.bytes.get(start..).unwrap_or_default();
        let is_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = rest.iter().position(|byte| !is_number(byte)).unwrap_or(rest.len());
        if length > limits::NUMBER_BYTES_MAX {
            return Err(ScanError::NumberTooLong(start..start + length));
        }
        Ok(start + length)
    }

    /// Turns a stretch of whole characters to spaces; line ends stay, so that lines keep their numbers.
    fn blank(&mut self, range: Range<usize>) {
        let blanked = self.blanked.get_or_insert_with(|| self.bytes.to_vec());
        for byte in blanked.get_mut(range).unwrap_or_default() {
            if !matches!(byte, b'\n' | b'\r') {
                *byte = b' ';
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let scanned = scan(text).unwrap_or_else(|_| panic!("{text:?} is scanned"));
        assert_eq!(scanned.text, expected, "{text:?}");
        assert_eq!(scanned.text.len(), text.len());
    }

    #[test]
    fn only_comments_and_trailing_commas_become_spaces() {
        check(r#"{"a": [1, 2]}"#, r#"{"a": [1, 2]}"#);
        check("[1,]", "[1 ]");
        check("[1 , /* x */ ]", "[1           ]");
        check("{\"a\":true,}", "{\"a\":true }");
        check("{} // é\n", "{}      \n");
        check("/*\n*/{}", "  \n  {}");
        check("{}//", "{}  ");
        check("\u{feff}{}", "   {}");
        check(r#"{"//": "/*", "\"//": ",}"}"#, r#"{"//": "/*", "\"//": ",}"}"#);
    }

    #[test]
    fn nothing_else_is_relaxed() {
        for text in ["[,]", "{,}", "[1,,]", "[,1]", "{\"a\":,}", "[1]/", "/", "{\"a\",}:", "\"open", "\"open\\"] {
            let kept = text.replace(",}:", " }:");
            check(text, &kept);
        }
    }

    #[test]
    fn deep_nesting_and_long_numbers_are_refused() {
        assert!(scan(&"[".repeat(limits::NESTING_MAX)).is_ok());
        assert!(
            matches!(scan(&"[".repeat(1_000)), Err(ScanError::NestedTooDeep(range)) if range.start == limits::NESTING_MAX)
        );
        assert!(scan(&"[]".repeat(1_000)).is_ok());
        assert!(scan(&"9".repeat(limits::NUMBER_BYTES_MAX)).is_ok());
        assert!(matches!(scan(&"9".repeat(1_000_000)), Err(ScanError::NumberTooLong(_))));
        assert!(matches!(scan("{} /*/"), Err(ScanError::CommentOpen(range)) if range == (3..5)));
    }
}
