//! OFREP as its clients ask: single and bulk evaluation, failures, names, tags.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::{Clock, Micros};
use tidegate_server::{Options, limits};

use crate::connections::answer;
use crate::support::{Reply, Server, builder};
use crate::watch::Stream;

const FLAGS: &str = "/ofrep/v1/evaluate/flags";

const DOCUMENT: &str = r#"{
    "flags": {
        "dark": {"stable": false, "new": true, "early_adopters": ["ann"], "metadata": {"team": "web", "risk": 2}},
        "title": {"stable": "Shop"},
        "factor": {"stable": 3, "new": 3.5},
        "count": {"stable": 3},
        "layout": {"stable": {"columns": [1, 2]}},
        "off": {"stable": true, "enabled": false},
        "list": {"stable": [1, 2]},
        "nothing": {"stable": null},
        "half": {"stable": 1, "new": 2, "start_time": "2023-11-14 00:00Z", "duration": "2d", "salt": "h"}
    },
    "team": {"checkout": {"stable": "old"}, "a/b": {"stable": 7}}
}"#;

/// The middle of the ramp of `half`.
const NOW: i64 = 1_700_006_400_000_000;

async fn server() -> (Server, Clock) {
    let clock = Clock::manual(Micros::new(NOW));
    (Server::with(builder().text(DOCUMENT).clock(clock.clone()), Options::default()).await, clock)
}

fn context(key: &str) -> String {
    json!({"context": {"targetingKey": key, "plan": "premium"}}).to_string()
}

async fn single(server: &Server, flag: &str, body: &str) -> Reply {
    server.post(&format!("{FLAGS}/{flag}"), body).await
}

/// The JSON of a failure with this status and code, which is whole.
fn failure(reply: &Reply, status: u16, code: &str) -> Value {
    assert_eq!((reply.status, reply.header("content-type")), (status, "application/json"), "{}", reply.text());
    let failure = reply.json();
    assert_eq!(failure["errorCode"], code, "{failure}");
    assert!(!failure["errorDetails"].as_str().unwrap().is_empty(), "{failure}");
    failure
}

