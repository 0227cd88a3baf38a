//! A process that dies at any point, and a disk that is full or fails: what was acknowledged is there, and
//! nothing that never was (F1, F2, F5, F6). The process is this test binary itself, started again; `strace`
//! kills it at a chosen system call, or lets that call fail.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::super::{OpenError, SqliteStore, Store, StoreError};
use super::support::{Draw, batch, by_key, copy, names, open, read, register};
use crate::FileError;

/// Not a test: it opens the folder that a variable names, and commits what another one says.
#[test]
#[ignore = "a part of other tests, in a process of its own"]
fn child_that_writes() {
    let number = |name: &str| std::env::var(name).unwrap().parse::<u64>().unwrap();
    let (first, last) = (number(FIRST), number(LAST));
    let mut store = match SqliteStore::open(&PathBuf::from(std::env::var_os(FOLDER).unwrap())) {
        Ok((store, _)) => Box::new(store),
        Err(error) => return say(&format!("refused {error}")),
    };
    for seq in first..=last {
        let mut attempts = 0;
        loop {
            match store.commit(&[batch(seq, &key(seq))]) {
                Ok(()) => break say(&format!("acked {seq}")),
                Err(error) => say(&format!("failed {error}")),
            }
            attempts += 1;
            if attempts == 3 {
                return say("gave up");
            }
        }
        if let Err(error) = store.tend() {
            say(&format!("tending failed {error}"));
        }
    }
    if let Err(error) = store.close() {
        say(&format!("closing failed {error}"));
    }
}

/// Past the test runner, which would keep it to itself.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).unwrap();
}

fn key(seq: u64) -> String {
    format!("aflags/flag-{}", seq % 40)
}

/// What is there after `commits` commits.
fn state(commits: u64) -> BTreeMap<Vec<u8>, super::super::Register> {
    (1..=commits).map(|seq| (key(seq).into_bytes(), register(&key(seq), seq))).collect()
}

/// How many commits there are in a folder; they are the first ones, without gaps.
#[track_caller]
fn commits_in(path: &Path, what: &str) -> u64 {
    let (loaded, folder) = read(path);
    let found = by_key(&loaded);
    let last = loaded.registers.iter().map(|register| register.stamp.millis() - 1_700_000_000_000).max();
    let last = last.unwrap_or(0);
    assert_eq!(found, state(last), "{what}: a state that never was; {folder:?}");
    let meta = (last > 0).then(|| format!("remembered {last}").into_bytes());
    assert_eq!(loaded.meta, meta, "{what}: of another commit");
    last
}

/// The child's command, behind another program or not.
fn command(before: &[&str], path: &Path, first: u64, last: u64) -> Command {
    let own = std::env::current_exe().unwrap();
    let mut words = before.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    words.push(own.to_str().unwrap().to_owned());
    let mut command = Command::new(&words[0]);
    command
        .args(&words[1..])
        .args(["--exact", "store::tests::crash::child_that_writes", "--ignored", "--nocapture", "--quiet"])
        .env(FOLDER, path)
        .env(FIRST, first.to_string())
        .env(LAST, last.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    command
}

/// What the lines of the child begin with; the test runner has some of its own.
const OURS: [&str; 6] = ["acked ", "failed ", "refused ", "gave up", "tending failed ", "closing failed "];

struct Running {
    process: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, lines }
    }

    /// All that it still says, and how it ends.
    fn finish(mut self) -> (Vec<String>, ExitStatus) {
        let is_ours = |line: &String| OURS.iter().any(|word| line.starts_with(word));
        let lines = self.lines.map_while(Result::ok).filter(is_ours).collect();
        (lines, self.process.wait().unwrap())
    }
}

fn acked(lines: &[String]) -> u64 {
    let numbers = lines.iter().filter_map(|line| line.strip_prefix("acked ")?.parse().ok());
    numbers.max().unwrap_or(0)
}

#[test]
fn killed_at_random_nothing_acknowledged_is_lost() {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("data");
    let mut draw = Draw(11);
    let mut kept = 0;
    let kills = std::env::var("TIDEGATE_KILLS").map_or(KILLS, |text| text.parse().unwrap());
    for round in 0..kills {
        let mut running = Running::start(command(&[], &path, kept + 1, kept + 1_000_000));
        let mut lines = Vec::new();
        let wanted = draw.below(60) + 1;
        while acked(&lines) < kept + wanted {
            lines.push(running.lines.next().unwrap().unwrap());
        }
        running.process.kill().unwrap();
        let (rest, _) = running.finish();
        lines.extend(rest);
        let found = commits_in(&path, &format!("round {round}"));
        assert!(found >= acked(&lines), "round {round}: {found} of {} acknowledged", acked(&lines));
        assert!(found > kept, "round {round}: it did something");
        kept = found;
    }
    let (_, folder) = read(&path);
    assert_eq!(folder.starts, 2 * kills + 1);
}

