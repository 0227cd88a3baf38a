//! A node that is killed: until the others notice, and until it is connected to all of them after it was started again.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::{Place, Process};
use crate::show::row;
use crate::{Builds, Outcome, fleet};

pub(crate) fn measure(builds: &Builds) -> Outcome {
    println!("{NODES} nodes with TLS on loopback, of which one is killed and started again, {TIMES} times");
    for (name, program) in builds.all() {
        let place = Place::new("kill", NODES)?;
        let mut nodes = fleet::start(program, &place, "node", NODES - 1)?;
        let (mut noticed, mut back) = (Vec::new(), Vec::new());
        for _ in 0..TIMES {
            let killed = nodes.pop().ok_or("no node")?;
            let began = Instant::now();
            drop(killed);
            wait(&mut nodes, |peers| peers < NODES - 1)?;
            noticed.push(began.elapsed());
            let (again, time) = start_again(program, &place, &mut nodes)?;
            back.push(time);
            nodes.push(again);
        }
        row(&format!("{name}until all others notice a kill"), &mut noticed);
        row(&format!("{name}until it is connected to all after its start"), &mut back);
    }
    Ok(())
}

fn start_again(program: &Path, place: &Place, others: &mut [Process]) -> Outcome<(Process, Duration)> {
    let began = Instant::now();
    let mut again = Process::start(program, &place.words("node", NODES - 1))?;
    wait(std::slice::from_mut(&mut again), |peers| peers == NODES - 1)?;
    wait(others, |peers| peers == NODES - 1)?;
    Ok((again, began.elapsed()))
}

/// Waits until each of these nodes sees this number of others.
fn wait(nodes: &mut [Process], is_so: impl Fn(usize) -> bool) -> Outcome {
    let deadline = Instant::now() + Duration::from_mins(1);
    for node in nodes {
        while !is_so(node.ask("peers")?.parse()?) {
            if Instant::now() > deadline {
                return Err("it does not come to pass".into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    Ok(())
}

const NODES: usize = 5;
const TIMES: usize = 20;
