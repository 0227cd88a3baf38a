//! Whatever else is under way, a kill switch works, and memory has a bound.

use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tidegate::{Builder, Live, Tidegate};
use tidegate_server::{Options, limits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Reply, Server, builder};

/// A node that is told of others and reaches none: what wants their acknowledgement waits.
fn alone(folder: &TempDir) -> Builder {
    let live = Live::at(folder.path()).name("one").listen("127.0.0.1:0".parse().unwrap()).peer("127.0.0.1:1");
    Tidegate::builder().without_locks().without_cache().live(live)
}

/// A request that is sent, and not waited for.
async fn sent(server: &Server, line: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "{line} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// The head of what is answered on it.
async fn head(stream: &mut TcpStream, patience: Duration) -> Option<String> {
    let mut head = Vec::new();
    let read = async {
        while !head.ends_with(b"\r\n\r\n") && !head.ends_with(b"}") {
            head.push(stream.read_u8().await.ok()?);
        }
        Some(())
    };
    tokio::time::timeout(patience, read).await.ok()??;
    Some(String::from_utf8(head).unwrap())
}

/// A change on this node alone, at once.
async fn kill_switch(server: &Server) {
    let began = Instant::now();
    for percentage in [100, 0] {
        let path = "/api/v1/flags/flags/kill/activation?ack=local&create=true";
        server.put(path, &json!({"percentage": percentage}).to_string()).await.good();
    }
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_that_wait_hold_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::with(alone(&folder), Options::default()).await;
    let mut waiting = Vec::new();
    for number in 0..700 {
        let line = format!("PUT /api/v1/flags/flags/x-{number}?ack=one&timeout=1m");
        waiting.push(sent(&server, &line, r#"{"stable": 1}"#).await);
    }
    let last = server.request("GET", "/api/v1/flags/flags/x-699");
    // The last one is there although no member has acknowledged it, and although all of them wait.
    let began = Instant::now();
    while last.try_clone().unwrap().send().await.unwrap().status() != 200 {
        assert!(began.elapsed() < Duration::from_secs(20), "it was begun");
    }
    kill_switch(&server).await;
    assert_eq!(head(&mut waiting[0], Duration::from_millis(10)).await, None, "it waits still");
    server.get("/api/v1/flags").await.good();
    server.get("/api/v1/cluster").await.good();
}

#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_limit_a_change_waits_a_second_and_is_kept() {
    let mut options = Options::default();
    options.waits_max = 1;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::with(alone(&folder), options).await;
    // Each of a flag of its own: a change that is outranked waits no longer.
    let line = |flag: &str| format!("PUT /api/v1/flags/flags/{flag}/activation?ack=one&timeout=30s&create=true");
    let body = r#"{"percentage": 100}"#;
    let mut first = sent(&server, &line("x"), body).await;
    let began = Instant::now();
    while !server.tide.is_active("x") {
        assert!(began.elapsed() < Duration::from_secs(20), "the first one was begun");
        tokio::task::yield_now().await;
    }
    let mut second = sent(&server, &line("y"), body).await;
    let said = head(&mut second, Duration::from_secs(20)).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 202"), "it stands, and waited no longer: {said}");
    assert_eq!(head(&mut first, Duration::from_millis(10)).await, None, "it waits still");
    // When its client goes, there is room for another one that waits.
    drop(first);
    let began = Instant::now();
    loop {
        let mut next = sent(&server, &line("z"), body).await;
        if head(&mut next, Duration::from_millis(1_500)).await.is_none() {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "the place of a client that has gone");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_answers_those_who_wait() {
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::with(alone(&folder), Options::default()).await;
    let line = "PUT /api/v1/flags/flags/x?ack=one&timeout=1m";
    let mut waiting = sent(&server, line, r#"{"stable": 1}"#).await;
    let began = Instant::now();
    while server.get("/api/v1/flags/flags/x").await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(20), "it was begun");
    }
    let began = Instant::now();
    server.stop();
    let mut said = String::new();
    waiting.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("the change was made"), "{said}");
    server.ended().await;
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

/// Bodies and answers share one budget; what finds no room is told when to come back, and a change is never among them.
#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_budget_large_bodies_and_answers_are_refused() {
    let mut options = Options::default();
    options.memory_max = 600 * 1024;
    let value = "v".repeat(60_000);
    let server =
        Server::with(builder().text(json!({"f": {"x": {"stable": value, "new": value}}}).to_string()), options).await;
    let entry = |count: usize| format!("{{\"stable\": 1, \"description\": \"{}\"}}", "d".repeat(count));
    // Most of a body of 500 KiB, which is held until it is whole.
    let body = entry(500 * 1024);
    let mut half = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "PUT /api/v1/flags/flags/y HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    half.write_all(head.as_bytes()).await.unwrap();
    half.write_all(&body.as_bytes()[..490 * 1024]).await.unwrap();
    let began = Instant::now();
    let refused = loop {
        let reply = server.get("/api/v1/flags/f/x").await;
        if reply.status == 503 {
            break reply;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "the body takes the budget");
    };
    assert_eq!(refused.problem(503)["type"], "urn:tidegate:problem:memory");
    assert_eq!(refused.header("retry-after"), "2");
    server.put("/api/v1/flags/flags/z", &entry(300 * 1024)).await.problem(503);
    server.get("/api/v1/flags").await.problem(503);
    server.get("/api/v1/backup").await.problem(503);
    let restore = server.request("POST", "/api/v1/restore").header("content-type", "application/x-ndjson");
    Reply::from_request(restore.body("x".repeat(300 * 1024))).await.problem(503);
    kill_switch(&server).await;
    server.get("/api/v1/flags/flags/kill").await.good();
    drop(half);
    let began = Instant::now();
    while server.get("/api/v1/flags/f/x").await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(20), "there is room again");
    }
    server.put("/api/v1/flags/flags/z", &entry(40 * 1024)).await.good();
    assert!(server.get("/api/v1/flags").await.good()["flags"].as_array().unwrap().len() == 3);
}

