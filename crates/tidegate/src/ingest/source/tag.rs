//! The validator that names one version of a document: what is sent back so that an unchanged document
//! need not be sent again.

use reqwest::header::{self, HeaderName, HeaderValue};

/// Names one version of a document at its source; opaque to everyone but the source.
///
/// Over HTTP it is the answer's `ETag`, sent back exactly as it came, or, where there is none, its
/// `Last-Modified`. A callback may use any text of its own, for instance a revision number.
///
/// ```
/// use tidegate::Tag;
///
/// let tag = Tag::new("revision-17")?;
/// assert_eq!(tag.as_str(), "revision-17");
/// assert!(Tag::new("").is_err());
/// # Ok::<(), tidegate::TagError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Tag {
    kind: Kind,
    /// Text; over HTTP each byte of the header is one character (U+0000 to U+00FF), so nothing is lost.
    text: Box<str>,
}

/// Which header of a request carries the tag.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Kind {
    /// `If-None-Match`.
    Entity,
    /// `If-Modified-Since`.
    Modified,
}

impl Tag {
    /// Longest tag in bytes: longer ones are not worth a disk block in each request, and come from faults.
    pub const BYTES_MAX: usize = 1024;

    /// The tag of an answer whose `ETag` is this in quotation marks.
    #[cfg(feature = "cluster")]
    pub(crate) fn from_entity(name: &str) -> Option<Self> {
        Self::from_etag(&HeaderValue::from_str(&format!("\"{name}\"")).ok()?)
    }

    /// A tag of the caller's own, for a callback source.
    ///
    /// # Errors
    /// The text is empty, longer than [`Tag::BYTES_MAX`], or holds a control character. Answer without a
    /// tag instead: the document is then compared by its content.
    pub fn new(text: impl Into<String>) -> Result<Self, TagError> {
        Self::with_kind(Kind::Entity, text.into())
    }

