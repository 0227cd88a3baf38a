//! growthbook-rust: its client, which copies every feature for each check, and its core without the client.

use std::collections::HashMap;

use growthbook_rust::client::{GrowthBookClient, GrowthBookClientBuilder, GrowthBookClientTrait as _};
use growthbook_rust::dto::{GrowthBookFeature, GrowthBookResponse};
use growthbook_rust::growthbook::GrowthBook;
use growthbook_rust::model_public::{GrowthBookAttribute, GrowthBookAttributeValue};
use serde_json::{Map, Value, json};

use crate::flags::{Flag, Rule};
use crate::library::Library;

pub(crate) struct Core(GrowthBook);

pub(crate) struct Client(GrowthBookClient);

impl Library for Core {
    const HAS_STEPS: bool = false;

    fn text(flags: &[Flag]) -> String {
        let features: Map<String, Value> = flags.iter().map(|flag| (flag.name.clone(), entry(flag))).collect();
        json!({ "features": features }).to_string()
    }

    fn load(text: &str) -> Self {
        Self(GrowthBook {
            forced_variations: None,
            features: features(text),
            attributes: None,
            sticky_bucket_service: None,
            saved_groups: HashMap::new(),
        })
    }

    fn is_on(&self, flag: &str, key: &str) -> bool {
        self.0.check(flag, &attributes(key)).on
    }

    fn count_on(&self, key: &str) -> usize {
        let attributes = attributes(key);
        self.0.features.keys().filter(|flag| self.0.check(flag, &attributes).on).count()
    }
}

impl Library for Client {
    const HAS_STEPS: bool = false;

    fn text(flags: &[Flag]) -> String {
        Core::text(flags)
    }

    fn load(text: &str) -> Self {
        let client = GrowthBookClientBuilder::new().features(features(text)).build();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("it needs no thread");
        Self(runtime.block_on(client).expect("features are given, so nothing is fetched"))
    }

    fn is_on(&self, flag: &str, key: &str) -> bool {
        self.0.is_on(flag, attributes(key))
    }

    fn count_on(&self, key: &str) -> usize {
        let flags: Vec<String> = self.0.gb.read().expect("no thread has panicked").features.keys().cloned().collect();
        flags.iter().filter(|flag| self.is_on(flag, key)).count()
    }
}

fn features(text: &str) -> HashMap<String, GrowthBookFeature> {
    let response: GrowthBookResponse = serde_json::from_str(text).expect("the text is GrowthBook's");
    response.features.expect("they are there")
}

#[expect(clippy::unnecessary_wraps, reason = "both callees take an option")]
fn attributes(key: &str) -> Option<Vec<GrowthBookAttribute>> {
    let value = GrowthBookAttributeValue::String(key.to_owned());
    Some(vec![GrowthBookAttribute::new("id".to_owned(), value)])
}

fn entry(flag: &Flag) -> Value {
    match flag.rule {
        Rule::On => json!({"defaultValue": true}),
        Rule::Off | Rule::Steps => json!({"defaultValue": false}),
        Rule::Share(share) => json!({
            "defaultValue": false,
            "rules": [{"force": true, "coverage": f64::from(share) / 100.0, "hashAttribute": "id", "hashVersion": 2}],
        }),
    }
}