/// Clients that begin a long list and do not read on cost a part of it each.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_and_a_backup_are_sent_as_they_are_taken() {
    let flags: serde_json::Map<String, serde_json::Value> = (0..3_000_u32)
        .map(|number| (format!("flag-{number:05}"), json!({"stable": "v".repeat(3_000), "new": number})))
        .collect();
    let mut options = Options::default();
    // Less than one whole answer, and more than the parts of forty.
    options.memory_max = (40 * 204 + 100) * 1024;
    let server = Server::with(builder().text(json!({"f": flags}).to_string()), options).await;
    for number in 0..50 {
        let path = format!("/api/v1/flags/a/x-{number:02}/activation?create=true");
        server.put(&path, r#"{"percentage": 1}"#).await.good();
    }
    let mut readers = Vec::new();
    for _ in 0..40 {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(b"GET /api/v1/flags HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
        let said = head(&mut stream, Duration::from_secs(20)).await.unwrap();
        assert!(said.starts_with("HTTP/1.1 200") && said.contains("transfer-encoding: chunked"), "{said}");
        readers.push(stream);
    }
    assert_eq!(server.get("/api/v1/flags").await.status, 503);
    kill_switch(&server).await;
    drop(readers);
    let began = Instant::now();
    let list = loop {
        let reply = server.get("/api/v1/flags").await;
        if reply.status == 200 {
            break reply.good();
        }
        assert!(began.elapsed() < Duration::from_secs(20), "there is room again");
    };
    let keys: Vec<&str> = list["flags"].as_array().unwrap().iter().map(|flag| flag["flag"].as_str().unwrap()).collect();
    assert_eq!(keys.len(), 3_051);
    assert!(keys.is_sorted(), "in the order of their keys");
    assert_eq!((list["flags"][0]["source"].as_str(), list["digest"].as_str().unwrap().len()), (Some("activation"), 49));
}

/// A page of history has fewer changes where they are long, and says where it goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_history_has_a_size() {
    let server = Server::start().await;
    let entry = |number: u32| format!("{{\"stable\": {number}, \"description\": \"{}\"}}", "d".repeat(60_000));
    for number in 0..40 {
        server.put("/api/v1/flags/flags/x", &entry(number)).await.good();
    }
    let (mut found, mut pages, mut path) = (0, 0, "/api/v1/flags/flags/x/history?limit=100".to_owned());
    loop {
        let reply = server.get(&path).await;
        assert!(reply.body.len() < 2 * 1024 * 1024);
        let page = reply.good();
        (found, pages) = (found + page["changes"].as_array().unwrap().len(), pages + 1);
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/api/v1/flags/flags/x/history?limit=100&before={next}");
    }
    assert_eq!(found, 40);
    assert!(pages > 1, "it is too long for one");
}

