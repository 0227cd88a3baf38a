//! Which flag and which section a path means.
//!
//! Clients build a path from a base URL, `ofrep/v1/evaluate/flags/` and the flag key. Some percent-encode the key and some do
//! not, so that `team/checkout` comes as two segments or as `team%2Fcheckout`; and a base URL that ends with a slash gives
//! two slashes. All spellings mean the same.

use std::fmt::Write as _;

use tidegate_engine::{FlagIndex, FlagKey, Snapshot};

/// What a path means.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Target {
    /// The section that the base URL names; all names are those of its flags then.
    pub(super) section: Option<String>,
    pub(super) endpoint: Endpoint,
}

#[derive(Debug, Eq, PartialEq)]
pub(super) enum Endpoint {
    /// One flag is evaluated.
    Flag(Name),
    /// All flags are evaluated.
    Flags,
    /// A stream says when to evaluate again.
    Events,
}

/// The name of a flag as it stands in a path.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Name {
    raw: String,
    decoded: String,
}

/// The flag that a name means.
#[derive(Debug)]
pub(super) struct Found {
    /// The name by which its client knows it.
    pub(super) name: String,
    pub(super) key: FlagKey,
    pub(super) index: Option<FlagIndex>,
}

impl Target {
    /// None for a path that is not of OFREP.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let path = path.trim_start_matches('/');
        let (section, path) = match path.strip_prefix("sections/") {
            Some(rest) => {
                let (section, path) = rest.split_once('/')?;
                (Some(decode(section)), path.trim_start_matches('/'))
            }
            None => (None, path),
        };
        let path = path.strip_prefix("ofrep/v1/")?;
        let endpoint = match path.strip_prefix("evaluate/flags") {
            None if path == "events" => Endpoint::Events,
            None => return None,
            Some("" | "/") => Endpoint::Flags,
            Some(rest) => Endpoint::Flag(Name::new(rest.strip_prefix('/')?)),
        };
        Some(Self { section, endpoint })
    }
}

impl Name {
    fn new(raw: &str) -> Self {
        Self { raw: raw.to_owned(), decoded: decode(raw) }
    }

    /// The flag that is meant. A key whose section holds an escape (`a%2Fb/x`) may come raw, too: if no flag has the decoded
    /// name, it is looked for by the name as it came.
    pub(super) fn find(&self, snapshot: &Snapshot, section: Option<&str>) -> Found {
        let found = |name: &str| {
            let key = match section {
                Some(section) => FlagKey::new(section, name),
                None => FlagKey::parse(name),
            };
            let index = snapshot.find(key.section(), key.flag());
            let name = if section.is_some() { name.to_owned() } else { key.to_short() };
            Found { name, key, index }
        };
        let decoded = found(&self.decoded);
        if decoded.index.is_some() {
            return decoded;
        }
        Some(found(&self.raw)).filter(|raw| raw.index.is_some()).unwrap_or(decoded)
    }
}

/// The path of the stream for clients of a section, or of all.
pub(super) fn events_path(section: Option<&str>) -> String {
    let mut path = String::new();
    if let Some(section) = section {
        path.push_str("/sections/");
        for byte in section.bytes() {
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                path.push(char::from(byte));
            } else {
                // Writing to a string cannot fail.
                let _ = write!(path, "%{byte:02X}");
            }
        }
    }
    path.push_str("/ofrep/v1/events");
    path
}

/// Undoes percent-encoding. What is no escape stands for itself, and so does everything where that gives no UTF-8: no flag has
/// such a name.
fn decode(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let escaped = digits.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use tidegate_engine::{CompileOptions, compile, read};

    use super::*;

    #[test]
    fn a_path_names_one_flag_or_all_of_a_section_or_of_all() {
        let flag = |name: &str| Endpoint::Flag(Name::new(name));
        let cases = [
            ("/ofrep/v1/evaluate/flags", Some((None, Endpoint::Flags))),
            ("//ofrep/v1/evaluate/flags/", Some((None, Endpoint::Flags))),
            ("/ofrep/v1/evaluate/flags/a", Some((None, flag("a")))),
            ("///ofrep/v1/evaluate/flags/a/b//c/", Some((None, flag("a/b//c/")))),
            ("/sections/a%2Fb/ofrep/v1/evaluate/flags", Some((Some("a/b"), Endpoint::Flags))),
            ("//sections/shop//ofrep/v1/evaluate/flags/x", Some((Some("shop"), flag("x")))),
            ("/ofrep/v1/events", Some((None, Endpoint::Events))),
            ("/sections/shop/ofrep/v1/events", Some((Some("shop"), Endpoint::Events))),
            ("/ofrep/v1/events/x", None),
            ("/ofrep/v1/evaluate/flagsx", None),
            ("/ofrep/v1/configuration", None),
            ("/sections/shop", None),
            ("/sections/ofrep/v1/evaluate/flags", None),
            ("/", None),
        ];
        for (path, expected) in cases {
            let target = Target::parse(path).map(|target| (target.section, target.endpoint));
            assert_eq!(target, expected.map(|(section, endpoint)| (section.map(str::to_owned), endpoint)), "{path}");
        }
    }

    #[test]
    fn the_path_of_a_stream_leads_to_it() {
        for section in [None, Some("shop"), Some("a/b %\u{e4}\"")] {
            let target = Target::parse(&events_path(section)).unwrap();
            assert_eq!((target.section.as_deref(), target.endpoint), (section, Endpoint::Events));
        }
    }

    #[test]
    fn escapes_are_undone_once_and_other_percent_signs_stay() {
        for (text, plain) in [
            ("team%2fcheckout", "team/checkout"),
            ("50%", "50%"),
            ("50%+x", "50%+x"),
            ("a%252Fb", "a%2Fb"),
            ("%ff", "%ff"),
            ("%C3%A4", "\u{e4}"),
            ("%+1", "%+1"),
        ] {
            assert_eq!(decode(text), plain, "{text}");
        }
    }

    #[test]
    fn every_spelling_finds_the_flag_and_its_client_name() {
        let text = br#"{"flags": {"x": {"stable": 1}, "a/b": {"stable": 2}, "50%": {"stable": 3}},
            "team": {"checkout": {"stable": 4}, "a/b": {"stable": 5}}, "a/b": {"c": {"stable": 6}}}"#;
        let snapshot = compile(&read(text).unwrap().0, &CompileOptions::default());
        let check = |section, raw: &str, name: &str, stable| {
            let found = Name::new(raw).find(&snapshot, section);
            let value = found.index.and_then(|index| snapshot.flag(index).stable());
            assert_eq!((found.name.as_str(), value), (name, stable), "{raw}");
        };
        check(None, "x", "x", Some("1"));
        check(None, "flags/x", "x", Some("1"));
        check(None, "flags%2Fa%2Fb", "flags/a/b", Some("2"));
        check(None, "50%", "50%", Some("3"));
        check(None, "50%25", "50%", Some("3"));
        for raw in ["team/checkout", "team%2Fcheckout", "team%2fcheckout"] {
            check(None, raw, "team/checkout", Some("4"));
        }
        check(Some("team"), "a/b", "a/b", Some("5"));
        check(Some("team"), "a%2Fb", "a/b", Some("5"));
        check(Some("flags"), "x", "x", Some("1"));
        check(None, "a%252Fb%2Fc", "a%2Fb/c", Some("6"));
        check(None, "a%2Fb/c", "a%2Fb/c", Some("6"));
        check(Some("team"), "x", "x", None);
        check(None, "", "", None);
    }
}
