//! What a server answers while its node starts.

use std::net::SocketAddr;

use tidegate_server::{Listeners, Options, Server};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::support::builder;

/// Head and body of one answer, on a connection that is kept.
async fn ask(stream: &mut TcpStream, line: &str, host: &str) -> String {
    stream.write_all(format!("{line} HTTP/1.1\r\nhost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    let mut read = Vec::new();
    loop {
        read.push(stream.read_u8().await.unwrap());
        let text = String::from_utf8(read.clone()).unwrap();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if body.len() == length.parse::<usize>().unwrap() {
                return text;
            }
        }
    }
}

async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[tokio::test(flavor = "multi_thread")]
async fn health_is_answered_before_the_node_is_connected() {
    let ((main, main_at), (health, health_at)) = (listener().await, listener().await);
    let server = Server::start(Listeners::new(main).health(health), Options::default()).unwrap();
    let mut streams = [main_at, health_at].map(|address| (address, address.to_string()));
    let mut kept = Vec::new();
    for (address, host) in &mut streams {
        let mut stream = TcpStream::connect(*address).await.unwrap();
        let alive = ask(&mut stream, "GET /healthz", host).await;
        assert!(alive.starts_with("HTTP/1.1 200") && alive.contains("\"alive\""), "{alive}");
        for line in ["GET /readyz", "GET /readyz/changes", "GET /api/v1/flags", "DELETE /api/v1/flags/f/x/activation"] {
            let starting = ask(&mut stream, line, host).await;
            assert!(starting.starts_with("HTTP/1.1 503"), "{line}: {starting}");
            for part in ["urn:tidegate:problem:not-ready", "has been starting for", "retry-after: 1"] {
                assert!(starting.contains(part), "`{part}` is not in {line}: {starting}");
            }
        }
        kept.push(stream);
    }
    let mut stream = TcpStream::connect(main_at).await.unwrap();
    assert!(ask(&mut stream, "GET /healthz", "evil.example").await.starts_with("HTTP/1.1 421"));

    server.open(builder().connect_async().await.unwrap());
    for (stream, (_, host)) in kept.iter_mut().zip(&streams) {
        let ready = ask(stream, "GET /readyz", host).await;
        assert!(ready.starts_with("HTTP/1.1 200"), "a connection of the start answers everything now: {ready}");
    }
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run_until(async {
        let _ = stopped.await;
    }));
    stop.send(()).unwrap();
    running.await.unwrap();
    assert!(TcpStream::connect(main_at).await.is_err() && TcpStream::connect(health_at).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_dropped_while_it_starts_closes_its_listener() {
    let (main, address) = listener().await;
    let server = Server::start(main, Options::default()).unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    ask(&mut stream, "GET /healthz", "localhost").await;
    drop(server);
    let mut rest = Vec::new();
    assert_eq!(stream.read_to_end(&mut rest).await.unwrap_or(0), 0, "the connection ends");
}
