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
        self.event_with_id(name).await.1
    }

    /// The same with its id.
    async fn event_with_id(&mut self, name: &str) -> (String, Value) {
        loop {
            let text = self.next().await.unwrap();
            let (id, rest) = text.strip_prefix("id: ").and_then(|rest| rest.split_once('\n')).unwrap_or(("", &text));
            if let Some(data) = rest.strip_prefix(&format!("event: {name}\ndata: ")) {
                return (id.to_owned(), serde_json::from_str(data).unwrap());
            }
        }
    }

    /// The id of a stream that has just begun.
    async fn first_id(&mut self) -> String {
        self.next().await.unwrap().strip_prefix(": watching\nid: ").unwrap().to_owned()
    }

    /// The flags of the next changes.
    async fn flags(&mut self, count: usize) -> Vec<String> {
        let mut flags = Vec::new();
        while flags.len() < count {
            flags.push(self.event("change").await["flag"].as_str().unwrap().to_owned());
        }
        flags
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
async fn without_a_flag_each_change_is_reported_with_old_and_new() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server, "/api/v1/watch").await;
    let change = |path: &'static str, body: &'static str| {
        let request = server.request("PUT", path).header("content-type", "application/json");
        let request = request.header("x-tidegate-actor", "dana").body(body);
        async { Reply::from_request(request).await.good() }
    };
    let receipt = change("/api/v1/flags/f/x?reason=first", r#"{"stable": 1.50}"#).await;
    let (first, told) = stream.event_with_id("change").await;
    let expected = json!({
        "flag": "f/x", "kind": "definition", "old": null, "new": {"stable": 1.50}, "actor": "dana", "reason": "first",
        "node": "one", "stamp": receipt["stamp"], "at": receipt["at"], "replaced": null, "lost_to": null,
    });
    assert_eq!(told, expected);
    change("/api/v1/flags/f/x", r#"{"stable": 2}"#).await;
    let (second, told) = stream.event_with_id("change").await;
    assert_eq!((&told["old"], &told["new"]), (&json!({"stable": 1.50}), &json!({"stable": 2})), "{told}");
    assert_eq!(told["replaced"], receipt["stamp"]);
    assert_ne!(first, second);
    change("/api/v1/flags/f/x/activation", r#"{"percentage": 12.5, "reason": "a try"}"#).await;
    let told = stream.event("change").await;
    assert_eq!((&told["kind"], &told["reason"]), (&json!("activation"), &json!("a try")), "{told}");
    assert_eq!((&told["old"], &told["new"]["percentage"]), (&Value::Null, &json!(12.5)), "{told}");
    server.delete("/api/v1/flags/f/x/activation").await.good();
    let told = stream.event("change").await;
    assert_eq!((&told["old"]["percentage"], &told["new"]), (&json!(12.5), &Value::Null), "{told}");
    server.delete("/api/v1/flags/f/x").await.good();
    let told = stream.event("change").await;
    assert_eq!((&told["old"], &told["new"]), (&json!({"stable": 2}), &Value::Null), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_and_locks_are_reported_with_old_and_new() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("flags.json");
    std::fs::write(&file, r#"{"f": {"x": {"stable": 1}, "y": {"stable": 2}}}"#).unwrap();
    let locks = folder.path().join("locks.json");
    let base = tidegate::Tidegate::builder().without_cache().live(tidegate::Live::in_memory().name("one"));
    let base = base.file(&file).poll_interval(Duration::from_millis(100)).locks_file(&locks);
    let server = Server::with(base, Options::default()).await;
    let mut stream = Stream::open(&server, "/api/v1/watch").await;
    std::fs::write(&file, r#"{"f": {"x": {"stable": 3, "new": 4}, "z": {"stable": 5}}}"#).unwrap();
    let mut told = Vec::new();
    while told.len() < 3 {
        told.push(stream.event("change").await);
    }
    told.sort_by_key(|told| told["flag"].as_str().unwrap().to_owned());
    let state =
        |stable: u64, new: Value| json!({"stable": stable, "new": new, "share": 0, "enabled": true, "lock": null});
    let sides = [
        (state(1, Value::Null), state(3, json!(4))),
        (state(2, Value::Null), Value::Null),
        (Value::Null, state(5, Value::Null)),
    ];
    for (told, (flag, (old, new))) in told.iter().zip(["f/x", "f/y", "f/z"].iter().zip(sides)) {
        let expected = json!({
            "flag": flag, "kind": "document", "old": old, "new": new, "actor": "", "reason": "", "node": "one",
            "stamp": null, "at": told["at"], "replaced": null, "lost_to": null,
        });
        assert_eq!(*told, expected);
    }
    // So many that they are not listed.
    let many: Vec<String> =
        (0..=limits::EVENT_FLAGS_MAX).map(|number| format!(r#""m{number}": {{"stable": 1}}"#)).collect();
    std::fs::write(&file, format!(r#"{{"f": {{{}}}}}"#, many.join(","))).unwrap();
    let told = stream.event("change").await;
    assert_eq!((&told["flag"], &told["kind"]), (&Value::Null, &json!("document")), "{told}");
    assert_eq!((&told["old"]["flags"], &told["new"]["flags"]), (&json!(2), &json!(many.len())), "{told}");
    let lock = tidegate::HostLock {
        flag: tidegate::FlagKey::parse("f/x"),
        pin: tidegate::Pin::Variant(tidegate::Variant::New),
        actor: "dana".to_owned(),
        reason: String::new(),
        until: None,
    };
    tidegate::locks::LockFile::at(&locks).add(&lock).unwrap();
    let told = stream.event("change").await;
    assert_eq!(
        (&told["flag"], &told["kind"], &told["actor"]),
        (&json!("f/x"), &json!("lock"), &json!("dana")),
        "{told}"
    );
    assert_eq!((&told["old"], &told["new"]["flag"]), (&Value::Null, &json!("f/x")), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_resumed_after_any_event_across_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let builder = || {
        let live = tidegate::Live::at(folder.path().join("data")).name("one");
        tidegate::Tidegate::builder().without_locks().without_cache().text("{}").live(live)
    };
    let mut server = Server::with(builder(), Options::default()).await;
    let mut stream = Stream::open(&server, "/api/v1/watch").await;
    let mut ids = vec![stream.first_id().await];
    let flags: Vec<String> = (0..6).map(|number| format!("f/x{number}")).collect();
    for flag in &flags[..4] {
        server.put(&format!("/api/v1/flags/{flag}"), r#"{"stable": 1}"#).await.good();
        let (id, told) = stream.event_with_id("change").await;
        assert_eq!(told["flag"], **flag);
        ids.push(id);
    }
    for restarts in 0..2 {
        for (known, id) in ids.iter().enumerate() {
            let mut resumed = Stream::open_with(&server, "/api/v1/watch", "last-event-id", id.clone()).await;
            let left = 4 + restarts - known;
            assert_eq!(resumed.flags(left).await, flags[known..4 + restarts], "after {known}");
        }
        // Nothing is repeated: the next event is the next change.
        let last = ids.last().unwrap().clone();
        let mut resumed = Stream::open(&server, &format!("/api/v1/watch?after={last}")).await;
        assert_eq!(resumed.flags(restarts).await, flags[4..4 + restarts]);
        server.put(&format!("/api/v1/flags/{}", flags[4 + restarts]), r#"{"stable": 1}"#).await.good();
        assert_eq!(resumed.flags(1).await, flags[4 + restarts..5 + restarts]);
        drop(resumed);
        server.stop();
        server.ended().await;
        drop(server);
        server = Server::with(builder(), Options::default()).await;
    }
    let wrong = server.request("GET", "/api/v1/watch").header("last-event-id", "7");
    assert_eq!(Reply::from_request(wrong).await.problem(400)["field"], "Last-Event-ID");
    server.get("/api/v1/watch?after=7").await.problem(400);
    server.get(&format!("/api/v1/watch?flag=x&after={}", ids[0])).await.problem(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_resumed_on_another_node_where_changes_came_in_another_order() {
    let first = Server::start().await;
    let mut stream = Stream::open(&first, "/api/v1/watch").await;
    for flag in ["z", "y"] {
        first.put(&format!("/api/v1/flags/f/{flag}"), r#"{"stable": 1}"#).await.good();
    }
    assert_eq!(stream.flags(1).await, ["f/z"]);
    let (id, _) = stream.event_with_id("change").await;
    // Later than the margin after it, so that what the reader knows is not repeated.
    let later = Clock::manual(Micros::new(first.tide.view().now().get() + 120_000_000));
    let second = Server::with(
        tidegate::Tidegate::builder()
            .without_locks()
            .without_cache()
            .clock(later)
            .live(tidegate::Live::in_memory().name("two")),
        Options::default(),
    )
    .await;
    second.put("/api/v1/flags/f/own", r#"{"stable": 1}"#).await.good();
    // A change that the reader does not know, made on the first node before it is copied.
    first.put("/api/v1/flags/f/a", r#"{"stable": 1}"#).await.good();
    let backup = first.get("/api/v1/backup").await.text().to_owned();
    let request = second.request("POST", "/api/v1/restore").header("content-type", "application/x-ndjson");
    Reply::from_request(request.body(backup)).await.good();
    let mut resumed = Stream::open_with(&second, "/api/v1/watch", "last-event-id", id).await;
    let mut flags = Vec::new();
    // Those of the last minute before the id may come again.
    while !(flags.contains(&"f/own".to_owned()) && flags.contains(&"f/a".to_owned())) {
        flags.extend(resumed.flags(1).await);
    }
    second.put("/api/v1/flags/f/next", r#"{"stable": 1}"#).await.good();
    while resumed.flags(1).await != ["f/next"] {}
}

/// The history keeps the last thousand changes of a flag.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_resumed_from_before_the_history_begins_with_a_gap() {
    let server = Server::start().await;
    let mut stream = Stream::open(&server, "/api/v1/watch").await;
    let id = stream.first_id().await;
    let toggle = |flag: &str, count: usize| {
        (0..count).for_each(|_| drop(server.tide.activate(flag).ack(tidegate::Level::Local).send().unwrap()));
    };
    toggle("x", 1);
    let mut resumed = Stream::open_with(&server, "/api/v1/watch", "last-event-id", id.clone()).await;
    let mut first = resumed.next().await.unwrap();
    while !first.contains("event: ") {
        first = resumed.next().await.unwrap();
    }
    assert!(first.contains("event: change"), "the history has all of it: {first}");
    toggle("x", 1_000);
    toggle("y", 1);
    let mut late = Stream::open_with(&server, "/api/v1/watch", "last-event-id", id).await;
    let gap = late.event("gap").await;
    assert!(gap["detail"].as_str().unwrap().contains("history"), "{gap}");
    let mut flags = late.flags(1).await;
    while flags.last().is_some_and(|flag| flag == "flags/x") {
        flags.extend(late.flags(1).await);
    }
    assert_eq!(flags.last().map(String::as_str), Some("flags/y"), "what the history still has comes after the gap");
}

/// One flag has lost its oldest changes, while an older one of another flag, after which the reader resumes, is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_lacks_changes_in_the_middle_of_the_history_begins_with_a_gap() {
    let server = Server::start().await;
    let toggle = |flag: &str, count: usize| {
        (0..count).for_each(|_| drop(server.tide.activate(flag).ack(tidegate::Level::Local).send().unwrap()));
    };
    let mut stream = Stream::open(&server, "/api/v1/watch").await;
    toggle("old", 1);
    let (id, _) = stream.event_with_id("change").await;
    toggle("x", 1_100);
    let mut late = Stream::open_with(&server, "/api/v1/watch", "last-event-id", id).await;
    late.event("gap").await;
    assert_eq!(late.flags(1).await, ["flags/x"], "what the history still has comes after the gap");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_too_slow_is_told_so_and_resumes() {
    let server = Server::start().await;
    let mut slow = Stream::open(&server, "/api/v1/watch").await;
    let mut quick = Stream::open(&server, "/api/v1/watch").await;
    let count = 3 * limits::FEED_BYTES_MAX / 120_000;
    for number in 0..count {
        let (long, text) = ("x".repeat(60_000), "y".repeat(60_000));
        let entry = format!(r#"{{"stable": "{long}", "new": {number}, "description": "{text}"}}"#);
        server.put("/api/v1/flags/f/x?timeout=20s", &entry).await.good();
        assert_eq!(quick.event("change").await["new"]["new"], number, "another reader gets each change");
    }
    let (mut last, mut number) = (slow.first_id().await, 0);
    let reason = loop {
        let text = slow.next().await.unwrap();
        if let Some(end) = text.strip_prefix("event: end\ndata: ") {
            break serde_json::from_str::<Value>(end).unwrap()["reason"].clone();
        }
        let (id, data) = text.strip_prefix("id: ").unwrap().split_once("\nevent: change\ndata: ").unwrap();
        assert_eq!(serde_json::from_str::<Value>(data).unwrap()["new"]["new"], number);
        (last, number) = (id.to_owned(), number + 1);
    };
    assert_eq!(reason, "too-slow");
    assert_eq!(slow.next().await, None);
    assert!(number < count);
    let mut resumed = Stream::open_with(&server, "/api/v1/watch", "last-event-id", last).await;
    for number in number..count {
        assert_eq!(resumed.event("change").await["new"]["new"], number);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_streams_that_are_never_read_delay_no_change_and_no_other_reader() {
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit { current: files.maximum, ..files };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, raised).unwrap();
    let mut options = Options::default();
    (options.watchers_max, options.connections_max) = (1_100, 1_200);
    let server = Server::with(builder(), options).await;
    let changes = async |stream: &mut Stream, from: u32| {
        let began = std::time::Instant::now();
        for number in from..from + 100 {
            let entry = format!(r#"{{"stable": true, "new": {number}}}"#);
            server.put("/api/v1/flags/f/x", &entry).await.good();
            assert_eq!(stream.event("change").await["new"]["new"], number);
        }
        began.elapsed()
    };
    let mut reader = Stream::open(&server, "/api/v1/watch").await;
    let alone = changes(&mut reader, 0).await;
    let mut silent = Vec::new();
    for _ in 0..1_000 {
        let mut stream = tokio::net::TcpStream::connect(server.address).await.unwrap();
        let head = format!("GET /api/v1/watch HTTP/1.1\r\nHost: {}\r\n\r\n", server.address);
        tokio::io::AsyncWriteExt::write_all(&mut stream, head.as_bytes()).await.unwrap();
        silent.push(stream);
    }
    // The last one is answered, so that all are there.
    silent.last().unwrap().readable().await.unwrap();
    let crowded = changes(&mut reader, 100).await;
    eprintln!(
        "100 changes, each read by a stream: {alone:?} alone, {crowded:?} beside 1,000 streams that nobody reads"
    );
    assert!(crowded < Duration::from_mins(1), "{crowded:?}");
    drop(silent);
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
