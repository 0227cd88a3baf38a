//! What is done to a cluster.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::fleet::{Fleet, LONG, Start};
use super::random::Random;
use super::redis::copy;
use super::system::{address, call};
use super::{http, load};

/// One way to go wrong.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) name: &'static str,
    pub(super) does: &'static str,
    /// How often it is drawn, beside the others.
    pub(super) weight: u64,
    /// Whether a disk is taken away, so that only a majority's word counts.
    pub(super) is_strict: bool,
    /// Does it, heals, and tells how often it was done.
    pub(super) run: fn(&mut Fleet, &mut Random) -> Result<u64, String>,
}

pub(super) const fn fault(
    name: &'static str,
    weight: u64,
    does: &'static str,
    run: fn(&mut Fleet, &mut Random) -> Result<u64, String>,
) -> Fault {
    Fault { name, does, weight, is_strict: false, run }
}

/// All of them.
pub(super) const FAULTS: &[Fault] = &[
    fault("kill", 20, "SIGKILL of one node, some or all at any moment, ten times, and a start after each", kill),
    fault("partition", 20, "five partitions: in two, one node alone, or one that does not hear another", partition),
    fault("freeze", 3, "a node is stopped for some seconds, longer than its links last", freeze),
    fault("kill-at-write", 5, "a node dies at its k-th write, sync, truncation or rename", kill_at_write),
    fault("sync-fails", 3, "from some moment on every sync of a node fails", sync_fails),
    fault("disk-full", 3, "a node's disk is full for a while", disk_full),
    fault("read-only", 1, "a node starts on a disk that cannot be written", read_only),
    fault("away", 2, "a node is unreachable while 10,000 changes are made", away),
    fault("clock", 3, "a node's clock is an hour ahead or behind, and jumps back", clock),
    fault("clock-years", 1, "a node starts with a clock that is ten years ahead", clock_years),
    fault("clone", 2, "copies of a node's folder are started beside it", clone),
    Fault { is_strict: true, ..fault("old-disk", 2, "a node starts on a copy of its disk from before", old_disk) },
    fault("strangers", 1, "processes of another cluster and of another authority knock", strangers),
];

