//! From a change until it is active on the last of five nodes, and until a majority has it on disks.

use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::process::{Place, Process};
use crate::rest::loopback_bytes;
use crate::show::{percentile, ratio, row};
use crate::{Builds, Outcome, fleet};

pub(crate) fn measure(builds: &Builds) -> Outcome {
    let count = ROUNDS * COUNT;
    println!("five nodes with TLS on loopback, {count} changes, one every {} ms", PAUSE_US / 1_000);
    let floor_place = Place::new("floor", NODES)?;
    let mut floor = fleet::start(builds.own(), &floor_place, "bare", NODES - 1)?;
    let mut fleets: Vec<Fleet> =
        builds.all().map(|(name, program)| Fleet::start(name, program)).collect::<Outcome<_>>()?;
    let mut disks: Vec<Disk> = (0..NODES)
        .map(|index| Disk::open(&floor_place.folder.join(format!("floor-{index}.db"))))
        .collect::<Outcome<_>>()?;
    let mut times = Floors::default();
    // In turn, so that what else the machine does falls on all of them.
    for _ in 0..ROUNDS {
        let (to_all, answers) = fleet::run(&mut floor, &format!("write {} {COUNT} {PAUSE_US}", NODES - 1))?;
        times.to_all.extend(to_all);
        times.half.extend(answers.iter().map(|took| took[0]));
        times.echo.extend(answers.iter().map(|took| took[1]));
        for fleet in &mut fleets {
            fleet.measure()?;
        }
        times.commits.extend(commits(&mut disks[0])?);
        times.at_once.extend(commits_at_once(&mut disks)?);
    }
    times.show(&mut fleets);
    Ok(())
}

/// How long the floors took.
#[derive(Debug, Default)]
struct Floors {
    to_all: Vec<Duration>,
    half: Vec<Duration>,
    echo: Vec<Duration>,
    commits: Vec<Duration>,
    at_once: Vec<Duration>,
}

/// Five nodes of one build, and how long everything took with them.
#[derive(Debug)]
struct Fleet {
    name: &'static str,
    nodes: Vec<Process>,
    /// Kept for as long as the nodes use it.
    _place: Place,
    all: Vec<Duration>,
    all_of_majority: Vec<Duration>,
    majority: Vec<Duration>,
    /// What all nodes together have sent for the changes of the first kind.
    bytes: u64,
}

impl Fleet {
    fn start(name: &'static str, program: &Path) -> Outcome<Self> {
        let place = Place::new(&format!("{}nodes", name.trim_end_matches([':', ' '])), NODES)?;
        let nodes = fleet::start(program, &place, "node", NODES - 1)?;
        let (all, all_of_majority, majority) = (Vec::new(), Vec::new(), Vec::new());
        Ok(Self { name, nodes, _place: place, all, all_of_majority, majority, bytes: 0 })
    }

    fn measure(&mut self) -> Outcome {
        let before = loopback_bytes()?;
        let (all, _) = fleet::run(&mut self.nodes, &format!("write local {COUNT} {PAUSE_US}"))?;
        self.bytes += loopback_bytes()? - before;
        let (all_of_majority, receipts) = fleet::run(&mut self.nodes, &format!("write majority {COUNT} {PAUSE_US}"))?;
        self.all.extend(all);
        self.all_of_majority.extend(all_of_majority);
        self.majority.extend(receipts.iter().map(|took| took[0]));
        Ok(())
    }
}

