//! A cursor over JSON text that a strict reader has already accepted.
//!
//! Because the text is valid JSON, the cursor only finds where tokens begin and end. It keeps the byte range of each token,
//! so that a finding has its place. On text that is not JSON it stops early: it never panics and always moves forward.

use std::borrow::Cow;
use std::ops::Range;

use super::string_end::{string_end, string_end_and_escape};

/// One value or name, with its place in the text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'t> {
    /// Where it begins, in bytes of the text.
    pub(crate) start: usize,
    /// Its text, quotes and brackets included.
    pub(crate) text: &'t str,
    /// How deep brackets nest in it; 0 for a token that is no list and no object.
    pub(crate) depth: u32,
    /// Whether it is a string with an escape in it.
    has_escape: bool,
}

/// What kind of JSON a token is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    Null,
    Boolean,
    Number,
    String,
    List,
    Object,
}

impl Kind {
    /// The kind with its article, for messages.
    pub(crate) const fn described(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean => "a boolean",
            Self::Number => "a number",
            Self::String => "a string",
            Self::List => "a list",
            Self::Object => "an object",
        }
    }
}

impl<'t> Token<'t> {
    /// The bytes of the text that it covers.
    pub(crate) fn span(self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    pub(crate) fn kind(self) -> Kind {
        match self.text.as_bytes().first() {
            Some(b'{') => Kind::Object,
            Some(b'[') => Kind::List,
            Some(b'"') => Kind::String,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'n') | None => Kind::Null,
            Some(_) => Kind::Number,
        }
    }

    /// The decoded text of a string token; `None` if an escape is half a surrogate pair.
    #[inline]
    pub(crate) fn decode(self) -> Option<Cow<'t, str>> {
        if self.has_escape {
            return serde_json::from_str(self.text).ok().map(Cow::Owned);
        }
        let inner = self.text.get(1..self.text.len().checked_sub(1)?)?;
        if self.kind() == Kind::String { Some(Cow::Borrowed(inner)) } else { None }
    }

    /// The members of an object, or the elements of a list.
    pub(crate) fn inside(self) -> Cursor<'t> {
        let inner = self.text.get(1..self.text.len().saturating_sub(1)).unwrap_or_default();
        Cursor { text: inner, at: 0, offset: self.start + 1 }
    }
}

/// A place in the text between two tokens.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'t> {
    text: &'t str,
    at: usize,
    /// Where `text` begins in the whole text.
    offset: usize,
}

impl<'t> Cursor<'t> {
    /// At the start of a whole text.
    pub(crate) fn new(text: &'t str) -> Self {
        Self { text, at: 0, offset: 0 }
    }

    /// The bytes before the cursor, and after it.
    pub(crate) fn sides(&self) -> (usize, usize) {
        (self.at, self.text.len().saturating_sub(self.at))
    }

    /// The name of the next member of the object that the cursor is in; its value comes next.
    pub(crate) fn name(&mut self) -> Option<Token<'t>> {
        if self.skip_to_token()? != b'"' {
            return None;
        }
        self.value()
    }

    /// Whether an object comes next; if so, the cursor goes inside.
    pub(crate) fn enter_object(&mut self) -> bool {
        let is_object = self.skip_to_token() == Some(b'{');
        if is_object {
            self.at += 1;
        }
        is_object
    }

    /// Leaves the object whose last member has been read.
    pub(crate) fn leave_object(&mut self) {
        if self.skip_to_token() == Some(b'}') {
            self.at += 1;
        }
    }

    /// The next value, whatever it is.
    pub(crate) fn value(&mut self) -> Option<Token<'t>> {
        let first = self.skip_to_token()?;
        let start = self.at;
        let (mut depth, mut has_escape) = (0, false);
        match first {
            b'"' => (self.at, has_escape) = string_end_and_escape(self.text.as_bytes(), start),
            b'{' | b'[' => (self.at, depth) = self.brackets_end(start),
            b'}' | b']' => return None,
            // `true`, `null`, `false`.
            b't' | b'n' => self.at = self.text.len().min(start + 4),
            b'f' => self.at = self.text.len().min(start + 5),
            _ => self.at = self.scalar_end(start),
        }
        Some(Token { start: self.offset + start, text: self.text.get(start..self.at)?, depth, has_escape })
    }

    /// Moves over white space, commas and colons: in JSON, the next token is where they end.
    fn skip_to_token(&mut self) -> Option<u8> {
        let rest = self.text.as_bytes().get(self.at..)?;
        let length = rest.iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':'))?;
        self.at += length;
        rest.get(length).copied()
    }

    /// Where the brackets that open here close, and how deep they nest.
    fn brackets_end(&self, start: usize) -> (usize, u32) {
        let bytes = self.text.as_bytes();
        let (mut depth, mut deepest) = (0_u32, 0);
        let mut at = start;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'"' => {
                    at = string_end(bytes, at);
                    continue;
                }
                b'{' | b'[' => {
                    depth += 1;
                    deepest = deepest.max(depth);
                }
                b'}' | b']' => {
                    depth -= 1;
                    if depth == 0 {
                        return (at + 1, deepest);
                    }
                }
                _ => {}
            }
            at += 1;
        }
        (bytes.len(), deepest)
    }

    fn scalar_end(&self, start: usize) -> usize {
        let rest = self.text.as_bytes().get(start..).unwrap_or_default();
        let is_end =
            |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b':' | b'"' | b'{' | b'}' | b'[' | b']');
        // At least one byte, so that the walk moves on whatever the text holds.
        start + rest.iter().skip(1).position(is_end).map_or(rest.len(), |length| length + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn walks_members_and_elements() {
        let text = r#" {"a" : [1, {"x":"]"}] , "b\u0062":null,"c":-1.5e3 } "#;
        let mut cursor = Cursor::new(text);
        let object = cursor.value().unwrap();
        assert_eq!(object.kind(), Kind::Object);
        assert!(cursor.value().is_none());
        let mut inside = object.inside();
        let mut seen = Vec::new();
        while let Some(name) = inside.name() {
            let value = inside.value().unwrap();
            assert_eq!(&text[value.span()], value.text);
            assert_eq!(&text[name.span()], name.text);
            seen.push((name.decode().unwrap().into_owned(), value.kind(), value.text));
        }
        assert_eq!(
            seen,
            [
                ("a".to_owned(), Kind::List, r#"[1, {"x":"]"}]"#),
                ("bb".to_owned(), Kind::Null, "null"),
                ("c".to_owned(), Kind::Number, "-1.5e3"),
            ]
        );
    }

    #[test]
    fn half_a_surrogate_pair_is_not_decoded() {
        let decode = |text: &str| Cursor::new(text).value().unwrap().decode().map(Cow::into_owned);
        assert_eq!(decode(r#""\ud83d\ude00""#).as_deref(), Some("😀"));
        assert_eq!(decode(r#""\ud83d""#), None);
        assert_eq!(decode(r#""\ude00\ud83d""#), None);
        assert_eq!(decode(r#""\u0000""#).as_deref(), Some("\0"));
    }

    #[test]
    fn text_that_is_not_json_ends_the_walk() {
        for text in ["", "}", "{", "{\"", "[[", "\"\\", "{\"a\"", "é", "]]", ",,,", "{]}[", "nul\"l"] {
            let mut cursor = Cursor::new(text);
            let mut steps = 0;
            while cursor.value().is_some() {
                steps += 1;
                assert!(steps < 10, "{text:?}");
            }
        }
    }
}
