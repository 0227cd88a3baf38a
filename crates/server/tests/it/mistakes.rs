//! Each kind of bad input: what it is answered with, and that it changes nothing.

use serde_json::Value;

use crate::support::{Reply, Server};

/// A request, and what its problem has to say.
struct Case {
    request: &'static str,
    body: &'static str,
    status: u16,
    field: &'static str,
    words: &'static str,
}

const fn case(
    request: &'static str,
    body: &'static str,
    status: u16,
    field: &'static str,
    words: &'static str,
) -> Case {
    Case { request, body, status, field, words }
}

const ACTIVATION: &str = "PUT /api/v1/flags/flags/x/activation";
const CHANGES: &str = "POST /api/v1/changes";
const ENTRY: &str = "PUT /api/v1/flags/flags/x";

const CASES: &[Case] = &[
    case(ACTIVATION, r#"{"percentage": 101}"#, 400, "percentage", "`101` is above 100"),
    case(ACTIVATION, r#"{"percentage": 100.0000001}"#, 400, "percentage", "more than six decimals"),
    case(ACTIVATION, r#"{"percentage": -0.1}"#, 400, "percentage", "below 0"),
    case(ACTIVATION, r#"{"percentage": 1e400}"#, 400, "percentage", "above 100"),
    case(ACTIVATION, r#"{"percentage": "20"}"#, 400, "percentage", "not a number"),
    case(ACTIVATION, r#"{"percentage": null}"#, 400, "percentage", "missing"),
    case(ACTIVATION, "{}", 400, "percentage", "missing"),
    case(ACTIVATION, r#"{"percentage": 1, "until": "2001-01-01T00:00:00Z"}"#, 400, "until", "is past"),
    case(ACTIVATION, r#"{"percentage": 1, "until": "tomorrow"}"#, 400, "until", "2026-12-01"),
    case(ACTIVATION, r#"{"percentage": 1, "until": 5}"#, 400, "until", "not a text"),
    case(ACTIVATION, r#"{"percentage": 1, "reason": ["a"]}"#, 400, "reason", "not a text"),
    case(
        ACTIVATION,
        r#"{"percentage": 1, "percent": 2}"#,
        400,
        "percent",
        "known here: `percentage`, `reason`, `until`",
    ),
    case(ACTIVATION, r#"{"percentage": 1, "percentage": 2}"#, 400, "percentage", "twice"),
    case(ACTIVATION, r#"{"percentage": 1"#, 400, "", "line 1 column 16"),
    case(ACTIVATION, r#"[{"percentage": 1}]"#, 400, "", "expected an object"),
    case(ACTIVATION, "", 400, "", "EOF"),
    case("PUT /api/v1/flags/flags/x/activation?ack=most", r#"{"percentage": 1}"#, 400, "ack", "`majority`"),
    case("PUT /api/v1/flags/flags/x/activation?timeout=2m", r#"{"percentage": 1}"#, 400, "timeout", "up to a minute"),
    case("PUT /api/v1/flags/flags/x/activation?timeout=5", r#"{"percentage": 1}"#, 400, "timeout", "500ms"),
    case("PUT /api/v1/flags/flags/x/activation?akc=all", r#"{"percentage": 1}"#, 400, "akc", "no parameter"),
    case("PUT /api/v1/flags/flags/x/activation?ack=all&ack=all", r#"{"percentage": 1}"#, 400, "ack", "twice"),
    case("PUT /api/v1/flags/flags/x/activation?ack=%ff", r#"{"percentage": 1}"#, 400, "query", "UTF-8"),
    case("PUT /api/v1/flags/flags/a%0Ab/activation", r#"{"percentage": 1}"#, 400, "flag", "control character"),
    case("PUT /api/v1/flags/flags/a%3Fb", r#"{"stable": 1}"#, 400, "flag", "`?` or `#`"),
    case("PUT /api/v1/flags/a%23b/x/activation?create=true", r#"{"percentage": 1}"#, 400, "flag", "without them"),
    case("PUT /api/v1/flags/%E2%80%AE/x/activation", r#"{"percentage": 1}"#, 400, "flag", "invisible"),
    case("PUT /api/v1/flags/%FF/x/activation", r#"{"percentage": 1}"#, 400, "flag", "UTF-8"),
    case(ENTRY, r#"{"new": 1}"#, 422, "", "1 error"),
    case(ENTRY, r#"{"stable": 1, "duration": "14 days", "end_pct": 101}"#, 422, "", "errors"),
    case(ENTRY, r#"{"stable": 1, "lease": "1h"}"#, 422, "lease", "leave it out"),
    case(ENTRY, r#"{"stable": 1}}, "y": {"z": {"stable": 1}"#, 422, "", "entry"),
    case(ENTRY, "{", 422, "", "error"),
    case("PUT /api/v1/flags/$tidegate/x", r#"{"stable": 1}"#, 422, "", ""),
    case("PUT /api/v1/flags/doc/x", r#"{"stable": 1}"#, 409, "", "is defined by the document"),
    case("DELETE /api/v1/flags/doc/x", "", 409, "", "is defined by the document"),
    case("DELETE /api/v1/flags/flags/unheard", "", 404, "", "no definition"),
    case(
        "DELETE /api/v1/flags/flags/unheard/activation",
        "",
        404,
        "",
        "send GET `/api/v1/flags` for the list of flags",
    ),
    case("GET /api/v1/flags/flags/unheard", "", 404, "", "there is no flag `flags/unheard`"),
    case("GET /api/v1/flags/flags/unheard/decision?key=k", "", 404, "", "there is no flag"),
    case("GET /api/v1/flags/doc/x/decision?at=noon", "", 400, "at", "2026-12-01"),
    case("GET /api/v1/flags/doc/x/decision?user=k", "", 400, "user", "known here: `key`, `attributes`, `at`"),
    case("GET /api/v1/flags/doc/x/history?limit=0", "", 400, "limit", "1 to 100"),
    case("GET /api/v1/flags/doc/x/history?limit=101", "", 400, "limit", "1 to 100"),
    case("GET /api/v1/flags/doc/x/history?before=04", "", 400, "before", "`next`"),
    case("GET /api/v1/flags?page=2", "", 400, "page", "leave it out"),
    case("GET /api/v1/watch?key=k", "", 400, "flag", "missing"),
    case("GET /api/v1/watch?flag=a%0Ab", "", 400, "flag", "control character"),
    case("GET /api/v1/flags/x", "", 404, "", "{section}/{flag}"),
    case("GET /api/v2/flags", "", 404, "", "no resource at"),
    case("GET /", "", 404, "", "no resource at"),
    case(CHANGES, "{}", 400, "changes", "missing"),
    case(CHANGES, r#"{"changes": {}}"#, 400, "changes", "not a list"),
    case(CHANGES, r#"{"changes": []}"#, 400, "changes", "1 to 1000"),
    case(CHANGES, r#"{"changes": [1]}"#, 400, "changes[0]", "expected an object"),
    case(CHANGES, r#"{"change": []}"#, 400, "change", "known here: `reason`, `changes`"),
    case(CHANGES, r#"{"changes": [{"operation": "clear"}]}"#, 400, "changes[0].flag", "missing"),
    case(CHANGES, r#"{"changes": [{"flag": "x"}]}"#, 400, "changes[0].operation", "`remove`"),
    case(CHANGES, r#"{"changes": [{"flag": "x", "operation": "kill"}]}"#, 400, "changes[0].operation", "is `kill`"),
    case(
        CHANGES,
        r#"{"changes": [{"flag": "a", "operation": "activate", "percentage": 1, "create": true},
            {"flag": "b", "operation": "activate", "percentage": 1, "create": true},
            {"flag": "c", "operation": "activate", "percentage": 101, "create": true}]}"#,
        400,
        "changes[2].percentage",
        "`101` is above 100",
    ),
    case(
        CHANGES,
        r#"{"changes": [{"flag": "a", "operation": "activate", "percentage": 1, "create": true},
            {"flag": "b", "operation": "clear", "percentage": 1}]}"#,
        400,
        "changes[1].percentage",
        "no effect on the operation",
    ),
    case(
        CHANGES,
        r#"{"changes": [{"flag": "a", "operation": "activate", "percentage": 1, "create": true},
            {"flag": "flags/a", "operation": "activate", "percentage": 2}]}"#,
        400,
        "changes[1].flag",
        "an earlier change",
    ),
    case(
        CHANGES,
        r#"{"changes": [{"flag": "a", "operation": "activate", "percentage": 1, "create": true},
            {"flag": "b", "operation": "activate", "percentage": 1}]}"#,
        404,
        "changes[1]",
        "to create a boolean flag",
    ),
    case(
        CHANGES,
        r#"{"changes": [{"flag": "a", "operation": "activate", "percentage": 1, "create": true},
            {"flag": "b", "operation": "define", "entry": {"new": 1}}]}"#,
        422,
        "changes[1].entry",
        "1 error",
    ),
    case(
        CHANGES,
        r#"{"changes": [{"flag": "a", "operation": "activate", "percentage": 1, "create": true},
            {"flag": "doc/x", "operation": "define", "entry": {"stable": 1}}]}"#,
        409,
        "changes[1]",
        "is defined by the document",
    ),
    case(
        CHANGES,
        r#"{"changes": [{"flag": "a", "operation": "activate", "percentage": 1, "create": true},
            {"flag": "doc/x", "operation": "activate", "percentage": 1, "if_match": "\"0\""}]}"#,
        412,
        "changes[1].if_match",
        "has changed",
    ),
    case(
        CHANGES,
        r#"{"changes": [{"flag": "doc/x", "operation": "activate", "percentage": 1, "create": 1}]}"#,
        400,
        "changes[0].create",
        "a JSON boolean",
    ),
    case("POST /api/v1/changes?wait=1", r#"{"changes": []}"#, 400, "wait", "known here"),
    case("POST /api/v1/cluster/forget", r#"{"node": "nobody"}"#, 404, "node", "is not a member"),
    case("POST /api/v1/cluster/forget", "{}", 400, "node", "missing"),
    case("POST /api/v1/cluster/forget", r#"{"node": "one"}"#, 409, "node", "send the request to another one"),
    case("POST /api/v1/cluster/repair-clock", r#"{"epoch": 1}"#, 400, "epoch", "known here: `reason`"),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_is_answered_with_field_and_remedy_and_changes_nothing() {
    let server = Server::with_document(r#"{"doc": {"x": {"stable": 1}}}"#).await;
    let cluster = || server.tide.cluster().unwrap();
    let state = || (cluster().status().unwrap().registers(), server.tide.snapshot().digest().to_string());
    let before = state();
    for case in CASES {
        let (method, path) = case.request.split_once(' ').unwrap();
        let mut request = server.request(method, path);
        if method == "PUT" || method == "POST" {
            request = request.header("content-type", "application/json").body(case.body);
        }
        let problem = Reply::from_request(request).await.problem(case.status);
        let name = format!("{} {}: {problem}", case.request, case.body);
        let field = problem["field"].as_str().unwrap_or_default();
        assert_eq!(field, case.field, "{name}");
        assert!(problem.to_string().replace("\\u", "").contains(case.words), "`{}`: {name}", case.words);
        assert_eq!(state(), before, "{name}");
    }
}

trait Registers {
    fn registers(&self) -> usize;
}

impl Registers for tidegate::ClusterStatus {
    fn registers(&self) -> usize {
        self.node.registers
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_diagnostics_of_a_definition_are_those_of_check() {
    let server = Server::start().await;
    let problem =
        server.put("/api/v1/flags/flags/x", "{\"stable\": 1,\n \"duration\": \"14 days\"}").await.problem(422);
    let found = &problem["diagnostics"].as_array().unwrap()[0];
    assert_eq!((&found["line"], &found["column"], &found["severity"]), (&2.into(), &14.into(), &"error".into()));
    for member in ["code", "path", "message", "help"] {
        assert!(!found[member].as_str().unwrap().is_empty(), "{found}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_types_other_origins_and_other_methods() {
    let server = Server::start().await;
    let put = |headers: &[(&str, &str)]| {
        let request =
            server.request("PUT", "/api/v1/flags/flags/x/activation?create=true").body(r#"{"percentage": 1}"#);
        Reply::from_request(headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
    };
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/json2"] {
        assert_eq!(put(&[("content-type", kind)]).await.problem(415)["field"], "content-type");
    }
    put(&[]).await.problem(415);
    let json = ("content-type", "application/json");
    put(&[json, ("origin", "https://elsewhere.example")]).await.problem(403);
    put(&[json, ("origin", "null")]).await.problem(403);
    for (name, value) in [("x-tidegate-actor", "a\tb"), ("if-match", "abc"), ("if-none-match", "\"a")] {
        assert_eq!(put(&[json, (name, value)]).await.problem(400)["field"], name);
    }
    let long = "r".repeat(1_025);
    assert_eq!(put(&[json, ("x-tidegate-actor", &long)]).await.problem(400)["field"], "x-tidegate-actor");
    let body = serde_json::json!({"percentage": 1, "reason": long}).to_string();
    let problem = server.put("/api/v1/flags/flags/x/activation", &body).await.problem(400);
    assert_eq!(problem["field"], "reason");
    assert_eq!(server.tide.cluster().unwrap().status().unwrap().node.registers, registers_at_rest().await);
    let own = format!("http://{}", server.address);
    put(&[json, ("origin", &own)]).await.good();
    let wrong = server.post("/api/v1/flags/flags/x/activation", "{}").await;
    wrong.problem(405);
    assert_eq!(wrong.header("allow"), "PUT,DELETE");
    let wrong = server.delete("/api/v1/flags").await;
    wrong.problem(405);
    assert_eq!(wrong.header("allow"), "GET,HEAD");
    let restore = server.post("/api/v1/restore", "{}").await;
    assert!(restore.problem(415)["help"].as_str().unwrap().contains("application/x-ndjson"));
}

/// How many registers a node has by itself.
async fn registers_at_rest() -> usize {
    Server::start().await.tide.cluster().unwrap().status().unwrap().node.registers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_refused_before_the_connection_closes() {
    let server = Server::start().await;
    for bytes in [1024 * 1024 + 1, 5 * 1024 * 1024] {
        let problem: Value = server.put("/api/v1/flags/flags/x", &" ".repeat(bytes)).await.problem(413);
        assert!(problem["detail"].as_str().unwrap().contains("1048576"), "{problem}");
    }
    let padding = " ".repeat(1024 * 1024 - 20);
    server.put("/api/v1/flags/flags/x", &format!("{{\"stable\": 1}}{padding}")).await.good();
}
