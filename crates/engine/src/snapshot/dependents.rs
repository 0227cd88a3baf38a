//! Which flags may answer differently because others have changed: those whose rules ask for them.

use std::collections::HashSet;

use crate::FlagKey;

use super::{Extra, Flag, FlagIndex, Record, Snapshot};
use crate::ends;

impl Snapshot {
    /// These flags, and all flags whose rules ask for one of them, directly or through other flags, each once and in no
    /// particular order. `None` where there are more than `max`.
    ///
    /// The cost is that of the flags in the result, however many there are besides.
    ///
    /// ```
    /// use tidegate_engine::{CompileOptions, FlagKey, compile, read};
    ///
    /// let text = br#"{"shop": {
    ///     "base": {"stable": false, "new": true},
    ///     "cart": {"stable": 1, "new": 2, "rules": [
    ///         {"name": "with base", "when": {"flag": "shop/base", "is": "new"}, "serve": "new"}]}
    /// }}"#;
    /// let snapshot = compile(&read(text).unwrap().0, &CompileOptions::default());
    /// let [base, cart] = ["base", "cart"].map(|flag| FlagKey::new("shop", flag));
    /// assert_eq!(snapshot.with_dependents([base.clone()], 10), Some(vec![base.clone(), cart.clone()]));
    /// assert_eq!(snapshot.with_dependents([cart.clone()], 10), Some(vec![cart]));
    /// assert_eq!(snapshot.with_dependents([base], 1), None);
    /// ```
    pub fn with_dependents(&self, flags: impl IntoIterator<Item = FlagKey>, max: usize) -> Option<Vec<FlagKey>> {
        let (mut found, mut known) = (Vec::new(), HashSet::new());
        for flag in flags {
            if known.insert(flag.clone()) {
                found.push(flag);
            }
        }
        let mut next = 0;
        while found.len() <= max {
            let Some(flag) = found.get(next) else { return Some(found) };
            for dependent in self.direct_dependents(flag) {
                if known.insert(dependent.clone()) {
                    found.push(dependent);
                }
            }
            next = next.saturating_add(1);
        }
        None
    }

    /// The flags whose rules name this one.
    fn direct_dependents(&self, flag: &FlagKey) -> Vec<FlagKey> {
        let hash = ends::hash(flag.section(), flag.flag());
        let documented = self.core.dependents.with_hash(hash);
        let known = self.known();
        let defined = self.overrides.iter().flat_map(|overrides| overrides.dependents(hash));
        let numbers = documented.chain(defined.map(|number| known.saturating_add(number)));
        let asks = numbers.map(|number| self.flag(FlagIndex(number)));
        asks.filter(|other| other.prerequisites().contains(flag)).map(|other| other.key()).collect()
    }
}

impl<'s> Flag<'s> {
    /// The flags that its rules ask for, also through segments, each once.
    pub fn prerequisites(&self) -> &'s [FlagKey] {
        self.extra().map_or(&[], Extra::prerequisites)
    }
}

/// Flags of documents by the hashes of the flags that their rules ask for.
#[derive(Debug, Default)]
pub(crate) struct Dependents(Box<[(u64, u32)]>);

impl Dependents {
    /// Reads them from the tables of a snapshot.
    pub(crate) fn new(records: &[Record], extras: &[Extra]) -> Self {
        // Most documents have no such flag, and then no record is looked at.
        if extras.iter().all(|extra| extra.prerequisites().is_empty()) {
            return Self::default();
        }
        let mut pairs = Vec::new();
        for (number, record) in (0..).zip(records) {
            let extra = extras.get(record.extra as usize);
            let hashes = extra.map_or(&[][..], Extra::prerequisites).iter().map(hash);
            pairs.extend(hashes.map(|hash| (hash, number)));
        }
        pairs.sort_unstable();
        Self(pairs.into())
    }

    /// The numbers of the flags that ask for one with this hash.
    fn with_hash(&self, hash: u64) -> impl Iterator<Item = u32> {
        let start = self.0.partition_point(|(other, _)| *other < hash);
        let rest = self.0.get(start..).unwrap_or_default();
        rest.iter().take_while(move |(other, _)| *other == hash).map(|(_, number)| *number)
    }
}

