//! `simulate`: counts of a population, and that they are those of asking each key.

use serde_json::{Value, json};

use crate::run::Host;

const FLAGS: &str = r#"{"f": {
  "up": {"stable": 1, "new": 2, "start_time": "2026-01-01 00:00Z", "duration": "10d"},
  "back": {"stable": 1, "new": 2, "salt": "s", "start_time": "2026-01-01 00:00Z", "duration": "10d",
           "early_adopters": ["3", {"regex": "^1.$"}], "rollback": {"start_time": "2026-01-07 00:00Z", "duration": "2d"}},
  "stay": {"stable": 1, "new": 2, "hash": "murmur3", "early_adopters": ["3"], "start_time": "2026-01-01 00:00Z",
           "steps": [{"pct": 25, "hold": "1d"}, {"pct": 50, "over": "2d"}],
           "rollback": {"start_time": "2026-01-03 00:00Z", "to_pct": 10}},
  "held": {"stable": 1, "new": 2, "lock": "new"},
  "off": {"stable": 1, "enabled": false},
  "number": {"stable": 10, "new": 20, "interpolate": true, "early_adopters": ["3"], "end_time": "2026-01-01 00:00Z", "duration": "1d"},
  "bare": {"stable": 1}
}}"#;

const VARIANTS: &str = r##"{"f": {"x": {"variants": {"red": "#f00", "blue": "#00f", "green": 7}, "stable": "red",
  "new": {"split": {"blue": 50, "green": 50}}, "salt": "s", "start_time": "2026-01-01 00:00Z", "duration": "10d", "end_pct": 50}}}"##;

#[test]
fn named_variants_are_counted_by_their_names() {
    let host = Host::with(VARIANTS);
    let said = host.run("simulate flags.json f x --population 1000 --at 2026-02-01T00:00Z --format json").said();
    let counted = &said.json()[0];
    let count = |name: &str| counted["variants"][name].as_u64().unwrap();
    assert_eq!(
        (count("red"), count("blue") + count("green")),
        (counted["counts"]["stable"].as_u64().unwrap(), counted["counts"]["new"].as_u64().unwrap())
    );
    assert!((450..550).contains(&count("red")) && (200..300).contains(&count("blue")), "{counted}");
    let said = host.run("simulate flags.json f x --population 1000 --at 2026-02-01T00:00Z").said();
    let heading = said.stdout.lines().next().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(heading, "AT red blue green ON NEW");
}

#[test]
fn the_counts_are_those_of_each_key() {
    let host = Host::with(FLAGS);
    for flag in ["up", "back", "stay", "held", "number", "bare"] {
        for at in [
            "2025-12-31T12:00Z",
            "2026-01-01T00:00Z",
            "2026-01-02T12:00Z",
            "2026-01-05T00:00Z",
            "2026-01-08T00:00Z",
            "2026-01-09T00:00Z",
        ] {
            let line = format!("simulate flags.json f {flag} --population 40 --format json --at {at}");
            let counted = host.run(&line).said().json().remove(0);
            assert_eq!(counted["counts"], one_by_one(&host, flag, at), "{flag} at {at}");
            assert_eq!(counted["population"], json!(40));
        }
    }
}

/// The variants of the keys `0` to `39`, each asked by itself.
fn one_by_one(host: &Host, flag: &str, at: &str) -> Value {
    let variant = |key: u32| {
        let said = host.run(&format!("explain flags.json f {flag} --format json --at {at} --key {key}")).said();
        said.json()[0]["variant"].as_str().unwrap().to_owned()
    };
    let variants: Vec<String> = (0..40).map(variant).collect();
    let count = |name: &str| variants.iter().filter(|variant| *variant == name).count();
    let mut counts = json!({"stable": count("stable"), "new": count("new")});
    if count("interpolated") > 0 {
        counts["interpolated"] = json!(count("interpolated"));
    }
    counts
}

#[test]
fn through_the_window_in_steps() {
    let host = Host::with(FLAGS);
    let said = host.run("simulate flags.json f up --population 1000 --every 3d --format json").said();
    let at: Vec<String> = said.json().iter().map(|line| line["at"].as_str().unwrap()[..13].to_owned()).collect();
    assert_eq!(at, ["2026-01-01T00", "2026-01-04T00", "2026-01-07T00", "2026-01-10T00", "2026-01-11T00"]);
    let new: Vec<u64> = said.json().iter().map(|line| line["counts"]["new"].as_u64().unwrap()).collect();
    assert_eq!((new[0], new[4]), (0, 1000));
    assert!(new.is_sorted(), "{new:?}");
    let said = host
        .run("simulate flags.json f up --population 10 --every 1d --from 2026-01-03T00:00Z --to 2026-01-04T00:00Z")
        .said();
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", said.stdout);
    assert!(
        lines[0].starts_with("AT                 ") && lines[0].ends_with("STABLE  NEW   ON NEW"),
        "{}",
        said.stdout
    );
}

#[test]
fn keys_from_a_file() {
    let host = Host::with(FLAGS);
    host.write("keys.txt", "3\n17\nsomebody\n");
    let said = host.run("simulate flags.json f back --keys-from keys.txt --format json --at 2025-01-01T00:00Z").said();
    assert_eq!(said.json()[0]["counts"], json!({"stable": 1, "new": 2}));
    assert_eq!(said.json()[0]["at"], json!("2025-01-01T00:00:00.000000Z"));
}

#[test]
fn a_million_keys() {
    let host = Host::with(FLAGS);
    let said = host.run("simulate flags.json f back --population 1000000 --every 1d --format json").said();
    assert_eq!(said.stderr, "", "no progress bar without a terminal");
    let halfway = said.json().iter().find(|line| line["at"] == json!("2026-01-06T00:00:00.000000Z")).cloned().unwrap();
    let new = halfway["counts"]["new"].as_u64().unwrap();
    assert!(new.abs_diff(500_000) < 3_000, "{new}");
}

#[test]
fn what_cannot_be_counted() {
    let host = Host::with(FLAGS);
    assert_eq!(host.run("simulate flags.json f off --population 5").said().code, 3);
    assert_eq!(host.run("simulate flags.json f zzz --population 5").said().code, 3);
    for line in [
        "simulate flags.json f up",
        "simulate flags.json f up --population 0",
        "simulate flags.json f up --population 5 --keys-from x",
        "simulate flags.json f up --population 5 --every 0s",
        "simulate flags.json f up --population 5 --every 1ms",
        "simulate flags.json f up --population 5 --every 1d --at 2026-01-01T00:00Z",
        "simulate flags.json f bare --population 5 --every 1d",
        "simulate flags.json f up --population 5 --from 2026-01-01T00:00Z",
    ] {
        let said = host.run(line).said();
        assert_eq!((said.stdout.as_str(), said.code), ("", 2), "{line}: {}", said.stderr);
    }
}
