//! From a change until the last of five nodes has it in force, and until a majority has it on disks.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::process::{Place, Process};
use crate::show::{ratio, row};

pub(crate) fn measure() -> Outcome {
    println!("five nodes with TLS on loopback, {COUNT} changes, one every {} ms", PAUSE_US / 1_000);
    let place = Place::new(NODES)?;
    let (mut floor_all, mut floor_trip) = {
        let mut nodes = start(&place, "bare", NODES - 1)?;
        run(&mut nodes, &format!("write {NODES} {COUNT} {PAUSE_US}"))?
    };
    let (mut all, _) = {
        let mut nodes = start(&place, "node", NODES - 1)?;
        run(&mut nodes, &format!("write local {COUNT} {PAUSE_US}"))?
    };
    let (_, mut majority) = {
        let mut nodes = start(&place, "node", NODES - 1)?;
        run(&mut nodes, &format!("write majority {COUNT} {PAUSE_US}"))?
    };
    let mut commits = commits(&place.folder.join("floor.db"))?;
    let floor = row("floor: bare zenoh, until the last has it", &mut floor_all);
    let ours = row("a change, until it is in force on the last", &mut all);
    ratio("", ours, floor);
    let trip = row("floor: bare zenoh, until two of four have answered", &mut floor_trip);
    let commit = row("floor: one bare SQLite commit, WAL, synchronous=FULL", &mut commits);
    let ours = row("a change, until a majority has it on disks", &mut majority);
    ratio("beside the sum of both floors", ours, trip + commit);
    Ok(())
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

fn commits(path: &Path) -> Outcome<Vec<Duration>> {
    let database = rusqlite::Connection::open(path)?;
    database.pragma_update(None, "journal_mode", "wal")?;
    database.pragma_update(None, "synchronous", "full")?;
    database.execute("CREATE TABLE registers (key BLOB PRIMARY KEY, value BLOB) WITHOUT ROWID", [])?;
    let mut times = Vec::new();
    for number in 0..COUNT {
        let began = Instant::now();
        database
            .execute("INSERT OR REPLACE INTO registers VALUES (?1, ?2)", (&b"bench"[..], vec![number as u8; 200]))?;
        times.push(began.elapsed());
        std::thread::sleep(Duration::from_micros(PAUSE_US));
    }
    Ok(times)
}

const NODES: usize = 5;
const COUNT: u64 = 1_000;
const PAUSE_US: u64 = 5_000;
