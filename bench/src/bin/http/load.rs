//! Clients that want nothing or too much, all at once, and how long a probe and a change take beside them.
//!
//! - 10,000 idle connections: half of them have never sent a byte, half keep a connection open on which something was asked. One that
//!   the server closes is opened again.
//! - 2,000 slow clients, which send a head or a body one byte at a time, and begin again when the server closes the connection.
//! - 1,000 event streams that never read, half of the API and half of OFREP, while flags change all the time.
//!
//! Meanwhile threads that do nothing else ask for `/healthz`, evaluate, and change flags. Each of these requests is to be answered.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream as Blocking};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::Outcome;
use crate::process::Server;

const IDLE: usize = 10_000;
const SLOW: usize = 2_000;
const STREAMS: usize = 1_000;

/// Between two bytes of a slow client.
const BYTE_PERIOD: Duration = Duration::from_millis(500);

/// Files that both processes have to be allowed to open.
const FILES: u64 = 24_000;

/// How late the 99th of a hundred probes may be.
const PROBE_MAX: Duration = Duration::from_millis(100);

/// The memory that the server may take, in MiB.
const MEMORY_MAX: usize = 512;

/// How often something happened.
#[derive(Debug, Default)]
struct Counts {
    idle: AtomicUsize,
    slow: AtomicUsize,
    streams: AtomicUsize,
    /// Connections that the server closed and that were opened again.
    closed: AtomicUsize,
    is_over: AtomicBool,
}

/// Times of one kind of request.
#[derive(Debug, Default)]
struct Times {
    taken: Vec<Duration>,
    lost: usize,
}

pub(crate) fn measure(seconds: u64) -> Outcome {
    allow_files()?;
    let mut server = Server::start(&["load"])?;
    let health: SocketAddr = server.line()?.parse()?;
    let before = server.memory("VmRSS")?;
    let counts = Arc::new(Counts::default());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let address = server.address;
    for number in 0..IDLE {
        runtime.spawn(idle(address, number, Arc::clone(&counts)));
    }
    wait_for(&counts.idle, IDLE)?;
    let with_idle = server.memory("VmRSS")?;
    for number in 0..STREAMS {
        runtime.spawn(stream(address, number, Arc::clone(&counts)));
    }
    for number in 0..SLOW {
        runtime.spawn(slow(address, number, Arc::clone(&counts)));
    }
    wait_for(&counts.streams, STREAMS)?;
    wait_for(&counts.slow, SLOW)?;
    let connections = server.files()?;
    let ends = Instant::now() + Duration::from_secs(seconds);
    let times: Vec<(&str, Times)> = thread::scope(|scope| {
        let probes: Vec<_> = PROBES
            .iter()
            .map(|(name, probe)| (*name, scope.spawn(move || repeat(ends, |number| probe(address, health, number)))))
            .collect();
        probes.into_iter().map(|(name, running)| (name, running.join().unwrap_or_default())).collect()
    });
    let memory = server.memory("VmHWM")?;
    counts.is_over.store(true, Ordering::Relaxed);
    println!("| {IDLE} idle, {SLOW} slow, {STREAMS} streams | |\n| --- | ---: |");
    println!("| open files of the server | {connections} |");
    println!("| memory before | {before} MiB |");
    println!("| memory with the idle connections | {with_idle} MiB |");
    println!("| memory at most (allowed: {MEMORY_MAX}) | {memory} MiB |");
    println!("| connections closed and opened again | {} |", counts.closed.load(Ordering::Relaxed));
    println!("\n| request | count | lost | p50 | p99 | max |\n| --- | ---: | ---: | ---: | ---: | ---: |");
    let mut is_good = memory <= MEMORY_MAX;
    for (name, mut times) in times {
        times.taken.sort_unstable();
        let at = |percent: usize| times.taken.get(times.taken.len().saturating_sub(1) * percent / 100).copied();
        let [middle, late, last] =
            [50, 99, 100].map(|percent| at(percent).unwrap_or(Duration::MAX).as_secs_f64() * 1e3);
        println!("| {name} | {} | {} | {middle:.1} ms | {late:.1} ms | {last:.1} ms |", times.taken.len(), times.lost);
        is_good &= times.lost == 0 && (!name.contains("healthz") || late < PROBE_MAX.as_secs_f64() * 1e3);
    }
    if is_good { Ok(()) } else { Err("a request was lost, was late, or the server took too much memory".into()) }
}

type Probe = fn(SocketAddr, SocketAddr, usize) -> Outcome;

const PROBES: [(&str, Probe); 4] = [
    ("`/healthz` on the listener of its own", |_, health, _| {
        ask(health, "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", "")
    }),
    ("`/healthz` on the listener of all", |address, _, _| {
        ask(address, "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", "")
    }),
    ("evaluation of one flag", |address, _, number| {
        let body = format!(r#"{{"context": {{"targetingKey": "user-{number}"}}}}"#);
        ask(address, &post("POST /ofrep/v1/evaluate/flags/flag-00002", &body), "\"value\"")
    }),
    ("change, and a look at it", |address, _, number| {
        let body = format!(r#"{{"percentage": {}}}"#, number % 101);
        ask(address, &post("PUT /api/v1/flags/flags/flag-00000/activation", &body), "")?;
        let look = "GET /api/v1/flags/flags/flag-00000 HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        ask(address, look, &format!("\"percentage\":{}", number % 101))
    }),
];

