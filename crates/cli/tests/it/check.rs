//! `check`: every problem with its place, and what a change would do.

use serde_json::json;

use crate::run::Host;

const BAD: &str = "{\n  \"features\": {\n    \"x\": {\n      \"stable\": 1, \"new\": 2,\n      \"end_time\": \"2026-12-01 00:00\",\n      \"durration\": \"14d\"\n    },\n  }\n}\n";

#[test]
fn every_problem_with_carets() {
    let host = Host::with(BAD);
    let said = host.run("check flags.json").said();
    assert_eq!((said.stderr.as_str(), said.code), ("", 1));
    let expected = r#"error[E035]: `end_time` is `2026-12-01 00:00`, which has no time zone
 --> flags.json:5:19
  |
5 |       "end_time": "2026-12-01 00:00",
  |                   ^^^^^^^^^^^^^^^^^^ features.x.end_time
  |
  = help: put a `Z` at the end for UTC, or an offset such as `+01:00`
"#;
    assert!(said.stdout.contains(expected), "{}", said.stdout);
    assert!(said.stdout.contains("warning[W101]"), "{}", said.stdout);
    assert!(said.stdout.contains("note[N203]"), "{}", said.stdout);
    assert!(said.stdout.ends_with("flags.json: 2 errors, 1 warning, 1 note\n"), "{}", said.stdout);
}

#[test]
fn for_programs_an_object_a_source() {
    let host = Host::with(BAD);
    host.write("good.json", r#"{"f": {"x": {"stable": 1}}}"#);
    let said = host.run("check flags.json good.json --format json").said();
    assert_eq!((said.stderr.as_str(), said.code), ("", 1));
    let lines = said.json();
    assert_eq!(lines[1], json!({"source": "good.json", "diagnostics": [], "errors": 0, "warnings": 0, "notes": 0}));
    assert_eq!((&lines[0]["errors"], &lines[0]["warnings"], &lines[0]["notes"]), (&json!(2), &json!(1), &json!(1)));
    let found = &lines[0]["diagnostics"][0];
    assert_eq!((&found["code"], &found["severity"]), (&json!("E035"), &json!("error")));
    assert_eq!(
        (&found["path"], &found["line"], &found["column"]),
        (&json!("features.x.end_time"), &json!(5), &json!(19))
    );
    assert!(found["message"].is_string() && found["help"].is_string());
}

#[test]
fn the_exit_code_is_the_worst() {
    let host = Host::with(BAD);
    host.write("good.json", r#"{"f": {"x": {"stable": 1}}}"#);
    host.write("warned.json", r#"{"f": {"x": {"stable": 1, "newish": 1}}}"#);
    host.run("check good.json").stdout("good.json: no problems\n").check();
    host.run("check -").stdin("{\"f\": {}}").stdout(&host.run("check -").stdin("{\"f\": {}}").said().stdout).check();
    assert_eq!(host.run("check warned.json good.json").said().code, 0);
    assert_eq!(host.run("check good.json flags.json").said().code, 1);
    let said = host.run("check nowhere.json good.json").said();
    assert_eq!(said.code, 4);
    assert_eq!(said.stderr, "error: cannot read `nowhere.json`: it does not exist\n");
    assert_eq!(said.stdout, "good.json: no problems\n");
    assert_eq!(host.run("check").said().code, 2);
}

#[test]
fn a_name_cannot_act_on_the_terminal() {
    let host = Host::with("{\"f\": {\"a\u{202e}b\": {\"stable\": 1, \"x\u{7f}y\": 2}}}");
    host.write("\u{202e}.json", "{\"f\": 1}");
    for said in [
        host.run("check flags.json").said(),
        host.run("check").word("\u{202e}.json").said(),
        host.run("list flags.json").said(),
    ] {
        assert!(!said.stdout.contains(['\u{202e}', '\u{7f}']), "{}", said.stdout);
    }
}

#[test]
fn text_that_is_no_text_is_shown() {
    let host = Host::new();
    host.write("bytes.json", b"{\"a\": \"\xff\xfe\"}");
    let said = host.run("check bytes.json").said();
    assert!(said.stdout.contains("1 | {\"a\": \"??\"}\n  |        ^\n"), "{}", said.stdout);
    host.write("empty.json", "");
    assert_eq!(host.run("check empty.json").said().code, 1);
    host.write(
        "long.json",
        format!("{{\"f\": {{\"x\": {{\"stable\": \"{}\", \"new\": 1, \"end_pct\": 101}}}}}}", "y".repeat(60_000)),
    );
    let said = host.run("check long.json").said();
    assert!(said.stdout.contains("long.json:1:60049"), "{}", said.stdout);
    assert!(said.stdout.lines().all(|line| line.len() < 400), "{}", said.stdout);
}

#[test]
fn a_code_explained() {
    let host = Host::new();
    let said = host.run("check --explain e035").said();
    assert!(said.stdout.starts_with("# E035: a time has no zone\n"), "{}", said.stdout);
    host.run("check --explain E999")
        .code(2)
        .stderr(
            "error: invalid value 'E999' for '--explain <CODE>': no such code; codes are written like `E031`, `W101` \
             or `N201`\n\nFor more information, try '--help'.\n",
        )
        .check();
}

/// Two versions of a document; everything lies in the future, so that nothing depends on when this is run.
const OLD: &str = r#"{"f": {
  "same": {"stable": 1},
  "later": {"stable": 0, "new": 1, "start_time": "2140-01-01 00:00Z", "duration": "10d"},
  "salted": {"stable": 0, "new": 1, "salt": "a", "start_time": "2140-01-01 00:00Z", "duration": "10d"},
  "gone": {"stable": 0, "new": 1, "lock": "new"},
  "values": {"stable": 0, "new": 1, "early_adopters": ["a"]}
}}"#;
const NEW: &str = r#"{"f": {
  "same": {"stable": 1},
  "later": {"stable": 0, "new": 1, "start_time": "2140-01-03 00:00Z", "duration": "10d"},
  "salted": {"stable": 0, "new": 1, "salt": "b", "start_time": "2140-01-01 00:00Z", "duration": "10d"},
  "values": {"stable": 0, "new": 3, "early_adopters": ["a", {"regex": "^b"}]},
  "more": {"stable": 0, "new": 1}
}}"#;

