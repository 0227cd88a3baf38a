//! Every problem is told, once, and nothing that is none.

use serde_json::{Value, json};
use tidegate_engine::Micros;

use super::*;

/// Three members that are well, as node a sees them.
fn well() -> Value {
    let peer = |id: &str, name: &str| {
        json!({"id": id, "name": name, "reachable": true, "responsive": true, "equal": true, "digest": "0000000000000011",
               "clock_offset_ms": 3, "clock_off": false, "heard_ms_ago": 250})
    };
    let member = |id: &str, name: &str| json!({"id": id, "name": name, "address": null, "since": "2026-01-01T00:00:00.000000Z", "forgotten": false, "silent": false});
    let address = |address: &str, id: &str, name: &str| {
        json!({"address": address, "configured": true, "node": {"id": id, "name": name}, "connected": true, "cause": null,
               "problem": null, "failing_ms": null})
    };
    json!({
        "node": {"id": A, "name": "a", "cluster": "shop", "instance": "0000000000000001", "uptime_ms": 3_600_000, "durable": true,
                 "folder": "/data", "address": "127.0.0.1:7400", "advertised": null,
                 "certificate_expires": "2027-01-01T00:00:00.000000Z", "epoch": 0, "digest": "0000000000000011", "registers": 2,
                 "tombstones": 0},
        "problems": [], "writes_refused": null, "isolated_since": null,
        "peers": [peer(B, "b"), peer(C, "c")],
        "members": [member(A, "a"), member(B, "b"), member(C, "c")],
        "addresses": [address("b:7400", B, "b"), address("c:7400", C, "c")],
        "quarantined": [], "quarantined_count": 0, "inapplicable": [], "shadowed": [], "disk": null, "redis": null, "damage": [],
        "messages_dropped": 0, "messages_refused": {}, "connections_refused": {}, "connections_pending": 0, "link_problems": [],
        "published": 1,
    })
}

/// The problems of a cluster that is well but for what is changed.
fn found(changes: impl FnOnce(&mut Value), refusal: Option<&'static str>) -> Vec<ClusterProblem> {
    let mut json = well();
    changes(&mut json);
    let status: ClusterStatus = serde_json::from_value(json).unwrap();
    let now = Micros::new(1_780_272_000_000_000); // 2026-06-01
    problems::find(&status, refusal, now)
}

fn check(changes: impl FnOnce(&mut Value), expected: &[(&str, bool, &str)]) {
    let found = found(changes, None);
    let seen: Vec<_> = found.iter().map(|problem| (problem.code.as_str(), problem.needs_action)).collect();
    assert_eq!(seen, expected.iter().map(|(code, act, _)| (*code, *act)).collect::<Vec<_>>(), "{found:?}");
    for (problem, (_, _, words)) in found.iter().zip(expected) {
        for word in words.split(" / ") {
            assert!(problem.message.contains(word), "`{word}`: {problem:?}");
        }
    }
}

#[test]
fn a_healthy_cluster_has_no_problem() {
    check(|_| {}, &[]);
    // Strangers that were kept out, and what was merely sent again, are no problem of this cluster.
    check(
        |status| {
            status["connections_refused"] = json!({"unknown-authority": 7, "displaced": 1_000});
            status["messages_refused"] = json!({"malformed": 3});
            status["messages_dropped"] = json!(9);
            status["addresses"][0] = json!({"address": "a:7400", "configured": true, "node": null, "connected": false,
                "cause": "own-address", "problem": "the address of this node itself", "failing_ms": 100_000_000});
        },
        &[],
    );
    // One that an operator has taken out is not missed.
    check(
        |status| {
            status["peers"].as_array_mut().unwrap().pop();
            status["members"][2]["forgotten"] = json!(true);
        },
        &[],
    );
}

#[test]
fn the_shape_is_the_same_there_and_back() {
    let status: ClusterStatus = serde_json::from_value(well()).unwrap();
    assert_eq!(serde_json::to_value(&status).unwrap(), well());
    let mut unnamed = well();
    unnamed["peers"][0]["name"] = Value::Null;
    unnamed["node"]["certificate_expires"] = Value::Null;
    let status: ClusterStatus = serde_json::from_value(unnamed.clone()).unwrap();
    assert_eq!((status.peers[0].node.name.as_str(), status.node.certificate_expires), ("", None));
    assert_eq!(serde_json::to_value(&status).unwrap(), unnamed);
    // What an earlier version says less, and a later one more.
    serde_json::from_value::<ClusterStatus>(json!({"node": {"id": A}, "colour": "red"})).unwrap();
}

