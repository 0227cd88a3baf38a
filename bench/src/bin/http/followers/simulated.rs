//! Followers that are connections of this process: each reads the lines of its stream, parses them, and keeps their registers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Deserialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::sleep;

use super::process::now;
use crate::Outcome;

/// How connections come back.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Comeback {
    /// With what they have: no snapshot is needed.
    Resumed,
    /// With nothing: each takes a snapshot first.
    New,
}

impl Comeback {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Resumed => "980 followers resume their streams",
            Self::New => "980 followers take a snapshot",
        }
    }
}

/// What a snapshot says of itself.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    pub(super) wire_bytes: usize,
    /// Names all that it has; the stream goes on from there.
    digest: String,
}

#[derive(Debug, Deserialize)]
struct Line {
    r#type: String,
    #[serde(default)]
    digest: Option<String>,
    #[serde(default)]
    registers: Vec<Register>,
}

#[derive(Debug, Deserialize)]
struct Register {
    key: String,
    #[serde(default)]
    value: Option<String>,
}

/// What all connections share with the one that measures.
#[derive(Debug, Default)]
struct Shared {
    /// When each connection had applied the last change.
    applied: Mutex<Vec<u64>>,
    clients: AtomicUsize,
    connected: AtomicUsize,
    bytes: AtomicUsize,
    /// Answers that named a time at which to come again.
    refused: AtomicUsize,
}

/// Many connections.
#[derive(Debug)]
pub(super) struct Fleet {
    shared: Arc<Shared>,
    /// How often all have come back, and how.
    round: watch::Sender<(usize, Comeback)>,
}

impl Fleet {
    pub(super) async fn connect(address: SocketAddr, count: usize, snapshot: &Snapshot) -> Outcome<Self> {
        let fleet = Self::empty();
        for _ in 0..count {
            let client = Client::new(address, &fleet, snapshot.clone());
            tokio::spawn(client.run());
        }
        fleet.wait(count).await?;
        Ok(fleet)
    }

    /// Connections to a server that begins at once.
    pub(super) async fn connect_bare(address: SocketAddr, count: usize) -> Outcome<Self> {
        let fleet = Self::empty();
        for _ in 0..count {
            let stream = TcpStream::connect(address).await?;
            let mut client = Client::new(address, &fleet, Snapshot::default());
            tokio::spawn(async move { client.read_lines(stream).await });
        }
        Ok(fleet)
    }

    fn empty() -> Self {
        Self { shared: Arc::default(), round: watch::channel((0, Comeback::Resumed)).0 }
    }