#[test]
fn against_an_older_version_for_people() {
    let host = Host::with(NEW);
    host.write("old.json", OLD);
    let said = host.run("check flags.json --against old.json").said();
    assert_eq!(said.code, 0);
    assert_eq!(
        said.stdout,
        "flags.json: no problems\n\
         \n\
         f/later  changed\n\
         \x20 ramp           0 % at 2140-01-01 00:00Z to 100 % at 2140-01-11 00:00Z\n\
         \x20              → 0 % at 2140-01-03 00:00Z to 100 % at 2140-01-13 00:00Z\n\
         \x20 gains new      no keys\n\
         \x20 loses new      0 % now, 20 % at most (2140-01-03 00:00Z)\n\
         \n\
         f/salted  changed\n\
         \x20 salt           \"a\" → \"b\"\n\
         \x20 gains new      0 % now, 0 to 50 % at most (2140-01-06 00:00Z)\n\
         \x20 loses new      0 % now, 0 to 50 % at most (2140-01-06 00:00Z)\n\
         \x20 hash or salt differ: every key gets another position\n\
         \n\
         f/values  changed\n\
         \x20 new            1 → 3\n\
         \x20 early_adopters \"a\" → \"a\", /^b/\n\
         \x20 gains new      no keys\n\
         \x20 loses new      no keys\n\
         \n\
         f/more  added\n\
         \x20 gains new      no keys\n\
         \x20 loses new      no keys\n\
         \n\
         f/gone  removed\n\
         \x20 gains new      no keys\n\
         \x20 loses new      100 % now, and no more later\n\
         \n\
         against old.json: 1 added, 1 removed, 3 changed, 1 the same\n"
    );
    assert_eq!(
        said.stderr,
        "warning: hash or salt of `f/salted` differ: keys that have new may lose it, and others may get it\n"
    );
}

