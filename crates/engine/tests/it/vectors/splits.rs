//! Named variants and splits, as the reference in Python decides about them.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tidegate_engine::lease::Clocks;
use tidegate_engine::{
    Activation, FlagKey, HostLock, JsonAttributes, Moment, Overlay, Pin, Subject, Variant, document,
};

use super::{Differences, load, snapshot, time};

#[derive(Deserialize)]
struct File {
    choices: Vec<Weighted>,
    vectors: Vec<Vector>,
}

/// A split, a key, and the variant that the key has.
#[derive(Deserialize)]
struct Weighted {
    id: String,
    weights: Box<RawValue>,
    salt: String,
    key: String,
    variant: String,
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    about: String,
    document: Box<RawValue>,
    section: String,
    flag: String,
    key: Option<String>,
    attributes: JsonAttributes,
    now: String,
    #[serde(default)]
    activations: Vec<Active>,
    #[serde(default)]
    host_locks: Vec<Lock>,
    expect: Expect,
}

#[derive(Deserialize)]
struct Active {
    flag: String,
    percent: Box<RawValue>,
    had_definition: bool,
}

#[derive(Deserialize)]
struct Lock {
    flag: String,
    variant: String,
}

#[derive(Deserialize)]
struct Expect {
    /// Left out: the caller's default.
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    variant: Option<String>,
    reason: String,
    error: Option<String>,
    rule: String,
    name: Option<String>,
}

/// `null` is a value, too.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

#[test]
fn splits_choose_as_the_reference_does() {
    let file: File = load("splits.json");
    let mut differences = Differences::default();
    for choice in &file.choices {
        let weights: serde_json::Map<String, Value> = serde_json::from_str(choice.weights.get()).unwrap();
        let variants: Value = weights.keys().map(|name| (name.clone(), Value::from(name.as_str()))).collect();
        let salt = Value::from(choice.salt.as_str());
        let weights = choice.weights.get();
        let text = format!(
            r#"{{"f": {{"x": {{"variants": {variants}, "stable": {{"split": {weights}}}, "salt": {salt}}}}}}}"#
        );
        let snapshot = snapshot(&text);
        let moment = Moment { now: time("2026-01-01 00:00Z"), leases: &Clocks::synced() };
        let decision = snapshot.evaluate(snapshot.find("f", "x"), &Subject::key(&choice.key), &moment);
        differences.expect(&choice.id, &decision.variant_name(), &Some(&*choice.variant));
    }
    differences.none(file.choices.len(), 480);
}

#[test]
fn flags_with_variants_decide_as_in_the_reference() {
    let file: File = load("splits.json");
    let mut differences = Differences::default();
    for vector in &file.vectors {
        let place = format!("{} ({})", vector.id, vector.about);
        let activation = |active: &Active| {
            let share = document::parse_percent(active.percent.get()).unwrap();
            (FlagKey::parse(&active.flag), Activation { share, until: None, defined: active.had_definition })
        };
        let lock = |lock: &Lock| HostLock {
            flag: FlagKey::parse(&lock.flag),
            pin: Pin::Variant(if lock.variant == "new" { Variant::New } else { Variant::Stable }),
            actor: String::new(),
            reason: String::new(),
            until: None,
        };
        let snapshot = snapshot(vector.document.get()).overlaid(&Overlay {
            activations: vector.activations.iter().map(activation).collect(),
            locks: vector.host_locks.iter().map(lock).collect(),
            ..Overlay::default()
        });
        let subject = Subject::from(vector.key.as_deref()).with_attributes(&vector.attributes);
        let moment = Moment { now: time(&vector.now), leases: &Clocks::synced() };
        let told = snapshot.explain(&vector.section, &vector.flag, &subject, &moment);
        let decision = snapshot.evaluate(snapshot.find(&vector.section, &vector.flag), &subject, &moment);
        let stated = &vector.expect;
        differences.expect(&format!("{place} by evaluate"), &decision.variant_name(), &told.variant_name());
        let value = told.value.as_deref().map(|json| serde_json::from_str::<Value>(json).unwrap());
        differences.expect(&format!("{place} value"), &value, &stated.value);
        differences.expect(&format!("{place} variant"), &told.variant_name(), &stated.variant.as_deref());
        differences.expect(&format!("{place} reason"), &told.reason.as_str(), &stated.reason.as_str());
        let error = told.error.map(|error| error.as_str().to_owned());
        differences.expect(&format!("{place} error"), &error, &stated.error);
        differences.expect(&format!("{place} rule"), &told.rule.as_str(), &stated.rule.as_str());
        let by_rule = told.targeting.map(|tried| tried.name).filter(|_| told.rule.as_str() == "targeting");
        differences.expect(&format!("{place} name"), &by_rule, &stated.name);
    }
    differences.none(file.vectors.len(), 2_000);
}