/// A restore whose client has disconnected ends, and the changes that it has made stay.
#[tokio::test(flavor = "multi_thread")]
async fn a_restore_ends_with_its_client_and_with_the_server() {
    const FLAGS: usize = 3_000;
    let one = Server::start().await;
    for number in 0..FLAGS {
        one.tide.activate(&format!("flag-{number}")).send_async().await.unwrap();
    }
    let backup = one.get("/api/v1/backup").await.body;
    for is_stopped in [false, true] {
        let mut options = Options::default();
        options.turn_timeout = Duration::from_millis(50);
        let mut other = Server::with(builder(), options).await;
        let cluster = other.tide.cluster().unwrap();
        let restored = || cluster.changed_flags(|_| true).unwrap().len();
        let mut client = TcpStream::connect(other.address).await.unwrap();
        let head = format!(
            "POST /api/v1/restore HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\n\
             content-length: {}\r\n\r\n",
            backup.len()
        );
        client.write_all(head.as_bytes()).await.unwrap();
        client.write_all(&backup).await.unwrap();
        let began = Instant::now();
        while restored() == 0 {
            assert!(began.elapsed() < Duration::from_secs(20), "it is at work");
        }
        let second = other.request("POST", "/api/v1/restore").header("content-type", "application/x-ndjson");
        let refused = Reply::from_request(second.body(backup.clone())).await;
        assert_eq!(refused.problem(503)["type"], "urn:tidegate:problem:busy", "one at a time");
        assert_eq!(refused.header("retry-after"), "1");
        if is_stopped {
            other.stop();
            let mut said = String::new();
            client.read_to_string(&mut said).await.unwrap();
            assert!(said.starts_with("HTTP/1.1 503") && said.contains("run it again"), "{said}");
            other.ended().await;
        }
        drop(client);
        let (began, mut last) = (Instant::now(), (0, Instant::now()));
        // It has ended when nothing was added for a while.
        while last.1.elapsed() < Duration::from_millis(300) {
            let now = restored();
            if now != last.0 {
                last = (now, Instant::now());
            }
            assert!(began.elapsed() < Duration::from_mins(1));
            tokio::task::yield_now().await;
        }
        assert!((1..FLAGS).contains(&last.0), "{} of {FLAGS}", last.0);
    }
}

/// An entry with `patterns` patterns of this class, each of which is compiled.
fn costly_entry(class: &str, patterns: usize) -> String {
    let adopters: Vec<_> = (0..patterns).map(|number| json!({"regex": format!("^{number}{class}")})).collect();
    json!({"stable": 1, "new": 2, "early_adopters": adopters}).to_string()
}

/// More definitions with costly patterns than have a turn, and a kill switch meanwhile: with patterns that are compiled and
/// become active, and with as many as cost the whole budget of a document before they are refused.
#[tokio::test(flavor = "multi_thread")]
async fn definitions_with_costly_patterns_do_not_delay_a_kill_switch() {
    let server = Server::start().await;
    for (class, patterns, status) in [(r"\d", 3, "200"), (r"\w", 900, "422")] {
        let body = costly_entry(class, patterns);
        let mut definitions = Vec::new();
        for number in 0..8 * limits::DEFINITIONS_AT_ONCE {
            let line = format!("PUT /api/v1/flags/costly/x-{patterns}-{number}?ack=local");
            definitions.push(sent(&server, &line, &body).await);
        }
        kill_switch(&server).await;
        let is_all_answered = head(definitions.last_mut().unwrap(), Duration::ZERO).await.is_some();
        assert!(status == "200" || !is_all_answered, "the costly ones are still at work while the switch is used");
        let first = head(&mut definitions[0], Duration::from_mins(1)).await.unwrap();
        assert!(first.starts_with(&format!("HTTP/1.1 {status}")), "{first}");
    }
    assert!(!server.tide.is_active_for("kill", "k"));
}
