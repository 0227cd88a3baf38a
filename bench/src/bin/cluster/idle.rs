//! Twenty nodes that do nothing, and a fresh one that fetches 100,000 flags.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::{Place, Process};
use crate::{Builds, Outcome, updates};

pub(crate) fn measure(builds: &Builds) -> Outcome {
    for (name, program) in builds.all() {
        rest(name, program)?;
        catch_up(name, program)?;
    }
    Ok(())
}

fn rest(name: &str, program: &Path) -> Outcome {
    let place = Place::new("idle", NODES)?;
    let nodes = updates::start(program, &place, "node", NODES - 1)?;
    std::thread::sleep(SETTLING);
    let (ticks, bytes, began) = (ticks(&nodes)?, loopback_bytes()?, Instant::now());
    std::thread::sleep(PERIOD);
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts of a minute")]
    let (ticks, bytes) = ((self::ticks(&nodes)? - ticks) as f64, (loopback_bytes()? - bytes) as f64);
    let count = f64::from(u32::try_from(NODES)?);
    println!("{name}{NODES} nodes with TLS on loopback at rest, {seconds:.0} s");
    println!(
        "{:<58} {:>9.3} %",
        "processor time of a node, of one core",
        ticks / TICKS_A_SECOND / seconds / count * 100.0
    );
    println!("{:<58} {:>9.0} B/s", "sent by a node, headers of TCP and IP included", bytes / seconds / count);
    Ok(())
}

/// A fresh node beside one that has everything.
fn catch_up(name: &str, program: &Path) -> Outcome {
    let place = Place::new("fresh", 2)?;
    let mut full = Process::start(program, &place.words("node", 0))?;
    full.ask(&format!("fill {FLAGS}"))?;
    let mut fresh = Process::start(program, &place.words("node", 1))?;
    loop {
        let answer = fresh.ask("registers")?;
        let (registers, nanos) = answer.split_once(' ').ok_or("no two numbers")?;
        if registers.parse::<usize>()? >= FLAGS {
            let seconds = Duration::from_nanos(nanos.parse()?).as_secs_f64();
            println!("{:<58} {seconds:>9.2} s", format!("{name}a fresh node has {FLAGS} flags after its start"));
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Processor time of all nodes, in hundredths of a second.
fn ticks(nodes: &[Process]) -> Outcome<u64> {
    let mut sum = 0;
    for node in nodes {
        let stat = fs::read_to_string(format!("/proc/{}/stat", node.id()))?;
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        for field in fields.get(11..13).ok_or("a short line")? {
            sum += field.parse::<u64>()?;
        }
    }
    Ok(sum)
}

/// What the loopback device of this network has sent.
fn loopback_bytes() -> Outcome<u64> {
    let devices = fs::read_to_string("/proc/self/net/dev")?;
    let line = devices.lines().find_map(|line| line.trim_start().strip_prefix("lo:")).ok_or("no loopback device")?;
    Ok(line.split_whitespace().nth(8).ok_or("a short line")?.parse()?)
}

const NODES: usize = 20;

/// Until nodes are at rest. For a minute after their last write, enrolment included, they renew a ceiling on their
/// disks each second (docs/decisions/0023).
const SETTLING: Duration = Duration::from_secs(75);

const PERIOD: Duration = Duration::from_secs(40);
const FLAGS: usize = 100_000;

/// Of the clock in which Linux tells processor time.
const TICKS_A_SECOND: f64 = 100.0;