impl Floors {
    fn show(&mut self, fleets: &mut [Fleet]) {
        let to_all = row("floor: bare TLS, until the last of four has it", &mut self.to_all);
        let echo = row("floor: bare TLS, until four have echoed it", &mut self.echo);
        let half = row("floor: bare TLS, until two of four have", &mut self.half);
        let commit = row("floor: one bare SQLite commit, WAL, synchronous=FULL", &mut self.commits);
        let third = row("floor: five such commits at once, until three are done", &mut self.at_once);
        let mut middles = Vec::new();
        for fleet in fleets {
            let name = fleet.name;
            let all = row(&format!("{name}a change, until it is active on the last"), &mut fleet.all);
            ratio("beside one way", all, to_all);
            ratio("beside the echo", all, echo);
            let waited = row(&format!("{name}the same, when its writer waits"), &mut fleet.all_of_majority);
            ratio("beside the echo", waited, echo);
            let majority = row(&format!("{name}a change, until a majority has it on disks"), &mut fleet.majority);
            ratio("beside the round trip and one commit", majority, half + commit);
            ratio("beside the round trip and three of five", majority, half + third);
            let bytes = fleet.bytes / (ROUNDS * COUNT);
            println!("{:<58} {bytes:>9} B", "sent for a change by all nodes, headers of TCP and IP included");
            middles.push([all, waited, majority, percentile(&mut fleet.all, 99)]);
        }
        if let [own, other] = middles.as_slice() {
            for (what, index) in
                [("active on all", 0), ("the same, p99", 3), ("when its writer waits", 1), ("a majority", 2)]
            {
                ratio(&format!("this build beside the other one: {what}"), own[index], other[index]);
            }
        }
    }
}

/// How long a commit takes while no other is made.
fn commits(disk: &mut Disk) -> Outcome<Vec<Duration>> {
    let mut times = Vec::new();
    for number in 0..COUNT {
        let began = Instant::now();
        disk.commit(number)?;
        times.push(began.elapsed());
        std::thread::sleep(Duration::from_micros(PAUSE_US));
    }
    Ok(times)
}

/// How long it takes until a majority has made the same commit, when all begin at once: here all nodes have one disk.
fn commits_at_once(disks: &mut [Disk]) -> Outcome<Vec<Duration>> {
    let barrier = &Barrier::new(disks.len());
    let work = |disk: &mut Disk| -> Outcome<Vec<(Instant, Instant)>> {
        let commit = |number: u64| {
            std::thread::sleep(Duration::from_micros(PAUSE_US));
            barrier.wait();
            let began = Instant::now();
            (began, disk.commit(number).map(|()| Instant::now()))
        };
        // A thread that fails goes on, so that no other waits for it.
        let times: Vec<(Instant, Outcome<Instant>)> = (0..COUNT).map(commit).collect();
        times.into_iter().map(|(began, ended)| Ok((began, ended?))).collect()
    };
    let all: Vec<Vec<(Instant, Instant)>> = std::thread::scope(|scope| {
        let threads: Vec<_> = disks.iter_mut().map(|disk| scope.spawn(move || work(disk))).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "a thread panicked")?).collect::<Outcome<_>>()
    })?;
    let of_one = |number: usize| {
        let (began, mut ended): (Vec<Instant>, Vec<Instant>) = all.iter().map(|times| times[number]).unzip();
        ended.sort_unstable();
        began.into_iter().min().map_or(Duration::ZERO, |first| ended[ended.len() / 2].duration_since(first))
    };
    Ok((0..usize::try_from(COUNT)?).map(of_one).collect())
}

/// A bare `SQLite` database.
struct Disk(rusqlite::Connection);

impl Disk {
    fn open(path: &Path) -> Outcome<Self> {
        let database = rusqlite::Connection::open(path)?;
        database.pragma_update(None, "journal_mode", "wal")?;
        database.pragma_update(None, "synchronous", "full")?;
        database.execute("CREATE TABLE registers (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID", [])?;
        Ok(Self(database))
    }

    fn commit(&mut self, number: u64) -> Outcome {
        let value = vec![number.to_le_bytes()[0]; 200];
        let mut put = self.0.prepare_cached("INSERT OR REPLACE INTO registers VALUES (?1, ?2)")?;
        put.execute((&b"bench"[..], value))?;
        Ok(())
    }
}

const NODES: usize = 5;
const ROUNDS: u64 = 10;
const COUNT: u64 = 100;
const PAUSE_US: u64 = 5_000;