/// A folder with three commits, and none at all.
fn places() -> (TempDir, [(PathBuf, u64); 2]) {
    let outer = tempfile::tempdir().unwrap();
    let (fresh, used) = (outer.path().join("fresh"), outer.path().join("used"));
    fs::create_dir(&fresh).unwrap();
    let (mut store, _) = open(&used);
    (1..=3).for_each(|seq| store.commit(&[batch(seq, &key(seq))]).unwrap());
    // As a crash leaves it: the next start has a log to read.
    let crashed = outer.path().join("crashed");
    copy(&used, &crashed);
    (outer, [(fresh, 0), (crashed, 3)])
}

/// A process that was killed behind strace may take a moment to let go.
fn wait_until_free(path: &Path) {
    let Ok(lock) = fs::File::open(path.join("lock")) else { return };
    let deadline = Instant::now() + Duration::from_secs(30);
    while lock.try_lock().is_err() {
        assert!(Instant::now() < deadline, "`{}` is still in use", path.display());
        std::thread::sleep(Duration::from_millis(1));
    }
    // Not by closing alone: a process that another test starts just now holds a copy of it until it runs its program.
    lock.unlock().unwrap();
}

/// A child that had something done to it.
struct Injured<'r> {
    path: &'r Path,
    /// Commits before it.
    before: u64,
    lines: &'r [String],
    status: ExitStatus,
    /// For messages.
    what: &'r str,
}