/// Any of these, by their weights.
pub(super) fn draw(faults: &'static [Fault], random: &mut Random) -> &'static Fault {
    let sum: u64 = faults.iter().map(|fault| fault.weight).sum();
    let mut left = random.within(0, sum);
    for fault in faults {
        if left < fault.weight {
            return fault;
        }
        left -= fault.weight;
    }
    &faults[0]
}

pub(super) fn pause(random: &mut Random, from: u64, to: u64) {
    thread::sleep(Duration::from_millis(random.within(from, to)));
}

fn kill(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    let count = fleet.nodes.len();
    let mut kills = 0;
    while kills < 10 {
        let several = match random.within(0, 6) {
            0 => count,
            1 => 1 + random.index(count),
            _ => 1,
        };
        let chosen = random.some(several, count);
        pause(random, 0, 200);
        for index in &chosen {
            fleet.kill(*index);
            pause(random, 0, 10);
        }
        kills += chosen.len() as u64;
        pause(random, 0, 300);
        for index in &chosen {
            fleet.launch(*index, &Start::default())?;
        }
        for index in chosen {
            fleet.wait_until_up(index)?;
        }
    }
    Ok(kills)
}

fn partition(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    let count = fleet.nodes.len();
    let rounds = 5;
    for _ in 0..rounds {
        let mut deaf: Vec<Vec<usize>> = vec![Vec::new(); count];
        match random.within(0, 3) {
            0 => {
                let size = 1 + random.index(count - 1);
                let one = random.some(size, count);
                for (index, deaf) in deaf.iter_mut().enumerate() {
                    *deaf = (0..count).filter(|other| one.contains(other) != one.contains(&index)).collect();
                }
            }
            1 => {
                let alone = random.index(count);
                for (index, deaf) in deaf.iter_mut().enumerate() {
                    *deaf = (0..count).filter(|other| *other != index && (index == alone || *other == alone)).collect();
                }
            }
            _ => {
                let pair = random.some(2, count);
                deaf[pair[0]].push(pair[1]);
            }
        }
        for (index, others) in deaf.iter().enumerate() {
            super::fleet::deafen(index, others)?;
        }
        pause(random, 300, 5_000);
        for index in 0..count {
            super::fleet::deafen(index, &[])?;
        }
        pause(random, 0, 1_500);
    }
    Ok(rounds)
}

fn freeze(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    let index = random.index(fleet.nodes.len());
    fleet.nodes[index].set_up(false);
    fleet.signal(index, "STOP");
    pause(random, 1_000, 14_000);
    fleet.signal(index, "CONT");
    fleet.wait_until_up(index)?;
    Ok(1)
}

/// Starts a node under a tracer that does something to its calls.
fn trace(fleet: &mut Fleet, index: usize, injection: &str) -> Result<(), String> {
    fleet.kill(index);
    let before = [
        "strace",
        "--follow-forks",
        "--quiet=all",
        "--output=/dev/null",
        "-e",
        "trace=%desc,%file,rename",
        "-e",
        injection,
    ];
    fleet.launch(index, &Start { before: before.map(str::to_owned).into(), ..Start::default() })
}

fn restart(fleet: &mut Fleet, index: usize) -> Result<(), String> {
    fleet.kill(index);
    fleet.launch(index, &Start::default())?;
    fleet.wait_until_up(index)
}

fn kill_at_write(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    let index = random.index(fleet.nodes.len());
    let calls = [
        "pwrite64",
        "fdatasync",
        "fsync",
        "ftruncate",
        "rename,renameat,renameat2",
        "pwrite64,fdatasync,fsync,ftruncate",
    ];
    let calls = calls[random.index(calls.len())];
    let when = random.within(1, 120);
    trace(fleet, index, &format!("inject={calls}:signal=KILL:when={when}"))?;
    let deadline = Instant::now() + Duration::from_secs(8);
    while !fleet.has_ended(index) && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
    let died = u64::from(fleet.has_ended(index));
    restart(fleet, index)?;
    Ok(died)
}

fn sync_fails(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    let index = random.index(fleet.nodes.len());
    let when = random.within(10, 60);
    trace(fleet, index, &format!("inject=fdatasync,fsync:error=EIO:when={when}+"))?;
    pause(random, 4_000, 6_000);
    restart(fleet, index)?;
    Ok(1)
}

fn disk_full(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    let index = random.index(fleet.nodes.len());
    let filler = fleet.path(&fleet.nodes[index].name).join("filler");
    fill(&filler)?;
    pause(random, 1_000, 3_000);
    let to = fleet.nodes[index].http();
    let refused = load::change_until(to, 507, LONG);
    fs::remove_file(&filler).map_err(|error| error.to_string())?;
    refused?;
    load::change_until(to, 200, LONG)?;
    Ok(1)
}

/// Writes until there is no room.
fn fill(path: &Path) -> Result<(), String> {
    let mut file = fs::File::create(path).map_err(|error| error.to_string())?;
    let block = vec![0; 64 * 1024];
    while file.write_all(&block).is_ok() {}
    while file.write_all(&[0]).is_ok() {}
    Ok(())
}

fn read_only(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    let index = random.index(fleet.nodes.len());
    fleet.kill(index);
    let folder = fleet.path(&fleet.nodes[index].name).display().to_string();
    call("mount", &["-o", "remount,ro", &folder])?;
    // It answers from what it has, and refuses changes. It would go on by itself, but a process in a network namespace has mounts
    // of its own, which stay as they were when it started.
    restart(fleet, index)?;
    let refused = load::change_until(fleet.nodes[index].http(), 507, LONG);
    call("mount", &["-o", "remount,rw", &folder])?;
    restart(fleet, index)?;
    refused?;
    load::change_until(fleet.nodes[index].http(), 200, LONG)?;
    Ok(1)
}

fn away(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    let index = random.index(fleet.nodes.len());
    fleet.kill(index);
    let other = (index + 1) % fleet.nodes.len();
    load::changes(fleet.nodes[other].http(), 10_000);
    restart(fleet, index)?;
    Ok(1)
}

/// A clock that is read from a file, so that it can jump.
fn faked(fleet: &Fleet, index: usize, offset: &str) -> Result<Start, String> {
    let file = fleet.path(&format!("clock-{index}"));
    fs::write(&file, format!("{offset}\n")).map_err(|error| error.to_string())?;
    let environment = [
        ("LD_PRELOAD", FAKETIME.to_owned()),
        ("FAKETIME_TIMESTAMP_FILE", file.display().to_string()),
        ("FAKETIME_NO_CACHE", "1".to_owned()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".to_owned()),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value)).into();
    Ok(Start { environment, ..Start::default() })
}

fn clock(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    let index = random.index(fleet.nodes.len());
    let first = ["+1h", "-50m", "+0"][random.index(3)];
    let start = faked(fleet, index, first)?;
    fleet.kill(index);
    fleet.launch(index, &start)?;
    fleet.wait_until_up(index)?;
    let to = fleet.nodes[index].http();
    if first != "+0" {
        // With others in sight a wrong clock makes no change.
        load::change_until(to, 503, LONG)?;
    }
    pause(random, 500, 2_000);
    for jump in ["+1h", "-30m", "+20", "+0"] {
        fs::write(fleet.path(&format!("clock-{index}")), format!("{jump}\n")).map_err(|error| error.to_string())?;
        pause(random, 300, 1_500);
    }
    load::change_until(to, 200, LONG)?;
    restart(fleet, index)?;
    Ok(1)
}

/// Its certificate has expired by then, so it starts alone, and is ended before it answers.
fn clock_years(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    let index = random.index(fleet.nodes.len());
    let start = faked(fleet, index, "+3650d")?;
    fleet.kill(index);
    fleet.launch(index, &start)?;
    pause(random, 1_000, 2_000);
    restart(fleet, index)?;
    Ok(1)
}

/// Twice: a copy that the others reach while it starts has to end, and one that starts in a partition is noticed afterwards.
fn clone(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    let index = random.index(fleet.nodes.len());
    let name = fleet.nodes[index].name.clone();
    fleet.kill(index);
    copy(&fleet.path(&name), &fleet.path("clone"))?;
    // As a whole host is copied: on one host a second process with these certificates would not start.
    copy(&fleet.path(&format!("certs/{name}")), &fleet.path("clone-certs"))?;
    restart(fleet, index)?;
    // Of two processes that start within a second of each other, either may be the one that is refused.
    pause(random, 2_000, 3_000);
    start_clone(fleet)?;
    let refused = fleet.wait_for_extra(LONG);
    fleet.end_extra();
    match refused? {
        Some(status) if status.code() == Some(NODE_RUNS_ELSEWHERE) => {}
        other => return Err(format!("a clone that started while its node ran was not refused: {other:?}")),
    }
    load::change_until(fleet.nodes[index].http(), 200, LONG)?;

    let others: Vec<usize> = (0..fleet.nodes.len()).collect();
    super::fleet::deafen(fleet.spare(), &others)?;
    start_clone(fleet)?;
    let started = fleet.wait_until_extra_answers();
    super::fleet::deafen(fleet.spare(), &[])?;
    let noticed = started.and_then(|()| load::change_until(fleet.nodes[index].http(), 503, LONG));
    fleet.end_extra();
    for folder in ["clone", "clone-certs"] {
        fs::remove_dir_all(fleet.path(folder)).map_err(|error| error.to_string())?;
    }
    noticed.map_err(|error| format!("a node does not notice its clone: {error}"))?;
    restart(fleet, index)?;
    load::change_until(fleet.nodes[index].http(), 200, LONG)?;
    Ok(2)
}

/// The certificate names the node's host, not the clone's: other nodes cannot connect to the clone, it connects to them.
fn start_clone(fleet: &mut Fleet) -> Result<(), String> {
    let clone = fleet.spawn(fleet.spare(), "clone", "clone", "clone-certs", "soak", &Start::default())?;
    fleet.extra = Some(clone);
    Ok(())
}

fn old_disk(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    let index = random.index(fleet.nodes.len());
    let folder = fleet.path(&fleet.nodes[index].name);
    fleet.kill(index);
    copy(&folder, &fleet.path("old"))?;
    restart(fleet, index)?;
    pause(random, 1_000, 3_000);
    fleet.kill(index);
    for entry in fs::read_dir(&folder).map_err(|error| error.to_string())? {
        let path = entry.map_err(|error| error.to_string())?.path();
        fs::remove_file(path).map_err(|error| error.to_string())?;
    }
    copy(&fleet.path("old"), &folder)?;
    fs::remove_dir_all(fleet.path("old")).map_err(|error| error.to_string())?;
    restart(fleet, index)?;
    Ok(1)
}

fn strangers(fleet: &mut Fleet, random: &mut Random) -> Result<u64, String> {
    let spare = fleet.spare();
    let listen = address(spare).to_string();
    fs::create_dir_all(fleet.path("strange")).map_err(|error| error.to_string())?;
    for (cluster, certificates) in [("other", "strange/other"), ("soak", "strange/soak")] {
        fleet.tidegate(&["cluster", "init", certificates, "--cluster", cluster, &format!("x={listen}")])?;
        let certificates = format!("{certificates}/x");
        let data = format!("strange/data-{cluster}");
        fleet.extra = Some(fleet.spawn(spare, "stranger", &data, &certificates, cluster, &Start::default())?);
        pause(random, 2_000, 3_000);
        let state = fleet.wait_until_extra_answers().and_then(|()| {
            http::ask((address(spare), 8080).into(), "GET", "/api/v1/cluster", "", LONG)
                .map_err(|error| error.to_string())
        });
        fleet.end_extra();
        match state {
            Ok((200, state)) if state.contains("\"peers\":[]") => {}
            other => return Err(format!("a stranger was let in, or did not start: {other:?}")),
        }
    }
    fs::remove_dir_all(fleet.path("strange")).map_err(|error| error.to_string())?;
    Ok(2)
}

/// What moves clocks, where Debian has it.
pub(super) const FAKETIME: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1";

/// The exit code of `tidegate serve` where another process of its node runs.
const NODE_RUNS_ELSEWHERE: i32 = 7;
