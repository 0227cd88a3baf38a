//! `get`, `on`, `explain`, `when`: what a key has, why, and since when.

use serde_json::{Value, json};

use crate::run::{Host, root};

/// A flag of each kind; `Cx1v` has the position 3547306452, which is 82.59 % of the line.
const FLAGS: &str = r#"{
  "features": {
    "login": {"stable": false, "new": true, "start_time": "2026-01-01 00:00Z", "duration": "100s",
              "early_adopters": ["canary", {"regex": "^ci-[0-9]+$"}]},
    "color": {"stable": "blue\n", "new": {"rgb": [1.50, 2]}, "end_time": "2026-01-01 00:00Z", "duration": "0s"},
    "off": {"stable": 1, "enabled": false},
    "held": {"stable": 1, "new": 2, "lock": "new"},
    "back": {"stable": 1, "new": 2, "start_time": "2026-01-01 00:00Z", "duration": "100s",
             "rollback": {"start_time": "2026-01-01 00:03:20Z", "duration": "100s"}}
  },
  "flags": {"plain": {"stable": true}},
  "limits": {"pool": {"stable": 10, "new": 20, "interpolate": true, "start_time": "2026-01-01 00:00Z", "duration": "100s"}}
}"#;

#[test]
fn the_value_is_one_line_of_json() {
    let host = Host::with(FLAGS);
    host.run("get flags.json features login --key Cx1v").stdout("true\n").check();
    host.run("get flags.json features/login --key Cx1v").stdout("true\n").check();
    host.run("get flags.json plain").stdout("true\n").check();
    host.run("get flags.json flags/plain").stdout("true\n").check();
    host.run("get flags.json features color --key x").stdout("{\"rgb\":[1.50,2]}\n").check();
    host.run("get - features held").stdin(FLAGS).stdout("2\n").check();
    // A pipe with a name, as a shell makes one of `<(...)`.
    host.run("get /dev/stdin features held").stdin(FLAGS).stdout("2\n").check();
}

#[test]
fn at_an_instant_to_the_microsecond() {
    // The position is 0.82592164... of the line: of 100 s that is 82.592164 s.
    let host = Host::with(FLAGS);
    for (at, value) in [
        ("2026-01-01T00:01:22.592163Z", "false\n"),
        ("2026-01-01T00:01:22.592164Z", "true\n"),
        ("2026-01-01T01:01:22.592164+01:00", "true\n"),
        ("2025-12-31 23:59Z", "false\n"),
        ("2026-1-1 0:2Z", "true\n"),
    ] {
        host.run("get flags.json features login --key Cx1v --at").word(at).stdout(value).check();
    }
    host.run("get flags.json features login --at noon")
        .code(2)
        .stderr(
            "error: invalid value 'noon' for '--at <TIME>': it is not a time; write it like `2026-12-01 00:00Z` or \
         `2026-12-01T00:00:00+01:00`\n\nFor more information, try '--help'.\n",
        )
        .check();
}

#[test]
fn the_key_is_the_host_unless_given_and_may_be_empty() {
    let host = Host::with(FLAGS);
    let name = rustix::system::uname().nodename().to_str().unwrap().to_owned();
    let said = host.run("explain flags.json features/login --format json").said();
    assert_eq!(said.json()[0]["key"], Value::from(name));
    let said = host.run("explain flags.json features/login --format json --key").word("").said();
    // The last four bytes of the SHA-1 of nothing.
    assert_eq!((&said.json()[0]["key"], &said.json()[0]["position"]), (&json!(""), &json!(0xafd8_0709_u32)));
}

#[test]
fn texts_without_quotes() {
    let host = Host::with(FLAGS);
    host.run("get flags.json features color --at 2025-01-01T00:00Z").stdout("\"blue\\n\"\n").check();
    host.run("get flags.json features color --raw --at 2025-01-01T00:00Z").stdout("blue\n\n").check();
    host.run("get flags.json features color --raw").stdout("{\"rgb\":[1.50,2]}\n").check();
    host.run("get flags.json no such --raw --default").word("\"a b\"").stdout("a b\n").check();
}

