//! Plans, simulations and explanations of a document or an entry that the request brings.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidegate_server::Options;

use crate::support::{Server, builder};

/// A ramp over ten days from 2040 on.
fn entry() -> Value {
    json!({"stable": "blue", "new": "green", "start_time": "2040-01-01 00:00Z", "duration": "10d"})
}

async fn post(server: &Server, path: &str, body: Value) -> crate::support::Reply {
    server.post(path, &body.to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_has_the_shares_of_a_document_over_time() {
    let server = Server::start().await;
    let document = json!({"f": {"x": entry(), "y": {"stable": 1}}, "g": {"z": entry()}});
    let plan = post(&server, "/api/v1/plan", json!({"document": document, "now": "2040-01-06T00:00:00Z"})).await.good();
    let keys: Vec<_> = plan["flags"].as_array().unwrap().iter().map(|flag| &flag["flag"]).collect();
    assert_eq!(keys, ["f/x", "f/y", "g/z"], "{plan}");
    assert_eq!((&plan["flags"][0]["share"], &plan["flags"][1]["share"]), (&json!(50), &json!(0)), "{plan}");
    assert_eq!(plan["changes"][0]["at"], "2040-01-11T00:00:00.000000Z", "{plan}");
    assert_eq!(plan["overlaps"][0]["flags"], json!(["f/x", "g/z"]), "{plan}");
    // One section, one flag, one entry; and a document as text, with a comment.
    let text = format!("{{\"f\": {{\"x\": {}, /* why */ \"y\": {{\"stable\": 1}},}}}}", entry());
    for (body, flags) in [
        (json!({"document": document, "section": "g"}), json!(["g/z"])),
        (json!({"document": document, "flag": "f/y"}), json!(["f/y"])),
        (json!({"entry": entry(), "flag": "h/v"}), json!(["h/v"])),
        (json!({"document": text}), json!(["f/x", "f/y"])),
    ] {
        let plan = post(&server, "/api/v1/plan", body.clone()).await.good();
        let keys: Value = plan["flags"].as_array().unwrap().iter().map(|flag| flag["flag"].clone()).collect();
        assert_eq!(keys, flags, "{body}");
    }
    // The flags of the server have no part in it, and nothing is stored.
    server.get("/api/v1/flags/f/x").await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_simulation_counts_keys_and_subjects() {
    let server = Server::start().await;
    let base = |more: Value| {
        let mut body = json!({"entry": entry(), "flag": "f/x"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let simulate = async |body| post(&server, "/api/v1/simulate", body).await;
    let counts = simulate(base(json!({"population": 1000, "every": "5d"}))).await.good();
    let new: Vec<_> =
        counts["counts"].as_array().unwrap().iter().map(|at| at["counts"]["new"].as_u64().unwrap()).collect();
    assert!(matches!(*new, [0, 400..=600, 1000]), "{counts}");
    let keys = base(json!({"keys": ["ann", "bob", "cid"], "at": "2040-01-12T00:00:00Z"}));
    assert_eq!(simulate(keys).await.good()["counts"][0]["counts"], json!({"stable": 0, "new": 3}));
    let rules = json!([{"name": "staff", "when": {"attribute": "plan", "is": "staff"}, "serve": "new"}]);
    let subjects = json!({
        "entry": {"stable": 1, "new": 2, "rules": rules}, "flag": "f/x",
        "subjects": [{"$key": "ann", "plan": "staff"}, {"$key": "bob"}, {"plan": "staff"}],
    });
    assert_eq!(simulate(subjects).await.good()["counts"][0]["counts"], json!({"stable": 1, "new": 2}));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_explanation_is_that_of_a_decision() {
    let server = Server::start().await;
    let body = json!({"entry": entry(), "flag": "f/x", "key": "ann", "at": "2040-01-04T00:00:00Z"});
    let explained = post(&server, "/api/v1/explain", body).await.good();
    assert_eq!(explained["share"], 30, "{explained}");
    // The same entry as a definition of this server gives the same decision.
    server.put("/api/v1/flags/f/x", &entry().to_string()).await.good();
    let decided = server.get("/api/v1/flags/f/x/decision?key=ann&at=2040-01-04T00:00:00Z").await.good();
    assert_eq!(decided, explained);
    let rule = json!({"stable": 1, "new": 2, "rules": [{"name": "staff", "when": {"attribute": "plan", "is": "staff"}, "serve": "new"}]});
    let body = json!({"document": {"f": {"x": rule}}, "flag": "f/x", "attributes": {"plan": "staff"}});
    assert_eq!(post(&server, "/api/v1/explain", body).await.good()["targeting"]["name"], "staff");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_body_is_said() {
    let server = Server::start().await;
    let ramp = || json!({"entry": entry(), "flag": "f/x"});
    let with = |name: &str, value: Value| {
        let mut body = ramp();
        body[name] = value;
        body
    };
    let still = json!({"stable": 1, "new": 2});
    for (path, body, status, field) in [
        ("plan", json!({}), 400, "document"),
        ("plan", json!({"entry": entry()}), 400, "flag"),
        ("plan", json!({"entry": entry(), "flag": "f/x", "document": {}}), 400, "entry"),
        ("plan", json!({"document": {"f": {"x": entry()}}, "flag": "f/y"}), 404, ""),
        ("plan", json!({"document": {"f": {"x": entry()}}, "section": "g"}), 400, "section"),
        ("plan", json!({"document": {"f": {"x": {"new": 1}}}}), 422, ""),
        ("plan", json!({"entry": {"new": 1}, "flag": "f/x"}), 422, ""),
        ("plan", json!({"entry": {"stable": 1, "lease": "1h"}, "flag": "f/x"}), 422, "lease"),
        ("plan", json!({"document": 7}), 422, ""),
        ("plan", with("from", json!("never")), 400, "from"),
        (
            "plan",
            json!({"entry": entry(), "flag": "f/x", "from": "2040-01-02 00:00Z", "to": "2040-01-01 00:00Z"}),
            400,
            "from",
        ),
        ("plan", with("form", json!("2040-01-02 00:00Z")), 400, "form"),
        ("explain", json!({"document": {"f": {"x": entry()}}}), 400, "flag"),
        ("explain", with("attributes", json!([])), 400, "attributes"),
        ("simulate", ramp(), 400, "population"),
        ("simulate", json!({"entry": entry(), "flag": "f/x", "population": 1, "keys": ["a"]}), 400, "population"),
        ("simulate", with("population", json!(0)), 400, "population"),
        ("simulate", with("population", json!(1.5)), 400, "population"),
        ("simulate", with("population", json!(1_000_001)), 400, "population"),
        ("simulate", with("keys", json!([])), 400, "keys"),
        ("simulate", with("keys", json!([1])), 400, "keys"),
        ("simulate", with("subjects", json!(["ann"])), 400, "subjects"),
        ("simulate", json!({"entry": entry(), "flag": "f/x", "population": 1, "every": "1s"}), 400, "every"),
        ("simulate", json!({"entry": entry(), "flag": "f/x", "population": 1, "every": "0s"}), 400, "every"),
        (
            "simulate",
            json!({"entry": entry(), "flag": "f/x", "population": 1, "from": "2040-01-02 00:00Z"}),
            400,
            "every",
        ),
        ("simulate", json!({"entry": still, "flag": "f/x", "population": 1, "every": "1d"}), 400, "from"),
        (
            "simulate",
            json!({"entry": entry(), "flag": "f/x", "population": 1_000_000, "every": "12h"}),
            400,
            "population",
        ),
        ("simulate", json!({"entry": {"stable": 1, "enabled": false}, "flag": "f/x", "population": 1}), 400, "flag"),
    ] {
        let problem = post(&server, &format!("/api/v1/{path}"), body.clone()).await.problem(status);
        assert_eq!(problem["field"].as_str().unwrap_or_default(), field, "{path} {body}: {problem}");
    }
    let refused =
        post(&server, "/api/v1/plan", json!({"document": "{\n \"f\": {\"x\": {\"new\": 1}}}"})).await.problem(422);
    assert_eq!(refused["diagnostics"][0]["line"], 2, "a line of the document: {refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_and_plans_have_limits() {
    let server = Server::start().await;
    // All but the document is as small as other bodies.
    let key = "k".repeat(tidegate_server::limits::BODY_BYTES_MAX);
    post(&server, "/api/v1/explain", json!({"entry": entry(), "flag": "f/x", "key": key})).await.problem(413);
    let flags: Value =
        (0..30_000).map(|number| (format!("x{number}"), entry())).collect::<serde_json::Map<_, _>>().into();
    let problem = post(&server, "/api/v1/plan", json!({"document": {"f": flags}})).await.problem(400);
    assert_eq!(problem["field"], "document", "{problem}");
    let plan = post(&server, "/api/v1/plan", json!({"document": {"f": flags}, "flag": "f/x29999"})).await.good();
    assert_eq!(plan["flags"][0]["flag"], "f/x29999");
}

/// Ten million evaluations of a rule take longer than a turn is waited for, and there are two turns.
#[tokio::test(flavor = "multi_thread")]
async fn work_ends_when_its_client_has_gone() {
    let mut options = Options::default();
    options.turn_timeout = Duration::from_secs(4);
    let server = Server::with(builder(), options).await;
    let pattern =
        json!([{"name": "r", "when": {"attribute": "$key", "matches": "(a|b|1){9}[0-9]+z$"}, "serve": "new"}]);
    let mut slow = entry();
    slow["rules"] = pattern;
    let body = json!({"entry": slow, "flag": "f/x", "population": 1_000_000, "every": "30h"}).to_string();
    let begun = Instant::now();
    for _ in 0..2 {
        let request = server.request("POST", "/api/v1/simulate").header("content-type", "application/json");
        let request = request.timeout(Duration::from_millis(500)).body(body.clone());
        assert!(request.send().await.unwrap_err().is_timeout(), "the work is done in {:?}", begun.elapsed());
    }
    let quick = json!({"entry": entry(), "flag": "f/x", "population": 10});
    let counts = post(&server, "/api/v1/simulate", quick).await.good();
    assert_eq!(counts["counts"][0]["population"], 10, "after {:?}", begun.elapsed());
}
