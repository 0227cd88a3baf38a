//! Which attributes of a subject the flags read.

use std::collections::BTreeSet;

use super::Snapshot;
use crate::attributes::KEY;
use crate::document::Condition;

impl Snapshot {
    /// The names of the attributes on which some answer may depend, as JSON objects have them at their top: those of rules, of
    /// segments, and those that a flag is bucketed by. A dotted name stands for itself and for its part before the first dot, because it
    /// may reach into an object. Answers for two subjects with the same key are the same if these attributes are.
    ///
    /// The cost is that of a look at each flag.
    ///
    /// ```
    /// use tidegate_engine::{CompileOptions, compile, read};
    ///
    /// let text = br#"{"shop": {"cart": {"stable": 1, "new": 2, "bucket_by": "tenant", "rules": [
    ///     {"name": "near", "when": {"attribute": "address.country", "is": "de"}, "serve": "new"}]}}}"#;
    /// let snapshot = compile(&read(text).unwrap().0, &CompileOptions::default());
    /// let names: Vec<_> = snapshot.attribute_names().into_iter().collect();
    /// assert_eq!(names, ["address", "address.country", "tenant"]);
    /// ```
    pub fn attribute_names(&self) -> BTreeSet<&str> {
        let mut names = BTreeSet::new();
        for targeting in self.flags().filter_map(|flag| flag.targeting()) {
            if let Some(name) = &targeting.bucket_by {
                insert(name, &mut names);
            }
            for rule in &targeting.rules {
                collect(&rule.when, &mut names);
            }
        }
        // A definition of its own has no segments.
        for segment in &self.core.segments {
            collect(&segment.source.when, &mut names);
        }
        names
    }
}

fn collect<'s>(condition: &'s Condition, names: &mut BTreeSet<&'s str>) {
    match condition {
        Condition::Compare(comparison) => insert(&comparison.attribute, names),
        Condition::All(parts) | Condition::Any(parts) => parts.iter().for_each(|part| collect(part, names)),
        Condition::Not(part) => collect(part, names),
        // Those of all segments are collected, and those of all flags.
        Condition::Segment(_) | Condition::Flag { .. } => {}
    }
}

fn insert<'s>(name: &'s str, names: &mut BTreeSet<&'s str>) {
    if name == KEY {
        return;
    }
    names.insert(name);
    if let Some((head, _)) = name.split_once('.') {
        names.insert(head);
    }
}

#[cfg(test)]
mod tests {
    use crate::document::read_definition;
    use crate::{CompileOptions, FlagKey, compile, read};

    #[test]
    fn those_of_segments_and_of_live_definitions_count_and_the_key_is_none() {
        let text = br#"{"$tidegate": {"segments": {"staff": {"not": {"attribute": "mail", "exists": false}}}}, "s": {
            "a": {"stable": 1, "new": 2, "rules": [{"name": "r", "serve": "new", "when": {"any": [
                {"segment": "staff"}, {"attribute": "$key", "is": "x"}, {"attribute": "plan", "is": "p"}]}}]},
            "b": {"stable": 1}
        }}"#;
        let mut snapshot = compile(&read(text).unwrap().0, &CompileOptions::default());
        assert_eq!(Vec::from_iter(snapshot.attribute_names()), ["mail", "plan"]);
        let key = FlagKey::new("s", "c");
        let entry = r#"{"stable": 1, "new": 2, "bucket_by": "org.unit"}"#;
        let (definition, _) = read_definition(&key, entry).unwrap();
        let alone = compile(&definition.into_document(), &CompileOptions::default());
        snapshot.set_definition(&key, Some(&alone));
        assert_eq!(Vec::from_iter(snapshot.attribute_names()), ["mail", "org", "org.unit", "plan"]);
    }
}
