//! Changes as a stream of events.

use std::time::Duration;

use serde_json::{Value, json};
use tidegate::{Clock, Micros};
use tidegate_server::{Options, limits};

use crate::support::{Reply, Server, builder};

/// A stream that is read.
pub(crate) struct Stream {
    response: reqwest::Response,
    text: String,
}

impl Stream {
    pub(crate) async fn open(server: &Server, path: &str) -> Self {
        Self::from_request(server.request("GET", path)).await
    }

    pub(crate) async fn open_with(server: &Server, path: &str, header: &str, value: String) -> Self {
        Self::from_request(server.request("GET", path).header(header, value)).await
    }

    async fn from_request(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["content-type"]),
            (200, &"text/event-stream".parse().unwrap())
        );
        Self { response, text: String::new() }
    }

    /// The next event or comment, whole; none when the stream has ended.
    pub(crate) async fn next(&mut self) -> Option<String> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(event);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(20), self.response.chunk()).await.unwrap();
            self.text.push_str(str::from_utf8(&chunk.ok()??).unwrap());
        }
    }

    /// The data of the next event with this name.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        loop {
            let text = self.next().await.unwrap();
            if let Some(data) = text.strip_prefix(&format!("event: {name}\ndata: ")) {
                return serde_json::from_str(data).unwrap();
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_decision_is_sent_at_first_and_when_it_changes() {
    let clock = Clock::manual(Micros::new(1_700_000_000_000_000));
    let document = r#"{"f": {"x": {"stable": 1, "new": 2, "start_time": "2023-11-14 22:14Z", "duration": "0s"}}}"#;
    let server = Server::with(builder().text(document).clock(clock.clone()), Options::default()).await;
    let mut stream = Stream::open(&server, "/api/v1/watch?flag=f/x&key=k").await;
    assert_eq!(stream.event("decision").await["value"], 1);
    server.put("/api/v1/flags/f/x/activation", r#"{"percentage": 100}"#).await.good();
    let decision = stream.event("decision").await;
    assert_eq!((&decision["value"], &decision["rule"]), (&2.into(), &"activation".into()));
    server.delete("/api/v1/flags/f/x/activation").await.good();
    assert_eq!(stream.event("decision").await["value"], 1);
    clock.advance(Duration::from_mins(1));
    let decision = stream.event("decision").await;
    assert_eq!((&decision["value"], &decision["rule"]), (&2.into(), &"ramp".into()), "by the ramp alone");
    let mut unknown = Stream::open(&server, "/api/v1/watch?flag=never&key=k").await;
    assert_eq!(unknown.event("decision").await["rule"], "unknown_flag");
    server.put("/api/v1/flags/flags/never/activation?create=true", r#"{"percentage": 100}"#).await.good();
    assert_eq!(unknown.event("decision").await["value"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_flag_each_change_names_the_flags_and_what_has_changed() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server, "/api/v1/watch").await;
    assert_eq!(stream.next().await.unwrap(), ": watching");
    server.put("/api/v1/flags/f/x", r#"{"stable": 1}"#).await.good();
    let change = stream.event("change").await;
    assert_eq!((&change["definitions"], &change["activations"]), (&true.into(), &false.into()));
    assert_eq!((&change["flags"], &change["more"]), (&json!(["f/x"]), &json!(false)), "{change}");
    server.put("/api/v1/flags/f/y/activation?create=true", r#"{"percentage": 1}"#).await.good();
    let change = stream.event("change").await;
    assert_eq!((&change["flags"], &change["activations"]), (&json!(["f/y"]), &json!(true)), "{change}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_for_more_flags_than_its_limit_says_more() {
    let server = Server::start().await;
    let all: Vec<String> = (0..=limits::EVENT_FLAGS_MAX).map(|number| format!("f/x{number:03}")).collect();
    for flag in &all {
        server.put(&format!("/api/v1/flags/{flag}"), r#"{"stable": 1}"#).await.good();
    }
    let backup = server.get("/api/v1/backup").await.text().to_owned();
    let second = Server::start().await;
    let mut stream = Stream::open(&second, "/api/v1/watch").await;
    let request = second.request("POST", "/api/v1/restore").header("content-type", "application/x-ndjson");
    Reply::from_request(request.body(backup)).await.good();
    // One event or several, however the changes were batched: every flag is named, or an event says `more`.
    let mut named = std::collections::BTreeSet::new();
    loop {
        let change = stream.event("change").await;
        let flags = change["flags"].as_array().unwrap();
        assert!(flags.len() <= limits::EVENT_FLAGS_MAX);
        if change["more"] == true {
            assert!(flags.is_empty(), "{change}");
            break;
        }
        named.extend(flags.iter().map(|flag| flag.as_str().unwrap().to_owned()));
        if named.len() == all.len() {
            break;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_have_keep_alives_and_a_limit() {
    let mut options = Options::default();
    (options.keep_alive_period, options.watchers_max) = (Duration::from_millis(10), 1);
    let server = Server::with(builder(), options).await;
    let mut stream = Stream::open(&server, "/api/v1/watch?flag=x").await;
    while stream.next().await.unwrap() != ": alive" {}
    let refused = server.get("/api/v1/watch").await;
    refused.problem(503);
    assert_eq!(refused.header("retry-after"), "5");
    drop(stream);
    let began = std::time::Instant::now();
    while server.request("GET", "/api/v1/watch").send().await.unwrap().status() != 200 {
        assert!(began.elapsed() < Duration::from_secs(20), "a place that is free again");
    }
}
