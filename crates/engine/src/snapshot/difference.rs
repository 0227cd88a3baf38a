//! Which flags of two snapshots are defined differently, so that a program can act on those alone.

use crate::FlagKey;
use crate::document::Variants;

use super::{Entry, Extra, NONE, Snapshot};

impl Snapshot {
    /// The flags that are defined here and otherwise, or not at all, in `before`, and those that only `before` defines, in no
    /// particular order. Locks and activations have no part in it. `None` where there are more than `max`.
    ///
    /// ```
    /// use tidegate_engine::{CompileOptions, FlagKey, compile, read};
    ///
    /// let snapshot = |text: &str| compile(&read(text.as_bytes()).unwrap().0, &CompileOptions::default());
    /// let before = snapshot(r#"{"shop": {"a": {"stable": 1}, "b": {"stable": 2}}}"#);
    /// let after = snapshot(r#"{"shop": {"a": {"stable": 1}, "b": {"stable": 3}}}"#);
    /// assert_eq!(after.changed_flags(&before, 10), Some(vec![FlagKey::new("shop", "b")]));
    /// assert_eq!(after.changed_flags(&before, 0), None);
    /// ```
    pub fn changed_flags(&self, before: &Self, max: usize) -> Option<Vec<FlagKey>> {
        let mut changed = Vec::new();
        for flag in self.flags() {
            let (key, entry) = (flag.key(), self.entry_of(&flag.key()));
            let is_same = match (entry, before.entry_of(&key)) {
                (Some(entry), Some(former)) => is_same(entry, former),
                (None, None) => true,
                _ => false,
            };
            if !is_same {
                changed.push(key);
            }
            if changed.len() > max {
                return None;
            }
        }
        for flag in before.flags() {
            let key = flag.key();
            if self.find(key.section(), key.flag()).is_none() && before.entry_of(&key).is_some() {
                changed.push(key);
            }
            if changed.len() > max {
                return None;
            }
        }
        Some(changed)
    }

    fn entry_of(&self, key: &FlagKey) -> Option<Entry<'_>> {
        self.entry(self.find(key.section(), key.flag())?)
    }
}

/// Whether two entries say the same.
fn is_same(one: Entry<'_>, other: Entry<'_>) -> bool {
    let (a, b) = (one.record, other.record);
    let is_same_rest = match (one.extra(), other.extra()) {
        (None, None) => true,
        (Some(one), Some(other)) => {
            one.adopters.listed() == other.adopters.listed()
                && one.rollback == other.rollback
                && one.rollback_to == other.rollback_to
                && one.lease == other.lease
                && one.source == other.source
                && one.interpolation.is_some() == other.interpolation.is_some()
                && digest_of(one) == digest_of(other)
                && variants_of(one) == variants_of(other)
                && one.details == other.details
        }
        _ => false,
    };
    is_same_rest
        && (one.position_hash(), a.lock, a.enabled) == (other.position_hash(), b.lock, b.enabled)
        && one.core.values.get(a.stable) == other.core.values.get(b.stable)
        && new_of(one) == new_of(other)
        && one.core.points(a) == other.core.points(b)
        && one.core.salt(a) == other.core.salt(b)
}

fn digest_of(extra: &Extra) -> Option<u128> {
    extra.targeting.as_ref().map(|targeting| targeting.digest)
}

fn variants_of(extra: &Extra) -> Option<&Variants> {
    extra.variants.as_ref().map(|variants| &*variants.source)
}

fn new_of(entry: Entry<'_>) -> Option<&str> {
    (entry.record.new != NONE).then(|| entry.core.values.get(entry.record.new))
}

#[cfg(test)]
mod tests {
    use crate::{CompileOptions, FlagKey, Snapshot, compile, read};