#[test]
fn without_an_answer_the_default_or_code_3() {
    let host = Host::with(FLAGS);
    host.run("get flags.json features logn")
        .code(3)
        .stderr("error: no flag `features/logn`\nhelp: did you mean `features/login`?\n")
        .check();
    host.run("get flags.json login")
        .code(3)
        .stderr("error: no flag `flags/login`\nhelp: did you mean `features/login`?\n")
        .check();
    host.run("get flags.json features zzz")
        .code(3)
        .stderr(
            "error: no flag `features/zzz`\n\
             help: `tidegate list` shows the flags of a document; --default gives a value for unknown flags\n",
        )
        .check();
    host.run("get flags.json features off")
        .code(3)
        .stderr(
            "error: flag `features/off` is disabled in the document\n\
             help: a disabled flag has the caller's default: give one with --default\n",
        )
        .check();
    host.run("get flags.json features off --default").word("{ \"a\": [1.0, -2] }").stdout("{\"a\":[1.0,-2]}\n").check();
    host.run("get flags.json features zzz --default -5").stdout("-5\n").check();
    host.run("get flags.json features login --key Cx1v --default 5").stdout("true\n").check();
    host.run("get flags.json features zzz --default blue")
        .code(2)
        .stderr(
            "error: invalid value 'blue' for '--default <JSON>': not JSON: expected value at line 1 column 1; \
             a string needs quotes, as in '\"blue\"'\n\nFor more information, try '--help'.\n",
        )
        .check();
}

#[test]
fn on_answers_by_its_exit_code_alone() {
    let host = Host::with(FLAGS);
    let early = "2026-01-01T00:00:01Z";
    host.run("on flags.json features login --key Cx1v").code(0).check();
    host.run("on flags.json features login --key Cx1v --at").word(early).code(1).check();
    host.run("on flags.json features login --key canary --at").word(early).code(0).check();
    host.run("on flags.json features/color --key k")
        .code(2)
        .stderr(
            "error: flag `features/color` is not a boolean: its value for the key `k` is `{\"rgb\":[1.50,2]}`\n\
             help: `tidegate get` prints values of any kind\n",
        )
        .check();
    host.run("on flags.json features off --default true").code(0).check();
    host.run("on flags.json features zzz --default false").code(1).check();
    assert_eq!(host.run("on flags.json features off").said().code, 3);
    assert_eq!(host.run("on flags.json features zzz").said().code, 3);
    assert_eq!(host.run("on flags.json features off --default 1").said().code, 2);
}

#[test]
fn explained_to_programs() {
    let host = Host::with(FLAGS);
    let explain = |line: &str| {
        let said = host.run("explain flags.json --format json --at 2026-01-01T00:00:10Z").words(line).said();
        let mut line = said.json().remove(0);
        line.as_object_mut().unwrap().remove("data");
        line
    };
    assert_eq!(
        explain("features login --key Cx1v"),
        json!({
            "flag": "features/login", "key": "Cx1v", "value": false, "variant": "stable", "reason": "SPLIT",
            "rule": "ramp", "position": 3_547_306_452_u32, "share": 10.000_001,
            "flip": "2026-01-01T00:01:22.592164Z",
            "flips": {"on": "2026-01-01T00:01:22.592164Z", "off": null},
            "valid_until": "2026-01-01T00:01:22.592164Z",
        })
    );
    let adopter = explain("features login --key ci-17");
    assert_eq!((&adopter["rule"], &adopter["adopter"]), (&json!("early_adopter"), &json!({"regex": "^ci-[0-9]+$"})));
    assert_eq!(explain("features login --key canary")["adopter"], json!({"key": "canary"}));
    let number = explain("limits pool");
    assert_eq!((&number["value"], &number["variant"]), (&json!(11), &json!("interpolated")));
    assert_eq!((&number["share"], &number["valid_until"]), (&json!(10), &json!("2026-01-01T00:00:11.000000Z")));
    let unknown = explain("features zzz");
    assert_eq!((&unknown["value"], &unknown["error_code"]), (&Value::Null, &json!("FLAG_NOT_FOUND")));
    assert_eq!(explain("features off")["rule"], json!("disabled"));
    let back = explain("features back --key Cx1v");
    assert_eq!(back["flips"], json!({"on": "2026-01-01T00:01:22.592164Z", "off": "2026-01-01T00:03:37.407836Z"}));
}

