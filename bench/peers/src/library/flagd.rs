//! flagd-evaluation-engine: what the provider for flagd evaluates with in process.

use std::collections::HashMap;

use flagd_evaluation_engine::{FeatureFlag, FlagParser, Operator};
use open_feature::EvaluationContext;
use serde_json::{Map, Value, json};

use crate::flags::{Flag, Rule, SCHEDULE};
use crate::library::Library;

pub(crate) struct Flagd {
    flags: HashMap<String, FeatureFlag>,
    operator: Operator,
}

impl Library for Flagd {
    const HAS_STEPS: bool = true;

    fn text(flags: &[Flag]) -> String {
        let flags: Map<String, Value> = flags.iter().map(|flag| (flag.name.clone(), entry(flag))).collect();
        json!({ "flags": flags }).to_string()
    }

    fn load(text: &str) -> Self {
        let parsed = FlagParser::parse_string(text).expect("the text is flagd's");
        Self { flags: parsed.flags, operator: Operator::new() }
    }

    fn is_on(&self, flag: &str, key: &str) -> bool {
        let context = EvaluationContext::default().with_targeting_key(key);
        self.flags.get(flag).is_some_and(|definition| self.evaluate(flag, definition, &context))
    }

    fn count_on(&self, key: &str) -> usize {
        let context = EvaluationContext::default().with_targeting_key(key);
        self.flags.iter().filter(|(flag, definition)| self.evaluate(flag, definition, &context)).count()
    }
}

impl Flagd {
    /// The crate evaluates rules; the order of state, rule and default variant is flagd's specification.
    fn evaluate(&self, flag: &str, definition: &FeatureFlag, context: &EvaluationContext) -> bool {
        if definition.state != "ENABLED" {
            return false;
        }
        let by_rule = definition.targeting.as_ref().and_then(|_| {
            self.operator.apply(flag, &definition.get_targeting(), context).expect("the rule can be evaluated")
        });
        let variant = by_rule.as_deref().unwrap_or(&definition.default_variant);
        definition.variants.get(variant).and_then(Value::as_bool) == Some(true)
    }
}

fn entry(flag: &Flag) -> Value {
    let default = if matches!(flag.rule, Rule::On) { "on" } else { "off" };
    let mut entry = json!({"state": "ENABLED", "variants": {"on": true, "off": false}, "defaultVariant": default});
    match flag.rule {
        Rule::On | Rule::Off => {}
        Rule::Share(share) => entry["targeting"] = fractional(share),
        Rule::Steps => {
            let mut rule = Vec::new();
            for step in SCHEDULE {
                rule.push(json!({"<": [{"var": "$flagd.timestamp"}, step.end]}));
                rule.push(fractional(step.share));
            }
            rule.push(json!("on"));
            entry["targeting"] = json!({ "if": rule });
        }
    }
    entry
}

fn fractional(share: u32) -> Value {
    json!({"fractional": [["on", share], ["off", 100 - share]]})
}
