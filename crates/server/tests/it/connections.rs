//! Slow and greedy clients, which delay no other client.

use std::time::Duration;

use tidegate_server::{Options, limits};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::{Server, builder};
use crate::watch::Stream;

/// All that is answered until the server closes the connection.
pub(crate) async fn answer(server: &Server, request: &str) -> String {
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
    let said = answer(&server, "").await;
    assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "a silent one is closed, too: {said}");
    let head = "PUT /api/v1/flags/flags/x HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    let said = answer(&server, head).await;
    assert!(said.starts_with("HTTP/1.1 408") && said.contains("urn:tidegate:problem:request-timeout"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_have_a_limit() {
    let server = Server::start().await;
    let many = "x-many: 1\r\n".repeat(200);
    let request =
        |headers: &str| format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{headers}connection: close\r\n\r\n");
    let said = answer(&server, &request(&many)).await;
    assert!(said.starts_with("HTTP/1.1 431"), "{said}");
    // Two more are `Host` and `Connection`.
    for (more, status) in [(limits::HEADERS_MAX - 2, "200"), (limits::HEADERS_MAX - 1, "431")] {
        let said = answer(&server, &request(&"x-many: 1\r\n".repeat(more))).await;
        assert!(said.starts_with(&format!("HTTP/1.1 {status}")), "{more}: {said}");
    }
    // One that goes on and on may be cut off before it has heard why.
    let long = request(&format!("x-long: {}\r\n", "a".repeat(1024 * 1024)));
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let (_, mut said) = (stream.write_all(long.as_bytes()).await, Vec::new());
    let _ = stream.read_to_end(&mut said).await;
    assert!(said.is_empty() || said.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&said));
    server.get("/healthz").await.good();
}

/// A connection on which something was asked and answered, and which is kept.
async fn kept(server: &Server) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut some = [0; 12];
    stream.read_exact(&mut some).await.unwrap();
    assert_eq!(&some, b"HTTP/1.1 200");
    stream
}

/// Whether the other end has closed it, after what it has still sent.
async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.is_ok()
}

