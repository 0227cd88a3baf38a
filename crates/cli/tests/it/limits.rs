//! `serve` under floods: each takes only what it may, and a kill switch works all the same.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tidegate_origin::{Origin, Reply};

use crate::run::{Host, LONGEST_WAIT, until};
use crate::server_process::{ServerProcess, limited};

fn start(host: &Host, limit: &str, options: &str) -> ServerProcess {
    let line = format!("serve --listen 127.0.0.1:0 {options}");
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    ServerProcess::spawn(&mut limited(&host.command(&words), limit))
}

fn address(server: &ServerProcess) -> SocketAddr {
    server.url.trim_start_matches("http://").parse().unwrap()
}

fn connect(server: &ServerProcess) -> TcpStream {
    let stream = TcpStream::connect(address(server)).unwrap();
    stream.set_read_timeout(Some(LONGEST_WAIT)).unwrap();
    stream
}

/// The status of `/healthz`, on a connection of its own, which is kept; none if there is no answer.
fn health(server: &ServerProcess) -> Option<TcpStream> {
    let mut stream = connect(server);
    let mut status = [0; 12];
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").ok()?;
    stream.read_exact(&mut status).ok()?;
    (&status == b"HTTP/1.1 200").then_some(stream)
}

/// The kill switch, which is at once.
fn kill_switch(host: &Host, server: &ServerProcess) {
    let began = Instant::now();
    host.run(&format!("activate x --create --server {}", server.url)).code(0).said();
    host.run(&format!("deactivate x --create --server {}", server.url)).code(0).said();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

fn limit_of(server: &ServerProcess) -> (u64, u64) {
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
    let mut numbers = line.split_whitespace().skip(3).map(|number| number.parse().unwrap_or(u64::MAX));
    (numbers.next().unwrap(), numbers.next().unwrap())
}

#[test]
fn the_limit_of_files_is_raised_as_far_as_it_may_be() {
    let host = Host::new();
    let server = start(&host, "-Sn 256", "");
    let (soft, hard) = limit_of(&server);
    assert_eq!(soft, hard.min(20_480));
    let few = start(&host, "-n 256", "");
    assert_eq!(limit_of(&few), (256, 256));
    few.logged(|line| line.contains("can open only 256 files") && line.contains("ulimit"));
}

/// More connections than the process has files, silent ones and kept ones: all others go on.
#[test]
fn idle_connections_keep_no_client_out() {
    let host = Host::new();
    let server = start(&host, "-n 1024", "--data-dir state --health-listen 127.0.0.1:0");
    let silent: Vec<TcpStream> = (0..1_100).map(|_| connect(&server)).collect();
    assert!(health(&server).is_some());
    kill_switch(&host, &server);
    let kept: Vec<TcpStream> = (0..1_100).map(|_| health(&server).expect("an answer")).collect();
    kill_switch(&host, &server);
    drop((silent, kept));
    assert_eq!(server.end("-TERM"), Some(0));
}

/// The listener neither spins nor gives up when the process may open no more files.
#[test]
fn a_server_without_files_closes_idle_connections_and_goes_on() {
    let host = Host::new();
    let server = ServerProcess::start(&host, "");
    let pid = server.id();
    let _kept: Vec<TcpStream> = (0..20).map(|_| health(&server).unwrap()).collect();
    let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let prlimit = |files: usize| {
        let words = [format!("--pid={pid}"), format!("--nofile={files}:")];
        assert!(Command::new("prlimit").args(words).status().unwrap().success());
    };
    prlimit(files);
    let silent: Vec<TcpStream> = (0..100).map(|_| connect(&server)).collect();
    let word = server.logged(|line| line.contains("cannot accept connections"));
    assert!(word.contains("ERROR"), "{word}");
    assert!(health(&server).is_some(), "idle ones make room");
    prlimit(files - 25);
    let spent = || {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        let ticks = stat.rsplit(')').next().unwrap().split_whitespace().skip(11).take(2);
        ticks.map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>()
    };
    let _waiting = connect(&server);
    let before = spent();
    std::thread::sleep(Duration::from_secs(1));
    assert!(spent() - before < 50, "half of a processor is spinning");
    prlimit(1_024);
    drop(silent);
    until("it answers again", || health(&server).map(drop));
}

/// A request that is sent, and not waited for.
fn sent(server: &ServerProcess, line: &str, kind: &str, body: &[u8]) -> TcpStream {
    let mut stream = connect(server);
    let length = body.len();
    let head =
        format!("{line} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
    stream
}

/// How long a server takes to end when it is told to.
fn time_to_end(server: ServerProcess) -> Duration {
    let began = Instant::now();
    assert_eq!(server.end("-TERM"), Some(0));
    began.elapsed()
}

#[test]
fn it_ends_in_time_although_changes_wait() {
    let host = Host::new();
    let server = ServerProcess::start(&host, "--data-dir state --cluster-listen 127.0.0.1:0 --peer 127.0.0.1:1");
    let line = "PUT /api/v1/flags/flags/x?ack=one&timeout=1m";
    let mut waiting = sent(&server, line, "application/json", br#"{"stable": 1}"#);
    let get = format!("get x --server {}", server.url);
    until("the change to be begun", || (host.run(&get).said().code == 0).then_some(()));
    assert!(time_to_end(server) < Duration::from_secs(5));
    let mut said = String::new();
    waiting.read_to_string(&mut said).unwrap();
    assert!(said.contains("the change was made"), "{said}");
    let again = ServerProcess::start(&host, "--data-dir state");
    host.run(&format!("get x --server {}", again.url)).stdout("1\n").check();
}

/// The memory of a process that no other one has, in MiB.
fn memory(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("RssAnon:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

/// How much more it has at most while this is done.
fn more_memory(server: &ServerProcess, work: impl FnOnce()) -> u64 {
    let (process, is_done) = (server.id(), AtomicBool::new(false));
    let before = memory(process);
    let most = std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut most = 0;
            while !is_done.load(Ordering::Relaxed) {
                most = most.max(memory(process));
                std::thread::park_timeout(Duration::from_millis(5));
            }
            most
        });
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        is_done.store(true, Ordering::Relaxed);
        let most = watcher.join().unwrap();
        done.unwrap();
        most
    });
    most.saturating_sub(before)
}

#[test]
fn many_restores_at_once_have_a_bound() {
    let host = Host::new();
    let server = ServerProcess::start(&host, "");
    let (url, body) = (address(&server), vec![b'x'; 40 << 20]);
    let restore = || {
        let mut stream = TcpStream::connect(url).unwrap();
        stream.set_read_timeout(Some(LONGEST_WAIT)).unwrap();
        let head = format!(
            "POST /api/v1/restore HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/x-ndjson\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        let (first, last) = body.split_at(body.len() - 1);
        stream.write_all(head.as_bytes()).unwrap();
        // One that is refused hears so when it has sent enough.
        let _ = stream.write_all(first);
        (stream, last)
    };
    let more = more_memory(&server, || {
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..30).map(|_| scope.spawn(restore)).collect();
            // All of them are under way before the first one ends.
            let all: Vec<_> = all.into_iter().map(|one| one.join().unwrap()).collect();
            let mut statuses: Vec<String> = Vec::new();
            for (mut stream, last) in all {
                let _ = stream.write_all(last);
                let mut said = String::new();
                let _ = stream.read_to_string(&mut said);
                statuses.push(said.split_whitespace().nth(1).unwrap_or_default().to_owned());
            }
            let count = |status| statuses.iter().filter(|found| *found == status).count();
            assert_eq!(count("400") + count("503"), 30, "{statuses:?}");
            assert!(count("400") >= 1 && count("503") >= 20, "{statuses:?}");
        });
    });
    assert!(more < 320, "{more} MiB");
    kill_switch(&host, &server);
}

