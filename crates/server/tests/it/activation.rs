//! Activations over HTTP, and what a key has then.

use serde_json::json;
use tidegate_server::Options;

use crate::support::{Reply, Server, builder};

#[tokio::test(flavor = "multi_thread")]
async fn an_activation_is_set_shown_and_removed() {
    let server = Server::start().await;
    let body = r#"{"percentage": 12.5, "reason": "a look", "until": "2999-01-01T00:00:00Z"}"#;
    let request = server.request("PUT", "/api/v1/flags/flags/x/activation?ack=all&timeout=1s500ms&create=true");
    let request = request.header("content-type", "application/json; charset=utf-8").header("x-tidegate-actor", "dána");
    let receipt = Reply::from_request(request.body(body)).await.good();
    assert_eq!(
        (&receipt["flag"], &receipt["ack"], &receipt["reached"]),
        (&json!("flags/x"), &json!("all"), &json!(true))
    );
    assert_eq!((&receipt["durable_on"], &receipt["pending"]), (&json!(["one"]), &json!([])));
    let decision = server.get("/api/v1/flags/flags/x/decision?key=k").await.good();
    assert_eq!((&decision["rule"], &decision["share"]), (&json!("activation"), &json!(12.5)));
    let page = server.tide.cluster().unwrap().history("x", None, 10).unwrap();
    assert_eq!((page.changes[0].actor.as_str(), page.changes[0].reason.as_str()), ("dána", "a look"));
    assert_eq!((&receipt["effect"], &receipt["created"]), (&json!({"from": null, "to": 12.5}), &json!(true)));
    let receipt = server.delete("/api/v1/flags/flags/x/activation?reason=it%27s+over").await.good();
    assert_eq!((&receipt["reached"], &receipt["effect"]), (&json!(true), &json!({"from": 12.5, "to": null})));
    assert_eq!(server.tide.cluster().unwrap().history("x", None, 1).unwrap().changes[0].reason, "it's over");
    let problem = server.get("/api/v1/flags/flags/x/decision?key=k").await.problem(404);
    assert_eq!(problem["detail"], "there is no flag `flags/x`");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_an_unknown_flag_is_refused() {
    let text = r#"{"features": {"new_login": {"stable": false, "new": true}}}"#;
    let server = Server::with(builder().text(text), Options::default()).await;
    let typo = "/api/v1/flags/features/new_logn/activation";
    let problem = server.put(typo, r#"{"percentage": 0}"#).await.problem(404);
    assert_eq!(problem["type"], "urn:tidegate:problem:unknown-flag");
    assert_eq!(problem["meant"], "features/new_login");
    assert!(problem["detail"].as_str().unwrap().contains("did you mean `features/new_login`?"), "{problem}");
    assert!(problem["help"].as_str().unwrap().contains("`create=true`"), "{problem}");
    let shown = server.get("/api/v1/flags/features/new_logn").await.problem(404);
    assert_eq!(shown["meant"], "features/new_login");
    server.get("/api/v1/flags/features/new_logn/decision").await.problem(404);
    for query in ["create=true&elsewhere=true", "create=yes", "elsewhere=1"] {
        server.put(&format!("{typo}?{query}"), r#"{"percentage": 0}"#).await.problem(400);
    }
    let elsewhere = server.put(&format!("{typo}?elsewhere=true"), r#"{"percentage": 100}"#).await.good();
    assert_eq!((&elsewhere["created"], &elsewhere["effect"]["to"]), (&json!(false), &json!(null)));
    let decision = server.get("/api/v1/flags/features/new_logn/decision?key=k").await;
    assert!(!decision.text().contains("true"), "it guesses no boolean: {}", decision.text());
    let real = server.put("/api/v1/flags/features/new_login/activation", r#"{"percentage": 40}"#).await.good();
    assert_eq!(real["effect"], json!({"from": 0, "to": 40}));
}

#[tokio::test(flavor = "multi_thread")]
async fn clearing_nothing_is_said() {
    let server = Server::with(builder().text(r#"{"f": {"x": {"stable": 1}}}"#), Options::default()).await;
    let problem = server.delete("/api/v1/flags/f/x/activation").await.problem(404);
    assert_eq!(problem["type"], "urn:tidegate:problem:no-activation");
    let problem = server.delete("/api/v1/flags/f/y/activation").await.problem(404);
    assert_eq!(problem["type"], "urn:tidegate:problem:unknown-flag");
    assert_eq!(server.get("/api/v1/cluster").await.good()["node"]["tombstones"], 0);
}
