//! Processes: the server, a bare one, and a follower with the library.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};
use tidegate::{Live, Tidegate};
use tidegate_server::{Listeners, Options, Server};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::Outcome;
use crate::server::document;

/// The flag that is changed.
const FLAG: &str = "flags/flag-00000";

/// A line of a stream, as long as one of Tidegate with an activation.
const LINE: &str = r#"data: {"type":"change","position":"0123456789abcdef-1","digest":"0123456789abcdef0123456789abcdef","nodes":{"0123456789abcdef":"one"},"registers":[{"key":"aflags/flag-00000","stamp":"000000000000000000000000000000000000","value":"{\"percentage\":\"100\",\"had_definition\":true}","replaces":"000000000000000000000000000000000000","actor":"bench","reason":"bench"}]}"#;

/// Serves followers: it says where, answers `cpu`, and answers `change` with the instant at which it begins to change the flag.
pub(crate) fn serve(flags: &str) -> Outcome {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let flags = flags.parse()?;
    let (server, tide, address) = runtime.block_on(async {
        let listener = tidegate_server::listen("127.0.0.1:0".parse()?)?;
        let address = listener.local_addr()?;
        let server = Server::start(Listeners::new(listener), Options::for_files(files))?;
        let builder = Tidegate::builder().text(document(flags)).without_locks().without_cache();
        let tide = builder.live(Live::in_memory().name("one")).serve_followers("one").connect_async().await?;
        server.open(tide.clone());
        Outcome::Ok((server, tide, address))
    })?;
    runtime.spawn(server.run_until(std::future::pending()));
    println!("{address}");
    let mut is_active = false;
    for line in std::io::stdin().lock().lines() {
        if line? == "cpu" {
            let time = clock_gettime(ClockId::ProcessCPUTime);
            println!("{}", time.tv_sec * 1_000_000_000 + time.tv_nsec);
            continue;
        }
        is_active = !is_active;
        let began = now();
        let change = if is_active { tide.activate(FLAG) } else { tide.deactivate(FLAG) };
        change.actor("bench").reason("bench").send()?;
        println!("{began}");
    }
    Ok(())
}

/// Writes a line to all its connections at each `change`; the least that any server does.
pub(crate) fn serve_bare() -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0"))?;
    let address = listener.local_addr()?;
    let (tell, told) = watch::channel(0_u64);
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    runtime.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (_, mut told) = (stream.set_nodelay(true), told.clone());
            told.mark_unchanged();
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                while told.changed().await.is_ok() {
                    if stream.write_all(format!("{LINE}\n\n").as_bytes()).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    println!("{address}");
    for line in std::io::stdin().lock().lines() {
        if line? == "count" {
            println!("{}", count.load(Ordering::Relaxed));
            continue;
        }
        let began = now();
        tell.send_modify(|number| *number += 1);
        println!("{began}");
    }
    Ok(())
}

/// Follows a server: it says how long it took until flags of the snapshot are active, in nanoseconds, and then when the flag has
/// changed.
pub(crate) fn follow(address: &str) -> Outcome {
    let began = Instant::now();
    let builder = Tidegate::builder().follow(&format!("http://{address}"))?.without_cache().without_locks();
    let tide = builder.startup_wait(Duration::from_secs(30)).connect()?;
    let mut changes = tide.subscribe();
    if !tide.is_ready() || tide.get("flags", "flag-00001", Some("ada"), false) != true {
        return Err("the snapshot is not active".into());
    }
    println!("{}", began.elapsed().as_nanos());
    let mut was_active = false;
    while changes.recv().is_ok() {
        let is_active = tide.is_active_for(FLAG, "ada");
        if std::mem::replace(&mut was_active, is_active) != is_active {
            println!("{}", now());
        }
    }
    Ok(())
}

/// A follower in a process of its own, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct Follower {
    child: Child,
    output: BufReader<ChildStdout>,
    /// From its start until it had the flags of the snapshot.
    pub(super) active_after: Duration,
}

impl Follower {
    pub(super) fn start(address: SocketAddr) -> Outcome<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("follow").arg(address.to_string()).stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let output = BufReader::new(child.stdout.take().ok_or("a process has no pipe")?);
        let mut follower = Self { child, output, active_after: Duration::ZERO };
        follower.active_after = Duration::from_nanos(follower.next_change()?);
        Ok(follower)
    }

    /// The next number that it says.
    pub(super) fn next_change(&mut self) -> Outcome<u64> {
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("a follower has ended".into());
        }
        Ok(line.trim_end().parse()?)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The time of a clock that all processes of a machine share, in nanoseconds.
pub(super) fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    u64::try_from(time.tv_sec * 1_000_000_000 + time.tv_nsec).unwrap_or(0)
}
