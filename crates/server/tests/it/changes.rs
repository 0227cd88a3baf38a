//! Several changes that are made as one request.

use serde_json::{Value, json};

use crate::support::{Reply, Server};

const DOCUMENT: &str = r#"{"shop": {"checkout": {"stable": "old", "new": "new"}}}"#;

async fn send(server: &Server, path: &str, changes: Value) -> Reply {
    let request = server.request("POST", path).header("content-type", "application/json");
    let request = request.header("x-tidegate-actor", "dana");
    Reply::from_request(request.body(json!({"reason": "release 7", "changes": changes}).to_string())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn all_are_made_and_answered_by_one_receipt() {
    let server = Server::with_document(DOCUMENT).await;
    let changes = json!([
        {"flag": "shop/theme", "operation": "define", "entry": {"stable": "plain", "new": "festive"}},
        {"flag": "shop/theme", "operation": "activate", "percentage": 12.5},
        {"flag": "shop/checkout", "operation": "activate", "percentage": 100, "reason": "sale"},
        {"flag": "banner", "operation": "activate", "percentage": 100, "create": true},
    ]);
    let receipt = send(&server, "/api/v1/changes?ack=local&timeout=5s", changes).await.good();
    assert_eq!((&receipt["reached"], &receipt["ack"]), (&true.into(), &"local".into()), "{receipt}");
    let made = receipt["changes"].as_array().unwrap();
    let shown: Vec<String> = made
        .iter()
        .map(|made| format!("{} {} {} {}", made["flag"], made["kind"], made["effect"], made["created"]))
        .collect();
    let expected = [
        r#""shop/theme" "definition" {"from":null,"to":12.5} false"#,
        r#""shop/theme" "activation" {"from":null,"to":12.5} false"#,
        r#""shop/checkout" "activation" {"from":0,"to":100} false"#,
        r#""flags/banner" "activation" {"from":null,"to":100} true"#,
    ];
    assert_eq!(shown, expected);
    // Each change is in the history, by the one who made it.
    let history = server.get("/api/v1/history").await.good();
    let told: Vec<(&str, &str, &str)> = history["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| ["flag", "actor", "reason"].map(|name| entry[name].as_str().unwrap()).into())
        .collect();
    let by = |flag, reason| (flag, "dana", reason);
    let expected = [
        by("flags/banner", "release 7"),
        by("shop/checkout", "sale"),
        by("shop/theme", "release 7"),
        by("shop/theme", "release 7"),
    ];
    assert_eq!(told, expected);
    assert!(server.tide.is_active("banner") && server.tide.get("shop", "checkout", "k", String::new()) == "new");
    let changes = json!([
        {"flag": "shop/theme", "operation": "remove"},
        {"flag": "shop/theme", "operation": "clear"},
        {"flag": "banner", "operation": "clear"},
    ]);
    send(&server, "/api/v1/changes", changes).await.good();
    server.get("/api/v1/flags/shop/theme").await.problem(404);
    assert!(!server.tide.is_active("banner"));
}

#[tokio::test(flavor = "multi_thread")]
async fn preconditions_are_those_before_the_request() {
    let server = Server::with_document(DOCUMENT).await;
    let tag = server.get("/api/v1/flags/shop/checkout").await.header("etag").to_owned();
    let changes = |tag: &str| {
        json!([
            {"flag": "shop/new", "operation": "define", "entry": {"stable": 1}, "if_none_match": "*"},
            {"flag": "shop/checkout", "operation": "activate", "percentage": 5, "if_match": tag},
        ])
    };
    send(&server, "/api/v1/changes", changes(&tag)).await.good();
    let problem = send(&server, "/api/v1/changes", changes(&tag)).await.problem(412);
    assert_eq!(problem["field"], "changes[0].if_none_match");
    server.delete("/api/v1/flags/shop/new").await.good();
    let problem = send(&server, "/api/v1/changes", changes(&tag)).await.problem(412);
    assert_eq!(problem["field"], "changes[1].if_match");
    server.get("/api/v1/flags/shop/new").await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_changes_are_one_request_and_more_are_refused() {
    let server = Server::start().await;
    let changes = |count: usize| -> Value {
        let change =
            |number| json!({"flag": format!("f/x{number}"), "operation": "activate", "percentage": 1, "create": true});
        (0..count).map(change).collect()
    };
    let problem = send(&server, "/api/v1/changes", changes(1_001)).await.problem(400);
    assert_eq!(problem["field"], "changes");
    let receipt = send(&server, "/api/v1/changes?timeout=20s", changes(1_000)).await.good();
    assert_eq!((receipt["changes"].as_array().unwrap().len(), &receipt["reached"]), (1_000, &true.into()));
    // What they write is too much for one message to other nodes.
    let large = "x".repeat(60_000);
    let define = |number| json!({"flag": format!("g/x{number}"), "operation": "define", "entry": {"stable": large}});
    let problem = send(&server, "/api/v1/changes", (0..8).map(define).collect()).await.problem(413);
    assert_eq!(problem["field"], "changes");
    assert!(server.get("/api/v1/flags/g/x0").await.problem(404)["detail"].as_str().unwrap().contains("no flag"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_another_origin_changes_nothing() {
    let server = Server::start().await;
    let body = json!({"changes": [{"flag": "x", "operation": "activate", "percentage": 1, "create": true}]});
    let request = server.request("POST", "/api/v1/changes").header("content-type", "application/json");
    let foreign = request.header("origin", "https://elsewhere.example").body(body.to_string());
    Reply::from_request(foreign).await.problem(403);
    server.get("/api/v1/flags/flags/x").await.problem(404);
}
