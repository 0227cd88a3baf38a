//! Anybody can reach the port: that keeps no member out.

use std::collections::VecDeque;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::raw::Raw;
use crate::support::{Node, certificates, certify, meet, soon};

#[test]
fn a_member_joins_while_strangers_flood_the_port() {
    let folder = tempfile::tempdir().unwrap();
    let certs = folder.path().join("certs");
    certify(&certs, &[1, 2]);
    let a = Node::start(1, 10, &[], certificates(&certs, 1));
    let flood = Flood::start(a.address());
    soon("the port is flooded", || a.refused("displaced") > 100 && a.refused("certificates-missing") > 100);
    for instance in 20..23 {
        let b = Node::start(2, instance, &[&a], certificates(&certs, 2));
        meet(&[&a, &b]);
        b.tells(&a, &format!("in spite of them, {instance}"));
    }
    drop(flood);
    assert!(a.mesh.status().problems.is_empty(), "{:?}", a.mesh.status().problems);
}

/// Some thousand connections a second that write what is not TLS, and two thousand that say nothing.
struct Flood {
    is_over: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Flood {
    fn start(to: SocketAddr) -> Self {
        let is_over = Arc::<AtomicBool>::default();
        let connect = move || TcpStream::connect_timeout(&to, Duration::from_millis(100));
        let flag = Arc::clone(&is_over);
        let junk = move || {
            while !flag.load(Ordering::SeqCst) {
                for mut socket in (0..10).filter_map(|_| connect().ok()) {
                    let _ = socket.write_all(b"GET / HTTP/1.1\r\n\r\n");
                }
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        let flag = Arc::clone(&is_over);
        let silent = move || {
            let mut sockets = VecDeque::new();
            while !flag.load(Ordering::SeqCst) {
                sockets.extend((0..20).filter_map(|_| connect().ok()));
                sockets.drain(..sockets.len().saturating_sub(2_000));
                std::thread::sleep(Duration::from_millis(5));
            }
        };
        Self { is_over, threads: vec![std::thread::spawn(junk), std::thread::spawn(silent)] }
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
        self.threads.drain(..).for_each(|thread| _ = thread.join());
    }
}

#[test]
fn a_connection_without_a_handshake_is_closed_after_three_seconds() {
    let a = Node::start(1, 10, &[], tidegate_mesh::Security::Open);
    let mut silent: Vec<Raw> = (0..20).map(|_| Raw::connect(a.address())).collect();
    soon("they are counted", || a.mesh.status().pending == 20);
    let began = Instant::now();
    for raw in &mut silent {
        raw.is_closed_after();
    }
    // One after the other it would be a minute.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    soon("no connection waits any more", || a.mesh.status().pending == 0);
    assert_eq!(a.refused("timed-out"), 20);
}
