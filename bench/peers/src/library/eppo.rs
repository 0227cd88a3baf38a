//! `eppo_core`: the core of Eppo's SDKs.

use std::sync::Arc;

use eppo_core::configuration_store::ConfigurationStore;
use eppo_core::eval::{Evaluator, EvaluatorConfig};
use eppo_core::ufc::{UniversalFlagConfig, VariationType};
use eppo_core::{Attributes, Configuration, SdkMetadata, Str};
use serde_json::{Map, Value, json};

use crate::flags::{BEGIN, Flag, Rule, SCHEDULE, Step};
use crate::library::Library;

pub(crate) struct Eppo {
    store: Arc<ConfigurationStore>,
    evaluator: Evaluator,
    attributes: Arc<Attributes>,
}

impl Library for Eppo {
    const HAS_STEPS: bool = true;

    fn text(flags: &[Flag]) -> String {
        let flags: Map<String, Value> = flags.iter().map(|flag| (flag.name.clone(), entry(flag))).collect();
        let environment = json!({"name": "Production"});
        json!({"createdAt": "2024-04-17T19:40:53.716Z", "format": "SERVER", "environment": environment, "flags": flags})
            .to_string()
    }

    fn load(text: &str) -> Self {
        let sdk_metadata = SdkMetadata { name: "peers", version: "0" };
        let config = UniversalFlagConfig::from_json(sdk_metadata, text.into()).expect("the text is Eppo's");
        let store = Arc::new(ConfigurationStore::new());
        store.set_configuration(Arc::new(Configuration::from_server_response(config, None)));
        let evaluator = Evaluator::new(EvaluatorConfig { configuration_store: Arc::clone(&store), sdk_metadata });
        Self { store, evaluator, attributes: Arc::default() }
    }

    fn is_on(&self, flag: &str, key: &str) -> bool {
        self.evaluate(flag, &Str::new(key))
    }

    fn count_on(&self, key: &str) -> usize {
        let configuration = self.store.get_configuration().expect("it is loaded");
        let key = Str::new(key);
        configuration.flag_keys().filter(|flag| self.evaluate(flag.as_str(), &key)).count()
    }
}

impl Eppo {
    fn evaluate(&self, flag: &str, key: &Str) -> bool {
        let expected = Some(VariationType::Boolean);
        let assignment = self.evaluator.get_assignment(flag, key, &self.attributes, expected);
        assignment.ok().flatten().and_then(|assignment| assignment.value.as_boolean()) == Some(true)
    }
}

fn entry(flag: &Flag) -> Value {
    let allocations = match flag.rule {
        Rule::On | Rule::Off => vec![allocation("all", 100, &flag.name)],
        Rule::Share(share) => vec![allocation("all", share, &flag.name)],
        Rule::Steps => {
            let mut begin = BEGIN.end_text;
            let step = |step: Step| {
                let mut entry = allocation(&format!("step-{}", step.share), step.share, &flag.name);
                entry["startAt"] = json!(begin);
                entry["endAt"] = json!(step.end_text);
                begin = step.end_text;
                entry
            };
            SCHEDULE.into_iter().map(step).collect()
        }
    };
    json!({
        "key": flag.name,
        "enabled": !matches!(flag.rule, Rule::Off),
        "variationType": "BOOLEAN",
        "variations": {"on": {"key": "on", "value": true}, "off": {"key": "off", "value": false}},
        "allocations": allocations,
        "totalShards": 10_000,
    })
}

/// Without a log entry for each check, which would cost Eppo more.
fn allocation(key: &str, share: u32, salt: &str) -> Value {
    let off = json!({"variationKey": "off", "shards": []});
    let splits = if share == 100 {
        json!([{"variationKey": "on", "shards": []}])
    } else {
        json!([{"variationKey": "on", "shards": [{"salt": salt, "ranges": [{"start": 0, "end": share * 100}]}]}, off])
    };
    json!({"key": key, "splits": splits, "doLog": false})
}
