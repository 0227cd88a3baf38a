//! The cluster, backups, and whether the server is well.

use std::time::{Duration, Instant};

use serde_json::json;
use tidegate::{Fetched, Live, Tidegate};
use tidegate_server::Options;

use crate::support::{Reply, Server, builder};

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_as_this_node_sees_it() {
    let server = Server::start().await;
    let state = server.get("/api/v1/cluster").await.good();
    let node = &state["node"];
    assert_eq!((&node["name"], &node["cluster"], &node["epoch"]), (&json!("one"), &json!("tidegate"), &json!(0)));
    assert_eq!(state["members"][0]["id"], node["id"]);
    assert_eq!(
        (&state["peers"], &state["quarantined"], &state["writes_refused"]),
        (&json!([]), &json!([]), &json!(null))
    );
    let receipt = server.post("/api/v1/cluster/repair-clock", r#"{"reason": "ntp"}"#).await.good();
    assert_eq!(receipt["stamp"].as_str().unwrap().len(), 36);
    assert_eq!((&receipt["ack"], &receipt["reached"]), (&json!("majority"), &json!(true)));
    assert_eq!(server.get("/api/v1/cluster").await.good()["node"]["epoch"], 1);
}

/// The node was told of another one and does not reach it.
#[tokio::test(flavor = "multi_thread")]
async fn a_repair_that_no_majority_has_acknowledged_is_answered_with_202() {
    let folder = tempfile::tempdir().unwrap();
    let live = Live::at(folder.path()).name("one").listen("127.0.0.1:0".parse().unwrap()).peer("127.0.0.1:1");
    let builder = Tidegate::builder().without_locks().without_cache().live(live);
    let server = Server::with(builder, Options::default()).await;
    let began = Instant::now();
    let reply = loop {
        let reply = server.post("/api/v1/cluster/repair-clock", r#"{"reason": "ntp"}"#).await;
        // In the first two seconds a node asks the others which stamps it has used.
        if reply.status != 503 {
            break reply;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{}", reply.text());
    };
    let receipt = reply.json();
    assert_eq!(
        (reply.status, &receipt["ack"], &receipt["reached"]),
        (202, &json!("majority"), &json!(false)),
        "{receipt}"
    );
    assert_eq!(
        (&receipt["durable_on"], &receipt["pending"], &receipt["outranked"]),
        (&json!(["one"]), &json!([]), &json!([]))
    );
    assert_eq!(receipt["unreached"][0]["address"], "127.0.0.1:1", "{receipt}");
    assert_eq!(receipt["stamp"].as_str().unwrap().len(), 36);
    assert_eq!(server.get("/api/v1/cluster").await.good()["node"]["epoch"], 1, "it stands all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_comes_back_with_who_and_why() {
    let (one, other) = (Server::start().await, Server::start().await);
    one.put("/api/v1/flags/flags/a/activation?create=true", r#"{"percentage": 10}"#).await.good();
    one.put("/api/v1/flags/flags/b", r#"{"stable": 1}"#).await.good();
    let backup = one.get("/api/v1/backup").await;
    assert_eq!((backup.status, backup.header("content-type")), (200, "application/x-ndjson"));
    let restore = |server: &Server, query: &str, body: Vec<u8>| {
        let request = server.request("POST", &format!("/api/v1/restore{query}"));
        Reply::from_request(
            request.header("content-type", "application/x-ndjson").header("x-tidegate-actor", "dana").body(body),
        )
    };
    let restored = restore(&other, "?reason=monday", backup.body.clone()).await.good();
    assert_eq!((&restored["registers"], &restored["restored"]), (&json!(2), &json!(2)));
    let change = &other.get("/api/v1/flags/flags/a/history").await.good()["changes"][0];
    assert_eq!((&change["actor"], &change["reason"]), (&json!("dana"), &json!("monday")));
    one.put("/api/v1/flags/flags/a/activation?create=true", r#"{"percentage": 20}"#).await.good();
    assert_eq!(restore(&one, "", backup.body.clone()).await.good()["restored"], 0);
    assert_eq!(restore(&one, "?overwrite=true", backup.body.clone()).await.good()["restored"], 1);
    let mut broken = backup.body;
    broken.truncate(broken.len() - 5);
    restore(&one, "?overwrite=true", broken).await.problem(400);
    assert_eq!(restore(&one, "?overwrite=yes", Vec::new()).await.problem(400)["field"], "overwrite");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_ready_once_it_has_a_document() {
    let server = Server::start().await;
    assert_eq!(server.get("/healthz").await.good()["status"], "alive");
    assert_eq!(server.get("/readyz").await.good()["status"], "ready", "live changes alone are enough");
    assert_eq!(server.get("/readyz").await.good()["synced"], true, "no other node is to be expected");
    assert_eq!(server.get("/readyz/changes").await.good(), json!({"status": "ready", "synced": true}));
    let status = server.get("/api/v1/status").await.good();
    assert_eq!((&status["ready"], &status["status"]["health"]), (&json!(true), &json!("no_source")));
    let away = builder().callback(|_| Err::<Fetched, _>("away".into()));
    let server = Server::with(away, Options::default()).await;
    assert_eq!(server.get("/healthz").await.good()["status"], "alive");
    let reply = server.get("/readyz").await;
    assert!(reply.problem(503)["detail"].as_str().unwrap().contains("away"), "{}", reply.text());
    assert_eq!(reply.header("retry-after"), "1");
    let status = server.get("/api/v1/status").await.good();
    assert_eq!((&status["ready"], &status["status"]["served_from"]), (&json!(false), &json!("no_document")));
    server.get("/api/v1/status?x=1").await.problem(400);
    let refused = Tidegate::builder()
        .without_locks()
        .without_cache()
        .callback(|_| Ok(Fetched::Changed { body: b"{".to_vec(), tag: None }));
    let server = Server::with(refused, Options::default()).await;
    server.get("/readyz").await.problem(503);
    assert_eq!(server.get("/readyz/changes").await.problem(501)["type"], "urn:tidegate:problem:not-live");
}
