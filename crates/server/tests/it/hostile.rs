//! Requests that are malformed on purpose: each is refused or closed, and leaves the server as it was.

use std::time::Duration;

use tidegate_server::Options;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Server, builder};

/// All that is answered until the connection is closed; empty if it is closed at once.
async fn said(server: &Server, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    // One that is cut off early may fail to send the rest.
    let _ = stream.write_all(request).await;
    let mut said = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut said)).await;
    let _ = read.expect("it is closed in time");
    String::from_utf8_lossy(&said).into_owned()
}

/// The statuses of the answers, in their order.
fn statuses(said: &str) -> Vec<&str> {
    let heads = said.split("HTTP/1.").skip(1);
    heads.map(|head| head.get(2..5).unwrap_or_default()).collect()
}

const PUT: &str =
    "PUT /api/v1/flags/flags/x?ack=local HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
const BODY: &str = r#"{"stable": 1}"#;

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_change_nothing() {
    let mut options = Options::default();
    (options.head_timeout, options.body_timeout) = (Duration::from_millis(500), Duration::from_millis(500));
    let server = Server::with(builder(), options).await;
    let long = "a".repeat(1024 * 1024);
    let requests = [
        ("two lengths", format!("{PUT}content-length: 13\r\ncontent-length: 12\r\n\r\n{BODY}")),
        ("a length that is none", format!("{PUT}content-length: -13\r\n\r\n{BODY}")),
        ("a length with a sign", format!("{PUT}content-length: +13\r\n\r\n{BODY}")),
        ("a list of lengths", format!("{PUT}content-length: 13, 14\r\n\r\n{BODY}")),
        ("an encoding that is none", format!("{PUT}transfer-encoding: xchunked\r\n\r\nd\r\n{BODY}\r\n0\r\n\r\n")),
        (
            "chunked, and then something else",
            format!("{PUT}transfer-encoding: chunked, gzip\r\n\r\nd\r\n{BODY}\r\n0\r\n\r\n"),
        ),
        ("a chunk whose size is none", format!("{PUT}transfer-encoding: chunked\r\n\r\nzz\r\n{BODY}\r\n0\r\n\r\n")),
        ("a chunk without end", format!("{PUT}transfer-encoding: chunked\r\n\r\nd\r\n{BODY}XX0\r\n\r\n")),
        (
            "a chunk of a size that wraps",
            format!("{PUT}transfer-encoding: chunked\r\n\r\n1000000000000000d\r\n{BODY}\r\n0\r\n\r\n"),
        ),
        ("a body that is cut off", format!("{PUT}content-length: 14\r\n\r\n{BODY}")),
        (
            "chunks in HTTP/1.0",
            format!("{}transfer-encoding: chunked\r\n\r\nd\r\n{BODY}\r\n0\r\n\r\n", PUT.replace("1.1", "1.0")),
        ),
        ("a header without a name", format!("{PUT}: x\r\ncontent-length: 13\r\n\r\n{BODY}")),
        ("a blank before the colon", format!("{PUT}content-length : 13\r\n\r\n{BODY}")),
        ("NUL in a header", format!("{PUT}x-a: \0\r\ncontent-length: 13\r\n\r\n{BODY}")),
        ("NUL in the path", format!("{}content-length: 13\r\n\r\n{BODY}", PUT.replace("/x?", "/\0x?"))),
        ("a long path", format!("{}content-length: 13\r\n\r\n{BODY}", PUT.replace("/x?", &format!("/{long}?")))),
        ("a long header", format!("{PUT}x-a: {long}\r\ncontent-length: 13\r\n\r\n{BODY}")),
        ("a line that is no request", format!("{long}\r\n\r\n")),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_owned()),
        ("HTTP/3.0", format!("{}content-length: 13\r\n\r\n{BODY}", PUT.replace("1.1", "3.0"))),
        ("TLS", "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03".to_owned()),
        ("dots in the path", format!("{}content-length: 13\r\n\r\n{BODY}", PUT.replace("/flags/x?", "/flags/..?"))),
        ("dots that are escaped", format!("{}content-length: 13\r\n\r\n{BODY}", PUT.replace("/x?", "/%2e%2e?"))),
        (
            "a path up",
            format!("{}content-length: 13\r\n\r\n{BODY}", PUT.replace("/flags/flags/x?", "/flags/..%2f..%2fx?")),
        ),
        ("CONNECT", "CONNECT localhost:80 HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned()),
        (
            "a whole URL of another host",
            format!("{}content-length: 13\r\n\r\n{BODY}", PUT.replace("PUT /", "PUT http://evil.example/")),
        ),
    ];
    for (what, request) in requests {
        let said = said(&server, request.as_bytes()).await;
        for status in statuses(&said) {
            assert!(status.starts_with('4') || status == "505", "{what}: {said}");
        }
        assert_eq!(server.tide.snapshot().flags().count(), 0, "{what}: {said}");
    }
    let good = said(&server, format!("{PUT}content-length: 13\r\n\r\n{BODY}").as_bytes()).await;
    assert_eq!(statuses(&good), ["200"], "the same without a fault: {good}");
    assert_eq!(server.tide.snapshot().flags().count(), 1);
}