#[test]
fn the_age_of_the_data() {
    let host = Host::with(FLAGS);
    let data = host.run("explain flags.json features/login --format json").said().json()[0]["data"].clone();
    assert_eq!((&data["source"], &data["health"]), (&json!("flags.json"), &json!("fresh")));
    assert!(data["age_seconds"].as_f64().unwrap() < 60.0, "{data}");
    assert_eq!(data["digest"].as_str().unwrap().len(), 32);
}

#[test]
fn explained_to_people() {
    let host = Host::with(FLAGS);
    let said = host.run("explain flags.json features login --key Cx1v --at 2026-01-01T00:00:10Z").said();
    assert_eq!(
        said.stdout,
        "flag         features/login\n\
         key          Cx1v\n\
         value        false\n\
         variant      stable\n\
         reason       SPLIT\n\
         rule         ramp: the key's position (82.59 %) is above the share (10.00 %)\n\
         passed       host_lock, activation, document_lock, disabled, early_adopter\n\
         position     82.592164 % (3547306452 of 2^32)\n\
         share        10.000001 % on new\n\
         flip         2026-01-01T00:01:22.592164Z, in 1m12s, to new\n\
         valid until  2026-01-01T00:01:22.592164Z, in 1m12s\n\
         as of        2026-01-01T00:00:10.000000Z\n\
         data         flags.json, fresh, just read\n"
    );
    assert_eq!((said.stderr.as_str(), said.code), ("", 0));
    assert_eq!(host.run("explain flags.json features zzz").said().code, 3);
    assert_eq!(host.run("explain flags.json features off").said().code, 3);
}

#[test]
fn when_each_key_flips() {
    let host = Host::with(FLAGS);
    let at = "2026-01-01T00:03:20Z";
    host.run("when flags.json features back --key Cx1v --key canary --format json --at")
        .word(at)
        .stdout(
            "{\"key\":\"Cx1v\",\"flip\":\"2026-01-01T00:03:37.407836Z\",\"to\":\"stable\",\
             \"on\":\"2026-01-01T00:01:22.592164Z\",\"off\":\"2026-01-01T00:03:37.407836Z\"}\n\
             {\"key\":\"canary\",\"flip\":\"2026-01-01T00:04:54.157322Z\",\"to\":\"stable\",\
             \"on\":\"2026-01-01T00:00:05.842678Z\",\"off\":\"2026-01-01T00:04:54.157322Z\"}\n",
        )
        .check();
    host.write("keys.txt", "Cx1v\n\ncanary\r\na b\n");
    let said = host.run("when flags.json features login --keys-from keys.txt --at").word(at).said();
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines.len(), 4, "{}", said.stdout);
    assert_eq!(lines[0], "KEY     FLIP                         TO");
    assert_eq!(lines[1], "Cx1v    2026-01-01T00:01:22.592164Z  new  1m57s ago");
    assert_eq!(lines[2], "canary  never");
    host.run("when flags.json features login --keys-from - --format json")
        .stdin("canary\n")
        .stdout("{\"key\":\"canary\",\"flip\":null,\"to\":null,\"on\":null,\"off\":null}\n")
        .check();
    host.run("when flags.json features held --key k")
        .stdout("KEY  FLIP   TO\nk    never\n")
        .stderr("note: the document locks `features/held` to new: no key flips\n")
        .check();
    host.run("when - features held --keys-from -")
        .code(2)
        .stderr("error: the document and the keys cannot both be read from standard input\n")
        .check();
    host.run("when flags.json features held --keys-from nowhere")
        .code(2)
        .stderr("error: cannot read the keys in `nowhere`: it does not exist\n")
        .check();
}

