//! Stopping: no connection is accepted, streams end, and requests under way end or are cut off.

use std::time::{Duration, Instant};

use tidegate_server::Options;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Server, builder};
use crate::watch::Stream;

#[tokio::test(flavor = "multi_thread")]
async fn requests_under_way_end_and_streams_are_ended() {
    let mut server = Server::start().await;
    let mut stream = Stream::open(&server, "/api/v1/watch?flag=x").await;
    stream.event("decision").await;
    // A request of which a part is there.
    let mut half = TcpStream::connect(server.address).await.unwrap();
    let body = r#"{"percentage": 1}"#;
    let head = format!(
        "PUT /api/v1/flags/flags/x/activation?create=true HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{{",
        body.len()
    );
    half.write_all(head.as_bytes()).await.unwrap();
    // By the next answer on another connection the first has been taken.
    server.get("/healthz").await.good();
    let began = Instant::now();
    server.stop();
    assert_eq!(stream.next().await, None, "a stream ends in good order");
    half.write_all(&body.as_bytes()[1..]).await.unwrap();
    let mut answer = String::new();
    half.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    server.ended().await;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(TcpStream::connect(server.address).await.is_err(), "the port is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_does_not_end_is_cut_off() {
    let mut options = Options::default();
    options.stop_timeout = Duration::from_millis(50);
    let mut server = Server::with(builder(), options).await;
    let mut slow = TcpStream::connect(server.address).await.unwrap();
    let head = "PUT /api/v1/flags/flags/x HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    slow.write_all(head.as_bytes()).await.unwrap();
    server.get("/healthz").await.good();
    server.stop();
    server.ended().await;
    let mut rest = Vec::new();
    assert!(slow.read_to_end(&mut rest).await.map_or(true, |bytes| bytes == 0), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_ended_holds_no_handle_of_its_instance() {
    for _ in 0..20 {
        let mut server = Server::start().await;
        let mut streams = Vec::new();
        for path in ["/api/v1/watch", "/api/v1/watch?flag=x", "/ofrep/v1/events", "/api/v1/watch"] {
            streams.push(Stream::open(&server, path).await);
        }
        server.get("/api/v1/flags").await.good();
        // The task that reads history for all streams is busy with this one when the server stops.
        server.put("/api/v1/flags/f/x", r#"{"stable": 1}"#).await.good();
        let weak = server.tide.downgrade();
        server.stop();
        server.ended().await;
        drop(server);
        assert!(weak.upgrade().is_none());
    }
}