const HEALTH: &str = "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn idle_and_silent_connections_make_room_for_new_ones() {
    let mut options = Options::default();
    options.connections_max = 20;
    let server = Server::with(builder(), options).await;
    let mut connections = Vec::new();
    for number in 0..400 {
        connections.push(match number % 2 {
            0 => kept(&server).await,
            _ => TcpStream::connect(server.address).await.unwrap(),
        });
    }
    let began = std::time::Instant::now();
    assert!(answer(&server, HEALTH).await.starts_with("HTTP/1.1 200"));
    assert!(began.elapsed() < Duration::from_secs(5), "it waits for no timeout: {:?}", began.elapsed());
    for stream in &mut connections[..300] {
        assert!(is_closed(stream).await, "the oldest ones are gone");
    }
    // The newest is there still, and is answered.
    let newest = &mut connections[399];
    newest.write_all(HEALTH.as_bytes()).await.unwrap();
    let mut said = String::new();
    newest.read_to_string(&mut said).await.unwrap();
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_request_makes_room_and_changes_nothing() {
    let mut options = Options::default();
    options.connections_max = 1;
    let server = Server::with(builder(), options).await;
    let mut half = TcpStream::connect(server.address).await.unwrap();
    let head = "PUT /api/v1/flags/flags/x/activation?create=true HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
                content-length: 19\r\n\r\n{\"percentage\": 100";
    half.write_all(head.as_bytes()).await.unwrap();
    assert!(answer(&server, HEALTH).await.starts_with("HTTP/1.1 200"));
    let _ = half.write_all(b"}").await;
    assert!(is_closed(&mut half).await);
    assert!(!server.tide.is_active("x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_at_work_keeps_its_place_and_a_newcomer_waits() {
    let mut options = Options::default();
    options.connections_max = 2;
    let server = Server::with(builder(), options).await;
    let mut streams = [Stream::open(&server, "/api/v1/watch").await, Stream::open(&server, "/api/v1/watch").await];
    for stream in &mut streams {
        stream.next().await.unwrap();
    }
    let mut waiting = std::pin::pin!(answer(&server, HEALTH));
    let early = tokio::time::timeout(Duration::from_millis(100), waiting.as_mut()).await;
    assert!(early.is_err(), "there is no room yet");
    let [first, second] = streams;
    drop(second);
    assert!(waiting.await.starts_with("HTTP/1.1 200"));
    drop(first);
}

#[tokio::test(flavor = "multi_thread")]
async fn health_has_a_listener_of_its_own() {
    let mut options = Options::default();
    options.connections_max = 1;
    let (mut server, health) = Server::with_health(builder(), options).await;
    let mut stream = Stream::open(&server, "/api/v1/watch").await;
    stream.next().await.unwrap();
    // A probe may use any name of the machine, and there may be many.
    let ask = async |path: &str| {
        let mut stream = TcpStream::connect(health).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: pod.internal\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        stream.read_exact(&mut status).await.unwrap();
        (stream, String::from_utf8(status.to_vec()).unwrap())
    };
    let mut kept = Vec::new();
    for _ in 0..200 {
        let (stream, said) = ask("/healthz").await;
        assert_eq!(said, "HTTP/1.1 200");
        kept.push(stream);
    }
    assert_eq!(ask("/readyz").await.1, "HTTP/1.1 200");
    assert_eq!(ask("/readyz/changes").await.1, "HTTP/1.1 200");
    assert_eq!(ask("/api/v1/flags").await.1, "HTTP/1.1 404");
    server.stop();
    server.ended().await;
    assert!(TcpStream::connect(health).await.is_err(), "the port is closed");
}

#[test]
fn connections_leave_files_for_the_rest() {
    for (files, connections, watchers) in [
        (64, 32, 8),
        (1_024, 512, 128),
        (8_192, 4_096, 1_024),
        (20_000, 15_904, 2_048),
        (u64::MAX, 16_384, 2_048),
        (0, 16, 4),
    ] {
        let options = Options::for_files(files);
        assert_eq!((options.connections_max, options.watchers_max), (connections, watchers), "{files}");
    }
    assert_eq!(Options::for_connections(100, 20_000).connections_max, 100);
    assert_eq!(Options::for_connections(50_000, 20_000).connections_max, 15_904);
    assert_eq!(Options::for_connections(50_000, Options::files_for(50_000)).connections_max, 50_000);
}

/// A page whose name came to resolve to this address (DNS rebinding) reads nothing and changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn only_a_request_for_a_known_host_is_answered() {
    let mut options = Options::default();
    options.hosts = vec!["flags.example".to_owned()];
    let server = Server::with(builder(), options).await;
    let body = r#"{"percentage": 100}"#;
    let ask = async |line: &str, hosts: &str| {
        let (kind, length) = ("content-type: application/json\r\n", body.len());
        let head = format!("{line}\r\n{hosts}{kind}content-length: {length}\r\nconnection: close\r\n\r\n");
        answer(&server, &format!("{head}{body}")).await
    };
    let lines = [
        "GET /healthz HTTP/1.1",
        "GET /api/v1/flags HTTP/1.1",
        "PUT /api/v1/flags/flags/x/activation?create=true HTTP/1.1",
        "DELETE /api/v1/flags/flags/x/activation HTTP/1.1",
        "POST /api/v1/cluster/repair-clock HTTP/1.1",
        "OPTIONS /api/v1/flags HTTP/1.1",
        "GET /nowhere HTTP/1.1",
        "GET /healthz HTTP/1.0",
    ];
    for line in lines {
        let said = ask(line, &format!("host: evil.example:{}\r\n", server.address.port())).await;
        assert!(said.starts_with("HTTP/1.1 421") || said.starts_with("HTTP/1.0 421"), "{line}: {said}");
        assert!(said.contains("problem:unknown-host") && said.contains("hosts = [\\\"evil.example\\\"]"), "{said}");
    }
    let line = lines[2];
    for hosts in
        ["host: localhost\r\nhost: localhost\r\n", "host: localhost\r\nhost: evil.example\r\n", "", "host:\r\n"]
    {
        let said = ask(line, hosts).await;
        assert!(said.starts_with("HTTP/1.1 400") && said.contains("\"field\":\"host\""), "{hosts}: {said}");
    }
    let said =
        ask("PUT http://evil.example/api/v1/flags/flags/x/activation?create=true HTTP/1.1", "host: localhost\r\n")
            .await;
    assert!(said.starts_with("HTTP/1.1 421"), "{said}");
    assert!(!server.tide.is_active("x"), "nothing was changed");
    for host in ["localhost", "127.0.0.1:1", "[::1]", "FLAGS.example.:443", &server.address.to_string()] {
        let said = ask("GET /healthz HTTP/1.1", &format!("host: {host}\r\n")).await;
        assert!(said.starts_with("HTTP/1.1 200"), "{host}: {said}");
    }
    assert!(ask("GET /healthz HTTP/1.0", "").await.starts_with("HTTP/1.0 200"), "HTTP/1.0 has no `Host`");
    let said =
        ask("PUT http://flags.example/api/v1/flags/flags/x/activation?create=true HTTP/1.1", "host: flags.example\r\n")
            .await;
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert!(server.tide.is_active("x"));
}
