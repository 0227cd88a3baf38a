//! What a server may do to its clients, by one that answers from a script: away, silent, nonsense, refusals.

use std::io::{BufRead as _, BufReader};

use serde_json::json;
use tidegate_origin::{Origin, Reply};

use crate::run::Host;

const RECEIPT: &str = r#"{"flag":"flags/x","stamp":"00","at":"2026-01-01T00:00:00.000000Z","ack":"majority","reached":true,"durable_on":["a","b"],"pending":[],"effect":{"from":null,"to":100},"created":true}"#;

fn json_reply(body: &str) -> Reply {
    Reply::ok(body).header("Content-Type", "application/json")
}

fn problem(status: u16, body: &serde_json::Value) -> Reply {
    Reply::ok(body.to_string()).with_status(status).header("Content-Type", "application/problem+json")
}

#[test]
fn a_change_and_who_has_it() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(json_reply(RECEIPT));
    let server = origin.url("");
    host.run(&format!("activate x --create --server {server}"))
        .stderr(
            "`flags/x` is activated for 100 %: caller's default -> 100 %; acknowledged by 2 of 2 members (majority)\n\
             note: created the boolean flag `flags/x`, which the server did not know\n",
        )
        .check();
    host.run(&format!("deactivate x --server {server} --ack all --timeout 1.5s --format json"))
        .stdout(&format!("{RECEIPT}\n"))
        .check();
    host.run(&format!("clear a%2Fb/x --server {server} --reason")).word("it's over").said();
    let asked: Vec<String> =
        origin.requests().iter().map(|request| format!("{} {}", request.method, request.target)).collect();
    assert_eq!(
        asked,
        [
            "PUT /api/v1/flags/flags/x/activation?create=true",
            "PUT /api/v1/flags/flags/x/activation?ack=all&timeout=1s500ms",
            "DELETE /api/v1/flags/a%2Fb/x/activation?reason=it%27s+over",
        ]
    );
    let name = rustix::system::uname().nodename().to_str().unwrap().to_owned();
    assert_eq!(origin.requests()[0].header("X-Tidegate-Actor"), Some(&*format!("dana@{name}")));
}

#[test]
fn a_change_that_is_not_acknowledged_in_time_is_code_6() {
    let (host, origin) = (Host::new(), Origin::start());
    let receipt = RECEIPT.replace("true", "false").replace(r#"["a","b"],"pending":[]"#, r#"["a"],"pending":["b","c"]"#);
    let receipt = receipt.replace(r#"{"from":null,"to":100}"#, r#"{"from":66.912345,"to":12.5}"#);
    origin.always(json_reply(&receipt).with_status(202));
    let line = format!("percentage x 12.5 --server {}", origin.url(""));
    host.run(&line)
        .code(6)
        .stderr(
            "`flags/x` is activated for 12.5 %: 66.912 % -> 12.5 %; acknowledged by 1 of 3 members (majority); b, c: not yet\n\
             warning: accepted, but not acknowledged in time by a majority; the change is kept, and reaches the \
             other nodes later\n",
        )
        .check();
    let said = host.run(&line).words("--format json").said();
    assert_eq!((said.stdout, said.code), (format!("{receipt}\n"), 6));
}

#[test]
fn what_was_changed_since_it_was_read_is_not_held() {
    let (host, origin) = (Host::new(), Origin::start());
    let state = r#"{"flag":"f/x","defined":true,"share":37.5}"#;
    origin.always(json_reply(state).header("ETag", "\"1.2\""));
    host.run(&format!("hold f/x --server {}", origin.url(""))).said();
    let requests = origin.requests();
    let sent: Vec<_> = requests.iter().map(|request| (request.method.as_str(), request.header("if-match"))).collect();
    assert_eq!(sent, [("GET", None), ("PUT", Some("\"1.2\""))]);
}

#[test]
fn no_server_is_listening() {
    let mut host = Host::new();
    // The port was free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = format!(
        "error: no server is listening at `http://{address}`\n\
         help: start one with `tidegate serve`, or name another one with --server\n"
    );
    for line in
        ["activate x", "percentage x 1", "hold x", "clear x", "flags", "history x", "backup -", "cluster status"]
    {
        host.run(line).words(&format!("--server {address}")).code(4).stderr(&error).check();
    }
    for line in ["get", "on", "explain", "when", "watch"] {
        host.run(line).words(&format!("--server http://{address} x")).code(4).stderr(&error).check();
    }
    let warning = format!("warning: no server is listening at `http://{address}`; using the default\n");
    host.run(&format!("get --server {address} x --default 5")).stdout("5\n").stderr(&warning).check();
    host.run(&format!("on --server {address} x --default false")).code(1).stderr(&warning).check();
    host.run(&format!("on --server {address} x --default true")).stderr(&warning).check();
    host.set("TIDEGATE_SERVER", &address.to_string());
    host.run("flags").code(4).stderr(&error).check();
    host.set("TIDEGATE_SERVER", "ftp://x");
    host.run("flags")
        .code(2)
        .stderr(
            "error: invalid value 'ftp://x' for '--server <URL>': `ftp` is not supported; use http or https\n\n  \
             tip: the value is that of the variable TIDEGATE_SERVER\n\nFor more information, try '--help'.\n",
        )
        .check();
}

#[test]
fn a_server_that_does_not_answer() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(Reply::hang());
    let server = origin.url("");
    host.run(&format!("get --server {server} x --timeout 200ms"))
        .code(4)
        .stderr(&format!("error: the server at `{server}` did not answer in 0.2 s\n"))
        .check();
}

