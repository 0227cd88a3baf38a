//! Ranges of versions as Cargo writes them: `^1.4`, `>=2.0.0, <2.3`, `~1.2.3`, `1.*`.
//!
//! The crate `semver` reads a range when a document is read. Versions come with each evaluation, and a version of that crate may
//! allocate, so this module compares the text itself. A property test holds the two to the same answers.

use std::cmp::Ordering;

use semver::{Comparator, Op, VersionReq};

/// A range of versions.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct VersionRange(VersionReq);

impl VersionRange {
    /// Reads a range; the message says what is wrong with the text.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        VersionReq::parse(text).map(Self).map_err(|error| error.to_string())
    }

    /// Whether this version is in the range; `false` if the text is not a version.
    ///
    /// As with Cargo, a pre-release is in a range only if the range names a pre-release of the same version.
    pub(crate) fn has(&self, version: &str) -> bool {
        let Some(version) = Version::parse(version) else { return false };
        let comparators = &self.0.comparators;
        comparators.iter().all(|comparator| version.satisfies(comparator))
            && (version.pre.is_empty() || comparators.iter().any(|comparator| version.is_pre_of(comparator)))
    }
}

/// A version, borrowed from its text. Build metadata does not count.
#[derive(Clone, Copy, Debug)]
struct Version<'t> {
    major: u64,
    minor: u64,
    patch: u64,
    pre: &'t str,
}

impl<'t> Version<'t> {
    fn parse(text: &'t str) -> Option<Self> {
        let (text, build) = match text.split_once('+') {
            Some((text, build)) => (text, Some(build)),
            None => (text, None),
        };
        if build.is_some_and(|build| !build.split('.').all(is_identifier)) {
            return None;
        }
        let (numbers, pre) = match text.split_once('-') {
            Some((numbers, pre)) => (numbers, Some(pre)),
            None => (text, None),
        };
        let is_pre = |part: &str| is_identifier(part) && !(is_numeric(part) && has_leading_zero(part));
        if pre.is_some_and(|pre| !pre.split('.').all(is_pre)) {
            return None;
        }
        let mut parts = numbers.split('.').map(number);
        let version =
            Self { major: parts.next()??, minor: parts.next()??, patch: parts.next()??, pre: pre.unwrap_or_default() };
        parts.next().is_none().then_some(version)
    }

    fn satisfies(self, comparator: &Comparator) -> bool {
        let order = self.compare(comparator);
        let at_least = matches!(order, Some(Ordering::Equal | Ordering::Greater));
        match comparator.op {
            Op::Exact | Op::Wildcard => order == Some(Ordering::Equal),
            Op::Greater => order == Some(Ordering::Greater),
            Op::GreaterEq => at_least,
            Op::Less => order == Some(Ordering::Less),
            Op::LessEq => matches!(order, Some(Ordering::Equal | Ordering::Less)),
            Op::Tilde => {
                at_least && self.major == comparator.major && comparator.minor.is_none_or(|minor| self.minor == minor)
            }
            Op::Caret => self.is_compatible(comparator, at_least),
            // The crate may learn further operators; the reader of documents refuses what it does not know.
            _ => false,
        }
    }

    /// `^`: the first number that is not 0 stays the same.
    fn is_compatible(self, comparator: &Comparator, at_least: bool) -> bool {
        if self.major != comparator.major {
            return false;
        }
        let Some(minor) = comparator.minor else { return true };
        let Some(patch) = comparator.patch else {
            return if self.major > 0 { self.minor >= minor } else { self.minor == minor };
        };
        let has_same_lead = match (self.major, minor) {
            (0, 0) => self.minor == minor && self.patch == patch,
            (0, _) => self.minor == minor,
            _ => true,
        };
        at_least && has_same_lead
    }

    /// How the version relates to the numbers that a comparator names; `None` for a pre-release of a version that is equal as
    /// far as the comparator names it.
    fn compare(self, comparator: &Comparator) -> Option<Ordering> {
        let numbers = |order: Ordering| (order != Ordering::Equal).then_some(order);
        let rest = if self.pre.is_empty() { Some(Ordering::Equal) } else { None };
        if let Some(order) = numbers(self.major.cmp(&comparator.major)) {
            return Some(order);
        }
        let Some(minor) = comparator.minor else { return rest };
        if let Some(order) = numbers(self.minor.cmp(&minor)) {
            return Some(order);
        }
        let Some(patch) = comparator.patch else { return rest };
        Some(self.patch.cmp(&patch).then_with(|| compare_pre(self.pre, comparator.pre.as_str())))
    }