    const ENTRIES: [&str; 25] = [
        r#""stable": 1"#,
        r#""stable": 2"#,
        r#""stable": 1, "new": 2"#,
        r#""stable": 1, "new": 3"#,
        r#""stable": 1, "new": 2, "lock": "new""#,
        r#""stable": 1, "new": 2, "enabled": false"#,
        r#""stable": 1, "new": 2, "salt": "a""#,
        r#""stable": 1, "new": 2, "salt": "b""#,
        r#""stable": 1, "new": 2, "salt": "b", "hash": "murmur3""#,
        r#""stable": 1, "new": 2, "start_time": "2040-01-01 00:00Z", "duration": "1d""#,
        r#""stable": 1, "new": 2, "start_time": "2040-01-01 00:00Z", "duration": "1d", "lease": "1h""#,
        r#""stable": 1, "new": 2, "start_time": "2040-01-01 00:00Z", "duration": "1d", "interpolate": true"#,
        r#""stable": 1, "new": 2, "start_time": "2040-01-01 00:00Z", "duration": "1d",
           "rollback": {"start_time": "2040-01-01 12:00Z"}"#,
        r#""stable": 1, "new": 2, "start_time": "2040-01-01 00:00Z", "duration": "2d""#,
        r#""stable": 1, "new": 2, "early_adopters": ["a"]"#,
        r#""stable": 1, "new": 2, "early_adopters": [{"regex": "a"}]"#,
        r#""stable": 1, "description": "text""#,
        r#""stable": 1, "new": 2, "bucket_by": "tenant""#,
        r#""stable": 1, "new": 2, "bucket_by": "tenant", "hash": "murmur3""#,
        r#""stable": 1, "new": 2, "rules": [{"name": "a", "when": {"attribute": "x", "is": 1}, "serve": "new"}]"#,
        r#""stable": 1, "new": 2, "rules": [{"name": "a", "when": {"attribute": "x", "is": 2}, "serve": "new"}]"#,
        r#""variants": {"a": 1, "b": 2}, "stable": {"split": {"a": 1, "b": 1}}"#,
        r#""variants": {"a": 1, "b": 3}, "stable": {"split": {"a": 1, "b": 1}}"#,
        r#""variants": {"a": 1, "b": 2}, "stable": {"split": {"a": 1, "b": 2}}"#,
        r#""variants": {"a": 1, "b": 2}, "stable": "a", "new": {"split": {"a": 1, "b": 1}}"#,
    ];

    fn snapshot(entries: &[(&str, &str)]) -> Snapshot {
        let flags: Vec<String> = entries.iter().map(|(name, entry)| format!(r#""{name}": {{{entry}}}"#)).collect();
        let text = format!(r#"{{"s": {{{}}}}}"#, flags.join(","));
        compile(&read(text.as_bytes()).unwrap().0, &CompileOptions::default())
    }

    #[test]
    fn every_part_of_an_entry_counts_and_its_place_in_the_document_does_not() {
        for (number, before) in ENTRIES.iter().enumerate() {
            for (other, after) in ENTRIES.iter().enumerate() {
                let before = snapshot(&[("x", before), ("y", ENTRIES[3]), ("z", ENTRIES[14])]);
                let after = snapshot(&[("z", ENTRIES[14]), ("y", ENTRIES[3]), ("x", after)]);
                let expected = if number == other { vec![] } else { vec![FlagKey::new("s", "x")] };
                assert_eq!(after.changed_flags(&before, 5), Some(expected), "from {number} to {other}");
            }
        }
    }

    #[test]
    fn flags_that_come_and_go_count_and_there_is_a_limit() {
        let (few, many) = (snapshot(&[("a", ENTRIES[0])]), snapshot(&[("b", ENTRIES[0]), ("c", ENTRIES[0])]));
        let mut changed = many.changed_flags(&few, 3).unwrap();
        changed.sort();
        assert_eq!(changed, ["a", "b", "c"].map(|name| FlagKey::new("s", name)));
        assert_eq!(many.changed_flags(&few, 2), None);
        assert_eq!(few.changed_flags(&many, 2), None);
        assert_eq!(few.changed_flags(&few, 0), Some(Vec::new()));
    }
}
