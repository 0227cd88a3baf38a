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
    origin.always(Reply::ok(r#"{"flags": []}"#).header("Content-Type", "application/json"));
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

/// The stream is connected again and the request for the flags fails, as on a connection that the old server has closed: nothing
/// else would repeat it.
#[test]
fn a_request_that_fails_while_the_stream_is_connected_is_repeated() {
    let (host, origin) = (Host::new(), Origin::start());
    let flags = |share: u8| {
        let flag = json!({"flag": "flags/x", "activation": {"percentage": share}});
        Reply::ok(json!({"flags": [flag]}).to_string()).header("Content-Type", "application/json")
    };
    let stream = || Reply::ok(": hello\n\n").header("Content-Type", "text/event-stream");
    origin.script_at("/api/v1/watch", [stream().until_close(), stream().announce(100).hang_after(9)]);
    origin.script_at("/api/v1/flags", [flags(1), flags(1), Reply::close(), Reply::close(), flags(2)]);
    let watched = Watched::start(&host, &format!("watch --server {}", origin.url("")));
    assert_eq!(watched.next_of("source")["health"], json!("fresh"), "at the start");
    assert_eq!(watched.next_of("source")["health"], json!("stale"), "the stream has ended");
    assert_eq!(watched.next_of("source")["health"], json!("fresh"));
    assert_eq!(watched.next_of("change")["activation"]["percentage"], json!(2));
    assert_eq!(watched.stop("-TERM"), Some(0));
}

#[test]
fn a_server_without_a_flag_tells_of_every_change() {
    let host = Host::with(r#"{"f": {"x": {"stable": 1}}}"#);
    let server = ServerProcess::start(&host, "--document flags.json");
    let watched = Watched::start(&host, &format!("watch --server {}", server.url));
    assert_eq!(watched.next()["event"], json!("source"));
    let change = |line: &str| {
        host.run(&format!("{line} --server {}", server.url)).code(0).said();
        let told = watched.next_of("change");
        (told["flag"].clone(), told)
    };
    let (flag, told) = change("percentage f/x 12.5");
    assert_eq!((flag, &told["activation"]["percentage"]), (json!("f/x"), &json!(12.5)), "{told}");
    let (flag, told) = change("activate web/new --create");
    assert_eq!((flag, &told["activation"]["percentage"]), (json!("web/new"), &json!(100)), "{told}");
    let (flag, told) = change("clear web/new");
    assert_eq!((flag, &told["removed"]), (json!("web/new"), &json!(true)), "{told}");
    let (flag, told) = change("clear f/x");
    assert_eq!((flag, &told["activation"]), (json!("f/x"), &Value::Null), "{told}");
    // A document is replaced.
    host.write("flags.json", r#"{"f": {"x": {"stable": 2}, "y": {"stable": 3}}}"#);
    let (first, second) = (watched.next_of("change"), watched.next_of("change"));
    assert_eq!((&first["flag"], &first["stable"]), (&json!("f/x"), &json!(2)), "{first}");
    assert_eq!((&second["flag"], &second["stable"]), (&json!("f/y"), &json!(3)), "{second}");
    assert_eq!(watched.stop("-TERM"), Some(0));
}

/// Of ten thousand flags a change of one costs one request for that one.
#[test]
fn only_the_flags_that_an_event_names_are_asked_for() {
    let (host, origin) = (Host::new(), Origin::start());
    let json = |value: Value| Reply::ok(value.to_string()).header("Content-Type", "application/json");
    let flag = |key: &str, value: u64| json!({"flag": key, "stable": value, "share": 0});
    let list = json!({"flags": [flag("f/x", 1), flag("f/y", 1), flag("f/z", 1)]});
    // Once at the start, and once when the stream is open.
    origin.script_at("/api/v1/flags", [json(list.clone()), json(list)]);
    origin.script_at("/api/v1/flags/f/x", [json(flag("f/x", 2))]);
    let problem =
        r#"{"type": "urn:tidegate:problem:unknown-flag", "title": "x", "status": 404, "detail": "x", "help": "x"}"#;
    let gone = Reply::status(404).body(problem).header("Content-Type", "application/problem+json");
    origin.script_at("/api/v1/flags/f/z", [gone]);
    let data = r#"{"flags": ["f/x", "f/z"], "more": false, "health": false, "locks": false, "activations": true}"#;
    let text = format!(": hello\n\nevent: change\ndata: {data}\n\n");
    let events = Reply::ok(&text).header("Content-Type", "text/event-stream").until_close();
    origin.script_at("/api/v1/watch", [events.hang_after(text.len())]);
    let watched = Watched::start(&host, &format!("watch --server {}", origin.url("")));
    let told = [watched.next_of("change"), watched.next_of("change")];
    assert_eq!((&told[0]["flag"], &told[0]["stable"]), (&json!("f/x"), &json!(2)), "{told:?}");
    assert_eq!((&told[1]["flag"], &told[1]["removed"]), (&json!("f/z"), &json!(true)), "{told:?}");
    let asked = |path: &str| origin.requests().iter().filter(|request| request.target == path).count();
    assert_eq!(["/api/v1/flags/f/x", "/api/v1/flags/f/y", "/api/v1/flags/f/z"].map(asked), [1, 0, 1]);
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
