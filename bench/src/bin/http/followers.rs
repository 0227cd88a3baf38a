//! 1,000 followers of one server: how soon a change is active in them, what they cost the server at rest, what a snapshot costs,
//! and what others notice while all of them come back at once.
//!
//! 20 followers are processes with the library. The others are connections of this process that read each line, parse it, and keep
//! its registers in a map. Beside them, in the same run, a bare server writes lines of the same size to as many connections, which
//! do the same with them: the floor. Server and followers share the cores of this machine.

mod fan_out;
mod process;
mod simulated;
mod table;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::load::{allow_files, ask, post};
use crate::process::Server;
use process::Follower;
pub(crate) use process::{follow, serve, serve_bare};
use simulated::{Comeback, Fleet, GZIP};
use table::{Row, quantiles};

/// Followers of the server, the processes among them included.
const FOLLOWERS: usize = 1_000;

/// Followers that are processes.
const PROCESSES: usize = 20;

/// Flags in the server's document.
const FLAGS: usize = 10_000;

/// Changes that are measured.
const CHANGES: usize = 50;

/// Between two changes.
const CHANGE_PERIOD: Duration = Duration::from_millis(200);

/// How long the followers are measured at rest: two lines come to each of them.
const REST: Duration = Duration::from_secs(20);

/// How often all followers come back.
const COMEBACKS: usize = 5;

/// How late the 99th of a hundred changes, and of a hundred probes, may be.
const LATE_MAX: Duration = Duration::from_millis(100);

pub(crate) fn measure() -> Outcome {
    allow_files()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let flags = FLAGS.to_string();
    let mut rows = Vec::new();

    let mut server = Server::start(&["followed", &flags])?;
    let address = server.address;
    let began = Instant::now();
    let snapshot = runtime.block_on(simulated::take_snapshot(address, GZIP))?;
    let first = began.elapsed();
    let began = Instant::now();
    runtime.block_on(simulated::take_snapshot(address, GZIP))?;
    let again = began.elapsed();
    let plain = runtime.block_on(simulated::take_snapshot(address, "identity"))?;
    rows.push(Row::new(&format!("snapshot of {FLAGS} flags, on the wire"), kib(snapshot.wire_bytes)));
    rows.push(Row::new("the same without compression", kib(plain.wire_bytes)));
    rows.push(Row::new("snapshot, the first one, whose bytes are made", millis(first)));
    rows.push(Row::new("snapshot, one whose bytes are there", millis(again)));

    let mut active = Vec::new();
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        let follower = Follower::start(address)?;
        active.push(follower.active_after);
        processes.push(follower);
    }
    let [middle, ..] = quantiles(&mut active);
    rows.push(Row::new("snapshot, until it is active in a process that has nothing", millis(middle)));

    // The memory that the server takes for processes alone is not told apart: they are followers as well.
    let before = server.memory_kib("VmRSS")?;
    let fleet = runtime.block_on(Fleet::connect(address, FOLLOWERS - PROCESSES, &snapshot))?;
    thread::sleep(Duration::from_secs(1));
    let connected = server.memory_kib("VmRSS")?;
    let per_follower = connected.saturating_sub(before) as f64 / (FOLLOWERS - PROCESSES) as f64;
    rows.push(Row::new("memory of the server for each follower", format!("{per_follower:.1} KiB")));

    let (bytes, cpu) = (fleet.bytes(), server.cpu()?);
    thread::sleep(REST);
    let (bytes, cpu) = (fleet.bytes() - bytes, server.cpu()? - cpu);
    let rate = bytes as f64 / (FOLLOWERS - PROCESSES) as f64 / REST.as_secs_f64();
    rows.push(Row::new("at rest, content for each follower", format!("{rate:.1} B/s")));
    let share = cpu.as_secs_f64() / REST.as_secs_f64() * 100.0;
    rows.push(Row::new(
        &format!("at rest, processor time of the server with {FOLLOWERS}"),
        format!("{share:.2} % of a core"),
    ));

    let bare_times = fan_out::bare(&runtime)?;
    let changes = fan_out::changes(&mut server, &fleet, &mut processes)?;
    println!("| a change, {CHANGES} of them | p50 | p99 | max | p99 beside bare |");
    println!("| --- | ---: | ---: | ---: | ---: |");
    let bare = table::print_times("bare server, 1,000 connections", bare_times, None);
    let simulated = table::print_times("followers, 980 connections that apply it", changes.simulated, Some(bare));
    let real = table::print_times("followers, 20 processes with the library", changes.real, Some(bare));
    let mut is_good = simulated <= LATE_MAX && real <= LATE_MAX;

    for comeback in [Comeback::Resumed, Comeback::New] {
        is_good &= come_back(&mut server, &fleet, &mut processes, comeback)?;
    }
    rows.push(Row::new("memory of the server at most", kib(server.memory_kib("VmHWM")? * 1024)));
    println!("\n| cost | |\n| --- | ---: |");
    for row in &rows {
        println!("| {} | {} |", row.name, row.value);
    }
    if is_good { Ok(()) } else { Err("a change or a probe was later than 100 ms at p99".into()) }
}

