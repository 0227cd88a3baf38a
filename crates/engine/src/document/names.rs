//! Names: which are legal, which look alike, and which name a misspelt one probably means.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization as _;

use super::cursor::Token;
use super::findings::Findings;
use super::seen::{Insert, Seen};
use crate::diagnostic::{Code, Trail, is_deceptive, quote};
use crate::flag_key::is_dots;
use crate::limits;

/// Reports that an object has more names than the limit.
pub(crate) fn report_full(token: Token<'_>, trail: Trail<'_>, findings: &mut Findings) {
    findings.add(Code::TooManyNames, trail, token.span(), || {
        (
            format!("there are more than {} names in this object (NAMES_MAX)", limits::NAMES_MAX),
            "split it up, or keep the data behind an address".to_owned(),
        )
    });
}

/// The decoded name of a token; reports if it cannot be decoded.
pub(crate) fn decode<'t>(token: Token<'t>, above: Trail<'_>, findings: &mut Findings) -> Option<Cow<'t, str>> {
    let name = token.decode();
    if name.is_none() {
        findings.add(Code::NotUnicode, above, token.span(), || {
            (
                format!("the JSON name {} holds half a surrogate pair", quote(token.text)),
                "write the character itself, or both halves of its escape".to_owned(),
            )
        });
    }
    name
}

/// The form that names which look alike have in common: small letters, NFKC, without blanks at the ends.
fn folded(name: &str) -> String {
    let small: String = name.trim().nfkc().flat_map(char::to_lowercase).collect();
    small.nfkc().collect()
}

/// Whether a name is certain to be its own folded form, as nearly all are.
fn is_folded(name: &str) -> bool {
    classes(name) & FOLDED != 0
}

/// The classes to which all bytes of a name belong.
fn classes(name: &str) -> u8 {
    name.bytes().fold(PLAIN | FOLDED, |all, byte| all & CLASSES.get(usize::from(byte)).copied().unwrap_or_default())
}

/// Letters and digits of ASCII, `_`, `-` and `.`, which need no check.
const PLAIN: u8 = 1;
/// What folding leaves as it is.
const FOLDED: u8 = 2;

/// The classes of each byte. A look-up without a branch, because every name of a document is looked at.
#[expect(clippy::indexing_slicing, reason = "a constant: an index out of bounds would not compile")]
const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.') {
            classes[byte as usize] |= PLAIN;
        }
        if byte.is_ascii_graphic() && !byte.is_ascii_uppercase() {
            classes[byte as usize] |= FOLDED;
        }
        byte += 1;
    }
    classes
};

/// Notes a name that looks like one before it in the same object. `seen` has all names of the object, this one included; `alike` has
/// the folded forms of those that may differ from theirs.
pub(crate) fn note_alike(
    what: &str,
    name: &str,
    token: Token<'_>,
    trail: Trail<'_>,
    (seen, alike): (&Seen<'_>, &mut Seen<'_>),
    findings: &mut Findings,
) {
    let is_alike = if is_folded(name) {
        !alike.is_empty() && alike.contains(name)
    } else {
        let folded = folded(name);
        let is_like_plain = is_folded(&folded) && seen.contains(&folded);
        alike.insert(Cow::Owned(folded)) == Insert::Twice || is_like_plain
    };
    if is_alike {
        findings.add(Code::NamesAlike, trail, token.span(), || {
            (
                format!(
                    "the {what} name {} differs from one before it only by case, outer blanks or Unicode normalization",
                    quote(name)
                ),
                "they are two names: rename one of them, to avoid changing the wrong flag".to_owned(),
            )
        });
    }
}

/// Reports that a name occurs twice in one object.
pub(crate) fn report_twice(token: Token<'_>, name: &str, trail: Trail<'_>, findings: &mut Findings) {
    findings.add(Code::NameTwice, trail, token.span(), || {
        (
            format!("{} occurs twice in the same object", quote(name)),
            "keep one of the two: readers differ on which of them counts".to_owned(),
        )
    });
}

