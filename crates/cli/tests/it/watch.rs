//! `watch`: a line for each change, at the instant of the change.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command};
use std::sync::mpsc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tidegate_origin::{Origin, Reply};

use crate::run::{Host, LONGEST_WAIT, until};
use crate::server_process::ServerProcess;

/// A program that stays, with its lines as they come.
struct Watched {
    process: Child,
    lines: mpsc::Receiver<Value>,
}

impl Watched {
    fn start(host: &Host, line: &str) -> Self {
        let mut process = host.run(line).start();
        let output = BufReader::new(process.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            output
                .lines()
                .map_while(Result::ok)
                .try_for_each(|line| sender.send(serde_json::from_str(&line).unwrap_or(Value::String(line))))
        });
        Self { process, lines }
    }

    #[track_caller]
    fn next(&self) -> Value {
        self.lines.recv_timeout(LONGEST_WAIT).expect("a line")
    }

    /// The next line about this kind of event.
    #[track_caller]
    fn next_of(&self, event: &str) -> Value {
        loop {
            let line = self.next();
            if line["event"] == event {
                return line;
            }
        }
    }

    /// How it ends after this signal.
    fn stop(mut self, signal: &str) -> Option<i32> {
        let kill = Command::new("kill").arg(signal).arg(self.process.id().to_string()).status().unwrap();
        assert!(kill.success());
        let status = until("it ends", || self.process.try_wait().unwrap());
        status.code()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_flip_is_told_at_its_instant() {
    let host = Host::new();
    // Everybody flips within a microsecond, a second and a half from now.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    let flip = tidegate_engine::Micros::new(i64::try_from(now).unwrap() + 1_500_000).to_string();
    host.write(
        "flags.json",
        json!({"f": {"x": {"stable": false, "new": true, "end_time": flip, "duration": "0s"}}}).to_string(),
    );
    let watched = Watched::start(&host, "watch flags.json f x --key k");
    let first = watched.next();
    assert_eq!(
        (&first["event"], &first["value"], &first["variant"]),
        (&json!("value"), &json!(false), &json!("stable"))
    );
    assert_eq!((&first["flag"], &first["key"]), (&json!("f/x"), &json!("k")));
    assert_eq!(first["valid_until"], json!(flip));
    let second = watched.next();
    assert_eq!(
        (&second["event"], &second["value"], &second["variant"]),
        (&json!("value"), &json!(true), &json!("new"))
    );
    assert_eq!(second["at"], json!(flip));
    let told = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros();
    assert!(told >= now + 1_500_000, "told before it came");
    assert_eq!(watched.stop("-INT"), Some(0));
}

#[test]
fn changes_of_a_file_and_of_locks() {
    let host = Host::with(r#"{"f": {"x": {"stable": 1, "new": 2}}}"#);
    let watched = Watched::start(&host, "watch flags.json f/x --poll 100ms");
    assert_eq!(watched.next()["value"], json!(1));
    host.write("flags.json", r#"{"f": {"x": {"stable": 3, "new": 2}, "y": {"stable": 1}}}"#);
    let document = watched.next();
    assert_eq!((&document["event"], &document["flags"]), (&json!("document"), &json!(2)));
    assert_eq!(document["digest"].as_str().unwrap().len(), 32);
    assert_eq!(watched.next_of("value")["value"], json!(3));
    host.run("lock f x new --reason test").said();
    let locked = watched.next_of("value");
    assert_eq!((&locked["value"], &locked["rule"]), (&json!(2), &json!("host_lock")));
    host.run("unlock f x").said();
    assert_eq!(watched.next_of("value")["value"], json!(3));
    // The flag goes: the answer is the caller's default.
    host.write("flags.json", r#"{"f": {"y": {"stable": 1}}}"#);
    let gone = watched.next_of("value");
    assert_eq!((&gone["value"], &gone["rule"]), (&Value::Null, &json!("unknown_flag")));
    assert_eq!(watched.stop("-TERM"), Some(0));
}

#[test]
fn the_health_of_the_source() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(Reply::document(r#"{"f": {"x": {"stable": 1}}}"#));
    let watched = Watched::start(&host, &format!("watch {} --poll 100ms", origin.url("/")));
    assert_eq!(watched.next()["event"], json!("document"));
    let source = watched.next();
    assert_eq!(
        (&source["event"], &source["health"], &source["why"]),
        (&json!("source"), &json!("fresh"), &Value::Null)
    );
    assert!(source["age_seconds"].is_number());
    origin.always(Reply::status(500));
    let source = watched.next();
    assert_eq!((&source["event"], &source["health"]), (&json!("source"), &json!("stale")));
    assert!(source["why"].as_str().unwrap().contains("500"), "{source}");
    origin.always(Reply::document("{"));
    assert_eq!(watched.next_of("source")["health"], json!("refused"));
    origin.always(Reply::document(r#"{"f": {"x": {"stable": 1}}}"#));
    assert_eq!(watched.next_of("source")["health"], json!("fresh"));
    assert_eq!(watched.stop("-INT"), Some(0));
}

/// The events only ring; the server is asked what the key has. It may go away, and is found again.
#[test]
fn a_server_that_rings_goes_away_and_comes_back() {
    let (host, origin) = (Host::new(), Origin::start());
    let decision = |value: bool| {
        let variant = if value { "new" } else { "stable" };
        let json = json!({
            "flag": "flags/x", "value": value, "variant": variant, "reason": "STATIC", "rule": "activation",
            "flip": null, "flips": {"on": null, "off": null}, "valid_until": null,
        });
        Reply::ok(json.to_string())
    };
    let asks = "/api/v1/flags/flags/x/decision?key=k";
    origin.script_at(asks, [decision(false), decision(false), decision(true)]);
    let events = Reply::ok(": hello\n\ndata: {}\n\n").header("Content-Type", "text/event-stream");
    origin.script_at("/api/v1/watch?flag=flags%2Fx&key=k", [events.until_close()]);
    let watched = Watched::start(&host, &format!("watch --server {} x --key k", origin.url("")));
    assert_eq!(watched.next()["value"], json!(false));
    assert_eq!(watched.next_of("value")["value"], json!(true));
    let away = watched.next_of("source");
    assert_eq!(away["health"], json!("stale"), "{away}");
    assert!(away["why"].as_str().unwrap().ends_with("has closed the connection"), "{away}");
    assert_eq!(watched.next_of("source")["health"], json!("fresh"));
    assert_eq!(watched.stop("-TERM"), Some(0));
}

/// A reconnect that is accepted and never answered is given up, and tried again.
#[test]
fn a_server_that_never_answers_is_asked_again() {
    let (host, origin) = (Host::new(), Origin::start());
    let events = |text: &str| Reply::ok(text).header("Content-Type", "text/event-stream").until_close();
    let refusal = Reply::status(503).announce(100).hang_after(0);
    let asked = "/api/v1/watch";
    origin.always(Reply::ok("{}").header("Content-Type", "application/json"));
    origin.script_at(asked, [events(": hello\n\n"), Reply::hang(), refusal, events(": hello\n\n"), Reply::hang()]);
    let watched = Watched::start(&host, &format!("watch --server {} --timeout 300ms", origin.url("")));
    assert_eq!(watched.next_of("source")["health"], json!("fresh"), "at the start");
    let away = watched.next_of("source");
    assert!(away["why"].as_str().unwrap().ends_with("has closed the connection"), "{away}");
    assert_eq!(watched.next_of("source")["health"], json!("fresh"), "after one that was silent, and half of a refusal");
    let away = watched.next_of("source");
    assert!(away["why"].as_str().unwrap().ends_with("has closed the connection"), "{away}");
    let count = || origin.requests().iter().filter(|request| request.target == asked).count();
    until("it asks again and again", || (count() > 6).then_some(()));
    assert_eq!(watched.stop("-TERM"), Some(0));
}

/// The stream is connected again and the request for the decision fails, as on a connection that the old server has closed:
/// nothing else would repeat it.
#[test]
fn a_request_that_fails_while_the_stream_is_connected_is_repeated() {
    let (host, origin) = (Host::new(), Origin::start());
    let decision = |value: u8| {
        let json = json!({
            "flag": "flags/x", "value": value, "variant": "stable", "reason": "STATIC", "rule": "ramp",
            "flip": null, "flips": {"on": null, "off": null}, "valid_until": null,
        });
        Reply::ok(json.to_string()).header("Content-Type", "application/json")
    };
    let stream = || Reply::ok(": hello\n\n").header("Content-Type", "text/event-stream");
    let (path, query) = ("/api/v1/flags/flags/x/decision?key=k", "/api/v1/watch?flag=flags%2Fx&key=k");
    origin.script_at(query, [stream().until_close(), stream().announce(100).hang_after(9)]);
    origin.script_at(path, [decision(1), decision(1), Reply::close(), Reply::close(), decision(2)]);
    let watched = Watched::start(&host, &format!("watch --server {} x --key k", origin.url("")));
    assert_eq!(watched.next_of("value")["value"], json!(1));
    assert_eq!(watched.next_of("source")["health"], json!("stale"), "the stream has ended");
    assert_eq!(watched.next_of("source")["health"], json!("fresh"));
    assert_eq!(watched.next_of("value")["value"], json!(2));
    assert_eq!(watched.stop("-TERM"), Some(0));
}

#[test]
fn a_server_without_a_flag_tells_of_every_change() {
    let host = Host::with(r#"{"f": {"x": {"stable": 1}}}"#);
    let server = ServerProcess::start(&host, "--document flags.json --name one");
    let watched = Watched::start(&host, &format!("watch --server {}", server.url));
    assert_eq!(watched.next()["event"], json!("source"));
    let change = |line: &str| {
        host.run(&format!("{line} --server {}", server.url)).code(0).said();
        watched.next_of("change")
    };
    let told = change("percentage f/x 12.5 --actor dana --reason try");
    assert_eq!(
        (&told["flag"], &told["kind"], &told["old"]),
        (&json!("f/x"), &json!("activation"), &Value::Null),
        "{told}"
    );
    assert_eq!((&told["new"]["percentage"], &told["node"]), (&json!(12.5), &json!("one")), "{told}");
    assert_eq!((&told["actor"], &told["reason"]), (&json!("dana"), &json!("try")), "{told}");
    assert_eq!(told["stamp"].as_str().unwrap().len(), 36);
    let told = change("clear f/x");
    assert_eq!((&told["old"]["percentage"], &told["new"]), (&json!(12.5), &Value::Null), "{told}");
    // A document is replaced.
    host.write("flags.json", r#"{"f": {"x": {"stable": 2}, "y": {"stable": 3}}}"#);
    let (first, second) = (watched.next_of("change"), watched.next_of("change"));
    assert_eq!((&first["flag"], &first["kind"]), (&json!("f/x"), &json!("document")), "{first}");
    assert_eq!((&first["old"]["stable"], &first["new"]["stable"]), (&json!(1), &json!(2)), "{first}");
    assert_eq!((&second["flag"], &second["old"], &second["new"]["stable"]), (&json!("f/y"), &Value::Null, &json!(3)));
    assert_eq!(watched.stop("-TERM"), Some(0));
}

/// What is printed is what the events say; the stream is resumed after the last of them.
#[test]
fn a_stream_of_all_changes_is_resumed_after_its_last_event() {
    let (host, origin) = (Host::new(), Origin::start());
    let data = |flag: &str| {
        json!({
            "flag": flag, "kind": "definition", "old": null, "new": {"stable": 1}, "actor": "", "reason": "", "node": "a",
            "stamp": "00", "at": "2026-12-01T00:00:00.000000Z", "replaced": null, "lost_to": null,
        })
    };
    let change = |id: &str, flag: &str| format!("id: {id}\nevent: change\ndata: {}\n\n", data(flag));
    let events = |text: &str| Reply::ok(text).header("Content-Type", "text/event-stream");
    origin.always(Reply::ok("{}").header("Content-Type", "application/json"));
    let gap = "event: gap\ndata: {\"detail\": \"gone\"}\n\n";
    let second = format!("{}{gap}", change("2-b", "f/y"));
    let third = format!("{}event: end\ndata: {{\"reason\": \"too-slow\"}}\n\n", change("3-c", "f/z"));
    origin.script_at(
        "/api/v1/watch",
        [
            events(&format!(": watching\nid: 0-0\n\n{}", change("1-a", "f/x"))).until_close(),
            events(&second).until_close(),
            events(&third).until_close(),
            Reply::hang(),
        ],
    );
    let watched = Watched::start(&host, &format!("watch --server {}", origin.url("")));
    for flag in ["f/x", "f/y"] {
        let told = watched.next_of("change");
        assert_eq!((&told["flag"], &told["new"]), (&json!(flag), &json!({"stable": 1})), "{told}");
    }
    assert_eq!(watched.next_of("gap")["detail"], json!("gone"));
    assert_eq!(watched.next_of("change")["flag"], json!("f/z"));
    let ids = || {
        let asked = origin.requests().into_iter().filter(|request| request.target == "/api/v1/watch");
        let ids: Vec<_> = asked.map(|request| request.header("last-event-id").map(str::to_owned)).collect();
        (ids.len() >= 4).then_some(ids)
    };
    let ids = until("it asks again", ids);
    assert_eq!(ids[..4], [None, Some("1-a".to_owned()), Some("2-b".to_owned()), Some("3-c".to_owned())]);
    assert_eq!(watched.stop("-TERM"), Some(0));
}

#[test]
fn an_event_about_another_flag_is_an_error() {
    let (host, origin) = (Host::new(), Origin::start());
    let decision = json!({
        "flag": "flags/x", "value": true, "variant": "new", "reason": "STATIC", "rule": "activation",
        "flip": null, "flips": {"on": null, "off": null}, "valid_until": null,
    });
    origin.always(Reply::ok(decision.to_string()));
    let event = "event: decision\ndata: {\"flag\": \"flags/y\", \"value\": true}\n\n";
    let events = Reply::ok(event).header("Content-Type", "text/event-stream");
    origin.script_at("/api/v1/watch?flag=flags%2Fx&key=k", [events.until_close()]);
    let said = host.run(&format!("watch --server {} x --key k", origin.url(""))).said();
    assert_eq!(said.code, 4, "{}", said.stderr);
    assert!(said.stderr.contains("the request was about `flags/x`, an event is about `flags/y`"), "{}", said.stderr);
}

#[test]
fn it_ends_when_the_pipe_is_closed() {
    let host = Host::with(r#"{"f": {"x": {"stable": 1}}}"#);
    let mut process = host.run("watch flags.json f x").start();
    let mut first = String::new();
    BufReader::new(process.stdout.take().unwrap()).read_line(&mut first).unwrap();
    assert!(first.starts_with("{\"event\":\"value\""), "{first}");
    // The reader is gone now, and nothing will ever be written that could notice.
    let status = until("it ends", || process.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
}

#[test]
fn what_is_typed_wrongly() {
    let host = Host::with("{}");
    host.run("watch flags.json --key k").code(2).stderr("error: --key needs a flag\nhelp: add the flag\n").check();
    host.run("watch flags.json --poll 1ms")
        .code(2)
        .stderr("error: --poll is below 100ms\nhelp: use a longer interval\n")
        .check();
}
