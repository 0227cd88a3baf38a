use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use tidegate_engine::lease::Clocks;
use tidegate_engine::{HashAlgorithm, Moment, Subject, document};

use super::{Differences, load, snapshot, time};

#[derive(Deserialize)]
struct Decisions {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    config: Box<RawValue>,
    now: String,
    hash_key: String,
    expect: Value,
    hash_n: u32,
    flip_time: Option<String>,
}

#[derive(Deserialize)]
struct Units {
    durations: Vec<Duration>,
    times: Vec<Time>,
    hashes: Vec<Hash>,
}

#[derive(Deserialize)]
struct Duration {
    text: String,
    microseconds: u64,
}

#[derive(Deserialize)]
struct Time {
    text: String,
    utc: String,
}

#[derive(Deserialize)]
struct Hash {
    hash_key: String,
    hash_n: u32,
}

#[test]
fn decisions_are_those_of_slowroll_to_the_microsecond() {
    let file: Decisions = load("slowroll/decisions.json");
    let mut differences = Differences::default();
    let leases = Clocks::synced();
    for vector in &file.vectors {
        let snapshot = snapshot(&format!(r#"{{"f": {{"x": {}}}}}"#, vector.config.get()));
        let subject = Subject::key(&vector.hash_key);
        let moment = Moment { now: time(&vector.now), leases: &leases };
        let decision = snapshot.evaluate(snapshot.find("f", "x"), &subject, &moment);
        let value: Value = serde_json::from_str(&decision.answer.to_json().unwrap()).unwrap();
        differences.expect(&vector.id, &value, &vector.expect);
        let explained = snapshot.explain("f", "x", &subject, &moment);
        let flip = explained.flips.on.map(|flip| flip.to_string());
        differences.expect(&format!("{} flip", vector.id), &flip, &vector.flip_time);
        let position = HashAlgorithm::Sha1.position("", &vector.hash_key).get();
        differences.expect(&format!("{} position", vector.id), &position, &vector.hash_n);
    }
    differences.none(file.vectors.len(), 300);
}

#[test]
fn units_are_those_of_slowroll() {
    let file: Units = load("slowroll/units.json");
    let mut differences = Differences::default();
    for Duration { text, microseconds } in &file.durations {
        let got = document::parse_duration(text).map(tidegate_engine::Span::get).ok();
        differences.expect(text, &got, &Some(*microseconds));
    }
    for Time { text, utc } in &file.times {
        differences.expect(text, &time(text).to_string(), utc);
    }
    for Hash { hash_key, hash_n } in &file.hashes {
        differences.expect(hash_key, &HashAlgorithm::Sha1.position("", hash_key).get(), hash_n);
    }
    differences.none(file.durations.len() + file.times.len() + file.hashes.len(), 60);
}