/// Checks the name of a section, a flag, a rule or a segment; `what` is the word for it.
pub(crate) fn check(what: &str, name: &str, token: Token<'_>, trail: Trail<'_>, findings: &mut Findings) {
    if name.len() > limits::NAME_BYTES_MAX {
        findings.add(Code::NameTooLong, trail, token.span(), || {
            (
                format!(
                    "the {what} name {} has {} bytes, more than the limit of {} (NAME_BYTES_MAX)",
                    quote(name),
                    name.len(),
                    limits::NAME_BYTES_MAX
                ),
                "use a shorter name".to_owned(),
            )
        });
        return;
    }
    let is_in_url = matches!(what, "section" | "flag");
    if is_in_url && is_dots(name) {
        findings.add(Code::NameIsDots, trail, token.span(), || {
            (
                format!("the {what} name {} stands for a folder in the path of a URL", quote(name)),
                "choose another name: clients and proxies remove this one from a URL".to_owned(),
            )
        });
        return;
    }
    // Nearly all names are plain and need no further checks.
    if !name.is_empty() && classes(name) & PLAIN != 0 {
        return;
    }
    if name.chars().any(char::is_control) {
        findings.add(Code::NameHasControl, trail, token.span(), || {
            (
                format!("the {what} name {} holds a control character", quote(name)),
                "remove it: a line end or an escape in a name can forge lines of a log".to_owned(),
            )
        });
    }
    if name.contains(is_deceptive) {
        findings.add(Code::NameDeceptive, trail, token.span(), || {
            (
                format!("the {what} name {} holds an invisible or direction-changing character", quote(name)),
                "remove it: two names that look alike would be two flags".to_owned(),
            )
        });
    }
    if name.is_empty() {
        findings.add(Code::NameEmpty, trail, token.span(), || {
            (format!("a {what} name is empty"), "legal, but easily missed: give it a name".to_owned())
        });
    }
    if is_in_url && name.contains(['?', '#']) {
        findings.add(Code::NameNotInUrl, trail, token.span(), || {
            (
                format!("the {what} name {} holds `?` or `#`, which end the path of a URL", quote(name)),
                "clients that put the name into a URL unescaped cannot ask for it: avoid the two".to_owned(),
            )
        });
    }
}

/// The known name that a misspelt one probably means.
pub(crate) fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> Option<&'k str> {
    let name = plain(name)?;
    known
        .map(|candidate| (distance(&name, &plain(candidate).unwrap_or_default()), candidate))
        .filter(|&(distance, candidate)| distance <= candidate.len() / 3)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Small letters without separators, so that `startTime` equals `start_time`.
pub(crate) fn plain(name: &str) -> Option<Vec<char>> {
    (name.len() <= MISSPELT_BYTES_MAX)
        .then(|| name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect())
}

/// The edit distance (Damerau-Levenshtein, optimal string alignment).
pub(crate) fn distance(from: &[char], to: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    for (row, letter) in from.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, other) in to.iter().enumerate() {
            let cell = |line: &[usize], at: usize| line.get(at).copied().unwrap_or(usize::MAX / 2);
            let mut best = (cell(&last, column) + usize::from(letter != other))
                .min(cell(&last, column + 1) + 1)
                .min(cell(&next, column) + 1);
            let is_swap =
                row > 0 && column > 0 && from.get(row - 1) == Some(other) && to.get(column - 1) == Some(letter);
            if is_swap {
                best = best.min(cell(&before, column - 1) + 1);
            }
            next.push(best);
        }
        before = std::mem::replace(&mut last, next);
    }
    last.last().copied().unwrap_or_default()
}

/// Longer names get no suggestion: all known names are shorter.
const MISSPELT_BYTES_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_noted() {
        let noted = |one: &str, other: &str| {
            let entry = serde_json::json!({"stable": 1});
            let flags = serde_json::json!({"s": {one: entry, other: entry}}).to_string();
            let sections = serde_json::json!({one: {"x": entry}, other: {"x": entry}}).to_string();
            [flags, sections].map(|text| {
                let found = crate::check(text.as_bytes()).diagnostics;
                found.iter().filter(|found| found.code == Code::NamesAlike).count()
            })
        };
        let alike = [
            ("dark_mode", "Dark_Mode"),
            ("x", " x"),
            ("x", "x\u{a0}"),
            ("caf\u{e9}", "cafe\u{301}"),
            ("CAF\u{c9}", "cafe\u{301}"),
            ("\u{fb01}x", "fix"),
            ("\u{212b}", "\u{e5}"),
        ];
        for (one, other) in alike {
            assert_eq!(noted(one, other), [1, 1], "{one:?} and {other:?}");
        }
        for (one, other) in [("dark_mode", "dark-mode"), ("x", "y"), ("a b", "ab"), ("e", "\u{e9}"), ("", "x")] {
            assert_eq!(noted(one, other), [0, 0], "{one:?} and {other:?}");
        }
        assert_eq!(noted("x", "x"), [0, 0], "one name is no two names");
    }

    #[test]
    fn the_nearest_name() {
        let known = ["stable", "new", "end_time", "start_time", "duration", "early_adopters", "end_pct"];
        let meant = [
            ("stabel", Some("stable")),
            ("startTime", Some("start_time")),
            ("end-time", Some("end_time")),
            ("duraton", Some("duration")),
            ("early_adopter", Some("early_adopters")),
            ("End_Pct", Some("end_pct")),
            ("nwe", Some("new")),
            ("x-note", None),
            ("old", None),
            ("", None),
        ];
        for (name, expected) in meant {
            assert_eq!(nearest(name, known.into_iter()), expected, "{name}");
        }
        assert_eq!(nearest(&"e".repeat(1_000_000), known.into_iter()), None);
    }
}
