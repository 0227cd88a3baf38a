//! The dial over HTTP, and what a key has then.

use serde_json::json;

use crate::support::{Reply, Server};

#[tokio::test(flavor = "multi_thread")]
async fn a_dial_is_set_and_seen_and_taken_away() {
    let server = Server::start().await;
    let body = r#"{"percentage": 12.5, "reason": "a look", "until": "2999-01-01T00:00:00Z"}"#;
    let request = server.request("PUT", "/api/v1/flags/flags/x/activation?ack=all&timeout=1s500ms");
    let request = request.header("content-type", "application/json; charset=utf-8").header("x-tidegate-actor", "dána");
    let receipt = Reply::of(request.body(body)).await.good();
    assert_eq!(
        (&receipt["flag"], &receipt["ack"], &receipt["reached"]),
        (&json!("flags/x"), &json!("all"), &json!(true))
    );
    assert_eq!((&receipt["durable_on"], &receipt["pending"]), (&json!(["one"]), &json!([])));
    let decision = server.get("/api/v1/flags/flags/x/decision?key=k").await.good();
    assert_eq!((&decision["rule"], &decision["share"]), (&json!("activation"), &json!(12.5)));
    let page = server.tide.cluster().unwrap().history("x", None, 10).unwrap();
    assert_eq!((page.changes[0].actor.as_str(), page.changes[0].reason.as_str()), ("dána", "a look"));
    let receipt = server.delete("/api/v1/flags/flags/x/activation?reason=it%27s+over").await.good();
    assert_eq!(receipt["reached"], true);
    assert_eq!(server.tide.cluster().unwrap().history("x", None, 1).unwrap().changes[0].reason, "it's over");
    let problem = server.get("/api/v1/flags/flags/x/decision?key=k").await.problem(404);
    assert_eq!(problem["detail"], "there is no flag `flags/x`");
}