/// What is answered before the router is read by the same reader: nothing of this is evaluated.
#[tokio::test(flavor = "multi_thread")]
async fn malformed_evaluations_are_refused_or_closed() {
    let mut options = Options::default();
    (options.head_timeout, options.body_timeout) = (Duration::from_millis(500), Duration::from_millis(500));
    let server = Server::with(builder().text(r#"{"flags": {"x": {"stable": 1}}}"#), options).await;
    let post = "POST /ofrep/v1/evaluate/flags/x HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n";
    let long = "a".repeat(1024 * 1024);
    let requests = [
        ("two lengths", format!("{post}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}")),
        ("a length with a sign", format!("{post}content-length: +2\r\n\r\n{{}}")),
        ("an encoding that is none", format!("{post}transfer-encoding: xchunked\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n")),
        ("a chunk whose size is none", format!("{post}transfer-encoding: chunked\r\n\r\nzz\r\n{{}}\r\n0\r\n\r\n")),
        ("a chunk without end", format!("{post}transfer-encoding: chunked\r\n\r\n2\r\n{{}}XX0\r\n\r\n")),
        ("a body that is cut off", format!("{post}content-length: 3\r\n\r\n{{}}")),
        ("NUL in the path", format!("{}content-length: 2\r\n\r\n{{}}", post.replace("/x ", "/\0x "))),
        ("a path up", format!("{}content-length: 2\r\n\r\n{{}}", post.replace("/x ", "/..%2fx "))),
        ("a path up that is not escaped", format!("{}content-length: 2\r\n\r\n{{}}", post.replace("/x ", "/../x "))),
        ("a long path", format!("{}content-length: 2\r\n\r\n{{}}", post.replace("/x ", &format!("/x{long} ")))),
        ("a long header", format!("{post}x-a: {long}\r\ncontent-length: 2\r\n\r\n{{}}")),
        (
            "a whole URL of another host",
            format!("{}content-length: 2\r\n\r\n{{}}", post.replace("POST /", "POST http://evil.example/")),
        ),
        ("HTTP/2 without TLS", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_owned()),
    ];
    for (what, request) in requests {
        let said = said(&server, request.as_bytes()).await;
        for status in statuses(&said) {
            assert!(status.starts_with('4') || status == "505", "{what}: {said}");
        }
        assert!(!said.contains("\"value\""), "{what}: {said}");
    }
    let good = said(&server, format!("{post}content-length: 2\r\nconnection: close\r\n\r\n{{}}").as_bytes()).await;
    assert!(statuses(&good) == ["200"] && good.contains("\"value\":1"), "the same without a fault: {good}");
}

/// This server speaks HTTP/1.1 alone: floods of HTTP/2 end with their first bytes, and leave nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn floods_of_http_2_are_closed_at_once() {
    let server = Server::start().await;
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    // Streams that are opened and reset at once.
    let reset: Vec<u8> = (0..10_000_u32)
        .flat_map(|number| {
            let stream = (2 * number + 1).to_be_bytes();
            let headers = [&[0, 0, 3, 1, 5][..], &stream, &[0x82, 0x84, 0x86]].concat();
            [headers, [&[0, 0, 4, 3, 0][..], &stream, &[0, 0, 0, 8]].concat()].concat()
        })
        .collect();
    // A head that never ends.
    let begun = [0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82];
    let endless = [&begun[..], &[0, 0, 1, 9, 0, 0, 0, 0, 1, 0x84].repeat(100_000)].concat();
    for flood in [&reset, &endless] {
        for _ in 0..10 {
            let said = said(&server, &[preface, settings, flood].concat()).await;
            assert!(statuses(&said).iter().all(|status| status.starts_with('4') || *status == "505"), "{said}");
        }
    }
    server.get("/healthz").await.good();
}

/// A length beside chunks does not count, so nothing is hidden behind one of the two.
#[tokio::test(flavor = "multi_thread")]
async fn one_request_is_not_two() {
    let mut options = Options::default();
    options.head_timeout = Duration::from_millis(500);
    let server = Server::with(builder(), options).await;
    let hidden = "PUT /api/v1/flags/flags/hidden HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                  content-length: 13\r\n\r\n{\"stable\": 2}";
    for headers in
        ["content-length: 5\r\ntransfer-encoding: chunked\r\n", "transfer-encoding: chunked\r\ncontent-length: 5\r\n"]
    {
        let chunk = format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len());
        let said = said(&server, format!("{PUT}{headers}\r\n{chunk}").as_bytes()).await;
        assert!(statuses(&said).len() <= 1, "{said}");
        assert_eq!(server.get("/api/v1/flags/flags/hidden").await.status, 404, "{said}");
    }
    // Several requests in one piece are answered one by one, in their order.
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let all: String = (0..100).map(|number| get(if number % 2 == 0 { "/healthz" } else { "/nowhere" })).collect();
    let last = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    stream.write_all(format!("{all}{last}").as_bytes()).await.unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).await.unwrap();
    let expected: Vec<&str> = (0..101).map(|number| if number % 2 == 0 { "200" } else { "404" }).collect();
    assert_eq!(statuses(&answers), expected);
}

/// Floods of what is refused leave nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn floods_are_answered_and_forgotten() {
    let mut options = Options::default();
    options.connections_max = 50;
    let server = Server::with(builder(), options).await;
    // Slow heads, slow bodies, and streams whose client does not read.
    let mut slow = Vec::new();
    for number in 0..300 {
        let request = match number % 3 {
            0 => "GET /healthz HTTP/1.1\r\nhos".to_owned(),
            1 => format!("{PUT}content-length: 13\r\n\r\n{{"),
            _ => "GET /api/v1/flags HTTP/1.1\r\nhost: localhost\r\n\r\n".to_owned(),
        };
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let _ = stream.write_all(request.as_bytes()).await;
        slow.push(stream);
    }
    for number in 0..500 {
        server.get(&format!("/nowhere/{number}")).await.problem(404);
    }
    server.get("/healthz").await.good();
    drop(slow);
}
