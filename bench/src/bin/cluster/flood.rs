//! A member that starts again while strangers flood the port of the only node that it knows.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{Place, Process};
use crate::show::row;
use crate::{Builds, Outcome};

pub(crate) fn measure(builds: &Builds) -> Outcome {
    println!("{JUNK_A_SECOND} connections of junk a second and {SILENT} that stay silent, {TIMES} starts of a member");
    for (name, program) in builds.all() {
        let place = Place::new("flood", 2)?;
        let mut member = start(program, &place)?;
        let (is_over, sent) = (AtomicBool::new(false), AtomicU64::new(0));
        let to = SocketAddr::from(([127, 0, 0, 1], place.ports[0]));
        thread::scope(|scope| -> Outcome {
            scope.spawn(|| junk(to, &is_over, &sent));
            scope.spawn(|| silent(to, &is_over));
            thread::sleep(Duration::from_secs(2));
            let mut times = Vec::new();
            let mut outcome = Ok(());
            for _ in 0..TIMES {
                drop(member.take());
                match join(program, &place) {
                    Ok((process, time)) => {
                        member = Some(process);
                        times.push(time);
                    }
                    Err(error) => outcome = Err(error),
                }
            }
            is_over.store(true, Ordering::SeqCst);
            let sent = sent.load(Ordering::SeqCst);
            row(&format!("{name}until it is connected ({sent} junk connections)"), &mut times);
            outcome
        })?;
    }
    Ok(())
}

/// The node that is flooded, which stays, and the member, which knows no other node.
fn start(program: &Path, place: &Place) -> Outcome<Option<Process>> {
    let first = Process::start(program, &place.words("node", 0))?;
    // It ends with this program.
    std::mem::forget(first);
    Ok(Some(join(program, place)?.0))
}

/// Starts the member, and measures until it sees the other node.
fn join(program: &Path, place: &Place) -> Outcome<(Process, Duration)> {
    let began = Instant::now();
    let mut member = Process::start(program, &place.words("node", 1))?;
    while member.ask("peers")?.parse::<usize>()? < 1 {
        if began.elapsed() > Duration::from_mins(1) {
            return Err("the member does not get in".into());
        }
        thread::sleep(Duration::from_millis(5));
    }
    Ok((member, began.elapsed()))
}

/// Opens connections at the rate that is named, and writes something that is not TLS on each.
fn junk(to: SocketAddr, is_over: &AtomicBool, sent: &AtomicU64) {
    let began = Instant::now();
    while !is_over.load(Ordering::SeqCst) {
        let due = u64::try_from(began.elapsed().as_millis()).unwrap_or(0) * JUNK_A_SECOND / 1_000;
        while sent.fetch_add(1, Ordering::SeqCst) < due {
            if let Ok(mut socket) = TcpStream::connect_timeout(&to, Duration::from_millis(100)) {
                let _ = socket.write_all(b"GET / HTTP/1.1\r\n\r\n");
            }
        }
        sent.fetch_sub(1, Ordering::SeqCst);
        thread::sleep(Duration::from_millis(5));
    }
}

/// Holds silent connections, and replaces each that is closed.
fn silent(to: SocketAddr, is_over: &AtomicBool) {
    let mut sockets: Vec<TcpStream> = Vec::new();
    let is_open = |socket: &TcpStream| {
        let mut byte = [0];
        let mut socket = socket;
        matches!(socket.read(&mut byte), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
    };
    while !is_over.load(Ordering::SeqCst) {
        sockets.retain(is_open);
        for _ in sockets.len()..SILENT.min(sockets.len() + REOPENED) {
            let Ok(socket) = TcpStream::connect_timeout(&to, Duration::from_millis(100)) else { break };
            if socket.set_nonblocking(true).is_ok() {
                sockets.push(socket);
            }
        }
        thread::sleep(Duration::from_millis(20));
    }
}

const JUNK_A_SECOND: u64 = 1_000;
const SILENT: usize = 2_000;
/// How many of those that were closed are replaced every 20 ms.
const REOPENED: usize = 40;
const TIMES: usize = 10;
