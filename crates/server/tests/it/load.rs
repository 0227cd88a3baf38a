//! Clients that want nothing or too much, all at once: a smaller `cargo xtask bench load`, which counts answers and takes no times.

use std::time::Duration;

use tidegate_server::Options;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Server, builder};

const IDLE: usize = 200;
const SLOW: usize = 60;
const STREAMS: usize = 40;

/// Bytes that a slow client sends one at a time.
const SLOW_BYTES: usize = 30;

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";

/// Sends something, and reads the status of the answer.
async fn status(stream: &mut TcpStream, request: &[u8]) -> String {
    stream.write_all(request).await.unwrap();
    let mut status = [0; 12];
    let read = tokio::time::timeout(Duration::from_mins(1), stream.read_exact(&mut status)).await;
    read.expect("it is answered").unwrap();
    String::from_utf8_lossy(&status[9..]).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_beside_clients_that_are_idle_slow_or_do_not_read() {
    let mut options = Options::default();
    (options.connections_max, options.watchers_max) = (IDLE + SLOW + STREAMS + 20, STREAMS);
    (options.head_timeout, options.body_timeout) = (Duration::from_mins(2), Duration::from_mins(2));
    let document = r#"{"flags": {"x": {"stable": false, "new": true}}}"#;
    let (server, health) = Server::with_health(builder().text(document), options).await;
    let connect = || TcpStream::connect(server.address);
    // Half of the idle ones have never sent a byte.
    let mut idle = Vec::new();
    for number in 0..IDLE {
        let mut stream = connect().await.unwrap();
        if number % 2 == 0 {
            assert_eq!(status(&mut stream, HEALTH).await, "200");
        }
        idle.push(stream);
    }
    // Of a stream its client has read the status at most.
    let mut streams = Vec::new();
    for number in 0..STREAMS {
        let path = if number % 2 == 0 { "/api/v1/watch" } else { "/ofrep/v1/events" };
        let mut stream = connect().await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        assert_eq!(status(&mut stream, request.as_bytes()).await, "200");
        streams.push(stream);
    }
    assert_eq!(server.get("/api/v1/watch").await.status, 503, "all streams are open");
    let head = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let body = format!("{}{{}}", " ".repeat(SLOW_BYTES));
    let kind = "host: localhost\r\ncontent-type: application/json";
    let length = body.len();
    let line = "POST /ofrep/v1/evaluate/flags/x HTTP/1.1";
    let mut slow = Vec::new();
    for number in 0..SLOW {
        let mut stream = connect().await.unwrap();
        if number % 2 == 0 {
            slow.push((stream, head));
        } else {
            let head = format!("{line}\r\n{kind}\r\ncontent-length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            slow.push((stream, body.as_str()));
        }
    }
    for round in 0..SLOW_BYTES {
        for (stream, text) in &mut slow {
            stream.write_all(&text.as_bytes()[round..=round]).await.unwrap();
        }
        let mut stream = TcpStream::connect(health).await.unwrap();
        assert_eq!(status(&mut stream, HEALTH).await, "200");
        assert_eq!(status(&mut connect().await.unwrap(), HEALTH).await, "200");
        let (percentage, is_on) = if round % 2 == 0 { ("100", true) } else { ("0", false) };
        let change = format!(r#"{{"percentage": {percentage}}}"#);
        server.put("/api/v1/flags/flags/x/activation", &change).await.good();
        let context = r#"{"context": {"targetingKey": "ann"}}"#;
        assert_eq!(server.post("/ofrep/v1/evaluate/flags/x", context).await.good()["value"], is_on);
    }
    for (stream, text) in &mut slow {
        assert_eq!(status(stream, &text.as_bytes()[SLOW_BYTES..]).await, "200", "a slow one comes to its end");
    }
    for stream in &mut idle {
        // What is left of an earlier answer comes first.
        let mut rest = [0; 4096];
        let _ = stream.try_read(&mut rest);
        assert_eq!(status(stream, HEALTH).await, "200", "an idle one is there still");
    }
    drop(streams);
}
