//! Suggestions: the flag that a misspelt key probably means.

use super::{Flag, Snapshot};
use crate::FlagKey;
use crate::document::names::{distance, plain};

impl Snapshot {
    /// The flag that an unknown key probably means: one with the same name in another section, or one whose name differs in
    /// at most a third of its letters, not counting case and separators. Names of more than 40 bytes have no suggestion. The
    /// work grows with the number of flags: call it for error messages only.
    pub fn nearest(&self, key: &FlagKey) -> Option<FlagKey> {
        let (section, name) = (plain(key.section()), plain(key.flag()));
        let score = |flag: &Flag<'_>| {
            if flag.name() == key.flag() {
                // A flag that has only an activation is in the snapshot and answers as an unknown one does.
                return (flag.section() != key.section()).then_some((0, 0));
            }
            let wanted = name.as_deref()?;
            let found = plain(flag.name()).filter(|found| found.len().abs_diff(wanted.len()) <= found.len() / 3 + 1)?;
            let changed = distance(wanted, &found);
            if changed > found.len() / 3 {
                return None;
            }
            let sections = section.as_deref().zip(plain(flag.section()));
            Some((1 + changed, sections.map_or(usize::MAX, |(wanted, found)| distance(wanted, &found))))
        };
        let best = self.flags().filter_map(|flag| Some((score(&flag)?, flag))).min_by_key(|(score, _)| *score);
        best.map(|(_, flag)| flag.key())
    }
}

#[cfg(test)]
mod tests {
    use crate::{CompileOptions, FlagKey, compile, document};

    #[test]
    fn the_nearest_flag_is_suggested() {
        let text = r#"{"features": {"new_login": {"stable": 1}, "search": {"stable": 1}}, "shop": {"search2": {"stable": 1}}}"#;
        let (document, _) = document::read(text.as_bytes()).unwrap();
        let snapshot = compile(&document, &CompileOptions::default());
        let meant = [
            ("features/new_logn", Some("features/new_login")),
            ("new_login", Some("features/new_login")),
            ("features/new_login", None),
            ("features/New-Login", Some("features/new_login")),
            ("fetures/search", Some("features/search")),
            ("shop/serch", Some("features/search")),
            ("shop/search3", Some("shop/search2")),
            ("features/checkout", None),
            ("x", None),
            ("", None),
        ];
        for (key, expected) in meant {
            let found = snapshot.nearest(&FlagKey::parse(key)).map(|key| key.to_string());
            assert_eq!(found.as_deref(), expected, "{key}");
        }
        assert_eq!(snapshot.nearest(&FlagKey::new("features", "e".repeat(1_000_000))), None);
    }
}
