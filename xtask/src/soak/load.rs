//! Changes and reads without a pause, from several threads, and what was answered.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::fleet::{Fleet, SHORT};
use super::http;
use super::ledger::Ledger;
use super::random::Random;

/// Writers and a reader at work, until [`Load::stop`].
pub(super) struct Load {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

/// What its threads share.
struct Shared {
    ledger: Arc<Ledger>,
    targets: Vec<(SocketAddr, Arc<AtomicU64>)>,
    is_over: AtomicBool,
    /// Only a majority counts: for a fault that takes a disk away.
    is_strict: bool,
    reads: AtomicU64,
    failed_reads: AtomicU64,
}

impl Load {
    /// Starts to write to all nodes and to read from them.
    pub(super) fn start(fleet: &Fleet, is_strict: bool, random: &mut Random) -> Self {
        let shared = Arc::new(Shared {
            ledger: ledger(),
            targets: fleet.nodes.iter().map(|node| (node.http(), Arc::clone(&node.up))).collect(),
            is_over: AtomicBool::new(false),
            is_strict,
            reads: AtomicU64::new(0),
            failed_reads: AtomicU64::new(0),
        });
        let mut threads = Vec::new();
        for _ in 0..WRITERS {
            let (shared, random) = (Arc::clone(&shared), Random::new(random.next()));
            threads.push(thread::spawn(move || shared.write(random)));
        }
        let reader = Arc::clone(&shared);
        threads.push(thread::spawn(move || reader.read()));
        Self { shared, threads }
    }

    /// Ends all threads. Returns the reads that were answered, and those that failed.
    pub(super) fn stop(self) -> Result<(u64, u64), String> {
        self.shared.is_over.store(true, Ordering::SeqCst);
        for thread in self.threads {
            thread.join().map_err(|_| "a thread of the load panicked".to_owned())?;
        }
        Ok((self.shared.reads.load(Ordering::SeqCst), self.shared.failed_reads.load(Ordering::SeqCst)))
    }
}

/// One ledger for all rounds: what was acknowledged in the first one still stands in the last.
pub(super) fn ledger() -> Arc<Ledger> {
    static LEDGER: std::sync::OnceLock<Arc<Ledger>> = std::sync::OnceLock::new();
    Arc::clone(LEDGER.get_or_init(Arc::default))
}

impl Shared {
    /// Makes one change after the other, on any node.
    fn write(&self, mut random: Random) {
        while !self.is_over.load(Ordering::SeqCst) {
            let (to, _) = self.targets[random.index(self.targets.len())];
            let flag = random.index(FLAGS);
            let level = if self.is_strict {
                "majority"
            } else {
                ["local", "one", "majority", "majority", "all"][random.index(5)]
            };
            change(&self.ledger, to, flag, level, self.is_strict);
            thread::sleep(Duration::from_millis(random.within(1, 10)));
        }
    }

    /// Asks every node that should answer, again and again.
    fn read(&self) {
        let mut turn = 0;
        while !self.is_over.load(Ordering::SeqCst) {
            let (to, up) = &self.targets[turn % self.targets.len()];
            turn += 1;
            let before = up.load(Ordering::SeqCst);
            if before.is_multiple_of(2) {
                thread::sleep(Duration::from_millis(1));
                continue;
            }
            let path = format!("/api/v1/flags/soak/f{}/decision?key=k{turn}", turn % FLAGS);
            let answer = http::ask(*to, "GET", &path, "", SHORT);
            // One that was ended meanwhile owes no answer.
            if up.load(Ordering::SeqCst) != before {
                continue;
            }
            self.reads.fetch_add(1, Ordering::SeqCst);
            // A flag that was never changed is unknown, which is an answer.
            if !matches!(answer, Ok((200 | 404, _))) {
                eprintln!("     a read of {to} failed: {answer:?}");
                self.failed_reads.fetch_add(1, Ordering::SeqCst);
            }
            thread::sleep(Duration::from_millis(3));
        }
    }
}

/// Makes one change and writes down what came of it; the answer, if there was one.
fn change(ledger: &Ledger, to: SocketAddr, flag: usize, level: &str, is_strict: bool) -> Option<(u16, String)> {
    let percentage = next_percentage();
    let path = format!("/api/v1/flags/soak/f{flag}/activation?ack={level}&timeout=500ms&create=true");
    let answer = http::ask(to, "PUT", &path, &format!("{{\"percentage\":{percentage}}}"), SHORT);
    let Ok((status, text)) = answer else {
        ledger.doubtful(flag, &percentage);
        return None;
    };
    match status {
        200 | 202 => {
            let is_kept = status == 200
                || (!is_strict && http::member(&text, "durable_on").is_some_and(|nodes| !nodes.is_empty()));
            match http::member(&text, "stamp") {
                Some(stamp) if is_kept => ledger.acknowledged(flag, &percentage, stamp),
                _ => ledger.doubtful(flag, &percentage),
            }
        }
        _ => ledger.refused(),
    }
    Some((status, text))
}

/// Makes `count` changes on a node.
pub(super) fn changes(to: SocketAddr, count: u64) {
    let ledger = ledger();
    for number in 0..count {
        change(&ledger, to, usize::try_from(number).unwrap_or(0) % FLAGS, "local", false);
    }
}

/// Makes a change on a node until it is taken, or until it is refused with this status.
pub(super) fn change_until(to: SocketAddr, wanted: u16, patience: Duration) -> Result<(), String> {
    let ledger = ledger();
    let began = std::time::Instant::now();
    let mut last = None;
    while began.elapsed() < patience {
        last = change(&ledger, to, 0, "majority", false);
        if last.as_ref().is_some_and(|(status, _)| *status == wanted) {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(20));
    }
    Err(format!("{to} answered a change with {last:?} for {patience:?}, not with {wanted}"))
}

/// A percentage that no other change has, as JSON writes it.
fn next_percentage() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let count = COUNT.fetch_add(1, Ordering::SeqCst);
    let text = format!("{}.{:06}", count / 1_000_000, count % 1_000_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

const FLAGS: usize = 20;
const WRITERS: usize = 3;
