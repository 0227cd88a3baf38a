//! `If-Match` and `If-None-Match`: no update is lost on this node.

use std::sync::Arc;

use crate::support::{Reply, Server};

async fn define(server: &Server, header: (&str, &str), value: u32) -> Reply {
    let request = server.request("PUT", "/api/v1/flags/flags/x").header("content-type", "application/json");
    Reply::from_request(request.header(header.0, header.1).body(format!("{{\"stable\": {value}}}"))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edit_of_what_was_not_seen_is_refused() {
    let server = Server::start().await;
    define(&server, ("if-match", "*"), 1).await.problem(412);
    define(&server, ("if-none-match", "*"), 1).await.good();
    define(&server, ("if-none-match", "*"), 2).await.problem(412);
    let tag = server.get("/api/v1/flags/flags/x").await.header("etag").to_owned();
    define(&server, ("if-match", "\"0.0\""), 2).await.problem(412);
    define(&server, ("if-match", &format!("W/{tag}")), 2).await.problem(412);
    define(&server, ("if-match", &format!("\"other\", {tag}")), 2).await.good();
    define(&server, ("if-match", &tag), 3).await.problem(412);
    assert_eq!(server.tide.get("flags", "x", "k", 0), 2);
    let tag = server.get("/api/v1/flags/flags/x").await.header("etag").to_owned();
    let activate = |tag: String| {
        let request = server.request("PUT", "/api/v1/flags/flags/x/activation").header("if-match", tag);
        Reply::from_request(request.header("content-type", "application/json").body(r#"{"percentage": 1}"#))
    };
    activate(tag.clone()).await.good();
    activate(tag.clone()).await.problem(412);
    let delete =
        |path: &'static str, tag: &str| Reply::from_request(server.request("DELETE", path).header("if-match", tag));
    delete("/api/v1/flags/flags/x", &tag).await.problem(412);
    delete("/api/v1/flags/flags/x/activation", &tag).await.problem(412);
    let tag = server.get("/api/v1/flags/flags/x").await.header("etag").to_owned();
    delete("/api/v1/flags/flags/x", &tag).await.good();
    define(&server, ("if-none-match", "*"), 4).await.good();
}

/// Of many who have seen the same, one gets through.
#[tokio::test(flavor = "multi_thread")]
async fn a_race_has_one_winner() {
    let server = Arc::new(Server::start().await);
    define(&server, ("if-none-match", "*"), 0).await.good();
    for round in 0..5 {
        let tag = server.get("/api/v1/flags/flags/x").await.header("etag").to_owned();
        let tasks: Vec<_> = (1..=8_u32)
            .map(|number| {
                let (server, tag) = (Arc::clone(&server), tag.clone());
                tokio::spawn(async move { define(&server, ("if-match", &tag), round * 10 + number).await.status })
            })
            .collect();
        let mut statuses = Vec::new();
        for task in tasks {
            statuses.push(task.await.unwrap());
        }
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
    }
    let page = server.tide.cluster().unwrap().history("x", None, 100).unwrap();
    assert_eq!(page.changes.len(), 6, "each change is in the history once");
}

/// A list of tags may have empty elements, and an empty one has no tag that could be the right one.
#[tokio::test(flavor = "multi_thread")]
async fn empty_elements_of_a_list_of_tags_are_ignored() {
    let server = Server::start().await;
    server.put("/api/v1/flags/flags/x", r#"{"stable": 1}"#).await.good();
    let tag = server.get("/api/v1/flags/flags/x").await.header("etag").to_owned();
    let put = |name: &str, value: &str| {
        let request = server.request("PUT", "/api/v1/flags/flags/x").header("content-type", "application/json");
        Reply::from_request(request.header(name, value).body(r#"{"stable": 1}"#))
    };
    put("if-match", "").await.problem(412);
    put("if-match", ", ,").await.problem(412);
    put("if-match", &format!(", \"other\",, {tag},")).await.good();
    put("if-none-match", "").await.good();
    assert_eq!(put("if-match", ", other").await.problem(400)["field"], "if-match");
}
