//! posthog-rs: its evaluation in process.

use std::collections::HashMap;

use posthog_rs::{FlagCache, FlagValue, LocalEvaluationResponse, LocalEvaluator};
use serde_json::{Value, json};

use crate::flags::{Flag, Rule};
use crate::library::Library;

pub(crate) struct PostHog(LocalEvaluator);

impl Library for PostHog {
    const HAS_STEPS: bool = false;

    fn text(flags: &[Flag]) -> String {
        let flags: Vec<Value> = flags.iter().enumerate().map(|(number, flag)| entry(number, flag)).collect();
        json!({"flags": flags, "group_type_mapping": {}, "cohorts": {}}).to_string()
    }

    fn load(text: &str) -> Self {
        let response: LocalEvaluationResponse = serde_json::from_str(text).expect("the text is PostHog's");
        let cache = FlagCache::new();
        cache.update(response);
        Self(LocalEvaluator::new(cache))
    }

    fn is_on(&self, flag: &str, key: &str) -> bool {
        let (properties, groups, of_groups) = (HashMap::new(), HashMap::new(), HashMap::new());
        let value = self.0.evaluate_flag_simple(flag, key, &properties, &groups, &of_groups);
        matches!(value, Ok(Some(FlagValue::Boolean(true))))
    }

    fn count_on(&self, key: &str) -> usize {
        let (properties, groups, of_groups) = (HashMap::new(), HashMap::new(), HashMap::new());
        let values = self.0.evaluate_all_flags(key, &properties, &groups, &of_groups);
        values.values().filter(|value| matches!(value, Ok(FlagValue::Boolean(true)))).count()
    }
}

/// An on/off flag has no percentage: a percentage of 100 costs a hash too.
fn entry(number: usize, flag: &Flag) -> Value {
    let share = match flag.rule {
        Rule::On | Rule::Off | Rule::Steps => None,
        Rule::Share(share) => Some(share),
    };
    json!({
        "id": number,
        "key": flag.name,
        "active": !matches!(flag.rule, Rule::Off),
        "filters": {"groups": [{"properties": [], "rollout_percentage": share, "variant": null}], "payloads": {}},
    })
}