#[test]
fn members_and_majorities() {
    let gone = |peers: &'static [usize], ms: u64| {
        move |status: &mut Value| {
            for peer in peers {
                status["peers"][*peer]["reachable"] = json!(false);
                status["peers"][*peer]["heard_ms_ago"] = json!(ms);
            }
        }
    };
    check(gone(&[1], 30_000), &[("member-unreachable", false, "`c` cannot be reached, for 30s")]);
    check(gone(&[1], 90_000), &[("member-unreachable", true, "`c` cannot be reached, for 1m30s")]);
    check(gone(&[0, 1], 1_000), &[("no-majority", true, "1 of 3 members / `b`, `c` cannot be reached")]);
    check(
        |status| {
            gone(&[0, 1], 1_000)(status);
            status["isolated_since"] = json!("2026-06-01T00:00:00.000000Z");
        },
        &[("isolated", true, "alone since 2026-06-01 / `b`, `c`")],
    );
    // A member that was never heard of counts as well, and two of four are no majority.
    check(
        |status| {
            let unheard = json!({"id": "000000000000000d", "name": "d\u{1b}[2J", "since": "2026-01-01T00:00:00Z"});
            status["members"].as_array_mut().unwrap().push(unheard);
        },
        &[("member-unreachable", true, "`d\\u{1b}[2J` cannot be reached, for 1h")],
    );
    check(
        |status| {
            status["peers"][1]["reachable"] = json!(false);
            let unheard = json!({"id": "000000000000000d", "name": "d", "since": "2026-01-01T00:00:00Z"});
            status["members"].as_array_mut().unwrap().push(unheard);
        },
        &[("no-majority", true, "2 of 4 members")],
    );
    check(
        |status| {
            (status["peers"], status["members"]) = (json!([]), json!([]));
            status["isolated_since"] = json!("2026-06-01T00:00:00.000000Z");
        },
        &[("isolated", true, "no other node was reached")],
    );
    // The first node of a cluster, which knows no other.
    check(
        |status| {
            (status["peers"], status["members"], status["addresses"]) = (json!([]), json!([]), json!([]));
            status["isolated_since"] = json!("2026-06-01T00:00:00.000000Z");
        },
        &[("isolated", false, "no other node was reached")],
    );
    check(
        |status| status["members"][1]["silent"] = json!(true),
        &[("silent-member", true, "`b` / cluster forget 000000000000000b")],
    );
    check(|status| status["peers"][0]["responsive"] = json!(false), &[("not-answering", true, "`b` / restart it")]);
}

#[test]
fn clocks() {
    // Over a slow link more than half a second may be no fault of a clock.
    for (offset, is_off, told) in
        [(900, false, None), (500, true, Some("500 ms ahead of")), (-7_000, true, Some("7000 ms behind"))]
    {
        let expected: Vec<_> = told.iter().map(|told| ("clock", true, *told)).collect();
        let put = |status: &mut Value| {
            status["peers"][0]["clock_offset_ms"] = json!(offset);
            status["peers"][0]["clock_off"] = json!(is_off);
        };
        check(put, &expected);
    }
    check(
        |status| {
            status["peers"][0]["reachable"] = json!(false);
            status["peers"][0]["clock_offset_ms"] = json!(90_000);
            status["peers"][0]["clock_off"] = json!(true);
        },
        &[("member-unreachable", false, "`b`")],
    );
}

#[test]
fn whether_changes_are_accepted() {
    let refused = found(|status| status["writes_refused"] = json!("this host's clock is off"), Some("clock-off"));
    assert_eq!((refused[0].code.as_str(), refused[0].needs_action), ("clock-off", true));
    check(
        |status| {
            status["writes_refused"] = json!("changes cannot be kept: no space left for `/data`");
            status["disk"] = json!("no space left for `/data`");
        },
        &[("disk", true, "changes are refused / no space left")],
    );
    check(
        |status| status["damage"] = json!(["the database was damaged"]),
        &[("damage", true, "was damaged / check the disk")],
    );
}

#[test]
fn links_and_certificates() {
    let fails = |cause: &'static str, ms: u64| {
        move |status: &mut Value| {
            let address = &mut status["addresses"][1];
            address["connected"] = json!(false);
            (address["cause"], address["problem"], address["failing_ms"]) =
                (json!(cause), json!("a reason"), json!(ms));
        }
    };
    check(fails("connection-refused", 59_000), &[("no-link", false, "c:7400 (`c`), for 59s: a reason")]);
    check(fails("connection-refused", 60_000), &[("no-link", true, "for 1m")]);
    for cause in ["expired", "unknown-authority", "wrong-name", "certificate-refused", "certificates-missing"] {
        check(fails(cause, 100), &[("no-link", true, "a reason")]);
    }
    // The address of a member is not what the configuration names: the member is missed instead, if it is.
    check(
        |status| {
            fails("expired", 100)(status);
            status["addresses"][1]["configured"] = json!(false);
        },
        &[],
    );
    check(|status| status["link_problems"] = json!(["cannot listen"]), &[("links", true, "cannot listen")]);
    for (expires, is_told) in
        [("2026-07-01T00:00:01Z", false), ("2026-06-30T23:59:59Z", true), ("2026-05-01T00:00:00Z", false)]
    {
        let expected: &[_] = if is_told { &[("certificate-expires", true, "2026-06-30 / --renew")] } else { &[] };
        check(|status| status["node"]["certificate_expires"] = json!(expires), expected);
    }
}

#[test]
fn changes_that_are_not_active() {
    check(
        |status| {
            status["quarantined_count"] = json!(2);
            status["quarantined"] = json!([
                {"flag": "flags/x", "kind": "activation", "stamp": STAMP, "at": null, "node": {"id": B, "name": "b"}, "from": null},
                {"flag": null, "kind": null, "stamp": STAMP, "at": null, "node": {"id": B, "name": "b"}, "from": null},
            ]);
        },
        &[("quarantined", true, "2 changes are quarantined / clock of `b`")],
    );
    check(
        |status| {
            status["inapplicable"] =
                json!([{"flag": "flags/x", "kind": "definition", "problem": "its value is newer"}]);
        },
        &[("inapplicable", true, "`flags/x` / its value is newer")],
    );
    check(|status| status["shadowed"] = json!(["flags/x", "a/b"]), &[("shadowed", false, "`flags/x`, `a/b`")]);
    check(
        |status| status["messages_refused"] = json!({"equal-stamps": 1}),
        &[("equal-stamps", true, "copied data folder")],
    );
}

const A: &str = "000000000000000a";
const B: &str = "000000000000000b";
const C: &str = "000000000000000c";
const STAMP: &str = "000000000000000000000000000000000007";
