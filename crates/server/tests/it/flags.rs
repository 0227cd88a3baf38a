//! Flags as they are shown, defined and remembered.

use serde_json::json;
use tidegate::{Clock, Micros, Tidegate};
use tidegate_server::Options;

use crate::support::{Reply, Server, builder};

#[tokio::test(flavor = "multi_thread")]
async fn where_a_flag_comes_from() {
    let document = r#"{"a/b": {"x y": {"stable": 1.50, "new": [2], "start_time": "2000-01-01 00:00Z", "end_time": "2998-01-01 00:00Z"}}}"#;
    let server = Server::with_document(document).await;
    let path = "/api/v1/flags/a%2Fb/x%20y";
    let reply = server.get(path).await;
    let text = reply.text().to_owned();
    assert!(text.contains(r#""stable":1.50,"new":[2]"#), "values as they are written: {text}");
    let flag = reply.good();
    assert_eq!((&flag["flag"], &flag["definition"]), (&json!("a%2Fb/x y"), &json!(null)));
    assert!(flag["source"].as_str().unwrap().starts_with("document "), "{flag}");
    assert_eq!((&flag["next_change"]["what"], &flag["next_change"]["share"]), (&json!("ends"), &json!(100)));
    assert_eq!(reply.header("etag"), format!("{:?}", flag["digest"].as_str().unwrap()));
    server.put(&format!("{path}/activation"), r#"{"percentage": 0.000001, "reason": "r"}"#).await.good();
    let again = server.get(path).await;
    assert!(again.text().contains(r#""percentage":0.000001"#), "{}", again.text());
    assert_ne!(again.header("etag"), reply.header("etag"));
    assert_eq!((&again.json()["share"], &again.json()["activation"]["reason"]), (&json!(0.000_001), &json!("r")));
    assert_eq!(again.json()["activation"]["node"], "one");
    server.put("/api/v1/flags/flags/live/activation?create=true", r#"{"percentage": 20}"#).await.good();
    server.put("/api/v1/flags/api/def", r#"{"stable": "s"}"#).await.good();
    server.put("/api/v1/flags/gone/x", r#"{"stable": "s"}"#).await.good();
    server.delete("/api/v1/flags/gone/x").await.good();
    let list = server.get("/api/v1/flags").await.good();
    let seen = list["flags"].as_array().unwrap().iter().map(|flag| {
        let source = flag["source"].as_str().unwrap().split(' ').next().unwrap();
        (flag["flag"].as_str().unwrap(), source, flag["stable"].clone(), flag["new"].clone(), flag["share"].clone())
    });
    let expected = [
        ("a%2Fb/x y", "document", json!(1.5), json!([2]), json!(0.000_001)),
        ("api/def", "api", json!("s"), json!(null), json!(0)),
        ("flags/live", "activation", json!(false), json!(true), json!(20)),
    ];
    assert_eq!(seen.collect::<Vec<_>>(), expected);
    assert_eq!(list["flags"][1]["definition"], json!({"stable": "s"}));
    server.get("/api/v1/flags/gone/x").await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_activation_is_not_shown_and_its_end_is_the_next_change() {
    let clock = Clock::manual(Micros::new(1_700_000_000_000_000));
    let server = Server::with(builder().clock(clock.clone()), Options::default()).await;
    let until = "2023-11-14T22:13:21.000000Z";
    server.put("/api/v1/flags/flags/x", r#"{"stable": 1, "new": 2}"#).await.good();
    let body = json!({"percentage": 100, "until": until}).to_string();
    server.put("/api/v1/flags/flags/x/activation", &body).await.good();
    let flag = server.get("/api/v1/flags/flags/x").await.good();
    assert_eq!(flag["next_change"], json!({"at": until, "what": "expires", "share": 0}));
    assert_eq!(flag["activation"]["until"], until);
    clock.advance(std::time::Duration::from_secs(1));
    let flag = server.get("/api/v1/flags/flags/x").await.good();
    assert_eq!((&flag["activation"], &flag["next_change"], &flag["share"]), (&json!(null), &json!(null), &json!(0)));
}

#[tokio::test(flavor = "multi_thread")]
async fn history_has_pages() {
    let server = Server::start().await;
    for percentage in 1..=5 {
        let body = format!("{{\"percentage\": {percentage}}}");
        server.put("/api/v1/flags/flags/x/activation?create=true", &body).await.good();
    }
    let request =
        server.request("DELETE", "/api/v1/flags/flags/x/activation?reason=over").header("x-tidegate-actor", "lee");
    Reply::from_request(request).await.good();
    let first = server.get("/api/v1/flags/flags/x/history?limit=2").await.good();
    assert_eq!(first["changes"].as_array().unwrap().len(), 2);
    let cleared = &first["changes"][0];
    assert_eq!(
        (&cleared["value"], &cleared["actor"], &cleared["reason"]),
        (&json!(null), &json!("lee"), &json!("over"))
    );
    assert_eq!((&cleared["kind"], &cleared["node"]), (&json!("activation"), &json!("one")));
    assert_eq!(cleared["replaced"], first["changes"][1]["stamp"]);
    assert_eq!(first["changes"][1]["value"], json!({"percentage": 5, "until": null, "defined": false}));
    let path = format!("/api/v1/flags/flags/x/history?before={}", first["next"].as_str().unwrap());
    let rest = server.get(&path).await.good();
    assert_eq!((rest["changes"].as_array().unwrap().len(), &rest["next"]), (4, &json!(null)));
    assert_eq!(server.get("/api/v1/flags/flags/never/history").await.good()["changes"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_at_any_instant() {
    let document = r#"{"f": {"x": {"stable": 1, "new": 2, "start_time": "2001-01-01 00:00Z", "duration": "1d"}}}"#;
    let server = Server::with_document(document).await;
    let at = |at: &str| format!("/api/v1/flags/f/x/decision?key=k%2B1&at={at}");
    let before = server.get(&at("2000-01-01T00:00:00Z")).await.good();
    let after = server.get(&at("2001-01-02T00:00:00%2B00:00")).await.good();
    assert_eq!((&before["value"], &after["value"]), (&json!(1), &json!(2)));
    let expected = server.tide.explain("f", "x", "k+1");
    assert_eq!(
        server.get("/api/v1/flags/f/x/decision?key=k%2B1").await.good(),
        serde_json::to_value(expected).unwrap()
    );
    let missing = server.get("/api/v1/flags/f/x/decision?at=2001-01-01T12:00:00Z").await.good();
    assert_eq!(missing["error_code"], "TARGETING_KEY_MISSING");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_reads_the_attributes_of_the_caller() {
    let rules = r#"[{"name": "grown", "when": {"attribute": "age", "gte": 18}, "serve": "new"}]"#;
    let document = format!(r#"{{"f": {{"x": {{"stable": 1, "new": 2, "rules": {rules}}}}}}}"#);
    let server = Server::with_document(&document).await;
    let decision = async |query: &str| server.get(&format!("/api/v1/flags/f/x/decision?{query}")).await;
    let grown = decision("key=k&attributes=%7B%22age%22%3A18%7D").await.good();
    assert_eq!((&grown["value"], &grown["reason"]), (&json!(2), &json!("TARGETING_MATCH")), "{grown}");
    assert_eq!(grown["targeting"]["name"], "grown", "{grown}");
    for query in ["key=k", "key=k&attributes=%7B%22age%22%3A17%7D", "key=k&attributes=%7B%22age%22%3A%22old%22%7D"] {
        assert_eq!(decision(query).await.good()["value"], 1, "{query}");
    }
    assert_eq!(decision("key=k&attributes=%5B%5D").await.problem(400)["field"], "attributes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_of_documents_alone() {
    let builder = Tidegate::builder().without_locks().text(r#"{"f": {"x": {"stable": 1}}}"#);
    let server = Server::with(builder, Options::default()).await;
    assert_eq!(server.get("/api/v1/flags").await.good()["flags"][0]["stable"], 1);
    assert_eq!(server.get("/api/v1/flags/f/x").await.good()["stable"], 1);
    server.put("/api/v1/flags/f/x/activation", r#"{"percentage": 1}"#).await.problem(501);
    server.get("/api/v1/cluster").await.problem(501);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tag_of_the_list_changes_with_every_change() {
    let server = Server::with(builder().text(r#"{"f": {"x": {"stable": 1, "new": 2}}}"#), Options::default()).await;
    let mut tags = vec![server.get("/api/v1/flags").await.header("etag").to_owned()];
    let changes = [
        ("PUT", "/api/v1/flags/f/x/activation", r#"{"percentage": 20}"#),
        ("PUT", "/api/v1/flags/f/x/activation", r#"{"percentage": 30}"#),
        ("DELETE", "/api/v1/flags/f/x/activation", ""),
        ("PUT", "/api/v1/flags/f/y", r#"{"stable": 3}"#),
        ("DELETE", "/api/v1/flags/f/y", ""),
    ];
    for (method, path, body) in changes {
        let reply = if method == "PUT" { server.put(path, body).await } else { server.delete(path).await };
        reply.good();
        let list = server.get("/api/v1/flags").await;
        let tag = list.header("etag").to_owned();
        assert_eq!(tag, format!("{:?}", list.json()["digest"].as_str().unwrap()));
        assert!(!tags.contains(&tag), "{method} {path}: {tags:?}");
        tags.push(tag);
    }
    assert_eq!(server.get("/api/v1/flags").await.header("etag"), tags.last().unwrap(), "and with nothing else");
}
