//! What nodes cost that do nothing: processor time, bytes on the loopback device, and memory.

use std::fs;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::process::Process;

/// Measures nodes that are at rest already.
pub(crate) fn measure(name: &str, nodes: &[Process]) -> Outcome {
    let (ticks, bytes, began) = (ticks(nodes)?, loopback_bytes()?, Instant::now());
    std::thread::sleep(PERIOD);
    let seconds = began.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts of a minute")]
    let (ticks, bytes) = ((self::ticks(nodes)? - ticks) as f64, (loopback_bytes()? - bytes) as f64);
    let count = f64::from(u32::try_from(nodes.len())?);
    println!("{name}{count} nodes with TLS on loopback at rest, {seconds:.0} s");
    println!(
        "{:<58} {:>9.3} %",
        "processor time of a node, of one core",
        ticks / TICKS_A_SECOND / seconds / count * 100.0
    );
    println!("{:<58} {:>9.0} B/s", "sent by a node, headers of TCP and IP included", bytes / seconds / count);
    println!("{:<58} {:>9.1} MiB", "resident memory of a node", memory(nodes)? / count);
    Ok(())
}

/// Processor time of a node since its start, the mean of all, in milliseconds.
pub(crate) fn processor_ms(nodes: &[Process]) -> Outcome<f64> {
    let ticks = f64::from(u32::try_from(ticks(nodes)?)?);
    Ok(ticks / TICKS_A_SECOND * 1e3 / f64::from(u32::try_from(nodes.len())?))
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

/// Resident memory of all nodes, in MiB.
fn memory(nodes: &[Process]) -> Outcome<f64> {
    let mut sum = 0.0;
    for node in nodes {
        let status = fs::read_to_string(format!("/proc/{}/status", node.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no memory")?;
        sum += line.trim().trim_end_matches(" kB").parse::<f64>()? / 1024.0;
    }
    Ok(sum)
}

/// What the loopback device of this network has sent.
pub(crate) fn loopback_bytes() -> Outcome<u64> {
    let devices = fs::read_to_string("/proc/self/net/dev")?;
    let line = devices.lines().find_map(|line| line.trim_start().strip_prefix("lo:")).ok_or("no loopback device")?;
    Ok(line.split_whitespace().nth(8).ok_or("a short line")?.parse()?)
}

const PERIOD: Duration = Duration::from_secs(40);

/// Of the clock in which Linux tells processor time.
const TICKS_A_SECOND: f64 = 100.0;
