use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use tidegate_engine::lease::{Clocks, LeaseRamp};
use tidegate_engine::{
    Activation, Explanation, FlagKey, HostLock, Micros, Moment, Overlay, Pin, Subject, Variant, document,
};

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
    now: String,
    #[serde(default)]
    host_locks: Vec<Lock>,
    #[serde(default)]
    activations: Vec<ActivationVector>,
    lease_state: Option<LeaseState>,
    expect: Expect,
}

#[derive(Deserialize)]
struct Lock {
    flag: String,
    variant: Option<String>,
    value: Option<Box<RawValue>>,
    until: Option<String>,
}

#[derive(Deserialize)]
struct ActivationVector {
    flag: String,
    percent: Box<RawValue>,
    until: Option<String>,
    had_definition: bool,
}

#[derive(Deserialize)]
struct LeaseState {
    fresh: String,
    ramp: String,
}

/// What a vector states. A field that it leaves out is not compared.
#[derive(Deserialize)]
struct Expect {
    #[serde(default, deserialize_with = "present")]
    value: Option<Box<RawValue>>,
    #[serde(default)]
    default: bool,
    variant: Option<String>,
    reason: String,
    error: Option<String>,
    rule: String,
    #[serde(default)]
    position: Stated<u32>,
    share: Option<u64>,
    #[serde(default)]
    on: Stated<String>,
    #[serde(default)]
    off: Stated<String>,
    #[serde(default)]
    valid_until: Stated<String>,
}

/// A field that may be left out; `null` is not left out.
#[derive(Default)]
enum Stated<T> {
    #[default]
    Not,
    Is(Option<T>),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Stated<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::deserialize(deserializer).map(Self::Is)
    }
}

/// A value that stands there, `null` included.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::deserialize(deserializer).map(Some)
}

#[test]
fn decisions_are_those_of_the_reference() {
    let file: File = load("decisions.json");
    let mut differences = Differences::default();
    for vector in &file.vectors {
        let place = format!("{} ({})", vector.id, vector.about);
        compare(&mut differences, &place, vector);
    }
    differences.none(file.vectors.len(), 690);
}

fn compare(differences: &mut Differences, place: &str, vector: &Vector) {
    let snapshot = snapshot(vector.document.get()).overlaid(&overlay(vector));
    let leases = clocks(vector, &snapshot.leases().iter().map(|leased| leased.lease).collect::<Vec<_>>());
    let now = time(&vector.now);
    let moment = Moment { now, leases: &leases };
    let subject = vector.key.as_deref().map_or_else(Subject::absent, Subject::key);
    let decision = snapshot.evaluate(snapshot.find(&vector.section, &vector.flag), &subject, &moment);
    let told = snapshot.explain(&vector.section, &vector.flag, &subject, &moment);

    let value = decision.answer.to_json().map(std::borrow::Cow::into_owned);
    differences.expect(&format!("{place} explained"), &told.value, &value);
    let stated = &vector.expect;
    let same = match (&value, &stated.value) {
        (Some(got), Some(stated)) => same_json(got, stated.get()),
        (None, None) => stated.default,
        _ => false,
    };
    if !same {
        differences.expect(place, &value, &stated.value.as_ref().map(|value| value.get().to_owned()));
    }
    let words = |variant: Option<Variant>| variant.map(|variant| variant.as_str().to_owned());
    differences.expect(&format!("{place} variant"), &words(decision.variant), &stated.variant);
    differences.expect(&format!("{place} reason"), &decision.reason.as_str(), &stated.reason.as_str());
    differences.expect(&format!("{place} error"), &decision.error.map(|e| e.as_str().to_owned()), &stated.error);
    differences.expect(&format!("{place} rule"), &told.rule.as_str(), &stated.rule.as_str());
    compare_numbers(differences, place, stated, &told, now);
}

fn compare_numbers(differences: &mut Differences, place: &str, stated: &Expect, told: &Explanation, now: Micros) {
    let instant = |at: Option<Micros>| at.map(|at| at.to_string());
    if let Stated::Is(position) = &stated.position {
        differences.expect(&format!("{place} position"), &told.position.map(tidegate_engine::Position::get), position);
    }
    if let Some(share) = stated.share {
        differences.expect(&format!("{place} share"), &told.share.map(tidegate_engine::Share::get), &Some(share));
    }
    if let Stated::Is(on) = &stated.on {
        differences.expect(&format!("{place} on"), &instant(told.flips.on), on);
    }
    if let Stated::Is(off) = &stated.off {
        differences.expect(&format!("{place} off"), &instant(told.flips.off), off);
    }
    if let Stated::Is(until) = &stated.valid_until {
        differences.expect(&format!("{place} valid until"), &instant(told.valid_until), until);
    }
    differences.expect(&format!("{place} valid past now"), &told.valid_until.is_none_or(|until| until > now), &true);
}

/// Equal to the last digit: floats as floats, everything else as it is.
fn same_json(got: &str, stated: &str) -> bool {
    let is_float = |text: &str| text.parse::<f64>().is_ok() && text.contains(['.', 'e', 'E']);
    if is_float(got) && is_float(stated) {
        return got.parse::<f64>().unwrap().to_bits() == stated.parse::<f64>().unwrap().to_bits();
    }
    let [got, stated] = [got, stated].map(|text| serde_json::from_str::<Value>(text).unwrap());
    got == stated
}

fn overlay(vector: &Vector) -> Overlay {
    let until = |until: &Option<String>| until.as_deref().map(time);
    let locks = vector.host_locks.iter().map(|lock| HostLock {
        flag: FlagKey::parse(&lock.flag),
        pin: match (lock.variant.as_deref(), &lock.value) {
            (Some("stable"), None) => Pin::Variant(Variant::Stable),
            (Some("new"), None) => Pin::Variant(Variant::New),
            (None, Some(value)) => Pin::Value(value.get().into()),
            _ => panic!("{}: a lock has a variant or a value", vector.id),
        },
        actor: "conformance".into(),
        reason: "a vector".into(),
        until: until(&lock.until),
    });
    let activations = vector.activations.iter().map(|activation| {
        let share = document::parse_percent(activation.percent.get()).unwrap();
        (
            FlagKey::parse(&activation.flag),
            Activation { share, until: until(&activation.until), defined: activation.had_definition },
        )
    });
    Overlay { locks: locks.collect(), activations: activations.collect(), ..Overlay::default() }
}

fn clocks(vector: &Vector, leases: &[tidegate_engine::Span]) -> Clocks {
    let Some(state) = &vector.lease_state else { return Clocks::synced() };
    let instant = time(&state.ramp);
    let ramps = leases.iter().map(|&lease| LeaseRamp { lease, instant }).collect();
    Clocks { last_poll: Some(time(&state.fresh)), ramps, ..Clocks::synced() }
}
