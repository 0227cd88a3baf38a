//! `serve` under floods: each takes only what it may, and a kill switch works all the same.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::run::{Host, LONGEST_WAIT, until};
use crate::serving::{Serving, limited};

fn start(host: &Host, limit: &str, options: &str) -> Serving {
    let line = format!("serve --listen 127.0.0.1:0 {options}");
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    Serving::spawn(&mut limited(&host.command(&words), limit))
}

fn address(server: &Serving) -> SocketAddr {
    server.url.trim_start_matches("http://").parse().unwrap()
}

fn connect(server: &Serving) -> TcpStream {
    let stream = TcpStream::connect(address(server)).unwrap();
    stream.set_read_timeout(Some(LONGEST_WAIT)).unwrap();
    stream
}

/// The status of `/healthz`, on a connection of its own, which is kept; none if there is no answer.
fn health(server: &Serving) -> Option<TcpStream> {
    let mut stream = connect(server);
    let mut status = [0; 12];
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n").ok()?;
    stream.read_exact(&mut status).ok()?;
    (&status == b"HTTP/1.1 200").then_some(stream)
}

/// The kill switch, which is at once.
fn kill_switch(host: &Host, server: &Serving) {
    let began = Instant::now();
    host.run(&format!("activate x --create --server {}", server.url)).code(0).said();
    host.run(&format!("deactivate x --create --server {}", server.url)).code(0).said();
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

fn limit_of(server: &Serving) -> (u64, u64) {
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
    assert_eq!(soft, hard.min(16_384));
    let few = start(&host, "-n 256", "");
    assert_eq!(limit_of(&few), (256, 256));
    few.logged(|line| line.contains("may open only 256 files") && line.contains("ulimit"));
}

/// More connections than the process has files, silent ones and kept ones: all others go on.
#[test]
fn connections_that_ask_nothing_keep_nobody_out() {
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
    let server = Serving::start(&host, "");
    let pid = server.id();
    let _kept: Vec<TcpStream> = (0..20).map(|_| health(&server).unwrap()).collect();
    let files = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
    let prlimit = |files: usize| {
        let words = [format!("--pid={pid}"), format!("--nofile={files}:")];
        assert!(Command::new("prlimit").args(words).status().unwrap().success());
    };
    prlimit(files);
    let silent: Vec<TcpStream> = (0..100).map(|_| connect(&server)).collect();
    let word = server.logged(|line| line.contains("connections cannot be accepted"));
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
