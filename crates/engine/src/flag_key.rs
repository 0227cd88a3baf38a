//! The one text that names a flag: `section/flag`.
//!
//! OpenFeature, locks and live changes name a flag by one string. Inside the section `%` is written `%25`
//! and then `/` as `%2F`, so that the first `/` always separates the two names and no two flags share a key.

use std::fmt;

use crate::diagnostic::is_deceptive;
use crate::limits;

/// A section and a flag, as one name.
///
/// [`Display`](fmt::Display) is the canonical form, also for the default section (`flags/x`).
///
/// ```
/// use tidegate_engine::FlagKey;
///
/// let key = FlagKey::parse("checkout");
/// assert_eq!((key.section(), key.flag()), ("flags", "checkout"));
/// assert_eq!(FlagKey::new("a/b", "c/d").to_string(), "a%2Fb/c/d");
/// assert_eq!(FlagKey::parse("a%2Fb/c/d"), FlagKey::new("a/b", "c/d"));
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct FlagKey {
    section: String,
    flag: String,
}

impl FlagKey {
    /// The section of a key that names none.
    pub const DEFAULT_SECTION: &'static str = "flags";

    /// The key of this flag in this section; both names as in the document, without escapes.
    pub fn new(section: impl Into<String>, flag: impl Into<String>) -> Self {
        Self { section: section.into(), flag: flag.into() }
    }

    /// Reads a flag key: split at the first `/`, escapes of the section undone. A key without `/` means a
    /// flag of [`FlagKey::DEFAULT_SECTION`]. Any text is a key; `%` not followed by `25` or `2F` (in either
    /// case) stands for itself.
    pub fn parse(text: &str) -> Self {
        match text.split_once('/') {
            None => Self::new(Self::DEFAULT_SECTION, text),
            Some((section, flag)) => Self::new(unescape(section), flag),
        }
    }

    /// Whether a document could have a flag of this name, apart from sections that are reserved.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), FlagKeyError> {
        for name in [&self.section, &self.flag] {
            if name.is_empty() {
                return Err(FlagKeyError::Empty);
            }
            if name.len() > limits::NAME_BYTES_MAX {
                return Err(FlagKeyError::TooLong { bytes: name.len() });
            }
            if is_dots(name) {
                return Err(FlagKeyError::Dots);
            }
            if name.contains(|character: char| character.is_control() || is_deceptive(character)) {
                return Err(FlagKeyError::Invisible);
            }
        }
        Ok(())
    }

    /// The shortest text that reads back as this key: the flag's name alone where it belongs to the default section and holds no
    /// `/`, otherwise the canonical form. OFREP's clients know a flag by this name.
    ///
    /// ```
    /// use tidegate_engine::FlagKey;
    ///
    /// assert_eq!(FlagKey::parse("flags/checkout").to_short(), "checkout");
    /// assert_eq!(FlagKey::parse("shop/checkout").to_short(), "shop/checkout");
    /// assert_eq!(FlagKey::new("flags", "a/b").to_short(), "flags/a/b");
    /// ```
    pub fn to_short(&self) -> String {
        let is_bare = self.section == Self::DEFAULT_SECTION && !self.flag.contains('/');
        if is_bare { self.flag.clone() } else { self.to_string() }
    }

    /// The section's name, unescaped.
    pub fn section(&self) -> &str {
        &self.section
    }

    /// The flag's name.
    pub fn flag(&self) -> &str {
        &self.flag
    }
}

/// A flag key that names no flag which a document could have. The caller's fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FlagKeyError {
    /// The name of the section or the flag is empty.
    #[error("the name is empty; write `section/flag`, or `flag` for one of the section `flags`")]
    Empty,
    /// A name is longer than [`NAME_BYTES_MAX`](crate::limits::NAME_BYTES_MAX).
    #[error("the name has {bytes} bytes, more than the limit of {}; use a shorter one", limits::NAME_BYTES_MAX)]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// A name is `.` or `..`, which the path of a URL cannot have as a segment: clients and proxies remove it, and the request
    /// would be about another flag.
    #[error("the name is `.` or `..`, which a URL cannot hold; choose another one")]
    Dots,
    /// A name holds a control character, or one that is invisible or changes the direction of the text.
    #[error("the name holds a control character or an invisible one; remove it")]
    Invisible,
}

impl fmt::Display for FlagKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_section(&self.section, formatter)?;
        formatter.write_str("/")?;
        formatter.write_str(&self.flag)
    }
}

/// Writes a section with the escapes of a flag key.
pub(crate) fn write_section(section: &str, into: &mut impl fmt::Write) -> fmt::Result {
    for part in section.split_inclusive(['%', '/']) {
        match part.strip_suffix(['%', '/']) {
            None => into.write_str(part)?,
            Some(plain) => {
                into.write_str(plain)?;
                into.write_str(if part.ends_with('%') { "%25" } else { "%2F" })?;
            }
        }
    }
    Ok(())
}

/// Whether a name is one that the path of a URL cannot have as a segment (RFC 3986, section 3.3).
pub(crate) fn is_dots(name: &str) -> bool {
    matches!(name, "." | "..")
}

fn unescape(section: &str) -> String {
    let mut plain = String::with_capacity(section.len());
    let mut rest = section;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let escape = after.get(..2).unwrap_or_default();
        let character = match escape {
            "25" => '%',
            "2F" | "2f" => '/',
            _ => {
                plain.push('%');
                rest = after;
                continue;
            }
        };
        plain.push(character);
        rest = after.get(2..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn keys_are_read_and_written() {
        let keys = [
            ("x", "flags", "x", "flags/x"),
            ("flags/x", "flags", "x", "flags/x"),
            ("a/b/c", "a", "b/c", "a/b/c"),
            ("a%2fb/c", "a/b", "c", "a%2Fb/c"),
            ("a%252F/c", "a%2F", "c", "a%252F/c"),
            ("50%/c", "50%", "c", "50%25/c"),
            ("/c", "", "c", "/c"),
            ("c/", "c", "", "c/"),
            ("100%", "flags", "100%", "flags/100%"),
        ];
        for (text, section, flag, canonical) in keys {
            let key = FlagKey::parse(text);
            assert_eq!((key.section(), key.flag()), (section, flag), "{text}");
            assert_eq!(key.to_string(), canonical, "{text}");
        }
    }

    #[test]
    fn names_that_a_document_cannot_have() {
        for (text, problem) in [
            ("x", None),
            ("...", None),
            (".x/x.", None),
            (".", Some(FlagKeyError::Dots)),
            ("..", Some(FlagKeyError::Dots)),
            ("./checkout", Some(FlagKeyError::Dots)),
            ("checkout/..", Some(FlagKeyError::Dots)),
            ("checkout/", Some(FlagKeyError::Empty)),
            ("check\tout", Some(FlagKeyError::Invisible)),
            ("check\nout", Some(FlagKeyError::Invisible)),
        ] {
            assert_eq!(FlagKey::parse(text).check().err(), problem, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn both_forms_read_back(section in ".{0,8}|[%/25Ff]{0,8}|flags", flag in ".{0,8}|[%/25Ff]{0,8}") {
            let key = FlagKey::new(section, flag);
            prop_assert_eq!(&FlagKey::parse(&key.to_string()), &key);
            prop_assert_eq!(&FlagKey::parse(&key.to_short()), &key);
        }
    }
}