pub(crate) fn post(line: &str, body: &str) -> String {
    let (kind, length) = ("content-type: application/json", body.len());
    format!(
        "{line} HTTP/1.1\r\nhost: localhost\r\n{kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

/// Sends a request on a connection of its own; the answer is a 200 with this text.
pub(crate) fn ask(address: SocketAddr, request: &str, text: &str) -> Outcome {
    let mut stream = Blocking::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200") && answer.contains(text) {
        return Ok(());
    }
    Err(format!("{request} was answered: {answer}").into())
}

/// Does something every 20 ms or as often as it can.
fn repeat(ends: Instant, mut act: impl FnMut(usize) -> Outcome) -> Times {
    let mut times = Times::default();
    let mut number = 0;
    while Instant::now() < ends {
        let began = Instant::now();
        match act(number) {
            Ok(()) => times.taken.push(began.elapsed()),
            Err(error) => {
                times.lost += 1;
                eprintln!("{error}");
            }
        }
        number += 1;
        thread::sleep(Duration::from_millis(20).saturating_sub(began.elapsed()));
    }
    times
}

async fn idle(address: SocketAddr, number: usize, counts: Arc<Counts>) {
    // Not all at once: a queue of the system is short.
    sleep(Duration::from_micros(300 * number as u64)).await;
    let mut is_first = true;
    loop {
        if let Ok(mut stream) = TcpStream::connect(address).await {
            let mut some = [0; 1024];
            if number % 2 == 0 {
                let _ = stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
                let _ = stream.read(&mut some).await;
            }
            if std::mem::take(&mut is_first) {
                counts.idle.fetch_add(1, Ordering::Relaxed);
            }
            let _ = stream.read(&mut some).await;
        }
        again(&counts).await;
    }
}

async fn slow(address: SocketAddr, number: usize, counts: Arc<Counts>) {
    sleep(Duration::from_micros(300 * number as u64)).await;
    let head = "GET /api/v1/flags HTTP/1.1\r\nhost: localhost\r\nx-long: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    let whole = post("POST /ofrep/v1/evaluate/flags", &" ".repeat(100));
    let body_at = whole.len() - 100;
    let mut is_first = true;
    loop {
        if let Ok(mut stream) = TcpStream::connect(address).await {
            let slow = if number % 2 == 0 {
                head.as_bytes()
            } else {
                let _ = stream.write_all(&whole.as_bytes()[..body_at]).await;
                &whole.as_bytes()[body_at..whole.len() - 1]
            };
            if std::mem::take(&mut is_first) {
                counts.slow.fetch_add(1, Ordering::Relaxed);
            }
            for byte in slow {
                if stream.write_all(&[*byte]).await.is_err() {
                    break;
                }
                sleep(BYTE_PERIOD).await;
            }
        }
        again(&counts).await;
    }
}

/// Opens a stream, and reads nothing of it.
async fn stream(address: SocketAddr, number: usize, counts: Arc<Counts>) {
    sleep(Duration::from_micros(300 * number as u64)).await;
    let path = if number % 2 == 0 { "/api/v1/watch" } else { "/ofrep/v1/events" };
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    let mut is_first = true;
    loop {
        if let Ok(mut stream) = TcpStream::connect(address).await
            && stream.write_all(request.as_bytes()).await.is_ok()
        {
            if std::mem::take(&mut is_first) {
                counts.streams.fetch_add(1, Ordering::Relaxed);
            }
            while !counts.is_over.load(Ordering::Relaxed) {
                sleep(Duration::from_secs(5)).await;
            }
        }
        again(&counts).await;
    }
}

async fn again(counts: &Counts) {
    counts.closed.fetch_add(1, Ordering::Relaxed);
    sleep(Duration::from_millis(50)).await;
}

fn wait_for(count: &AtomicUsize, wanted: usize) -> Outcome {
    let ends = Instant::now() + Duration::from_mins(2);
    while count.load(Ordering::Relaxed) < wanted {
        if Instant::now() > ends {
            return Err(format!("only {} of {wanted} clients have connected", count.load(Ordering::Relaxed)).into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Raises the limit of open files of this process, which its server inherits.
pub(crate) fn allow_files() -> Outcome {
    let limit = getrlimit(Resource::Nofile);
    let most = limit.maximum.unwrap_or(u64::MAX);
    // Root may raise both.
    let raised = Rlimit { current: Some(FILES), maximum: Some(most.max(FILES)) };
    if setrlimit(Resource::Nofile, raised).is_ok() {
        return Ok(());
    }
    let files = FILES.min(most);
    setrlimit(Resource::Nofile, Rlimit { current: Some(files), maximum: limit.maximum })?;
    if files < 18_000 { Err("the process may open too few files: `ulimit -Hn 24000`".into()) } else { Ok(()) }
}
