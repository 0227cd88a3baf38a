//! Slow and greedy clients, which hold up nobody else.

use std::time::Duration;

use tidegate_server::Options;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Server, builder};

async fn answer(server: &Server, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_slow_is_let_go() {
    let mut options = Options::default();
    (options.head_timeout, options.body_timeout) = (Duration::from_millis(100), Duration::from_millis(100));
    let server = Server::with(builder(), options).await;
    let said = answer(&server, "GET /healthz HTTP/1.1\r\nhos").await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
    let head =
        "PUT /api/v1/flags/flags/x HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    let said = answer(&server, head).await;
    assert!(said.starts_with("HTTP/1.1 408") && said.contains("urn:tidegate:problem:slow"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_have_a_limit() {
    let server = Server::start().await;
    let many = "x-many: 1\r\n".repeat(200);
    let request = |headers: &str| format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{headers}connection: close\r\n\r\n");
    let said = answer(&server, &request(&many)).await;
    assert!(said.starts_with("HTTP/1.1 431"), "{said}");
    // One that goes on and on may be cut off before it has heard why.
    let long = request(&format!("x-long: {}\r\n", "a".repeat(1024 * 1024)));
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let (_, mut said) = (stream.write_all(long.as_bytes()).await, Vec::new());
    let _ = stream.read_to_end(&mut said).await;
    assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&said));
    server.get("/healthz").await.good();
}

#[tokio::test(flavor = "multi_thread")]
async fn above_the_limit_a_connection_waits_for_another_to_end() {
    let mut options = Options::default();
    options.connections_max = 1;
    let server = Server::with(builder(), options).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    first.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut some = [0; 12];
    first.read_exact(&mut some).await.unwrap();
    assert_eq!(&some, b"HTTP/1.1 200");
    let waiting = answer(&server, "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    let mut waiting = std::pin::pin!(waiting);
    let early = tokio::time::timeout(Duration::from_millis(100), waiting.as_mut()).await;
    assert!(early.is_err(), "there is no room yet");
    drop(first);
    assert!(waiting.await.starts_with("HTTP/1.1 200"));
}
