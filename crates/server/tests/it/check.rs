//! A document, or an entry, is checked and not stored.

use serde_json::json;

use crate::support::Server;

#[tokio::test(flavor = "multi_thread")]
async fn a_document_is_checked_as_the_command_line_does_it_and_not_stored() {
    let server = Server::start().await;
    let report =
        server.post("/api/v1/check", r#"{"f": {"x": {"stable": 1, "new": 2, "duration": "1d"}}}"#).await.good();
    assert_eq!((&report["source"], &report["errors"]), (&json!("request"), &json!(1)), "{report}");
    let first = &report["diagnostics"][0];
    assert_eq!((&first["severity"], &first["line"]), (&json!("error"), &json!(1)), "{report}");
    assert_eq!(first["path"].as_str().unwrap().split('.').next(), Some("f"), "{report}");
    let report = server.post("/api/v1/check", "{\"f\": {\"x\": {\"stable\": 1, /* why */ \"new\": 2,}}}").await.good();
    assert_eq!(report["errors"], 0, "{report}");
    assert!(report["notes"].as_u64().unwrap() > 0, "comments and trailing commas are noted: {report}");
    let report = server.post("/api/v1/check", "{").await.good();
    assert_eq!(report["errors"], 1, "{report}");
    server.get("/api/v1/flags/f/x").await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_is_checked_as_a_definition_is() {
    let server = Server::start().await;
    let check = async |body: &str| server.post("/api/v1/check?flag=f/x", body).await;
    let report = check(r#"{"stable": 1, "new": 2}"#).await.good();
    assert_eq!((&report["errors"], &report["diagnostics"]), (&json!(0), &json!([])), "{report}");
    let report = check("{\"stable\": 1,\n \"stabel\": 2, \"new\": 3, \"end_time\": \"never\"}").await.good();
    assert!(report["errors"].as_u64().unwrap() > 0, "{report}");
    assert_eq!(report["diagnostics"][0]["line"], 2, "lines of the entry, not of a document around it: {report}");
    assert_eq!(check("[1]").await.good()["errors"], 1);
    // What is wrong with a definition and not with a document has no diagnostic: it is the problem that a definition would have.
    check(r#"{"stable": 1, "lease": "1h"}"#).await.problem(422);
    check(r#"{"stable": 1}}, "g": {"y": {"stable": 1}"#).await.problem(422);
    server.post("/api/v1/check?flag=.", "{}").await.problem(400);
    server.get("/api/v1/flags/f/x").await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_too_large_is_refused() {
    let server = Server::start().await;
    let body = format!("{{}}{}", " ".repeat(tidegate::engine::limits::DOCUMENT_BYTES_MAX));
    server.post("/api/v1/check", &body).await.problem(413);
}
