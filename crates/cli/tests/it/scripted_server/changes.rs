//! What commands that change flags write, and their exit codes.

use serde_json::json;
use tidegate_origin::Origin;

use super::{RECEIPT, json_reply, problem};
use crate::run::Host;

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
