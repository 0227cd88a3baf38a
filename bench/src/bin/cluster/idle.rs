//! Nodes that do nothing, twenty unless said otherwise, and a fresh one that fetches 100,000 flags.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::{Place, Process};
use crate::{Builds, Outcome, fleet, rest};

pub(crate) fn measure(builds: &Builds, count: usize) -> Outcome {
    for (name, program) in builds.all() {
        at_rest(name, program, count)?;
        catch_up(name, program)?;
    }
    Ok(())
}

fn at_rest(name: &str, program: &Path, count: usize) -> Outcome {
    let place = Place::new("idle", count)?;
    let began = Instant::now();
    let nodes = fleet::start(program, &place, "node", count - 1)?;
    let (seconds, spent) = (began.elapsed().as_secs_f64(), rest::processor_ms(&nodes)?);
    println!("{:<58} {seconds:>9.2} s", format!("{name}{count} nodes start at once, until each sees all others"));
    println!("{:<58} {spent:>9.0} ms", "processor time of a node until then");
    std::thread::sleep(SETTLING);
    rest::measure(name, &nodes)
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

pub(crate) const NODES: usize = 20;

/// Until nodes are at rest. For a minute after their last write, enrolment included, they renew a ceiling on their
/// disks each second (docs/decisions/0023).
const SETTLING: Duration = Duration::from_secs(75);

const FLAGS: usize = 100_000;