#[test]
fn a_server_of_something_else() {
    let (host, origin) = (Host::new(), Origin::start());
    let server = origin.url("");
    origin.always(Reply::ok("<html>").with_status(502));
    host.run(&format!("flags --server {server}"))
        .code(4)
        .stderr(&format!(
            "error: the server at `{server}` answers 502 Bad Gateway\n\
             help: is it a Tidegate server? Name another one with --server\n"
        ))
        .check();
    origin.always(Reply::redirect(302, "http://127.0.0.1:1/"));
    assert_eq!(host.run(&format!("deactivate x --server {server}")).said().code, 4);
    origin.always(json_reply("{}"));
    host.run(&format!("flags --server {server}"))
        .code(4)
        .stderr(&format!(
            "error: unexpected response from `{server}`: missing field `flags` at line 1 column 2\n\
             help: is it a Tidegate server, of this version or a newer one?\n"
        ))
        .check();
    let said = host.run(&format!("explain x --server {server}")).said();
    assert_eq!(said.code, 4, "{}", said.stderr);
}

/// The variable is a default: it answers a flag alone, and whatever names a document goes before it.
#[test]
fn the_variable_names_the_server_of_every_command() {
    let (mut host, origin) = (Host::new(), Origin::start());
    host.write("flags.json", r#"{"f": {"x": {"stable": 1}}}"#);
    let decision =
        r#"{"flag":"f/x","value":2,"variant":"stable","reason":"STATIC","rule":"ramp","flips":{"on":null,"off":null}}"#;
    origin.script_at("/api/v1/flags/f/x/decision?key=k", [json_reply(decision)]);
    host.set("TIDEGATE_SERVER", &origin.url(""));
    host.run("get f/x --key k").stdout("2\n").check();
    host.run("on f/x --key k").code(2).said();
    assert!(host.run("explain f/x --key k").code(0).said().stdout.contains("value        2"));
    host.run("when f/x --key k").code(0).said();
    assert_eq!(origin.requests().iter().filter(|request| request.target.ends_with("decision?key=k")).count(), 4);
    origin.clear_requests();
    // Two words, or an option for documents, name a document.
    host.run("get flags.json f x").stdout("1\n").check();
    host.run("get flags.json f/x").stdout("1\n").check();
    let said = host.run("get flags.json --offline").code(2).said();
    assert!(said.stderr.contains("no flag given"), "{}", said.stderr);
    // A single word is a flag, except for `watch`, which needs none, where there is such a file.
    host.run("get flags.json").code(4).said();
    assert!(origin.requests().last().unwrap().target.starts_with("/api/v1/flags/flags/flags.json/"));
    let mut watch = host.run("watch flags.json").start();
    let mut first = String::new();
    BufReader::new(watch.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.contains(r#""event":"document""#), "{first}");
    watch.kill().unwrap();
    watch.wait().unwrap();
    assert!(origin.requests().iter().all(|request| request.target.contains("flags.json")));
    // Set to nothing, it counts as unset.
    host.set("TIDEGATE_SERVER", "");
    host.run("get f/x --key k").code(2).said();
}

#[test]
fn refusals_say_what_to_do() {
    let (host, origin) = (Host::new(), Origin::start());
    let server = origin.url("");
    let refusal = json!({
        "type": "urn:tidegate:problem:invalid", "status": 400, "title": "Bad Request", "detail": "it lies in the past\u{1b}[2J",
        "field": "until", "help": "send a later instant, or send DELETE to the activation",
    });
    origin.always(problem(400, &refusal));
    host.run(&format!("activate x --create --server {server}"))
        .code(5)
        .stderr(
            "error: `until`: it lies in the past\\u{1b}[2J\n\
             help: give a later time with --until, or remove the activation with `tidegate clear`\n",
        )
        .check();
    origin.always(problem(404, &json!({"title": "Not Found", "detail": "no flag `flags/x`"})));
    host.run(&format!("hold x --server {server}"))
        .code(3)
        .stderr("error: no flag `flags/x`\nhelp: `tidegate flags` lists the flags of the server\n")
        .check();
    host.run(&format!("get x --server {server}"))
        .code(3)
        .stderr(&format!(
            "error: no flag `flags/x` at `{server}`\n\
             help: `tidegate flags` lists the flags of the server; --default gives a value for unknown flags\n"
        ))
        .check();
    host.run(&format!("get x --server {server} --default 7")).stdout("7\n").check();
    let said = host.run(&format!("explain x --server {server} --key k")).said();
    assert_eq!(said.code, 3);
    assert!(said.stdout.contains("rule         unknown_flag: no such flag\n"), "{}", said.stdout);
}

#[test]
fn diagnostics_of_a_definition_are_shown_as_check_shows_them() {
    let (host, origin) = (Host::new(), Origin::start());
    let refusal = json!({
        "detail": "the definition of `flags/x` is refused", "status": 422,
        "diagnostics": [{
            "code": "E036", "severity": "error", "path": "duration", "line": 2, "column": 14,
            "message": "`duration` is `14 days`", "help": "write `14d`",
        }, {"code": "W101", "severity": "warning", "path": "", "message": "hm"}],
    });
    origin.always(problem(422, &refusal));
    host.write("entry.json", "{\"stable\": 1,\n \"duration\": \"14 days\"}");
    host.run(&format!("define x entry.json --server {}", origin.url("")))
        .code(5)
        .stderr(
            "error[E036]: `duration` is `14 days`\n --> entry.json:2:14\n  |\n2 |  \"duration\": \"14 days\"}\n  \
             |              ^ duration\n  |\n  = help: write `14d`\n\nwarning[W101]: hm\n--> entry.json\n\n\
             error: the definition of `flags/x` is refused\n",
        )
        .check();
}

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
fn a_change_that_is_outranked_is_code_6_and_names_the_other_one() {
    let (host, origin) = (Host::new(), Origin::start());
    let receipt = json!({
        "flag": "flags/x", "stamp": "01", "ack": "majority", "reached": false, "durable_on": ["a"], "pending": ["c"],
        "outranked": [{"on": "b", "stamp": "02", "by": "d", "quarantined": false}],
        "unreached": [{"address": "10.0.0.9:7400", "problem": "connection refused: nothing listens there"}],
        "effect": {"from": 100, "to": 0}, "created": false,
    });
    origin.always(json_reply(&receipt.to_string()).with_status(202));
    host.run(&format!("deactivate x --server {}", origin.url("")))
        .code(6)
        .stderr(
            "`flags/x` is deactivated: 100 % -> 0 %; acknowledged by 1 of 2 members (majority); c: not yet\n\
             warning: stored, but outranked on b by a change of node d (stamp 02); see `tidegate history`, and repeat the change if needed\n\
             note: not connected to 10.0.0.9:7400: connection refused: nothing listens there\n",
        )
        .check();
}

#[test]
fn changes_in_quarantine_are_listed_accepted_and_dropped() {
    let (host, origin) = (Host::new(), Origin::start());
    let server = origin.url("");
    let change = json!({
        "flag": "features/x", "kind": "activation", "stamp": "01", "at": "2040-01-01T00:00:00.000000Z", "node": "b", "from": "b",
        "since": "2026-01-01T00:00:00.000000Z", "value": {"percentage": 88}, "actor": "lee", "reason": "",
    });
    origin.script_at("/api/v1/cluster/quarantine", [json_reply(&json!({"changes": [change]}).to_string())]);
    let said = host.run(&format!("cluster quarantine list --server {server}")).code(0).said();
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines[0], "FLAG        KIND        VALUE              STAMPED   NODE");
    assert!(lines[1].starts_with("features/x  activation  {\"percentage\":88}  in "), "{}", lines[1]);
    origin.script_at("/api/v1/cluster/quarantine", [json_reply(r#"{"changes": []}"#)]);
    host.run(&format!("cluster quarantine list --server {server}")).stderr("note: no quarantined changes\n").check();
    origin.always(json_reply(&RECEIPT.replace("flags/x", "features/x").replace("true}", "false}")));
    host.run(&format!("cluster quarantine accept features/x --kind activation --reason ok --server {server}"))
        .stderr("`features/x` is accepted: caller's default -> 100 %; acknowledged by 2 of 2 members (majority)\n")
        .check();
    let last = origin.requests().pop().unwrap();
    assert_eq!((&*last.method, &*last.target), ("POST", "/api/v1/cluster/quarantine/accept"));
    host.run(&format!("cluster quarantine drop features/x --server {server}")).code(0).said();
    assert_eq!(origin.requests().pop().unwrap().target, "/api/v1/cluster/quarantine/drop");
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

#[test]
fn a_name_that_no_flag_can_have_is_not_sent() {
    let (host, origin) = (Host::new(), Origin::start());
    let server = origin.url("");
    for line in [
        "clear ./checkout",
        "clear checkout/..",
        "activate .",
        "percentage ../checkout 5",
        "deactivate ..",
        "remove ./checkout",
        "hold ./checkout",
        "history ./checkout",
    ] {
        let said = host.run(&format!("{line} --server {server}")).said();
        assert!(said.code == 2 && said.stderr.contains("a URL cannot hold"), "{line}: {} {}", said.code, said.stderr);
    }
    for name in ["check\tout", "check\nout", "check\rout"] {
        let said = host.run("clear").word(name).words(&format!("--server {server}")).said();
        assert!(said.code == 2 && said.stderr.contains("control character"), "{name:?}: {} {}", said.code, said.stderr);
    }
    assert!(origin.requests().is_empty());
}

#[test]
fn an_answer_about_another_flag_is_not_taken_for_one_about_this() {
    let (host, origin) = (Host::new(), Origin::start());
    let receipt =
        json!({"flag": "checkout/activation", "stamp": "1", "ack": "majority", "reached": true, "durable_on": ["a"]});
    origin.always(json_reply(&receipt.to_string()));
    let said = host.run(&format!("clear flags/checkout --server {}", origin.url(""))).said();
    assert_eq!(said.code, 4, "{}", said.stderr);
    for part in ["the request was about `flags/checkout`", "`checkout/activation`", "tidegate history"] {
        assert!(said.stderr.contains(part), "{part}: {}", said.stderr);
    }
}

#[test]
fn the_nodes_of_a_cluster() {
    let (host, origin) = (Host::new(), Origin::start());
    let state = json!({
        "node": {"id": "000000000000000a", "name": "a", "cluster": "prod", "digest": "11", "epoch": 0},
        "problems": [
            {"code": "no-link", "message": "no link to c:7400", "needs_action": true},
            {"code": "shadowed", "message": "definitions have no effect", "needs_action": false},
        ],
        "peers": [
            {"id": "000000000000000b", "reachable": true, "equal": true, "clock_offset_ms": 3, "heard_ms_ago": 250},
            {"id": "000000000000000c", "reachable": false, "equal": false, "clock_offset_ms": -7, "heard_ms_ago": 61000},
        ],
        "members": [
            {"id": "000000000000000a", "name": "a"}, {"id": "000000000000000b", "name": "b"},
            {"id": "000000000000000c", "name": "c"}, {"id": "000000000000000d", "name": "d", "forgotten": true},
        ],
        "addresses": [
            {"address": "b:7400", "configured": true, "node": {"id": "000000000000000b", "name": "b"}, "connected": true},
            {"address": "c:7400", "configured": true, "node": {"id": "000000000000000c", "name": null}, "connected": false,
             "cause": "connection-refused",
             "problem": "connection refused: nothing listens there", "failing_ms": 61_000},
            {"address": "x:7400", "configured": true, "node": null, "connected": false, "cause": null},
            {"address": "10.0.0.8:7400", "configured": false, "node": null, "connected": true},
            {"address": "10.0.0.9:7400", "configured": false, "node": null, "connected": false, "problem": "timed out"},
        ],
        "quarantined": [{"flag": "flags/x", "kind": "activation", "stamp": "000000000000000000000000000000000007",
            "at": "2040-01-01T00:00:00Z", "node": {"id": "000000000000000c", "name": "c"},
            "from": {"id": "000000000000000b", "name": "b"}}],
        "quarantined_count": 1, "connections_refused": {"expired": 2, "unknown-authority": 1},
        "messages_refused": {"malformed": 3}, "isolated_since": null, "writes_refused": "no space left", "colour": "red",
    });
    origin.always(json_reply(&state.to_string()));
    let server = origin.url("");
    let status = format!("cluster status --server {server}");
    host.run(&status)
        .code(1)
        .stdout(
            "node        a, 000000000000000a\n\
             cluster     prod, 3 members\n\
             digest      0000000000000011\n\
             changes     refused: no space left\n\
             refused     connections of other nodes since the start: 2 expired, 1 unknown-authority\n\
             refused     messages of other nodes since the start: 3 malformed\n\
             quarantine  `flags/x` by c, stamped 2040-01-01 00:00Z, sent by b\n\
             problem     no link to c:7400\n\
             note        definitions have no effect\n\
             \n\
             NODE  ID                STATE        CLOCK  LAST SEEN\n\
             b     000000000000000b  in sync      +3 ms  250ms ago\n\
             c     000000000000000c  unreachable  -7 ms  1m1s ago\n\
             d     000000000000000d  unreachable         never      forgotten\n\
             \n\
             ADDRESS        NODE              CONNECTION\n\
             b:7400         b                 connected\n\
             c:7400         000000000000000c  connection refused: nothing listens there, for 1m1s\n\
             x:7400         -                 connecting\n\
             10.0.0.9:7400  -                 timed out\n",
        )
        .check();
    let said = host.run(&status).words("--format json").code(1).said();
    assert_eq!(said.json(), [state]);
    host.run(&format!("cluster forget d --server {server}")).stderr("`d` is no longer a member\n").check();
    host.run(&format!("cluster repair-clock --server {server}"))
        .stderr("raised the epoch: changes from now on outrank all earlier ones\n")
        .check();
    let asked: Vec<String> =
        origin.requests()[2..].iter().map(|request| format!("{} {}", request.method, request.target)).collect();
    assert_eq!(asked, ["POST /api/v1/cluster/forget", "POST /api/v1/cluster/repair-clock"]);
}

#[test]
fn a_cluster_that_is_well_ends_with_0() {
    let (host, origin) = (Host::new(), Origin::start());
    let state = json!({
        "node": {"id": "000000000000000a", "name": "a", "cluster": "prod", "digest": "11", "epoch": 0},
        "problems": [{"code": "shadowed", "message": "\u{1b}[2Jdefinitions", "needs_action": false}],
        "members": [{"id": "000000000000000a", "name": "a"}, {"id": "000000000000000b", "name": "b", "silent": true}],
    });
    origin.always(json_reply(&state.to_string()));
    let said = host.run(&format!("cluster status --server {}", origin.url(""))).code(0).said();
    assert!(said.stdout.contains("changes     accepted\n"), "{}", said.stdout);
    assert!(said.stdout.contains("note        \\u{1b}[2Jdefinitions\n"), "{}", said.stdout);
    assert!(said.stdout.contains("b     000000000000000b  unreachable         never      silent\n"), "{}", said.stdout);
}

/// A backup of so many activations.
pub(crate) fn real_backup(count: usize) -> Vec<u8> {
    let tide = tidegate::Tidegate::builder().live(tidegate::Live::in_memory()).without_locks().connect().unwrap();
    for number in 0..count {
        tide.activate(&format!("f{number}")).ack(tidegate::Level::Local).send().unwrap();
    }
    let mut backup = Vec::new();
    tide.cluster().unwrap().backup(&mut backup).unwrap();
    backup
}

#[test]
fn a_backup_and_back() {
    let (host, origin) = (Host::new(), Origin::start());
    let backup = "{\"tidegate_backup\":1}\n{\"a\":1}\n{\"a\":2}\n{\"end\":2}\n";
    origin.always(Reply::ok(backup));
    let server = origin.url("");
    host.run(&format!("backup - --server {server}")).stdout(backup).check();
    host.write("prod.backup", "older");
    host.run(&format!("backup prod.backup --server {server}"))
        .stderr("wrote 2 registers to `prod.backup`, 48 bytes\n")
        .check();
    assert_eq!(std::fs::read_to_string(host.path("prod.backup")).unwrap(), backup);
    let mode = std::os::unix::fs::PermissionsExt::mode(&host.path("prod.backup").metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    host.run(&format!("backup nowhere/x --server {server}"))
        .code(7)
        .stderr("error: cannot write `nowhere/x`: No such file or directory (os error 2)\n")
        .check();
    origin.always(json_reply(r#"{"registers":2,"restored":1,"left":1,"unknown":0}"#));
    host.run(&format!("restore prod.backup --server {server}"))
        .code(2)
        .stderr("error: `prod.backup`: not a backup of tidegate: its first line says something else\n")
        .check();
    std::fs::write(host.path("prod.backup"), real_backup(2)).unwrap();
    host.run(&format!("restore prod.backup --overwrite --server {server}"))
        .stderr("restored 1 of 2 registers; the others have the same value, or a newer one\n")
        .check();
    assert_eq!(origin.requests().last().unwrap().target, "/api/v1/restore?overwrite=true");
    host.run(&format!("restore nowhere --server {server}"))
        .code(2)
        .stderr("error: cannot read `nowhere`: it does not exist\n")
        .check();
}

#[test]
fn what_is_typed_wrongly() {
    let host = Host::with("{}");
    for line in ["activate x", "cluster forget c", "cluster repair-clock", "restore flags.json"] {
        for option in ["--reason", "--actor"] {
            let said = host.run(line).word(option).word("").said();
            assert!(said.code == 2 && said.stderr.contains(option), "{line} {option}: {}", said.stderr);
        }
    }
    host.run("get --server x:1 a b c")
        .code(2)
        .stderr(
            "error: too many arguments beside --server\n\
             help: with --server give the flag alone: there is no document\n",
        )
        .check();
    host.run("on flags.json")
        .code(2)
        .stderr("error: no flag given\nhelp: give its key, as `features/x`, or section and name\n")
        .check();
    for line in [
        "get",
        "get --server x:1",
        "get --server x:1 f --offline",
        "watch --server x:1 f --poll 1s",
        "percentage x",
        "percentage x 101",
        "percentage x -1",
        "activate x --until yesterday",
        "activate x --ack most",
        "activate",
        "history x --limit -1",
        "get --server http://me:secret@x f",
    ] {
        let said = host.run(line).said();
        assert_eq!((said.stdout.as_str(), said.code), ("", 2), "{line}: {}", said.stderr);
    }
}