#[test]
fn against_other_weights_subjects_with_another_variant_are_counted() {
    let document = |weights: &str| {
        format!(
            r#"{{"f": {{"x": {{"variants": {{"red": 1, "blue": 2, "green": 3}}, "stable": {{"split": {{{weights}}}}}}}}}}}"#
        )
    };
    let host = Host::with(&document(r#""red": 50, "blue": 30, "green": 20"#));
    host.write("new.json", document(r#""red": 20, "blue": 12, "green": 68"#));
    let subjects: Vec<String> = (0..1_000).map(|number| format!(r#"{{"$key": "user-{number}"}}"#)).collect();
    host.write("subjects.jsonl", subjects.join("\n"));
    let said = host.run("check new.json --against flags.json --attributes subjects.jsonl --format json").said();
    let population = &said.json()[0]["against"]["flags"][0]["population"];
    let moved = population["moved"].as_u64().unwrap();
    assert!((430..530).contains(&moved), "48 of 100 are taken away: {population}");
    assert_eq!((&population["gain"], &population["loss"]), (&json!(0), &json!(0)), "all of it happens on one side");
    let said = host.run("check new.json --against flags.json --attributes subjects.jsonl").said();
    assert!(
        said.stdout.contains(&format!("{moved} of 1000 subjects have another variant; 0 gain new")),
        "{}",
        said.stdout
    );
    let said = host.run("check new.json --against flags.json").said();
    assert!(said.stdout.contains("--attributes FILE counts the subjects that move"), "{}", said.stdout);
}

#[test]
fn against_an_older_version_for_programs() {
    let host = Host::with(NEW);
    host.write("old.json", OLD);
    let said = host.run("check flags.json --against old.json --format json").said();
    let against = &said.json()[0]["against"];
    assert_eq!(
        (&against["added"], &against["removed"], &against["changed"], &against["same"]),
        (&json!(1), &json!(1), &json!(3), &json!(1))
    );
    let later = &against["flags"][0];
    assert_eq!(later["loss"], json!({"now": 0, "most": 20, "most_at": "2140-01-03T00:00:00.000000Z"}));
    assert_eq!(later["gain"], json!({"now": 0, "most": 0, "most_at": null}));
    let salted = &against["flags"][1];
    assert_eq!(
        (&salted["reshuffled"], &salted["gain"]["most"], &salted["gain"]["most_at_least"]),
        (&json!(true), &json!(50), &json!(0))
    );
    assert_eq!(against["flags"][2]["fields"][0], json!({"field": "new", "old": "1", "new": "3"}));
}

#[test]
fn many_removed_flags_are_warned_of() {
    let host = Host::with(r#"{"f": {"a": {"stable": 1}, "b": {"stable": 1}}}"#);
    host.write("old.json", r#"{"f": {"a": {"stable": 1}, "b": {"stable": 1}, "c": {"stable": 1}}}"#);
    let said = host.run("check flags.json --against old.json").said();
    assert_eq!(said.stderr, "warning: 1 of 3 flags are removed (33 %): is the document the right one, and complete?\n");
    host.write("bad.json", BAD);
    let said = host.run("check flags.json --against bad.json").said();
    assert_eq!((said.code, said.stdout.as_str()), (5, ""));
    assert!(said.stderr.contains("error[E035]") && said.stderr.contains("cannot be compared"), "{}", said.stderr);
    assert_eq!(host.run("check flags.json old.json --against bad.json").said().code, 2);
}