fn item<'v>(bulk: &'v Value, key: &str) -> &'v Value {
    bulk["flags"].as_array().unwrap().iter().find(|item| item["key"] == key).unwrap_or(&Value::Null)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_evaluation_says_value_variant_reason_and_metadata() {
    let (server, _) = server().await;
    let dark = single(&server, "dark", &context("ann")).await.good();
    let expected = json!({
        "key": "dark", "value": true, "reason": "TARGETING_MATCH", "variant": "new", "metadata": {"team": "web", "risk": 2},
    });
    assert_eq!(dark, expected);
    for (flag, value) in [("title", json!("Shop")), ("count", json!(3)), ("layout", json!({"columns": [1, 2]}))] {
        let answer = single(&server, flag, &context("bob")).await.good();
        assert_eq!(answer, json!({"key": flag, "value": value, "reason": "STATIC", "variant": "stable"}));
    }
    let half = single(&server, "half", &context("bob")).await.good();
    assert_eq!((&half["reason"], half["value"].is_u64()), (&json!("SPLIT"), true), "{half}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_read_the_attributes_of_the_context() {
    let rules = r#"[{"name": "r", "when": {"attribute": "user.plan", "is": "premium"}, "serve": "new"}]"#;
    let document = format!(r#"{{"flags": {{"x": {{"stable": 1, "new": 2, "rules": {rules}}}}}}}"#);
    let server = Server::with_document(&document).await;
    let context = |plan: &str| json!({"context": {"targetingKey": "ann", "user": {"plan": plan}}}).to_string();
    let premium = single(&server, "x", &context("premium")).await.good();
    let expected = json!({"key": "x", "value": 2, "reason": "TARGETING_MATCH", "variant": "new"});
    assert_eq!(premium, expected);
    assert_eq!(single(&server, "x", &context("free")).await.good()["value"], 1);
    let bulk = async |plan: &str, tag: &str| {
        let request = server.request("POST", FLAGS).header("content-type", "application/json");
        Reply::from_request(request.header("if-none-match", tag).body(context(plan))).await
    };
    let answer = bulk("premium", "\"other\"").await;
    let tag = answer.header("etag").to_owned();
    assert_eq!(item(&answer.good(), "x")["value"], 2);
    assert_eq!(bulk("premium", &tag).await.status, 304);
    assert_eq!(item(&bulk("free", &tag).await.good(), "x")["value"], 1, "the tag is that of another context");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_variant_has_its_name_and_its_value() {
    let document = r##"{"flags": {
        "button": {"variants": {"red": "#f00", "light \"blue\"": {"hex": "#00f"}, "count": 3, "factor": 3.5}, "stable": "red",
                   "rules": [{"name": "a", "when": {"attribute": "plan", "is": "premium"}, "serve": "light \"blue\""},
                             {"name": "b", "when": {"attribute": "$key", "is": "cat"}, "serve": {"split": {"count": 1, "factor": 0}}}]},
        "split": {"variants": {"red": 1, "blue": 2}, "stable": {"split": {"red": 50, "blue": 50}}},
        "all": {"stable": 1, "new": 2, "rules": [{"name": "a", "when": {"flag": "button", "is": "red"}, "serve": "new"}]}
    }}"##;
    let server = Server::with(builder().text(document), Options::default()).await;
    let blue = single(&server, "button", &context("ann")).await.json();
    assert_eq!((&blue["variant"], &blue["value"]), (&json!("light \"blue\""), &json!({"hex": "#00f"})));
    assert_eq!(blue["reason"], "TARGETING_MATCH");
    let bob = json!({"context": {"targetingKey": "bob"}}).to_string();
    let red = single(&server, "button", &bob).await.json();
    assert_eq!((&red["variant"], &red["value"]), (&json!("red"), &json!("#f00")));
    // One of the variants is a float, so every number of the flag is one.
    let cat = server.post(&format!("{FLAGS}/button"), &json!({"context": {"targetingKey": "cat"}}).to_string()).await;
    assert!(cat.text().contains(r#""value":3.0,"reason":"TARGETING_MATCH","variant":"count""#), "{}", cat.text());
    let split = single(&server, "split", &bob).await.json();
    assert!(matches!(split["variant"].as_str(), Some("red" | "blue")) && split["reason"] == "SPLIT", "{split}");
    failure(&single(&server, "split", "{}").await, 400, "TARGETING_KEY_MISSING");
    let bulk = server.post(FLAGS, &bob).await.json();
    assert_eq!(item(&bulk, "button")["variant"], "red");
    assert_eq!(item(&bulk, "all")["variant"], "new");

    let decision = server.get("/api/v1/flags/flags/split/decision?key=bob").await.json();
    assert_eq!((&decision["variant"], &decision["side"]), (&split["variant"], &json!("stable")), "{decision}");
    assert_eq!(decision["split"], json!({"blue": 50, "red": 50}));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_type_of_a_number_is_that_of_its_flag() {
    let (server, _) = server().await;
    let factor = single(&server, "factor", &context("bob")).await;
    assert!(factor.text().contains(r#""value":3.0,"#), "{}", factor.text());
    assert!(single(&server, "count", "").await.text().contains(r#""value":3,"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_flag_leaves_the_value_to_the_client() {
    let (server, _) = server().await;
    let off = single(&server, "off", &context("bob")).await.good();
    assert_eq!(off, json!({"key": "off", "reason": "DISABLED", "variant": "code_default"}));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_only_flags_that_need_one_fail() {
    let (server, _) = server().await;
    for body in ["", "{}", r#"{"context": {}}"#, r#"{"context": {"targetingKey": ""}}"#] {
        assert_eq!(single(&server, "title", body).await.good()["value"], "Shop", "{body}");
        for flag in ["dark", "half"] {
            let missing = failure(&single(&server, flag, body).await, 400, "TARGETING_KEY_MISSING");
            assert_eq!(missing["key"], flag);
        }
        let bulk = server.post(FLAGS, body).await.good();
        assert_eq!(item(&bulk, "title")["value"], "Shop");
        assert_eq!(item(&bulk, "half")["errorCode"], "TARGETING_KEY_MISSING");
    }
    // Some clients send no body at all, and no type of one.
    let reply = Reply::from_request(server.request("POST", &format!("{FLAGS}/title"))).await;
    assert_eq!(reply.good()["value"], "Shop");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_has_key_code_and_details() {
    let (server, _) = server().await;
    let unknown = failure(&single(&server, "titel", &context("bob")).await, 404, "FLAG_NOT_FOUND");
    assert_eq!(unknown["key"], "titel");
    assert!(unknown["errorDetails"].as_str().unwrap().contains("did you mean `title`?"), "{unknown}");
    for (body, code) in [
        ("{", "PARSE_ERROR"),
        ("[]", "INVALID_CONTEXT"),
        (r#"{"context": []}"#, "INVALID_CONTEXT"),
        (r#"{"context": {"targetingKey": 5}}"#, "INVALID_CONTEXT"),
    ] {
        assert_eq!(failure(&single(&server, "title", body).await, 400, code)["key"], "title", "{body}");
        let bulk = failure(&server.post(FLAGS, body).await, 400, code);
        assert_eq!(bulk.get("key"), None, "{bulk}");
    }
    for flag in ["list", "nothing"] {
        failure(&single(&server, flag, &context("bob")).await, 400, "GENERAL");
    }
    let request = server.request("POST", &format!("{FLAGS}/title")).header("content-type", "text/plain").body("{}");
    failure(&Reply::from_request(request).await, 415, "PARSE_ERROR");
    let large = format!(r#"{{"context": {{"x": "{}"}}}}"#, "x".repeat(limits::BODY_BYTES_MAX));
    assert_eq!(failure(&single(&server, "title", &large).await, 413, "GENERAL")["key"], "title");
    let read = server.get(&format!("{FLAGS}/title")).await;
    failure(&read, 405, "GENERAL");
    assert_eq!(read.header("allow"), "POST");
    server.post("/ofrep/v1/configuration", "").await.problem(404);
    let foreign = server.request("POST", &format!("{FLAGS}/title")).header("host", "evil.example");
    Reply::from_request(foreign).await.problem(421);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_evaluation_has_each_flag_once_in_the_order_of_their_keys() {
    let (server, _) = server().await;
    server.put("/api/v1/flags/team/banner", r#"{"stable": "hi"}"#).await.good();
    let bulk = server.post(FLAGS, &context("ann")).await.good();
    let keys: Vec<&str> = bulk["flags"].as_array().unwrap().iter().map(|item| item["key"].as_str().unwrap()).collect();
    let expected = [
        "count",
        "dark",
        "factor",
        "half",
        "layout",
        "list",
        "nothing",
        "off",
        "title",
        "team/a/b",
        "team/banner",
        "team/checkout",
    ];
    assert_eq!(keys, expected);
    for flag in ["list", "nothing"] {
        let failed = item(&bulk, flag);
        assert_eq!((&failed["errorCode"], failed.get("value")), (&json!("GENERAL"), None), "{failed}");
    }
    for flag in ["count", "dark", "factor", "half", "layout", "off", "title", "team/checkout"] {
        assert_eq!(*item(&bulk, flag), single(&server, flag, &context("ann")).await.good(), "{flag}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_section_in_the_base_url_has_its_own_flags_under_their_bare_names() {
    let (server, _) = server().await;
    let base = format!("/sections/team{FLAGS}");
    let bulk = server.post(&base, &context("ann")).await.good();
    let keys: Vec<&Value> = bulk["flags"].as_array().unwrap().iter().map(|item| &item["key"]).collect();
    assert_eq!((keys, &bulk["metadata"]), (vec![&json!("a/b"), &json!("checkout")], &json!({"flagSetId": "team"})));
    for name in ["a/b", "a%2Fb"] {
        let answer = server.post(&format!("{base}/{name}"), &context("ann")).await.good();
        assert_eq!((&answer["key"], &answer["value"]), (&json!("a/b"), &json!(7)));
    }
    assert_eq!(failure(&server.post(&format!("{base}/title"), "").await, 404, "FLAG_NOT_FOUND")["key"], "title");
    assert_eq!(server.post(&format!("/sections/flags{FLAGS}/title"), "").await.good()["key"], "title");
    assert_eq!(server.post(&format!("/sections/nowhere{FLAGS}"), "").await.good()["flags"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_spelling_of_a_path_names_the_same_flag() {
    let (server, _) = server().await;
    for path in [
        "/ofrep/v1/evaluate/flags/team/checkout",
        "//ofrep/v1/evaluate/flags/team/checkout",
        "/ofrep/v1/evaluate/flags/team%2Fcheckout",
        "/ofrep/v1/evaluate/flags/te%61m%2fcheckout",
    ] {
        let answer = server.post(path, &context("ann")).await.good();
        assert_eq!((&answer["key"], &answer["value"]), (&json!("team/checkout"), &json!("old")), "{path}");
    }
    assert_eq!(single(&server, "flags/title", "").await.good()["key"], "title");
    for path in ["..%2ftitle", "a%00b", "%ff", "%E2%80%AE"] {
        failure(&single(&server, path, "").await, 404, "FLAG_NOT_FOUND");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_activation_counts_at_once_and_one_without_a_loaded_definition_is_left_out() {
    let (server, _) = server().await;
    server.put("/api/v1/flags/flags/half/activation", r#"{"percentage": 100}"#).await.good();
    let half = single(&server, "half", "").await.good();
    assert_eq!((&half["value"], &half["reason"]), (&json!(2), &json!("STATIC")), "100 % needs no key");
    server.put("/api/v1/flags/shop/far/activation?elsewhere=true", r#"{"percentage": 100}"#).await.good();
    failure(&single(&server, "shop/far", &context("ann")).await, 404, "FLAG_NOT_FOUND");
    let bulk = server.post(FLAGS, &context("ann")).await.good();
    assert_eq!((item(&bulk, "shop/far"), &item(&bulk, "half")["value"]), (&Value::Null, &json!(2)));
}

async fn bulk_with_tag(server: &Server, key: &str, tag: &str) -> Reply {
    let request = server.request("POST", FLAGS).header("content-type", "application/json; charset=utf-8");
    Reply::from_request(request.header("if-none-match", tag).body(context(key))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tag_is_that_of_the_answer() {
    let (server, clock) = server().await;
    let first = bulk_with_tag(&server, "ann", "\"other\"").await;
    first.good();
    let tag = first.header("etag").to_owned();
    let same = bulk_with_tag(&server, "ann", &tag).await;
    assert_eq!((same.status, same.header("etag"), same.text()), (304, &*tag, ""));
    assert_ne!(bulk_with_tag(&server, "bob", &tag).await.status, 304, "another context has another answer");
    // A change that leaves the answer as it is gives the same tag, although the server evaluates again.
    server.put("/api/v1/flags/flags/title/activation", r#"{"percentage": 100}"#).await.good();
    assert_eq!(bulk_with_tag(&server, "ann", &tag).await.status, 304);
    server.put("/api/v1/flags/flags/dark/activation", r#"{"percentage": 0}"#).await.good();
    let changed = bulk_with_tag(&server, "ann", &tag).await;
    assert_eq!(item(&changed.good(), "dark")["value"], false);
    // The ramp alone changes the answer too.
    let tag = changed.header("etag").to_owned();
    let half = item(&changed.good(), "half")["value"].clone();
    clock.advance(Duration::from_hours(48));
    let moved = bulk_with_tag(&server, "ann", &tag).await;
    assert_eq!(moved.status, if half == 2 { 304 } else { 200 });
    // Another server with the same document answers the same, with the same tag.
    let other = Server::with(builder().text(DOCUMENT).clock(Clock::manual(Micros::new(NOW))), Options::default()).await;
    assert_eq!(bulk_with_tag(&other, "ann", first.header("etag")).await.status, 304);
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_answered_by_429_and_when_to_ask_again() {
    let flags: Vec<String> = (0..200).map(|n| format!(r#""f{n}": {{"stable": "{}"}}"#, "x".repeat(100))).collect();
    let mut options = Options::default();
    options.memory_max = 16 * 1024;
    let document = format!(r#"{{"flags": {{{}}}}}"#, flags.join(","));
    let server = Server::with(builder().text(document.as_str()), options).await;
    let refused = server.post(FLAGS, &context("ann")).await;
    failure(&refused, 429, "GENERAL");
    assert_eq!(refused.header("retry-after"), "2");
    assert_eq!(single(&server, "f1", "").await.status, 200, "what is small always finds room");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_flags_are_evaluated_on_a_thread_of_their_own() {
    let count = limits::BULK_FLAGS_INLINE + 1;
    let flags: Vec<String> = (0..count).map(|n| format!(r#""f{n:05}": {{"stable": {n}}}"#)).collect();
    let server = Server::with_document(&format!(r#"{{"flags": {{{}}}}}"#, flags.join(","))).await;
    let bulk = server.post(FLAGS, &context("ann")).await.good();
    let flags = bulk["flags"].as_array().unwrap();
    assert_eq!((flags.len(), &flags[count - 1]["value"]), (count, &json!(count - 1)));
}

/// The next event that tells to ask again: its id, and its data.
async fn refetch(stream: &mut Stream) -> (String, Value) {
    loop {
        let text = stream.next().await.unwrap();
        let Some(rest) = text.strip_prefix("event: message\nid: ") else { continue };
        let (id, data) = rest.split_once("\ndata: ").unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["type"], "refetchEvaluation");
        return (id.to_owned(), data);
    }
}

/// Opens the stream that a bulk answer below this base names.
async fn open_stream(server: &Server, base: &str) -> Stream {
    let bulk = server.post(&format!("{base}{FLAGS}"), &context("ann")).await.good();
    let streams = bulk["eventStreams"].as_array().unwrap();
    assert_eq!((streams.len(), &streams[0]["type"]), (1, &json!("sse")), "{bulk}");
    Stream::open(server, streams[0]["endpoint"]["requestUri"].as_str().unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_to_ask_again_after_a_change_of_its_section() {
    let (server, _) = server().await;
    let mut all = open_stream(&server, "").await;
    let mut team = open_stream(&server, "/sections/team").await;
    assert_eq!((all.next().await.unwrap(), team.next().await.unwrap()), (": watching".into(), ": watching".into()));
    server.put("/api/v1/flags/flags/dark/activation", r#"{"percentage": 0}"#).await.good();
    let (first, data) = refetch(&mut all).await;
    assert_eq!(data["lastModified"], NOW / 1_000_000);
    server.put("/api/v1/flags/team/checkout/activation", r#"{"percentage": 0}"#).await.good();
    let (second, _) = refetch(&mut all).await;
    assert_eq!(refetch(&mut team).await.0, second, "the change of another section is not told");
    assert_ne!(first, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_of_what_came_between_the_answer_and_its_opening_and_of_what_it_has_missed() {
    let (server, _) = server().await;
    server.post(FLAGS, &context("ann")).await.good();
    server.put("/api/v1/flags/flags/dark/activation", r#"{"percentage": 0}"#).await.good();
    let path = "/ofrep/v1/events";
    let (first, _) = refetch(&mut Stream::open(&server, path).await).await;
    server.put("/api/v1/flags/flags/dark/activation", r#"{"percentage": 1}"#).await.good();
    let resumed = |id: String| Stream::open_with(&server, path, "last-event-id", id);
    let (second, _) = refetch(&mut resumed(first).await).await;
    // One that has seen the last event hears of the next one only.
    let mut up_to_date = resumed(second.clone()).await;
    server.put("/api/v1/flags/flags/dark/activation", r#"{"percentage": 2}"#).await.good();
    assert_ne!(refetch(&mut up_to_date).await.0, second);
    refetch(&mut resumed("of-another-process".to_owned()).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_tells_of_a_ramp_that_moves() {
    let (server, clock) = server().await;
    let mut stream = open_stream(&server, "").await;
    clock.advance(Duration::from_mins(30));
    refetch(&mut stream).await;
    clock.advance(Duration::from_hours(48));
    refetch(&mut stream).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_streams_are_answered_by_429() {
    let mut options = Options::default();
    options.watchers_max = 1;
    let server = Server::with(builder().text(DOCUMENT), options).await;
    let _stream = open_stream(&server, "").await;
    let refused = server.get("/ofrep/v1/events").await;
    failure(&refused, 429, "GENERAL");
    assert_eq!(refused.header("retry-after"), "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn flags_for_servers_are_left_out_of_bulk_answers_and_hidden_from_pages() {
    let document = r#"{"flags": {"open": {"stable": 1}, "secret": {"stable": 2, "visibility": "server"}}}"#;
    let server = Server::with_document(document).await;
    let bulk = server.post(FLAGS, &context("ann")).await.good();
    assert_eq!((item(&bulk, "secret"), &item(&bulk, "open")["value"]), (&Value::Null, &json!(1)));
    assert_eq!(single(&server, "secret", &context("ann")).await.good()["value"], 2);
    let from_page = |flag: &str| {
        let request = server.request("POST", &format!("{FLAGS}/{flag}")).header("origin", "https://shop.example");
        Reply::from_request(request)
    };
    assert_eq!(from_page("open").await.good()["value"], 1);
    failure(&from_page("secret").await, 404, "FLAG_NOT_FOUND");
    assert!(!from_page("secre").await.text().contains("secret"), "no page learns its name");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_every_origin_may_evaluate_unless_some_are_configured() {
    let preflight = |server: &Server, path: &str, method: &str| {
        let request = server.request("OPTIONS", path).header("origin", "https://shop.example");
        let request = request.header("access-control-request-method", method);
        Reply::from_request(request.header("access-control-request-headers", "content-type,if-none-match"))
    };
    let (server, _) = server().await;
    for (path, method) in
        [(FLAGS, "POST"), ("/ofrep/v1/evaluate/flags/team/checkout", "POST"), ("/ofrep/v1/events", "GET")]
    {
        let reply = preflight(&server, path, method).await;
        assert_eq!((reply.status, reply.header("access-control-allow-origin")), (204, "*"), "{path}");
        assert_eq!(reply.header("access-control-allow-methods"), method);
        for header in ["authorization", "content-type", "if-none-match", "x-api-key"] {
            assert!(reply.header("access-control-allow-headers").contains(header), "{header}");
        }
    }
    let bulk = |server: &Server, origin: &str, body: &str| {
        let request = server.request("POST", FLAGS).header("content-type", "application/json").header("origin", origin);
        Reply::from_request(request.body(body.to_owned()))
    };
    for body in ["{}", "{"] {
        let reply = bulk(&server, "https://shop.example", body).await;
        assert_eq!(reply.header("access-control-allow-origin"), "*", "failures can be read, too");
        assert_eq!(reply.header("access-control-expose-headers"), "ETag, Retry-After");
    }
    // What changes something is not for other origins.
    let change = server.request("PUT", "/api/v1/flags/flags/dark/activation").header("origin", "https://shop.example");
    let change = Reply::from_request(change.header("content-type", "application/json").body(r#"{"percentage": 1}"#));
    change.await.problem(403);

    let mut options = Options::default();
    options.cors_origins = vec!["https://shop.example".to_owned()];
    let server = Server::with(builder().text(DOCUMENT), options).await;
    let allowed = bulk(&server, "https://shop.example", "{}").await;
    assert_eq!(allowed.header("access-control-allow-origin"), "https://shop.example");
    assert_eq!(allowed.header("vary"), "origin");
    let other = bulk(&server, "https://evil.example", "{}").await;
    assert_eq!((other.status, other.header("access-control-allow-origin"), other.header("vary")), (200, "", "origin"));
}

/// OFREP is answered before the router: what holds for every other request holds for it.
#[tokio::test(flavor = "multi_thread")]
async fn the_rules_for_every_request_hold_before_the_router() {
    let mut options = Options::default();
    options.body_timeout = Duration::from_millis(200);
    let server = Server::with(builder().text(DOCUMENT), options).await;
    for path in [FLAGS.to_owned(), format!("{FLAGS}/title"), format!("/sections/team{FLAGS}")] {
        let post = |host: &str, more: &str, body: &str| {
            let kind = "content-type: application/json\r\nconnection: close\r\n";
            format!("POST {path} HTTP/1.1\r\n{host}{kind}{more}\r\n{body}")
        };
        let (host, length) = ("host: localhost\r\n", "content-length: 2\r\n");
        let good = answer(&server, &post(host, length, "{}")).await.to_ascii_lowercase();
        assert!(good.starts_with("http/1.1 200") && good.contains("cache-control: no-store"), "{good}");
        let other = answer(&server, &post("host: evil.example\r\n", length, "{}")).await.to_ascii_lowercase();
        assert!(other.starts_with("http/1.1 421") && other.contains("unknown-host"), "{path}: {other}");
        assert!(other.contains("cache-control: no-store"), "{other}");
        for hosts in ["", "host: localhost\r\nhost: localhost\r\n"] {
            let said = answer(&server, &post(hosts, length, "{}")).await;
            assert!(said.starts_with("HTTP/1.1 400") && said.contains("\"field\":\"host\""), "{path}: {said}");
        }
        let late = answer(&server, &post(host, "content-length: 3\r\n", "{")).await;
        assert!(late.starts_with("HTTP/1.1 408") && late.contains("\"errorCode\":\"GENERAL\""), "{path}: {late}");
        let long = " ".repeat(limits::BODY_BYTES_MAX + 1);
        let large = answer(&server, &post(host, &format!("content-length: {}\r\n", long.len()), &long)).await;
        assert!(large.starts_with("HTTP/1.1 413"), "{path}: {large}");
    }
}

/// A page has fragments in place of evaluations: the answers are those of single evaluations all the same, at each instant.
#[tokio::test(flavor = "multi_thread")]
async fn bulk_answers_say_what_single_evaluations_say_while_ramps_move_and_flags_change() {
    let document = r#"{"flags": {
        "a_fixed": {"stable": 1},
        "b_locked": {"stable": 1, "new": 2, "lock": "new"},
        "c_ramp": {"stable": "x", "new": "y", "start_time": "2023-11-14 00:00Z", "duration": "2d", "salt": "c"},
        "d_sha1": {"stable": 1, "new": 2.5, "start_time": "2023-11-14 00:00Z", "duration": "3d", "metadata": {"m": 1}},
        "e_rollback": {"stable": 1, "new": 2, "start_time": "2023-11-01 00:00Z", "duration": "1d", "salt": "e",
            "rollback": {"start_time": "2023-11-14 00:00Z", "duration": "2d"}},
        "f_half": {"stable": 1, "new": 2, "start_time": "2023-11-01 00:00Z", "duration": "1d", "end_pct": 50, "salt": "f"},
        "g_adopters": {"stable": 1, "new": 2, "early_adopters": ["user-3"]},
        "h_number": {"stable": 0, "new": 100, "interpolate": true, "start_time": "2023-11-14 00:00Z", "duration": "2d"},
        "i_rules": {"stable": 1, "new": 2, "rules": [
            {"name": "r", "when": {"attribute": "plan", "is": "premium"}, "serve": "new"}]},
        "j_off": {"stable": 1, "enabled": false},
        "k_list": {"stable": [1]},
        "l_tenant": {"stable": 1, "new": 2, "bucket_by": "tenant", "start_time": "2023-11-14 00:00Z", "duration": "2d"}
    }, "team": {"z": {"stable": 1, "new": 2, "start_time": "2023-11-14 00:00Z", "duration": "2d", "salt": "z"}}}"#;
    let clock = Clock::manual(Micros::new(NOW));
    let server = Server::with(builder().text(document).clock(clock.clone()), Options::default()).await;
    let flags =
        ["a_fixed", "b_locked", "c_ramp", "d_sha1", "e_rollback", "f_half", "g_adopters", "h_number", "i_rules"];
    let flags = [&flags[..], &["j_off", "l_tenant", "team/z"]].concat();
    let mut seen = std::collections::BTreeSet::new();
    for step in 0..12 {
        if step == 6 {
            server.put("/api/v1/flags/flags/a_fixed/activation", r#"{"percentage": 0}"#).await.good();
            server.put("/api/v1/flags/flags/c_ramp/activation", r#"{"percentage": 50}"#).await.good();
        }
        for number in 0..8 {
            let context = json!({"context": {"targetingKey": format!("user-{number}"), "tenant": number,
                "plan": if number % 2 == 0 { "premium" } else { "free" }}});
            let bulk = server.post(FLAGS, &context.to_string()).await.good();
            assert_eq!(item(&bulk, "k_list")["errorCode"], "GENERAL", "{bulk}");
            for flag in &flags {
                let alone = single(&server, flag, &context.to_string()).await.good();
                assert_eq!(item(&bulk, flag), &alone, "step {step}");
                seen.insert(format!("{flag} {} {}", alone["variant"], alone["reason"]));
            }
        }
        clock.advance(Duration::from_hours(4));
    }
    for flag in ["c_ramp", "d_sha1", "e_rollback", "f_half", "g_adopters", "i_rules", "l_tenant", "team/z"] {
        for variant in ["stable", "new"] {
            let both = format!("{flag} \"{variant}\"");
            assert!(seen.iter().any(|seen| seen.starts_with(&both)), "{both} is not in {seen:?}");
        }
    }
}

/// A 304 without evaluating asks what an answer may depend on, and not what else a context has.
#[tokio::test(flavor = "multi_thread")]
async fn attributes_that_no_flag_reads_do_not_matter() {
    let document = r#"{"flags": {"x": {"stable": 1, "new": 2, "rules": [
        {"name": "r", "when": {"attribute": "user.plan", "is": "premium"}, "serve": "new"}]}}}"#;
    let server = Server::with_document(document).await;
    let bulk = async |context: Value, tag: &str| {
        let request = server.request("POST", FLAGS).header("content-type", "application/json");
        Reply::from_request(request.header("if-none-match", tag).body(json!({"context": context}).to_string())).await
    };
    let first = bulk(json!({"targetingKey": "ann", "user": {"plan": "premium"}, "page": 1}), "\"\"").await;
    let tag = first.header("etag").to_owned();
    assert_eq!(item(&first.good(), "x")["value"], 2);
    let other_page = json!({"targetingKey": "ann", "user": {"plan": "premium"}, "page": 2, "session": {"id": [1]}});
    assert_eq!(bulk(other_page, &tag).await.status, 304);
    let dotted = bulk(json!({"targetingKey": "ann", "user.plan": "premium"}), &tag).await;
    assert_eq!(dotted.status, 304, "the same answer by another attribute");
    assert_eq!(bulk(json!({"targetingKey": "ann", "user": {"plan": "free"}}), &tag).await.status, 200);
}
