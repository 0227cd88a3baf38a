//! flagsmith-flag-engine: what Flagsmith's SDK evaluates with in process. Each call evaluates every flag.

use std::cell::RefCell;
use std::collections::HashMap;

use flagsmith_flag_engine::engine::get_evaluation_result;
use flagsmith_flag_engine::engine_eval::context::IdentityContext;
use flagsmith_flag_engine::engine_eval::{EngineEvaluationContext, EvaluationResult, FlagResult};
use serde_json::{Map, Value, json};

use crate::flags::{Flag, Rule};
use crate::library::Library;

pub(crate) struct Flagsmith(RefCell<EngineEvaluationContext>);

impl Library for Flagsmith {
    const HAS_STEPS: bool = false;

    fn text(flags: &[Flag]) -> String {
        let features: Map<String, Value> =
            flags.iter().enumerate().map(|(number, flag)| (flag.name.clone(), entry(number, flag))).collect();
        json!({"environment": {"key": "peers", "name": "peers"}, "features": features, "segments": {}}).to_string()
    }

    fn load(text: &str) -> Self {
        Self(RefCell::new(serde_json::from_str(text).expect("the text is Flagsmith's")))
    }

    fn is_on(&self, flag: &str, key: &str) -> bool {
        self.evaluate(key).flags.get(flag).is_some_and(is_on)
    }

    fn count_on(&self, key: &str) -> usize {
        self.evaluate(key).flags.values().filter(|flag| is_on(flag)).count()
    }
}

impl Flagsmith {
    /// The identity is put in place: the crate's own function for it copies every flag first.
    fn evaluate(&self, key: &str) -> EvaluationResult {
        let identity = IdentityContext { identifier: key.to_owned(), key: key.to_owned(), traits: HashMap::new() };
        self.0.borrow_mut().identity = Some(identity);
        get_evaluation_result(&self.0.borrow())
    }
}

fn is_on(flag: &FlagResult) -> bool {
    flag.enabled && flag.value.value == "true"
}

/// A rollout is a feature with a variant that has a weight.
fn entry(number: usize, flag: &Flag) -> Value {
    let enabled = !matches!(flag.rule, Rule::Off);
    let mut entry = json!({
        "key": number.to_string(),
        "name": flag.name,
        "enabled": enabled,
        "value": true,
        "metadata": {"feature_id": number, "feature_type": "STANDARD"},
    });
    if let Rule::Share(share) = flag.rule {
        entry["value"] = json!(false);
        entry["variants"] = json!([{"key": "new", "value": true, "weight": f64::from(share), "priority": 1.0}]);
        entry["metadata"]["feature_type"] = json!("MULTIVARIATE");
    }
    entry
}
