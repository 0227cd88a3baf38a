//! unleash-yggdrasil: the engine of Unleash's SDKs and of Unleash Edge.

use serde_json::{Value, json};
use unleash_yggdrasil::state::EnrichedContext;
use unleash_yggdrasil::{ClientFeatures, Context, EngineState};

use crate::flags::{BEGIN, Flag, Rule, SCHEDULE, Step};
use crate::library::Library;

pub(crate) struct Yggdrasil(EngineState);

impl Library for Yggdrasil {
    const HAS_STEPS: bool = true;

    fn text(flags: &[Flag]) -> String {
        let features: Vec<Value> = flags.iter().map(feature).collect();
        json!({"version": 2, "features": features}).to_string()
    }

    fn load(text: &str) -> Self {
        let features: ClientFeatures = serde_json::from_str(text).expect("the text is Unleash's");
        let engine = EngineState::default();
        assert!(engine.apply_client_features(features).is_none(), "a feature was not compiled");
        Self(engine)
    }

    fn is_on(&self, flag: &str, key: &str) -> bool {
        let context = EnrichedContext {
            user_id: Some(key),
            session_id: None,
            environment: None,
            app_name: None,
            current_time: None,
            remote_address: None,
            properties: None,
            external_results: None,
            toggle_name: flag,
            runtime_hostname: None,
        };
        self.0.check_enabled(&context) == Some(true)
    }

    fn count_on(&self, key: &str) -> usize {
        let context = Context { user_id: Some(key.to_owned()), ..Context::default() };
        let resolved = self.0.resolve_all(&context, &None).unwrap_or_default();
        resolved.values().filter(|toggle| toggle.enabled).count()
    }
}

fn feature(flag: &Flag) -> Value {
    let strategies = match flag.rule {
        Rule::On | Rule::Off => vec![json!({"name": "default"})],
        Rule::Share(share) => vec![rollout(&flag.name, share, &json!([]))],
        Rule::Steps => {
            let mut begin = BEGIN.end_text;
            let step = |step: Step| {
                let constraints = json!([
                    {"contextName": "currentTime", "operator": "DATE_AFTER", "value": begin},
                    {"contextName": "currentTime", "operator": "DATE_BEFORE", "value": step.end_text},
                ]);
                begin = step.end_text;
                rollout(&flag.name, step.share, &constraints)
            };
            SCHEDULE.into_iter().map(step).collect()
        }
    };
    let enabled = !matches!(flag.rule, Rule::Off);
    json!({"name": flag.name, "type": "release", "enabled": enabled, "strategies": strategies})
}

fn rollout(group: &str, share: u32, constraints: &Value) -> Value {
    json!({
        "name": "flexibleRollout",
        "constraints": constraints,
        "parameters": {"rollout": share.to_string(), "stickiness": "userId", "groupId": group},
    })
}