/// All connections end and come back at the same moment, while others ask for `/healthz` and decisions, and flags change.
fn come_back(server: &mut Server, fleet: &Fleet, processes: &mut [Follower], how: Comeback) -> Outcome<bool> {
    let address = server.address;
    let mut until_all = Vec::new();
    let (mut health, mut reads, mut changes) = (Vec::new(), Vec::new(), Vec::new());
    let refused = fleet.refused();
    for _ in 0..COMEBACKS {
        let is_over = AtomicBool::new(false);
        let lost = AtomicUsize::new(0);
        thread::scope(|scope| -> Outcome {
            let healthy = scope.spawn(|| repeat(&is_over, &lost, || probe_health(address)));
            let reader = scope.spawn(|| repeat(&is_over, &lost, || probe_read(address)));
            thread::sleep(Duration::from_millis(50));
            let began = Instant::now();
            fleet.come_back(how);
            let ends = began + Duration::from_mins(1);
            while fleet.connected() < FOLLOWERS - PROCESSES {
                if Instant::now() > ends {
                    is_over.store(true, Ordering::Relaxed);
                    return Err(format!("only {} followers have come back", fleet.connected()).into());
                }
                changes.extend(fan_out::change(server, processes)?);
                thread::sleep(Duration::from_millis(2));
            }
            until_all.push(began.elapsed());
            is_over.store(true, Ordering::Relaxed);
            health.extend(healthy.join().unwrap_or_default());
            reads.extend(reader.join().unwrap_or_default());
            Ok(())
        })?;
        let lost = lost.into_inner();
        if lost > 0 {
            return Err(format!("{lost} probes were lost").into());
        }
        fleet.settle();
    }
    let [middle, _, last] = quantiles(&mut until_all);
    println!(
        "\n| {} at once, {COMEBACKS} times: all back after {} (at most {}), {} told to come later | p50 | p99 | max |",
        how.name(),
        millis(middle),
        millis(last),
        fleet.refused() - refused
    );
    println!("| --- | ---: | ---: | ---: |");
    let mut is_good = true;
    for (name, times) in [
        ("`/healthz` on a connection of its own", health),
        ("evaluation of one flag", reads),
        ("change, until it is active in 20 processes", changes),
    ] {
        is_good &= table::print_probe(name, times) <= LATE_MAX;
    }
    Ok(is_good)
}

fn probe_health(address: SocketAddr) -> Outcome {
    ask(address, "GET /healthz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n", "")
}

fn probe_read(address: SocketAddr) -> Outcome {
    let body = r#"{"context": {"targetingKey": "ada"}}"#;
    ask(address, &post("POST /ofrep/v1/evaluate/flags/flag-00002", body), "\"value\"")
}

/// Does something every 5 ms until it is over; how long each time took.
fn repeat(is_over: &AtomicBool, lost: &AtomicUsize, act: impl Fn() -> Outcome) -> Vec<Duration> {
    let mut times = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        let began = Instant::now();
        match act() {
            Ok(()) => times.push(began.elapsed()),
            Err(error) => {
                lost.fetch_add(1, Ordering::Relaxed);
                eprintln!("{error}");
            }
        }
        thread::sleep(Duration::from_millis(5));
    }
    times
}

fn kib(bytes: usize) -> String {
    format!("{} KiB", bytes.div_ceil(1024))
}

fn millis(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
