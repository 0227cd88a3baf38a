//! Decisions of flags with rules, as the reference in Python makes them.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tidegate_engine::lease::Clocks;
use tidegate_engine::{Activation, FlagKey, JsonAttributes, Moment, Overlay, Subject, document};

use super::{Differences, load, snapshot, time};

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
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
    expect: Expect,
}

#[derive(Deserialize)]
struct Active {
    flag: String,
    percent: Box<RawValue>,
    had_definition: bool,
}

#[derive(Deserialize)]
struct Expect {
    value: Option<Value>,
    variant: Option<String>,
    reason: String,
    error: Option<String>,
    rule: String,
    /// The name of the rule that decided.
    name: Option<String>,
}

#[test]
fn rules_decide_as_in_the_reference() {
    let file: File = load("rules.json");
    let mut differences = Differences::default();
    for vector in &file.vectors {
        let place = format!("{} ({})", vector.id, vector.about);
        let activation = |active: &Active| {
            let share = document::parse_percent(active.percent.get()).unwrap();
            (FlagKey::parse(&active.flag), Activation { share, until: None, defined: active.had_definition })
        };
        let activations = vector.activations.iter().map(activation).collect();
        let snapshot = snapshot(vector.document.get()).overlaid(&Overlay { activations, ..Overlay::default() });
        let subject = Subject::from(vector.key.as_deref()).with_attributes(&vector.attributes);
        let moment = Moment { now: time(&vector.now), leases: &Clocks::synced() };
        let told = snapshot.explain(&vector.section, &vector.flag, &subject, &moment);
        let stated = &vector.expect;
        let value = told.value.as_deref().map(|json| serde_json::from_str::<Value>(json).unwrap());
        differences.expect(&format!("{place} value"), &value, &stated.value);
        differences.expect(
            &format!("{place} variant"),
            &told.variant.map(|variant| variant.as_str().to_owned()),
            &stated.variant,
        );
        differences.expect(&format!("{place} reason"), &told.reason.as_str(), &stated.reason.as_str());
        differences.expect(
            &format!("{place} error"),
            &told.error.map(|error| error.as_str().to_owned()),
            &stated.error,
        );
        differences.expect(&format!("{place} rule"), &told.rule.as_str(), &stated.rule.as_str());
        let by_rule = told.targeting.map(|tried| tried.name).filter(|_| told.rule.as_str() == "targeting");
        differences.expect(&format!("{place} name"), &by_rule, &stated.name);
    }
    differences.none(file.vectors.len(), 1_900);
}
