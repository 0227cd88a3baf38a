//! The nodes of a cluster, quarantined changes and backups.

use serde_json::json;
use tidegate_origin::{Origin, Reply};

use super::{RECEIPT, json_reply};
use crate::run::Host;

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
}

#[test]
fn an_operation_on_the_cluster_that_a_majority_has_not_acknowledged_is_code_6() {
    let (host, origin) = (Host::new(), Origin::start());
    let server = origin.url("");
    let receipt = |is_reached: bool| {
        let (durable_on, pending) = if is_reached { (vec!["a", "b"], vec!["c"]) } else { (vec!["a"], vec!["b", "c"]) };
        let unreached = json!([{"address": "b:7400", "problem": "connection refused: nothing listens there"}]);
        json!({
            "stamp": "01", "at": "2026-01-01T00:00:00.000000Z", "ack": "majority", "reached": is_reached,
            "durable_on": durable_on, "pending": pending, "outranked": [],
            "unreached": if is_reached { json!([]) } else { unreached },
        })
    };
    for (command, done) in [
        ("cluster forget d", "`d` is no longer a member"),
        ("cluster repair-clock", "raised the epoch: changes from now on outrank all earlier ones"),
        ("cluster quarantine accept x", "`flags/x` is accepted"),
        ("cluster quarantine drop x", "`flags/x` is dropped"),
    ] {
        let line = format!("{command} --server {server}");
        origin.always(json_reply(&receipt(true).to_string()));
        host.run(&line).stderr(&format!("{done}; acknowledged by 2 of 3 members (majority); c: not yet\n")).check();
        origin.always(json_reply(&receipt(false).to_string()).with_status(202));
        host.run(&line)
            .code(6)
            .stderr(&format!(
                "{done}; acknowledged by 1 of 3 members (majority); b, c: not yet\n\
                 warning: accepted, but not acknowledged in time by a majority; the change is kept, and reaches the other \
                 nodes later\n\
                 note: not connected to b:7400: connection refused: nothing listens there\n"
            ))
            .check();
        let said = host.run(&line).words("--format json").code(6).said();
        assert_eq!(said.json(), [receipt(false)], "{command}");
        origin.always(json_reply(&receipt(true).to_string()).with_status(202));
        host.run(&line).code(6).said();
    }
    let mut outranked = receipt(false);
    outranked["outranked"] = json!([{"on": "b", "stamp": "02", "by": "d", "quarantined": false}]);
    origin.always(json_reply(&outranked.to_string()).with_status(202));
    let said = host.run(&format!("cluster forget d --server {server}")).code(6).said();
    let advice =
        "outranked on b by a change of node d (stamp 02); see `tidegate cluster status`, and repeat the command";
    assert!(said.stderr.contains(advice), "{}", said.stderr);
    let mut asked: Vec<String> =
        origin.requests().iter().map(|request| format!("{} {}", request.method, request.target)).collect();
    asked.dedup();
    let paths = ["forget", "repair-clock", "quarantine/accept", "quarantine/drop", "forget"];
    assert_eq!(asked, paths.map(|path| format!("POST /api/v1/cluster/{path}")));
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

/// A backup of `count` activations.
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
    assert_eq!(lines[0], "FLAG        KIND        VALUE  STAMPED   NODE");
    assert!(lines[1].starts_with("features/x  activation  88 %   in "), "{}", lines[1]);
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
fn quarantined_changes_are_listed_in_words() {
    let (host, origin) = (Host::new(), Origin::start());
    let change = |flag: &str, kind: &str, value: serde_json::Value| json!({"flag": flag, "kind": kind, "stamp": "07", "at": "2040-01-01T00:00:00.000000Z", "node": "c", "value": value});
    let until = "2041-01-01T00:00:00.000000Z";
    let changes = [
        change("f/a", "activation", json!({"percentage": 12.5, "until": null, "defined": true})),
        change("f/b", "activation", json!({"percentage": 0, "until": until, "defined": false})),
        change("f/c", "activation", serde_json::Value::Null),
        change("f/d", "definition", json!({"stable": 1})),
        change("f/e", "definition", serde_json::Value::Null),
    ];
    origin.always(json_reply(&json!({"changes": changes}).to_string()));
    let said = host.run(&format!("cluster quarantine list --server {}", origin.url(""))).said().stdout;
    for (flag, value) in [
        ("f/a", "activation  12.5 %  "),
        ("f/b", "activation  0 % until 2041-01-01 00:00Z  "),
        ("f/c", "activation  cleared  "),
        ("f/d", "definition  {\"stable\":1}  "),
        ("f/e", "definition  removed  "),
    ] {
        let line = said.lines().find(|line| line.starts_with(flag)).unwrap_or_default();
        assert!(line.contains(value.trim_end()) && !line.contains("defined"), "{flag}: {said}");
    }
}

#[test]
fn a_member_that_is_not_there_is_named_without_a_field() {
    let (host, origin) = (Host::new(), Origin::start());
    let problem = json!({
        "type": "urn:tidegate:problem:unknown-node", "title": "t", "status": 404, "field": "node",
        "detail": "`nobody` is not a member of the cluster", "help": "h",
    });
    let reply = Reply::status(404).body(problem.to_string()).header("Content-Type", "application/problem+json");
    origin.always(reply);
    let said = host.run(&format!("cluster forget nobody --server {}", origin.url(""))).code(5).said();
    assert!(said.stderr.starts_with("error: `nobody` is not a member of the cluster\n"), "{}", said.stderr);
}