/// A sample over the whole way from the words to the value; the engine's own tests run all of them.
#[test]
fn slowrolls_decisions() {
    let text = std::fs::read_to_string(root().join("conformance/slowroll/decisions.json")).unwrap();
    let vectors: Value = serde_json::from_str(&text).unwrap();
    let vectors = vectors["vectors"].as_array().unwrap();
    assert!(vectors.len() >= 300);
    let host = Host::new();
    for vector in vectors.iter().step_by(11) {
        host.write("flags.json", json!({"f": {"x": vector["config"]}}).to_string());
        let said = host
            .run("get flags.json f x --key")
            .word(vector["hash_key"].as_str().unwrap())
            .word("--at")
            .word(vector["now"].as_str().unwrap())
            .said();
        assert_eq!((said.stderr.as_str(), said.code), ("", 0), "{vector}");
        assert_eq!(said.json(), [vector["expect"].clone()], "{vector}");
    }
}

const RULES: &str = r#"{"$tidegate": {"segments": {"staff": {"attribute": "email", "ends_with": "@example.com"}}},
    "f": {"x": {"stable": false, "new": true, "rules": [{"name": "staff", "when": {"segment": "staff"}, "serve": "new"},
        {"name": "growing", "when": {"attribute": "plan", "is": "premium"}, "serve": {"ramp": {"start_time": "2026-01-01 00:00Z", "duration": "1d"}}}]}}}"#;

#[test]
fn attributes_are_read_by_every_command_that_evaluates() {
    let host = Host::new();
    host.write("flags.json", RULES);
    host.write("people.jsonl", "{\"$key\": \"a\", \"email\": \"a@example.com\"}\n\n{\"plan\": \"premium\", \"$key\": \"b\"}\n{\"$key\": \"c\"}\n");
    let staff = r#"{"email":"a@example.com"}"#;
    let run = |command: &str| host.run(&format!("{command} flags.json f/x --key k --attributes")).word(staff).said();
    assert_eq!(run("get").stdout, "true\n");
    assert_eq!(run("on").code, 0);
    assert_eq!(host.run("get flags.json f/x --key k").said().stdout, "false\n");
    let explained = run("explain");
    for part in [
        "targeting: the rule `staff` (number 1) matches",
        "holds, in the segment `staff`: it is \"a@example.com\"",
        "host_lock, activation, document_lock, disabled\n",
    ] {
        assert!(explained.stdout.contains(part), "{}", explained.stdout);
    }
    let wrong = host.run("get flags.json f/x --attributes [1]").said();
    assert!(wrong.code == 2 && wrong.stderr.contains("attributes are a JSON object"), "{}", wrong.stderr);
    let when = host
        .run("when flags.json f/x --key k --format json --attributes")
        .word(r#"{"plan": "premium"}"#)
        .said()
        .json()
        .remove(0);
    assert!(when["on"].as_str().unwrap().starts_with("2026-01-01T"), "{when}");
    let counted = host
        .run("simulate flags.json f/x --attributes people.jsonl --at")
        .word("2026-01-02 00:00Z")
        .word("--format")
        .word("json")
        .said()
        .json()
        .remove(0);
    assert_eq!(counted["counts"], serde_json::json!({"stable": 1, "new": 2}));
    let plan = host.run("plan flags.json --format json").said().json().remove(0);
    assert_eq!(plan["flags"][1]["rule"], "growing");
    assert_eq!(plan["flags"][1]["corners"].as_array().unwrap().len(), 4, "{plan}");
}

#[test]
fn a_comparison_counts_the_population_that_moves_by_rules() {
    let host = Host::new();
    host.write("old.json", RULES);
    host.write("new.json", RULES.replace("@example.com", "@example.org"));
    host.write("people.jsonl", "{\"$key\": \"a\", \"email\": \"a@example.com\"}\n{\"$key\": \"b\", \"email\": \"b@example.org\"}\n{\"$key\": \"c\"}\n");
    let line =
        host.run("check new.json --against old.json --attributes people.jsonl --format json").said().json().remove(0);
    let flag = &line["against"]["flags"][0];
    assert_eq!(flag["population"], serde_json::json!({"subjects": 3, "gain": 1, "loss": 1}), "{line}");
    assert_eq!(flag["fields"][0]["field"], "segments");
    let said = host.run("check new.json --against old.json").said();
    assert!(said.stdout.contains("--attributes FILE counts the subjects that move"), "{}", said.stdout);
    let missing = host.run("check new.json --attributes people.jsonl").said();
    assert_eq!(missing.code, 2);
}