/// Runs the child on a copy of each place with something done to its k-th call of each kind, for every k
/// there is. `judge` gets what the child has printed, and looks at the folder.
fn at_every_call(injection: &str, calls: &[&str], judge: &dyn Fn(&Injured<'_>)) {
    let (outer, places) = places();
    let mut runs = 0;
    for (place, before) in &places {
        for call in calls {
            for k in 1.. {
                let what = format!("{injection} at {call} number {k} after {before} commits");
                let path = outer.path().join(format!("run-{runs}"));
                copy(place, &path);
                let inject = format!("inject=?{call}:{injection}:when={k}");
                let log = outer.path().join("log");
                let trace = format!("trace=?{call}");
                let strace = ["strace", "-f", "-qq", "-y", "-o", log.to_str().unwrap(), "-e", &trace, "-e", &inject];
                let (lines, status) = Running::start(command(&strace, &path, before + 1, before + 2)).finish();
                // Our own files only: what the test runner says is of no interest.
                let was_injected = fs::read_to_string(&log).unwrap().contains("INJECTED") || status.signal().is_some();
                wait_until_free(&path);
                judge(&Injured { path: &path, before: *before, lines: &lines, status, what: &what });
                fs::remove_dir_all(&path).unwrap();
                runs += 1;
                if !was_injected {
                    assert_eq!(acked(&lines), before + 2, "{what}: {lines:?}");
                    break;
                }
            }
        }
    }
    assert!(runs > 20, "{injection}: only {runs} runs; is strace at work?");
}

#[test]
fn killed_at_every_write_and_sync_it_is_the_old_state_or_the_new() {
    let calls = ["pwrite64", "fsync", "fdatasync", "ftruncate", "renameat", "unlink"];
    at_every_call("signal=SIGKILL", &calls, &|&Injured { path, before, lines, status, what }| {
        assert!(status.success() || status.signal() == Some(9), "{what}: {status} {lines:?}");
        let found = commits_in(path, what);
        let least = acked(lines).max(before);
        assert!((least..=before + 2).contains(&found), "{what}: {found} found, {least} acknowledged");
        // And it goes on from there.
        let (mut store, _) = open(path);
        store.commit(&[batch(found + 1, &key(found + 1))]).unwrap();
        drop(store);
        assert_eq!(commits_in(path, what), found + 1);
    });
}

#[test]
fn without_space_at_any_write_it_says_so_and_goes_on() {
    at_every_call(
        "error=ENOSPC",
        &["pwrite64", "write", "openat"],
        &|&Injured { path, before, lines, status, what }| {
            // The test runner itself needs to open and to write.
            if !status.success() && lines.is_empty() {
                return;
            }
            for line in lines {
                let is_trouble = line.starts_with("refused") || line.starts_with("failed");
                let is_named = line.contains("no space") || what.contains("openat");
                assert!(!is_trouble || is_named, "{what}: {line}");
                assert!(!line.contains("start again"), "{what}: {line}");
            }
            let found = commits_in(path, what);
            assert!((acked(lines).max(before)..=before + 2).contains(&found), "{what}: {found}, {lines:?}");
        },
    );
}

#[test]
fn after_a_failed_sync_there_is_no_second_one() {
    at_every_call("error=EIO", &["fsync", "fdatasync"], &|&Injured { path, before, lines, status, what }| {
        assert!(status.success(), "{what}: {status} {lines:?}");
        let trouble = lines.iter().position(|line| !line.starts_with("acked"));
        let rest = &lines[trouble.unwrap_or(lines.len())..];
        assert!(!rest.iter().any(|line| line.starts_with("acked")), "{what}: acknowledged all the same: {lines:?}");
        let log = fs::read_to_string(path.with_file_name("log")).unwrap();
        let mut later = log.lines().skip_while(|line| !line.contains("INJECTED"));
        // A database in the making is rolled back, which syncs; nothing has been acknowledged by then. And SQLite
        // ignores it for the folder, which is why a start syncs that itself.
        let is_making = lines.iter().any(|line| line.starts_with("refused")) && before == 0;
        let is_ours = !is_making && later.next().is_some_and(|line| line.contains("registers.sqlite3"));
        let second = later.find(|line| is_ours && line.contains("sync(") && line.contains("registers.sqlite3"));
        assert_eq!(second, None, "{what}: {lines:?}\n{log}");
        let found = commits_in(path, what);
        assert!((acked(lines).max(before)..=before + 2).contains(&found), "{what}: {found}, {lines:?}");
    });
}

/// Not a test: the folder is a file system of half a megabyte, all of its own.
#[test]
#[ignore = "a part of another test, in a process of its own"]
fn child_on_a_small_disk() {
    let disk = PathBuf::from(std::env::var_os(FOLDER).unwrap());
    let (path, ballast) = (disk.join("data"), disk.join("ballast"));
    let fill = || {
        let mut file = fs::File::create(&ballast).unwrap();
        while file.write_all(&[1; 1_024]).is_ok() {}
    };
    let (mut store, _) = open(&path);
    store.commit(&[batch(1, &key(1))]).unwrap();
    fill();
    let mut acked = 1;
    let mut failures = 0;
    while failures < 5 {
        // The log may have room for some more.
        match store.commit(&[batch(acked + 1, &key(acked + 1))]) {
            Ok(()) => acked += 1,
            Err(error) => {
                assert!(matches!(error, StoreError::Full { .. }) && error.is_retryable(), "{error}");
                failures += 1;
            }
        }
        assert!(acked < 10_000, "the disk is never full");
        store.tend().unwrap();
    }
    assert_eq!(store.history().page(key(1).as_bytes(), None, 1_000).unwrap().len() as u64, 1 + (acked - 1) / 40);
    let loaded = store.load().unwrap();
    assert_eq!(by_key(&loaded), state(acked), "it is all there, and nothing more");
    fs::remove_file(&ballast).unwrap();
    store.commit(&[batch(acked + 1, &key(acked + 1))]).unwrap();
    store.commit(&[batch(acked + 2, &key(acked + 2))]).unwrap();
    Box::new(store).close().unwrap();
    fill();
    let error = SqliteStore::open(&path).unwrap_err();
    let is_named = matches!(error, OpenError::File(FileError::Full { .. }) | OpenError::Store(StoreError::Full { .. }));
    assert!(is_named, "{error}");
    fs::remove_file(&ballast).unwrap();
    assert_eq!(commits_in(&path, "with room again"), acked + 2);
    assert!(!names(&path).iter().any(|name| name.contains("damaged")), "{:?}", names(&path));
    say("all is well");
}

#[test]
fn a_disk_that_is_really_full() {
    let outer = tempfile::tempdir().unwrap();
    let script = "mount -t tmpfs -o size=512k tmpfs \"$TIDEGATE_TEST_FOLDER\" && exec \"$0\" \"$@\"";
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "store::tests::crash::child_on_a_small_disk", "--ignored", "--nocapture"])
        .env(FOLDER, outer.path())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    let needed = "this test needs a mount of its own: root, or user namespaces for everybody";
    assert!(text.contains("all is well"), "{needed}\n{text}");
}

/// Enough for CI; `TIDEGATE_KILLS=1000` is a soak run.
const KILLS: u64 = 20;

const FOLDER: &str = "TIDEGATE_TEST_FOLDER";
const FIRST: &str = "TIDEGATE_TEST_FIRST";
const LAST: &str = "TIDEGATE_TEST_LAST";
