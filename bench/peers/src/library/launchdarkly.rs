//! launchdarkly-server-sdk-evaluation: what `LaunchDarkly`'s SDK for servers evaluates with.

use std::collections::HashMap;

use launchdarkly_server_sdk_evaluation::{
    Context, ContextBuilder, Flag as Definition, FlagValue, Segment, Store, evaluate,
};
use serde_json::{Map, Value, json};

use crate::flags::{Flag, Rule};
use crate::library::Library;

pub(crate) struct LaunchDarkly(Flags);

struct Flags(HashMap<String, Definition>);

/// Only asked for prerequisites and segments, of which there are none here.
impl Store for Flags {
    fn flag(&self, flag_key: &str) -> Option<Definition> {
        self.0.get(flag_key).cloned()
    }

    fn segment(&self, _segment_key: &str) -> Option<Segment> {
        None
    }
}

impl Library for LaunchDarkly {
    const HAS_STEPS: bool = false;

    fn text(flags: &[Flag]) -> String {
        let flags: Map<String, Value> = flags.iter().map(|flag| (flag.name.clone(), entry(flag))).collect();
        json!({ "flags": flags }).to_string()
    }

    fn load(text: &str) -> Self {
        let mut all: HashMap<String, HashMap<String, Definition>> =
            serde_json::from_str(text).expect("the text is LaunchDarkly's");
        Self(Flags(all.remove("flags").expect("they are there")))
    }

    fn is_on(&self, flag: &str, key: &str) -> bool {
        let context = ContextBuilder::new(key).build().expect("a key alone is a context");
        self.0.0.get(flag).is_some_and(|flag| self.evaluate(flag, &context))
    }

    fn count_on(&self, key: &str) -> usize {
        let context = ContextBuilder::new(key).build().expect("a key alone is a context");
        self.0.0.values().filter(|flag| self.evaluate(flag, &context)).count()
    }
}

impl LaunchDarkly {
    fn evaluate(&self, flag: &Definition, context: &Context) -> bool {
        evaluate(&self.0, flag, context, None).value.and_then(FlagValue::as_bool) == Some(true)
    }
}

fn entry(flag: &Flag) -> Value {
    let fallthrough = match flag.rule {
        Rule::On | Rule::Off | Rule::Steps => json!({"variation": 1}),
        Rule::Share(share) => json!({"rollout": {"contextKind": "user", "variations": [
            {"variation": 0, "weight": 100_000 - share * 1_000}, {"variation": 1, "weight": share * 1_000},
        ]}}),
    };
    json!({
        "key": flag.name,
        "version": 1,
        "on": !matches!(flag.rule, Rule::Off),
        "targets": [],
        "rules": [],
        "prerequisites": [],
        "fallthrough": fallthrough,
        "offVariation": 0,
        "variations": [false, true],
        "clientSideAvailability": {"usingMobileKey": false, "usingEnvironmentId": false},
        "salt": flag.name,
    })
}