    async fn wait(&self, count: usize) -> Outcome {
        let ends = Instant::now() + Duration::from_mins(1);
        while self.connected() < count {
            if Instant::now() > ends {
                return Err(format!("only {} of {count} followers have connected", self.connected()).into());
            }
            sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }

    pub(super) fn connected(&self) -> usize {
        self.shared.connected.load(Ordering::Relaxed)
    }

    /// Bytes that have come by all streams.
    pub(super) fn bytes(&self) -> usize {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    pub(super) fn refused(&self) -> usize {
        self.shared.refused.load(Ordering::Relaxed)
    }

    /// Ends all connections and lets them connect at once.
    pub(super) fn come_back(&self, how: Comeback) {
        self.shared.connected.store(0, Ordering::Relaxed);
        self.round.send_modify(|(round, last)| (*round, *last) = (*round + 1, how));
    }

    /// Waits until nothing comes any more.
    pub(super) fn settle(&self) {
        thread::sleep(Duration::from_millis(500));
    }

    pub(super) fn forget(&self) {
        self.shared.applied.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// When each connection had applied the change.
    pub(super) fn applied(&self, count: usize) -> Outcome<Vec<u64>> {
        let ends = Instant::now() + Duration::from_secs(20);
        loop {
            let mut applied = self.shared.applied.lock().unwrap_or_else(PoisonError::into_inner);
            if applied.len() >= count {
                return Ok(std::mem::take(&mut *applied));
            }
            if Instant::now() > ends {
                return Err(format!("only {} of {count} followers have the change", applied.len()).into());
            }
            drop(applied);
            thread::sleep(Duration::from_millis(2));
        }
    }
}

/// One connection.
struct Client {
    address: SocketAddr,
    id: u64,
    shared: Arc<Shared>,
    round: watch::Receiver<(usize, Comeback)>,
    digest: String,
    registers: BTreeMap<String, Option<String>>,
}

impl Client {
    fn new(address: SocketAddr, fleet: &Fleet, snapshot: Snapshot) -> Self {
        let (shared, round) = (Arc::clone(&fleet.shared), fleet.round.subscribe());
        // Distinct, which is all that the server asks of it.
        let id = fleet.shared.clients.fetch_add(1, Ordering::Relaxed) as u64 + 1;
        Self { address, id, shared, round, digest: snapshot.digest, registers: BTreeMap::new() }
    }

    async fn run(mut self) {
        let mut round = self.round.clone();
        loop {
            let how = round.borrow_and_update().1;
            tokio::select! {
                () = self.live(how) => return,
                _ = round.changed() => {}
            }
        }
    }

    /// Connects until that succeeds, and reads until the connection ends.
    async fn live(&mut self, how: Comeback) {
        let mut needs_snapshot = how == Comeback::New;
        loop {
            match self.connect(needs_snapshot).await {
                Ok(stream) => {
                    let _ = self.read_lines(stream).await;
                    needs_snapshot = false;
                }
                Err(error) if error.to_string() == AGAIN => {
                    self.shared.refused.fetch_add(1, Ordering::Relaxed);
                    // As the library does: after the time that the server names, and within as long again.
                    sleep(Duration::from_millis(1_000 + now() % 1_000)).await;
                }
                Err(_) => needs_snapshot = true,
            }
        }
    }

    async fn connect(&mut self, needs_snapshot: bool) -> Outcome<TcpStream> {
        if needs_snapshot {
            self.digest = take_snapshot(self.address, GZIP).await?.digest;
        }
        let mut stream = TcpStream::connect(self.address).await?;
        let path = format!("/api/v1/follow/changes?follower={:016x}&digest={}", self.id, self.digest);
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await?;
        let mut head = Vec::new();
        while !head.windows(4).any(|window| window == b"\r\n\r\n") {
            if stream.read_buf(&mut head).await? == 0 {
                return Err("the server has closed the connection".into());
            }
        }
        if head.starts_with(b"HTTP/1.1 200") {
            return Ok(stream);
        }
        Err(if head.starts_with(b"HTTP/1.1 503") { AGAIN.into() } else { "a snapshot is needed".into() })
    }

    async fn read_lines(&mut self, mut stream: TcpStream) -> Outcome {
        self.shared.connected.fetch_add(1, Ordering::Relaxed);
        let mut buffer = Vec::with_capacity(4096);
        loop {
            let bytes = stream.read_buf(&mut buffer).await?;
            if bytes == 0 {
                return Ok(());
            }
            self.shared.bytes.fetch_add(bytes, Ordering::Relaxed);
            while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
                if let Some(json) = buffer[..end].strip_prefix(b"data: ") {
                    let line = serde_json::from_slice(json)?;
                    self.apply(line);
                }
                buffer.drain(..=end);
            }
        }
    }

    fn apply(&mut self, line: Line) {
        if line.r#type != "change" {
            return;
        }
        for register in line.registers {
            self.registers.insert(register.key, register.value);
        }
        self.digest = line.digest.unwrap_or_default();
        self.shared.applied.lock().unwrap_or_else(PoisonError::into_inner).push(now());
    }
}

/// Takes a snapshot with this encoding, and reads its tag, which is the digest from which the stream goes on.
pub(super) async fn take_snapshot(address: SocketAddr, encoding: &str) -> Outcome<Snapshot> {
    let mut stream = TcpStream::connect(address).await?;
    let head = format!(
        "GET /api/v1/follow/snapshot HTTP/1.1\r\nhost: localhost\r\naccept-encoding: {encoding}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    if answer.starts_with(b"HTTP/1.1 503") {
        return Err(AGAIN.into());
    }
    let body = answer.windows(4).position(|window| window == b"\r\n\r\n").ok_or("a snapshot has no head")?;
    let head = String::from_utf8_lossy(&answer[..body]).into_owned();
    let etag = head.lines().find_map(|line| line.strip_prefix("etag: "));
    let digest = etag.ok_or("a snapshot has no tag")?.trim_matches('"').to_owned();
    Ok(Snapshot { wire_bytes: answer.len(), digest })
}

/// The encoding that the library asks for.
pub(super) const GZIP: &str = "gzip";

/// The server has no place at the moment.
const AGAIN: &str = "the server names a time to come again";
