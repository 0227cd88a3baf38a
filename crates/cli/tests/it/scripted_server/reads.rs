//! Decisions, flags and their history, as a server answers them.

use serde_json::json;
use tidegate_origin::Origin;

use super::json_reply;
use crate::run::Host;

#[test]
fn answers_of_a_server() {
    let (host, origin) = (Host::new(), Origin::start());
    let server = origin.url("");
    let decision = json!({
        "flag": "features/x", "value": true, "variant": "new", "reason": "SPLIT", "rule": "activation",
        "position": 7, "share": 12.5, "flip": null, "flips": {"on": null, "off": null}, "valid_until": null,
    });
    origin.always(json_reply(&decision.to_string()));
    host.run(&format!("get --server {server} features/x --key k")).stdout("true\n").check();
    host.run(&format!("on --server {server} features x --key k --at 2026-01-01T00:00Z")).check();
    host.run(&format!("when --server {server} features/x --key k"))
        .stdout("KEY  FLIP   TO\nk    never\n")
        .stderr("note: `features/x` has an activation: no key flips until it is cleared\n")
        .check();
    let targets: Vec<String> = origin.requests().iter().map(|request| request.target.clone()).collect();
    assert_eq!(
        targets,
        [
            "/api/v1/flags/features/x/decision?key=k",
            "/api/v1/flags/features/x/decision?key=k&at=2026-01-01T00%3A00%3A00.000000Z",
            "/api/v1/flags/features/x/decision?key=k",
        ]
    );
    let mut explained = host.run(&format!("explain --server {server} features/x --key k --format json")).said().json();
    assert_eq!(explained[0]["data"]["server"], json!(server));
    // This one says nothing of its sources.
    assert_eq!(explained[0]["data"]["age_seconds"], json!(null));
    let explained = explained[0].as_object_mut().unwrap();
    explained.remove("data");
    explained.remove("key");
    assert_eq!(json!(explained), decision);
}

#[test]
fn the_flags_of_a_server() {
    let (host, origin) = (Host::new(), Origin::start());
    let flags = [
        r#"{"flag":"features/x","source":"document flags.json","activation":null,"stable":false,"new":true,"share":12.5,"next_change":{"at":"2040-01-01T00:00:00.000000Z","what":"holds","share":50}}"#,
        r#"{"flag":"flags/y","source":"api","activation":{"percentage":20,"actor":"dana@web-1","reason":"a look","until":null},"stable":"a","share":20,"next_change":null}"#,
    ];
    origin.always(json_reply(&format!("{{\"flags\":[{}]}}", flags.join(","))));
    let line = format!("flags --server {}", origin.url(""));
    host.run(&line).words("--format json").stdout(&format!("{}\n{}\n", flags[0], flags[1])).check();
    let said = host.run(&line).said();
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines[0], "FLAG        STABLE  NEW    SHARE  NEXT CHANGE");
    assert!(
        lines[1].starts_with("features/x  false   true  12.5 %  2040-01-01 00:00Z holds at 50 %, in "),
        "{}",
        lines[1]
    );
    assert!(lines[2].starts_with("flags/y     \"a\"     -       20 %  -"), "{}", lines[2]);
    assert!(lines[2].ends_with("  activated for 20 % by dana@web-1, defined by API"), "{}", lines[2]);
    origin.always(json_reply(r#"{"flags":[]}"#));
    host.run(&line).stderr("note: the server has no flags\n").check();
}

#[test]
fn the_history_of_a_flag_over_several_pages() {
    let (host, origin) = (Host::new(), Origin::start());
    let change = |at: u32, kind: &str, value: &str, more: &str| {
        format!(
            r#"{{"stamp":"{at:036x}","at":"2020-01-01T00:00:{at:02}.000000Z","kind":"{kind}","value":{value},"actor":"dana@h","node":"a","reason":"r{at}"{more}}}"#
        )
    };
    let newest = [
        change(5, "activation", "null", ""),
        change(4, "activation", r#"{"percentage":12.5,"until":"2020-02-01T00:00:00.000000Z"}"#, r#","lost_to":"05""#),
    ];
    let oldest = [change(1, "definition", r#"{"stable":1}"#, "")];
    let page = |changes: &[String], next: &str| {
        json_reply(&format!("{{\"changes\":[{}],\"next\":{next}}}", changes.join(",")))
    };
    let server = origin.url("");
    origin.script_at("/api/v1/flags/flags/x/history?limit=20", [page(&newest, "\"04\"")]);
    origin.script_at("/api/v1/flags/flags/x/history?limit=18&before=04", [page(&oldest, "null")]);
    let said = host.run(&format!("history x --server {server}")).said();
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!((lines.len(), said.stderr.as_str(), said.code), (4, "", 0), "{}", said.stdout);
    assert!(lines[0].starts_with("AT ") && lines[0].contains("CHANGE"), "{}", lines[0]);
    assert!(lines[1].contains(" cleared ") && lines[1].ends_with(" dana@h  a     r5"), "{}", lines[1]);
    assert!(lines[2].contains(" activated for 12.5 % until 2020-02-01 00:00Z "), "{}", lines[2]);
    assert!(lines[2].ends_with("  lost to a concurrent change"), "{}", lines[2]);
    assert!(lines[3].contains(" defined "), "{}", lines[3]);
    origin.script_at("/api/v1/flags/flags/x/history?limit=1", [page(&newest, "\"04\"")]);
    host.run(&format!("history x --limit 1 --format json --server {server}"))
        .stdout(&format!("{}\n", newest[0]))
        .stderr("note: there are older changes; show more with --limit\n")
        .check();
}

#[test]
fn the_history_of_all_flags_and_who_knows_more() {
    let (host, origin) = (Host::new(), Origin::start());
    let change = r#"{"flag":"features/x","stamp":"05","at":"2020-01-01T00:00:05.000000Z","kind":"activation","value":null,"actor":"dana","node":"a"}"#;
    let page = format!(
        r#"{{"node":"a","others":["b","c\u001b"],"missing":[{{"flag":"features/x","stamp":"04","at":"2020-01-01T00:00:04.000000Z","known_to":["b"]}}],"changes":[{change}],"next":null}}"#
    );
    origin.script_at("/api/v1/history?limit=20", [json_reply(&page), json_reply(&page)]);
    let said = host.run(&format!("history --server {}", origin.url(""))).code(0).said();
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert!(lines[0].contains("FLAG") && lines[1].contains("features/x  cleared"), "{}", said.stdout);
    assert_eq!(
        said.stderr,
        "note: this is the history of `a`; `b`, `c\\u{1b}` have their own histories\n\
         note: the change of `features/x` at 2020-01-01 00:00:04Z was replaced before this node received it; `b` may have it\n"
    );
    host.run(&format!("history --format json --server {}", origin.url("")))
        .stdout(&format!("{change}\n"))
        .stderr(&said.stderr)
        .check();
}
