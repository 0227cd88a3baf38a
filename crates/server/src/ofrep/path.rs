//! Which flag and which section a path means.
//!
//! Clients build a path from a base URL, `ofrep/v1/evaluate/flags/` and the flag key. Some percent-encode the key and some do
//! not, so that `team/checkout` comes as two segments or as `team%2Fcheckout`; and a base URL that ends with a slash gives
//! two slashes. All spellings mean the same.

use std::borrow::Cow;
use std::fmt::Write as _;

use tidegate_engine::{FlagIndex, FlagKey, Snapshot};

/// What a path means.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Target<'p> {
    /// The section that the base URL names; all names are those of its flags then.
    pub(super) section: Option<Cow<'p, str>>,
    pub(super) endpoint: Endpoint<'p>,
}

#[derive(Debug, Eq, PartialEq)]
pub(super) enum Endpoint<'p> {
    /// One flag is evaluated.
    Flag(Name<'p>),
    /// All flags are evaluated.
    Flags,
    /// A stream says when to evaluate again.
    Events,
}

/// The name of a flag as it stands in a path.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Name<'p> {
    raw: &'p str,
    decoded: Cow<'p, str>,
}

/// The flag that a name means.
#[derive(Debug)]
pub(super) struct Found<'n> {
    /// The name by which its client knows it.
    pub(super) name: Cow<'n, str>,
    pub(super) index: Option<FlagIndex>,
    section: Option<&'n str>,
}

impl Found<'_> {
    /// The key of the flag, which need not exist.
    pub(super) fn key(&self) -> FlagKey {
        match self.section {
            Some(section) => FlagKey::new(section, &*self.name),
            None => FlagKey::parse(&self.name),
        }
    }
}

impl<'p> Target<'p> {
    /// None for a path that is not of OFREP.
    pub(crate) fn parse(path: &'p str) -> Option<Self> {
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

impl<'p> Name<'p> {
    fn new(raw: &'p str) -> Self {
        Self { raw, decoded: decode(raw) }
    }

    /// The flag that is meant. A key whose section holds an escape (`a%2Fb/x`) may come raw, too: if no flag has the decoded
    /// name, it is looked for by the name as it came.
    pub(super) fn find<'n>(&'n self, snapshot: &Snapshot, section: Option<&'n str>) -> Found<'n> {
        let found = |name: &'n str| {
            if let Some(section) = section {
                return Found { name: name.into(), index: snapshot.find(section, name), section: Some(section) };
            }
            let name_of_client = if name.contains('%') {
                // It may have another spelling than the canonical one.
                FlagKey::parse(name).to_short().into()
            } else {
                // A flag of the default section goes by its bare name.
                let bare = name.strip_prefix(DEFAULT_PREFIX).filter(|bare| !bare.contains('/'));
                Cow::Borrowed(bare.unwrap_or(name))
            };
            Found { name: name_of_client, index: snapshot.find_key(name), section: None }
        };
        let decoded = found(&self.decoded);
        if decoded.index.is_some() || matches!(self.decoded, Cow::Borrowed(_)) {
            return decoded;
        }
        Some(found(self.raw)).filter(|raw| raw.index.is_some()).unwrap_or(decoded)
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
fn decode(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..2).filter(|digits| *first == b'%' && digits.iter().all(u8::is_ascii_hexdigit));
        let escaped = digits.and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        bytes.push(escaped.unwrap_or(*first));
        rest = if escaped.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    String::from_utf8(bytes).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// What stands before a flag of the default section.
const DEFAULT_PREFIX: &str = "flags/";

#[cfg(test)]
mod tests {
    use tidegate_engine::{CompileOptions, compile, read};

    use super::*;

    #[test]
    fn a_path_names_one_flag_or_all_of_a_section_or_of_all() {
        let flag = |name| Endpoint::Flag(Name::new(name));
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
            assert_eq!(target, expected.map(|(section, endpoint)| (section.map(Cow::Borrowed), endpoint)), "{path}");
        }
    }

    #[test]
    fn the_path_of_a_stream_leads_to_it() {
        for section in [None, Some("shop"), Some("a/b %\u{e4}\"")] {
            let path = events_path(section);
            let target = Target::parse(&path).unwrap();
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
            let named = Name::new(raw);
            let found = named.find(&snapshot, section);
            let value = found.index.and_then(|index| snapshot.flag(index).stable());
            assert_eq!((&*found.name, value), (name, stable), "{raw}");
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