    /// The text of the tag, quotes and `W/` included where it came with them.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn with_kind(kind: Kind, text: String) -> Result<Self, TagError> {
        if text.is_empty() {
            return Err(TagError::Empty);
        }
        if text.len() > Self::BYTES_MAX {
            return Err(TagError::TooLong { bytes: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(TagError::ControlCharacter);
        }
        Ok(Self { kind, text: text.into() })
    }

    /// The tag in an `ETag` header; none if it is one that must not be sent back.
    ///
    /// Weak, strong and unquoted tags are all kept as they came. One that means something else in `If-None-Match` than
    /// this one version is none: an empty one, `*` (any version), a list.
    pub(crate) fn from_etag(value: &HeaderValue) -> Option<Self> {
        let text = latin1(value);
        names_one_version(&text).then(|| Self::with_kind(Kind::Entity, text).ok()).flatten()
    }

    /// The date in a `Last-Modified` header; none if it is no date.
    pub(crate) fn from_last_modified(value: &HeaderValue) -> Option<Self> {
        httpdate::parse_http_date(value.to_str().ok()?).ok()?;
        Self::with_kind(Kind::Modified, latin1(value)).ok()
    }

    /// The request header that asks for the document unless it is still the one of this tag; none if the
    /// tag cannot be written as a header.
    pub(crate) fn condition(&self) -> Option<(HeaderName, HeaderValue)> {
        let bytes = self.text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect::<Option<Vec<u8>>>()?;
        let value = HeaderValue::from_bytes(&bytes).ok()?;
        match self.kind {
            // A callback may have given it, or an earlier version of this program have kept it.
            Kind::Entity if !names_one_version(&self.text) => None,
            Kind::Entity => Some((header::IF_NONE_MATCH, value)),
            Kind::Modified => Some((header::IF_MODIFIED_SINCE, value)),
        }
    }
}

/// Why a text is no [`Tag`].
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TagError {
    /// The text is empty, which would match every version.
    #[error("a tag may not be empty; answer without a tag instead")]
    Empty,
    /// The text is longer than [`Tag::BYTES_MAX`].
    #[error("a tag of {bytes} bytes is too long; use at most {}, for instance a hash", Tag::BYTES_MAX)]
    TooLong {
        /// Length of the refused text in bytes.
        bytes: usize,
    },
    /// The text holds a control character.
    #[error("a tag may not hold control characters; encode it first, for instance in base64")]
    ControlCharacter,
}

/// Whether a text stands for one version in `If-None-Match` (RFC 9110, sections 8.8.3 and 13.1.2).
///
/// Anything else would make the origin answer "not modified" to a question that was not asked, and the document would never
/// change again: `*` matches every version, what holds a comma or a quote is a list. Servers that compare without quotes do
/// the same with `"*"`, and some match the empty text with everything.
fn names_one_version(text: &str) -> bool {
    let text = text.trim_matches(' ');
    let opaque = text.strip_prefix("W/").or_else(|| text.strip_prefix("w/")).unwrap_or(text);
    let (opaque, is_quoted) = match opaque.strip_prefix('"') {
        Some(rest) => match rest.strip_suffix('"') {
            Some(inner) => (inner, true),
            None => return false,
        },
        None => (opaque, false),
    };
    let is_one_word = !opaque.contains('"') && (is_quoted || !opaque.contains([',', ' ']));
    is_one_word && !matches!(opaque.trim_matches(' '), "" | "*")
}

fn latin1(value: &HeaderValue) -> String {
    value.as_bytes().iter().map(|byte| char::from(*byte)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(etag: &[u8], sent_back: Option<&[u8]>) {
        let tag = HeaderValue::from_bytes(etag).ok().and_then(|value| Tag::from_etag(&value));
        let condition = tag.and_then(|tag| tag.condition());
        assert_eq!(condition.as_ref().map(|(_, value)| value.as_bytes()), sent_back, "{}", etag.escape_ascii());
        if let Some((name, _)) = condition {
            assert_eq!(name, header::IF_NONE_MATCH);
        }
    }

    #[test]
    fn tags_go_back_as_they_came_or_not_at_all() {
        check(b"\"abc\"", Some(b"\"abc\""));
        check(b"W/\"abc\"", Some(b"W/\"abc\""));
        check(b"abc", Some(b"abc"));
        check(b"\"caf\xe9\"", Some(b"\"caf\xe9\""));
        check("\"é\"".as_bytes(), Some("\"é\"".as_bytes()));
        check(b"", None);
        check(b"\"\"", None);
        check(b"W/\"\"", None);
        check(b"W/", None);
        check(b"\"a, b\"", Some(b"\"a, b\""));
        check(b"a\tb", None);
        check(b"a\x01b", None);
        check(&[b'x'; 1024], Some(&[b'x'; 1024]));
        check(&[b'x'; 1025], None);
    }

    #[test]
    fn a_tag_with_a_meaning_of_its_own_is_not_sent_back() {
        for etag in
            ["*", " * ", "W/*", "\"*\"", "W/\"*\"", "\" \"", "\"a\", \"b\"", "a, b", "a b", "*, \"a\"", "\"a", "a\""]
        {
            check(etag.as_bytes(), None);
        }
        assert_eq!(Tag::new("*").unwrap().condition(), None);
        assert_eq!(Tag::new("a, b").unwrap().condition(), None);
    }

    #[test]
    fn a_date_is_sent_as_a_date_and_only_if_it_is_one() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        let tag = Tag::from_last_modified(&HeaderValue::from_static("Sun, 06 Nov 1994 08:49:37 GMT")).unwrap();
        let (name, value) = tag.condition().unwrap();
        assert_eq!((name, value.to_str().unwrap()), (header::IF_MODIFIED_SINCE, date));
        assert_eq!(Tag::from_last_modified(&HeaderValue::from_static("yesterday")), None);
        assert_eq!(Tag::from_last_modified(&HeaderValue::from_static("")), None);
    }

    #[test]
    fn a_tag_that_no_header_can_carry_is_not_sent() {
        assert_eq!(Tag::new("версия").unwrap().condition(), None);
        assert_eq!(Tag::new("a\nb"), Err(TagError::ControlCharacter));
        assert_eq!(Tag::new("x".repeat(2000)), Err(TagError::TooLong { bytes: 2000 }));
    }
}