/// The hash under which dependents of a flag stand.
pub(super) fn hash(flag: &FlagKey) -> u64 {
    ends::hash(flag.section(), flag.flag())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use crate::document::read_definition;
    use crate::{CompileOptions, FlagKey, Snapshot, compile, read};

    fn entry(asks: &[&str]) -> String {
        let mut rules = String::new();
        for (number, flag) in asks.iter().enumerate() {
            let comma = if number == 0 { "" } else { "," };
            let when =
                format!(r#"{{"any": [{{"flag": "{flag}", "is": "new"}}, {{"flag": "{flag}", "is": "stable"}}]}}"#);
            write!(rules, r#"{comma}{{"name": "r{number}", "when": {when}, "serve": "new"}}"#).unwrap();
        }
        format!(r#"{{"stable": false, "new": true, "rules": [{rules}]}}"#)
    }

    fn document(flags: &[(&str, &[&str])]) -> Snapshot {
        let flags: Vec<String> = flags.iter().map(|(name, asks)| format!(r#""{name}": {}"#, entry(asks))).collect();
        let text = format!(r#"{{"s": {{{}}}}}"#, flags.join(","));
        compile(&read(text.as_bytes()).unwrap().0, &CompileOptions::default())
    }

    fn define(snapshot: &mut Snapshot, name: &str, asks: Option<&[&str]>) {
        let key = FlagKey::parse(name);
        let alone = asks.map(|asks| {
            let (definition, _) = read_definition(&key, &entry(asks)).unwrap();
            compile(&definition.into_document(), &CompileOptions::default())
        });
        snapshot.set_definition(&key, alone.as_ref());
    }

    fn dependents(snapshot: &Snapshot, flag: &str) -> Vec<String> {
        let mut found = snapshot.with_dependents([FlagKey::parse(flag)], 100).unwrap();
        found.sort();
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn dependents_are_found_through_other_flags_segments_and_circles() {
        let snapshot = document(&[("a", &[]), ("b", &["s/a"]), ("c", &["s/b", "s/x"]), ("d", &["s/c"]), ("e", &[])]);
        assert_eq!(dependents(&snapshot, "s/a"), ["s/a", "s/b", "s/c", "s/d"]);
        assert_eq!(dependents(&snapshot, "s/x"), ["s/c", "s/d", "s/x"], "no flag of this document");
        assert_eq!(dependents(&snapshot, "s/e"), ["s/e"]);

        let text = r#"{"$tidegate": {"segments": {"inner": {"flag": "s/a", "is": "new"}, "outer": {"segment": "inner"}}},
            "s": {"a": {"stable": 1}, "b": {"stable": 1, "new": 2,
                "rules": [{"name": "r", "when": {"segment": "outer"}, "serve": "new"}]}}}"#;
        let snapshot = compile(&read(text.as_bytes()).unwrap().0, &CompileOptions::default());
        assert_eq!(dependents(&snapshot, "s/a"), ["s/a", "s/b"]);

        let mut snapshot = document(&[("a", &["t/b"])]);
        define(&mut snapshot, "t/b", Some(&["s/a"]));
        assert_eq!(dependents(&snapshot, "s/a"), ["s/a", "t/b"]);
        assert_eq!(dependents(&snapshot, "t/b"), ["s/a", "t/b"]);
    }

    #[test]
    fn dependents_follow_definitions_and_documents() {
        let mut snapshot = document(&[("a", &[])]);
        define(&mut snapshot, "t/b", Some(&["s/a"]));
        define(&mut snapshot, "t/c", Some(&["s/a", "t/b"]));
        let before = snapshot.clone();
        assert_eq!(dependents(&snapshot, "s/a"), ["s/a", "t/b", "t/c"]);
        define(&mut snapshot, "t/c", Some(&["t/b"]));
        define(&mut snapshot, "t/b", None);
        assert_eq!(dependents(&snapshot, "s/a"), ["s/a"]);
        assert_eq!(dependents(&snapshot, "t/b"), ["t/b", "t/c"]);
        assert_eq!(dependents(&before, "s/a"), ["s/a", "t/b", "t/c"], "an earlier clone is as it was");

        // The same definitions beside other documents: one of them is a document's flag now.
        let text = format!(r#"{{"t": {{"b": {}}}}}"#, entry(&["s/z"]));
        let moved = before.with_documents(&compile(&read(text.as_bytes()).unwrap().0, &CompileOptions::default()));
        assert_eq!(dependents(&moved, "s/z"), ["s/z", "t/b", "t/c"]);
        assert_eq!(dependents(&moved, "s/a"), ["s/a", "t/c"]);
    }
}
