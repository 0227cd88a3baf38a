//! A client that keeps connections open, and sends the next request on each when it has the answer to the last one.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::Outcome;

/// Connections to one server.
#[derive(Debug)]
pub(crate) struct Client {
    connections: Vec<Connection>,
}

/// A connection, with what was read from it.
#[derive(Debug)]
struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What a request was answered.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) tag: Option<String>,
    pub(crate) body_bytes: usize,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr, connections: usize) -> Outcome<Self> {
        let mut client = Self { connections: Vec::new() };
        for _ in 0..connections {
            let stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            client.connections.push(Connection { stream, buffer: Vec::new() });
        }
        Ok(client)
    }

    /// Sends one request, and reads the answer.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> Outcome<Reply> {
        self.connections.first_mut().ok_or("there is no connection")?.ask(request).await
    }

    /// Sends this many requests on each connection, and closes them; different ones in turn, each of which is answered with this status.
    pub(crate) async fn load(self, requests: &'static [Vec<u8>], count: usize, status: u16) -> Outcome {
        let mut running = JoinSet::new();
        for (first, mut connection) in self.connections.into_iter().enumerate() {
            running.spawn(async move {
                for number in 0..count {
                    // Each connection is somewhere else in the list.
                    let reply = connection.ask(&requests[(first * 31 + number) % requests.len()]).await?;
                    if reply.status != status {
                        return Err(format!("the answer has the status {}", reply.status).into());
                    }
                }
                Outcome::Ok(())
            });
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Ok(())
    }
}

impl Connection {
    async fn ask(&mut self, request: &[u8]) -> Outcome<Reply> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        let head_bytes = loop {
            self.read().await?;
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
        };
        let head = str::from_utf8(&self.buffer[..head_bytes])?;
        let status: u16 = head.get(9..12).ok_or("there is no status")?.parse()?;
        let header = |name: &str| {
            head.lines().find_map(|line| {
                let (found, value) = line.split_once(':')?;
                found.eq_ignore_ascii_case(name).then(|| value.trim())
            })
        };
        let body_bytes = if status == 304 { 0 } else { header("content-length").ok_or("no length")?.parse()? };
        let tag = header("etag").map(str::to_owned);
        while self.buffer.len() < head_bytes + body_bytes {
            self.read().await?;
        }
        Ok(Reply { status, tag, body_bytes })
    }

    async fn read(&mut self) -> Outcome {
        self.buffer.reserve(64 * 1024);
        if self.stream.read_buf(&mut self.buffer).await? == 0 {
            return Err("the server has closed a connection".into());
        }
        Ok(())
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}
