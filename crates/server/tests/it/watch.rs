//! Word of changes as they come.

use std::time::Duration;

use serde_json::Value;
use tidegate::{Clock, Micros};
use tidegate_server::Options;

use crate::support::{Server, builder};

/// A stream that is read.
pub(crate) struct Stream {
    response: reqwest::Response,
    text: String,
}

impl Stream {
    pub(crate) async fn open(server: &Server, path: &str) -> Self {
        let response = server.request("GET", path).send().await.unwrap();
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
async fn without_a_flag_it_is_told_that_something_has_changed() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server, "/api/v1/watch").await;
    assert_eq!(stream.next().await.unwrap(), ": watching");
    server.put("/api/v1/flags/f/x", r#"{"stable": 1}"#).await.good();
    let change = stream.event("change").await;
    assert_eq!((&change["definitions"], &change["activations"]), (&true.into(), &false.into()));
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