    /// Whether a comparator names a pre-release of the same version.
    fn is_pre_of(self, comparator: &Comparator) -> bool {
        (self.major, Some(self.minor), Some(self.patch)) == (comparator.major, comparator.minor, comparator.patch)
            && !comparator.pre.is_empty()
    }
}

/// The order of pre-releases; the release, which has none, comes last.
fn compare_pre(one: &str, other: &str) -> Ordering {
    match (one.is_empty(), other.is_empty()) {
        (true, true) => return Ordering::Equal,
        (true, false) => return Ordering::Greater,
        (false, true) => return Ordering::Less,
        (false, false) => {}
    }
    let (mut ones, mut others) = (one.split('.'), other.split('.'));
    loop {
        let order = match (ones.next(), others.next()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(_), None) => return Ordering::Greater,
            (Some(one), Some(other)) => match (is_numeric(one), is_numeric(other)) {
                // Without leading zeros a longer number is a larger one.
                (true, true) => one.len().cmp(&other.len()).then_with(|| one.cmp(other)),
                (true, false) => Ordering::Less,
                (false, true) => Ordering::Greater,
                (false, false) => one.cmp(other),
            },
        };
        if order != Ordering::Equal {
            return order;
        }
    }
}

fn number(text: &str) -> Option<u64> {
    if !is_numeric(text) || has_leading_zero(text) { None } else { text.parse().ok() }
}

fn is_numeric(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn has_leading_zero(text: &str) -> bool {
    text.len() > 1 && text.starts_with('0')
}

fn is_identifier(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(range: &str, version: &str) -> Result<(), TestCaseError> {
        let parsed = semver::Version::parse(version);
        prop_assert_eq!(Version::parse(version).is_some(), parsed.is_ok(), "{} as a version", version);
        if let (Ok(ours), Ok(req), Ok(version)) = (VersionRange::parse(range), VersionReq::parse(range), parsed) {
            prop_assert_eq!(ours.has(&version.to_string()), req.matches(&version), "{} in {}", version, range);
        }
        Ok(())
    }

    fn versions() -> impl Strategy<Value = String> {
        let pre = prop_oneof![Just(String::new()), "-[ab01](\\.[0-9ab]{1,2}){0,2}", "\\+[a-z0-9.]{1,3}"];
        ("[0-2]\\.[0-3]\\.[0-3]", pre).prop_map(|(numbers, pre)| format!("{numbers}{pre}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn ranges_are_those_of_the_crate_semver(
            ops in prop::collection::vec(("(|=|>|>=|<|<=|~|\\^)", "[0-2](\\.[0-3](\\.[0-3](-[ab01](\\.[0-9])?)?)?)?"), 1..3),
            version in versions(),
        ) {
            let range = ops.iter().map(|(op, part)| format!("{op}{part}")).collect::<Vec<_>>().join(", ");
            check(&range, &version)?;
        }

        #[test]
        fn wildcards_and_odd_texts_are_those_of_the_crate_semver(
            range in "(\\*|[0-2]\\.\\*|[0-2]\\.[0-3]\\.\\*)",
            version in prop_oneof![versions(), "[0-9a.+-]{0,8}"],
        ) {
            check(&range, &version)?;
        }
    }

    #[test]
    fn versions_are_those_of_the_specification() {
        let any = VersionRange::parse(">=0.0.0-0").unwrap();
        let is_version = |text| Version::parse(text).is_some();
        for text in ["1.0.0", "0.10.0", "1.0.0-a-b", "1.0.0-0a", "1.0.0--", "1.0.0+01", "1.0.0-a+b-c"] {
            assert!(is_version(text), "{text}");
        }
        for text in
            ["01.0.0", "1.00.0", "1.0.01", "1.0.0-01", "1.0.0-a_b", "1.0.0+", "1.0.0-", "1.0", "1.0.0.0", "1.0.0+a_b"]
        {
            assert!(!is_version(text) && !any.has(text), "{text}");
        }
    }

    #[test]
    fn texts_that_are_no_ranges_have_a_reason() {
        for text in ["", "latest", ">", "1.2.3.4", "^1.x.3", "=="] {
            assert!(VersionRange::parse(text).is_err_and(|reason| !reason.is_empty()), "{text}");
        }
        assert!(!VersionRange::parse(">=1").unwrap().has("v1.2.3"));
    }
}
