//! From the start of sending until the last of four nodes has a message, until two have echoed it, and until all have.

use std::path::Path;
use std::time::Duration;

use crate::process::{Place, Process};
use crate::show::{percentile, ratio, row};
use crate::{Outcome, fleet};

pub(crate) fn measure() -> Outcome {
    let program = std::env::current_exe()?;
    println!(
        "five nodes with TLS on loopback, {} messages of 300 bytes, one every {} ms",
        ROUNDS * COUNT,
        PAUSE_US / 1_000
    );
    let mut carriers: Vec<Carrier> =
        CARRIERS.iter().map(|name| Carrier::start(name, &program)).collect::<Outcome<_>>()?;
    // In turn, so that what else the machine does falls on all of them.
    for _ in 0..ROUNDS {
        for carrier in &mut carriers {
            carrier.measure()?;
        }
    }
    let mut floor = None;
    for carrier in &mut carriers {
        let shown = carrier.show(floor);
        floor.get_or_insert(shown);
    }
    Ok(())
}

/// Five nodes with one kind of links, and how long everything took with them.
#[derive(Debug)]
struct Carrier {
    name: &'static str,
    nodes: Vec<Process>,
    /// Kept for as long as the nodes use it.
    _place: Place,
    /// For each of [`ENDS`].
    times: [Vec<Duration>; 3],
}

/// The middle and the 99th of a hundred, for each of [`ENDS`].
type Shown = [[Duration; 2]; 3];

impl Carrier {
    fn start(name: &'static str, program: &Path) -> Outcome<Self> {
        let place = Place::new(name, NODES)?;
        let nodes = fleet::start(program, &place, name, NODES - 1)?;
        Ok(Self { name, nodes, _place: place, times: Default::default() })
    }

    fn measure(&mut self) -> Outcome {
        let (to_all, answers) = fleet::run(&mut self.nodes, &format!("write {} {COUNT} {PAUSE_US}", NODES - 1))?;
        self.times[0].extend(to_all);
        self.times[1].extend(answers.iter().map(|took| took[0]));
        self.times[2].extend(answers.iter().map(|took| took[1]));
        Ok(())
    }

    /// Prints the times, and how many times as long they are as those of the floor.
    fn show(&mut self, floor: Option<Shown>) -> Shown {
        let name = self.name;
        let mut shown = Shown::default();
        for (index, (end, times)) in ENDS.iter().zip(&mut self.times).enumerate() {
            shown[index] = [row(&format!("{name}: {end}"), times), percentile(times, 99)];
            if let Some(floor) = floor {
                ratio("beside the floor, p50", shown[index][0], floor[index][0]);
                ratio("beside the floor, p99", shown[index][1], floor[index][1]);
            }
        }
        shown
    }
}

/// The floor first: the others are shown beside it.
const CARRIERS: [&str; 4] = ["floor", "frames", "direct", "grpc"];

const ENDS: [&str; 3] = ["until the last of four has it", "until two of four have echoed it", "until all four have"];

const NODES: usize = 5;
const ROUNDS: u64 = 10;
const COUNT: u64 = 100;
const PAUSE_US: u64 = 5_000;
