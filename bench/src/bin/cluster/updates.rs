//! From a change until the last of five nodes has it in force, and until a majority has it on disks.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::process::{Place, Process};
use crate::show::{ratio, row};

pub(crate) fn measure() -> Outcome {
    let count = ROUNDS * COUNT;
    println!("five nodes with TLS on loopback, {count} changes, one every {} ms", PAUSE_US / 1_000);
    let (bare_place, place) = (Place::new("bare", NODES)?, Place::new("node", NODES)?);
    let (mut bare, mut nodes) = (start(&bare_place, "bare", NODES - 1)?, start(&place, "node", NODES - 1)?);
    let mut disks: Vec<Disk> =
        (0..NODES).map(|index| Disk::open(&place.folder.join(format!("floor-{index}.db")))).collect::<Outcome<_>>()?;
    let mut times = Times::default();
    // In turn, so that what else the machine does falls on all of them.
    for _ in 0..ROUNDS {
        let (floor_all, floor_trip) = run(&mut bare, &format!("write {NODES} {COUNT} {PAUSE_US}"))?;
        let (all, _) = run(&mut nodes, &format!("write local {COUNT} {PAUSE_US}"))?;
        let (all_of_majority, majority) = run(&mut nodes, &format!("write majority {COUNT} {PAUSE_US}"))?;
        times.floor_all.extend(floor_all);
        times.floor_trip.extend(floor_trip);
        times.all.extend(all);
        times.all_of_majority.extend(all_of_majority);
        times.majority.extend(majority);
        times.commits.extend(commits(&mut disks[0])?);
        times.at_once.extend(commits_at_once(&mut disks)?);
    }
    times.show();
    Ok(())
}

/// How long everything took.
#[derive(Debug, Default)]
struct Times {
    floor_all: Vec<Duration>,
    all: Vec<Duration>,
    all_of_majority: Vec<Duration>,
    floor_trip: Vec<Duration>,
    commits: Vec<Duration>,
    at_once: Vec<Duration>,
    majority: Vec<Duration>,
}

impl Times {
    fn show(&mut self) {
        let floor = row("floor: bare zenoh, until the last has it", &mut self.floor_all);
        let ours = row("a change, until it is in force on the last", &mut self.all);
        ratio("", ours, floor);
        let ours = row("the same, when its writer waits for a majority", &mut self.all_of_majority);
        ratio("", ours, floor);
        let trip = row("floor: bare zenoh, until two of four have answered", &mut self.floor_trip);
        let commit = row("floor: one bare SQLite commit, WAL, synchronous=FULL", &mut self.commits);
        let third = row("floor: five such commits at once, until three are done", &mut self.at_once);
        let ours = row("a change, until a majority has it on disks", &mut self.majority);
        ratio("beside the round trip and one commit", ours, trip + commit);
        ratio("beside the round trip and three of five", ours, trip + third);
    }
}

/// Starts all nodes and waits until each sees all others.
pub(crate) fn start(place: &Place, kind: &str, others: usize) -> Outcome<Vec<Process>> {
    let count = others + 1;
    let mut nodes: Vec<Process> =
        (0..count).map(|index| Process::start(&place.words(kind, index))).collect::<Outcome<_>>()?;
    let deadline = Instant::now() + Duration::from_mins(1);
    for node in &mut nodes {
        while node.ask("peers")?.parse::<usize>()? < others {
            if Instant::now() > deadline {
                return Err("the nodes do not see each other".into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    // Links that were made twice are let go within some seconds.
    std::thread::sleep(Duration::from_secs(6));
    Ok(nodes)
}

/// Lets the first node write: until the last of the others had each change, and until its receipt.
fn run(nodes: &mut [Process], order: &str) -> Outcome<(Vec<Duration>, Vec<Duration>)> {
    for node in nodes.iter_mut() {
        node.ask("seen")?;
    }
    let written = nodes[0].ask(order)?;
    std::thread::sleep(Duration::from_millis(500));
    let mut last: BTreeMap<u64, (Duration, usize)> = BTreeMap::new();
    for node in nodes.iter_mut().skip(1) {
        for word in node.ask("seen")?.split_whitespace() {
            let (number, at) = word.split_once(':').ok_or("no instant")?;
            let (latest, count) = last.entry(number.parse()?).or_default();
            *latest = (*latest).max(Duration::from_nanos(at.parse()?));
            *count += 1;
        }
    }
    let (mut to_all, mut receipts) = (Vec::new(), Vec::new());
    for word in written.split_whitespace() {
        let parts: Vec<u64> = word.split(':').map(str::parse).collect::<Result<_, _>>()?;
        let [number, began, took] = parts.as_slice() else { return Err("no three numbers".into()) };
        receipts.push(Duration::from_nanos(*took));
        // A change that another one has overtaken was not seen by all; the next one was.
        if let Some((at, _)) = last.get(number).filter(|(_, count)| *count >= nodes.len() - 1) {
            to_all.push(at.saturating_sub(Duration::from_nanos(*began)));
        }
    }
    Ok((to_all, receipts))
}

/// How long a commit takes while nobody else makes one.
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
        // Whoever fails goes on, so that nobody waits for it.
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

/// A bare SQLite database.
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
        let value = vec![number as u8; 200];
        let mut put = self.0.prepare_cached("INSERT OR REPLACE INTO registers VALUES (?1, ?2)")?;
        put.execute((&b"bench"[..], value))?;
        Ok(())
    }
}

const NODES: usize = 5;
const ROUNDS: u64 = 10;
const COUNT: u64 = 100;
const PAUSE_US: u64 = 5_000;
