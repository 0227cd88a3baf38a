//! The table of exit codes in the help: each row is provoked, and each part of a row that names a command.

use serde_json::json;
use tidegate_origin::{Origin, Reply};

use crate::run::Host;

const FLAGS: &str = r#"{"f": {"on": {"stable": true}, "off": {"stable": false}, "number": {"stable": 1},
    "disabled": {"stable": true, "enabled": false}}}"#;

#[test]
fn each_row_of_the_table_can_be_provoked() {
    let host = Host::with(FLAGS);
    host.write("bad.json", r#"{"f": {"x": {}}}"#);
    let origin = Origin::start();
    let server = origin.url("");
    let dead = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let answer = |path: &str, reply: Reply| origin.script_at(path, [reply]);
    let json_reply = |body: String| Reply::ok(body).header("Content-Type", "application/json");
    let problem = |status: u16, kind: &str| {
        let body =
            json!({"type": format!("urn:tidegate:problem:{kind}"), "title": "t", "detail": "d", "status": status});
        Reply::ok(body.to_string()).with_status(status).header("Content-Type", "application/problem+json")
    };
    let not_ready = json!({"version": "0", "ready": false, "status": {"health": "offline"}});
    answer("/api/v1/status", json_reply(not_ready.to_string()));
    let receipt =
        json!({"flag": "flags/late", "ack": "majority", "reached": false, "durable_on": ["a"], "pending": ["b"]});
    answer("/api/v1/flags/flags/late/activation", json_reply(receipt.to_string()).with_status(202));
    answer("/api/v1/flags/flags/full/activation", problem(507, "disk"));
    answer("/api/v1/flags/flags/unknown/activation", problem(404, "unknown-flag"));
    answer("/api/v1/flags/flags/plain/activation", problem(404, "no-activation"));
    answer("/api/v1/flags/flags/plain", problem(404, "no-definition"));
    let rows = [
        (0, "list flags.json".to_owned()),
        (0, "on flags.json f/on".to_owned()),
        (0, "check flags.json".to_owned()),
        (1, "on flags.json f/off".to_owned()),
        (1, "check bad.json".to_owned()),
        (1, format!("status --server {server}")),
        (2, "list".to_owned()),
        (2, "list flags.json --nonsense".to_owned()),
        (2, "when flags.json f/on --keys-from nowhere".to_owned()),
        (2, "serve --config nowhere".to_owned()),
        (2, "on flags.json f/number".to_owned()),
        (3, "get flags.json f/unknown".to_owned()),
        (3, "get flags.json f/disabled".to_owned()),
        (0, "get flags.json f/unknown --default 1".to_owned()),
        (3, "on flags.json f/unknown".to_owned()),
        (3, format!("activate unknown --server {server}")),
        (3, format!("clear plain --server {server}")),
        (3, format!("remove plain --server {server}")),
        (4, "list nowhere.json".to_owned()),
        (4, "get nowhere.json f/on".to_owned()),
        (0, "get nowhere.json f/on --default 1".to_owned()),
        (1, "on nowhere.json f/on --default false".to_owned()),
        (4, format!("flags --server {dead}")),
        (5, "list bad.json".to_owned()),
        (5, "get bad.json f/x".to_owned()),
        (0, "get bad.json f/x --default 1".to_owned()),
        (5, format!("activate full --server {server}")),
        (6, format!("activate late --server {server}")),
        (7, "plan flags.json --svg nowhere/plan.svg".to_owned()),
        (7, "man flags.json/pages".to_owned()),
    ];
    let help = host.run("--help").said().stdout;
    for (code, line) in rows {
        assert!(help.contains(&format!("\n  {code}  ")), "the help has no row {code}");
        let said = host.run(&line).said();
        assert_eq!(said.code, code, "tidegate {line}: {}", said.stderr);
    }
}

/// `cluster status` reports by its exit code whether a person has to act; see `problems.rs` for real problems.
#[test]
fn an_address_that_is_taken_is_a_local_error() {
    let host = Host::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let said = host.run(&format!("serve --listen {}", taken.local_addr().unwrap())).code(7).said();
    assert!(said.stderr.contains("cannot listen on"), "{}", said.stderr);
}