#[test]
fn many_readers_of_a_long_list_have_a_bound() {
    let host = Host::new();
    let flags: serde_json::Map<String, serde_json::Value> = (0..10_000_u32)
        .map(|number| (format!("flag-{number}"), serde_json::json!({"stable": "v".repeat(1_000)})))
        .collect();
    host.write("flags.json", serde_json::json!({"f": flags}).to_string());
    let server = ServerProcess::start(&host, "--document flags.json");
    until("the document", || {
        (host.run(&format!("get f/flag-1 --server {}", server.url)).said().code == 0).then_some(())
    });
    let more = more_memory(&server, || {
        let readers: Vec<TcpStream> = (0..200)
            .map(|_| {
                let mut stream = connect(&server);
                stream
                    .write_all(b"GET /api/v1/flags HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")
                    .unwrap();
                let mut status = [0; 12];
                stream.read_exact(&mut status).unwrap();
                assert_eq!(&status, b"HTTP/1.1 200");
                stream
            })
            .collect();
        kill_switch(&host, &server);
        let mut readers = readers.into_iter();
        let mut list = String::new();
        readers.next().unwrap().read_to_string(&mut list).unwrap();
        assert!(list.contains("f/flag-9999") && list.contains("\"digest\""), "the list is whole");
    });
    assert!(more < 320, "{more} MiB");
}

#[test]
fn it_ends_in_time_although_it_has_not_started_yet() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(Reply::hang());
    let line = format!("serve --listen 127.0.0.1:0 --startup-wait 1m --document {}", origin.url("/flags.json"));
    let mut process = host.run(&line).start();
    origin.wait_for_requests(1);
    let began = Instant::now();
    assert!(Command::new("kill").args(["-TERM", &process.id().to_string()]).status().unwrap().success());
    let status = until("it ends", || process.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
