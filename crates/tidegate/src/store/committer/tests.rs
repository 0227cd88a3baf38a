use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use super::super::tests::support::{batch, plain};
use super::super::{History, Loaded, MemoryStore};
use super::*;

/// A store that does with each commit what the test says, when it says so.
#[derive(Debug)]
struct Scripted {
    memory: MemoryStore,
    /// Tells the numbers of each commit.
    began: Sender<Vec<u64>>,
    /// What becomes of it.
    verdicts: Receiver<Verdict>,
}

#[derive(Clone, Copy, Debug)]
enum Verdict {
    Good,
    Full,
    SyncFailed,
    Panics,
}

impl Store for Scripted {
    fn load(&mut self) -> Result<Loaded, StoreError> {
        self.memory.load()
    }

    fn commit(&mut self, batches: &[Batch]) -> Result<(), StoreError> {
        self.began.send(batches.iter().map(|batch| batch.seq).collect()).unwrap();
        match self.verdicts.recv_timeout(PATIENCE).unwrap_or(Verdict::Full) {
            Verdict::Good => self.memory.commit(batches),
            Verdict::Full => Err(StoreError::Full { path: PathBuf::from("/data") }),
            Verdict::SyncFailed => Err(StoreError::SyncFailed { path: PathBuf::from("/data"), source: "EIO".into() }),
            Verdict::Panics => panic!("as the test wants it"),
        }
    }

    fn history(&self) -> Box<dyn History> {
        self.memory.history()
    }

    fn close(self: Box<Self>) -> Result<(), StoreError> {
        Ok(())
    }
}

struct Bench {
    committer: Committer,
    memory: MemoryStore,
    began: Receiver<Vec<u64>>,
    verdicts: Sender<Verdict>,
    outcomes: Receiver<Outcome>,
}

impl Bench {
    fn new() -> Self {
        Self::gathering(GATHER)
    }

    fn gathering(gather: Duration) -> Self {
        let memory = MemoryStore::new();
        let (tell_began, began) = channel();
        let (verdicts, hear_verdicts) = channel();
        let (tell, outcomes) = channel();
        let store = Scripted { memory: memory.clone(), began: tell_began, verdicts: hear_verdicts };
        let report = move |outcome| {
            let _ = tell.send(outcome);
        };
        let committer = Committer::start_gathering(gather, Box::new(store), report).unwrap();
        Self { committer, memory, began, verdicts, outcomes }
    }

    fn submit(&self, numbers: std::ops::RangeInclusive<u64>) {
        self.committer.submit(numbers.map(|seq| plain(seq, &format!("flag-{seq}"))).collect());
    }

    /// Batches that no caller waits for.
    fn submit_idly(&self, numbers: std::ops::RangeInclusive<u64>) {
        let batch = |seq: u64| Batch { is_awaited: false, ..plain(seq, &format!("flag-{seq}")) };
        self.committer.submit(numbers.map(batch).collect());
    }

    #[track_caller]
    fn expect_commit(&self, numbers: &[u64], verdict: Verdict) {
        assert_eq!(self.began.recv_timeout(PATIENCE).unwrap(), numbers);
        self.verdicts.send(verdict).unwrap();
    }

    #[track_caller]
    fn expect(&self, outcome: &Outcome) {
        assert_eq!(self.outcomes.recv_timeout(PATIENCE).unwrap(), *outcome);
    }

    /// The next outcome, with its message checked and taken out.
    #[track_caller]
    fn expect_message(&self, words: &str) -> Outcome {
        match self.outcomes.recv_timeout(PATIENCE).unwrap() {
            Outcome::Waiting { message } if message.contains(words) => Outcome::Waiting { message: String::new() },
            Outcome::Failed { message } if message.contains(words) => Outcome::Failed { message: String::new() },
            other => panic!("{other:?}"),
        }
    }

    fn kept(&self) -> usize {
        self.memory.clone().load().unwrap().registers.len()
    }
}

#[test]
fn batches_that_arrive_during_a_commit_go_into_the_next_one() {
    let bench = Bench::new();
    bench.submit(1..=1);
    assert_eq!(bench.began.recv_timeout(PATIENCE).unwrap(), [1], "at once, when idle");
    bench.submit(2..=2);
    bench.submit(3..=4);
    bench.verdicts.send(Verdict::Good).unwrap();
    bench.expect(&Outcome::Persisted { upto: 1 });
    bench.expect_commit(&[2, 3, 4], Verdict::Good);
    bench.expect(&Outcome::Persisted { upto: 4 });
    assert_eq!(bench.kept(), 4);
    bench.committer.close().unwrap();
}

#[test]
fn a_batch_without_a_caller_is_committed_with_one_that_has_a_caller() {
    let bench = Bench::gathering(FOR_EVER);
    bench.submit_idly(1..=1);
    bench.submit_idly(2..=2);
    bench.submit(3..=3);
    bench.expect_commit(&[1, 2, 3], Verdict::Good);
    bench.expect(&Outcome::Persisted { upto: 3 });
    bench.submit_idly(4..=4);
    bench.verdicts.send(Verdict::Good).unwrap();
    bench.committer.close().unwrap();
    assert_eq!(bench.began.try_recv(), Ok(vec![4]), "it is not lost at the end");
}

#[test]
fn a_batch_without_a_caller_is_committed_after_a_while() {
    let bench = Bench::gathering(Duration::from_millis(1));
    bench.submit_idly(1..=1);
    bench.expect_commit(&[1], Verdict::Good);
    bench.expect(&Outcome::Persisted { upto: 1 });
    bench.submit_idly(2..=2);
    bench.expect_commit(&[2], Verdict::Good);
    bench.committer.close().unwrap();
}

#[test]
fn a_full_transaction_is_not_kept() {
    let bench = Bench::gathering(FOR_EVER);
    bench.submit_idly(1..=255);
    bench.submit_idly(256..=256);
    bench.expect_commit(&(1..=256).collect::<Vec<_>>(), Verdict::Good);
    bench.committer.close().unwrap();
}

#[test]
fn a_batch_behind_a_full_transaction_does_not_wait_again() {
    let bench = Bench::gathering(FOR_EVER);
    bench.submit_idly(1..=300);
    bench.submit(301..=301);
    bench.expect_commit(&(1..=256).collect::<Vec<_>>(), Verdict::Good);
    bench.expect_commit(&(257..=301).collect::<Vec<_>>(), Verdict::Good);
    bench.committer.close().unwrap();
}

#[test]
fn a_transaction_is_bounded_and_a_batch_is_never_torn() {
    let bench = Bench::new();
    bench.submit(1..=1);
    bench.began.recv_timeout(PATIENCE).unwrap();
    bench.submit(2..=300);
    let registers = (0..1_000).map(|number| batch(301, &format!("many-{number}")).registers.remove(0)).collect();
    bench.committer.submit(vec![Batch { seq: 301, registers, ..Batch::default() }]);
    bench.submit(302..=302);
    bench.verdicts.send(Verdict::Good).unwrap();
    bench.expect_commit(&(2..=257).collect::<Vec<_>>(), Verdict::Good);
    bench.expect_commit(&(258..=300).collect::<Vec<_>>(), Verdict::Good);
    bench.expect_commit(&[301], Verdict::Good);
    bench.expect_commit(&[302], Verdict::Good);
    bench.committer.close().unwrap();
}

#[test]
fn a_full_disk_is_waited_for() {
    let bench = Bench::new();
    bench.submit(1..=2);
    bench.expect_commit(&[1, 2], Verdict::Full);
    bench.expect_message("no space left for `/data`");
    bench.submit(3..=3);
    bench.expect_commit(&[1, 2], Verdict::Full);
    bench.expect_commit(&[1, 2], Verdict::Full);
    assert_eq!(bench.kept(), 0);
    bench.expect_commit(&[1, 2], Verdict::Good);
    bench.expect(&Outcome::Persisted { upto: 2 });
    bench.expect_commit(&[3], Verdict::Good);
    bench.expect(&Outcome::Persisted { upto: 3 });
    assert!(bench.outcomes.try_recv().is_err(), "it complains once");
    bench.committer.close().unwrap();
}

#[test]
fn a_full_disk_does_not_hold_up_the_end() {
    let bench = Bench::new();
    bench.submit(1..=1);
    bench.expect_commit(&[1], Verdict::Full);
    bench.expect_message("no space");
    // Enough of them, whenever it is told to end.
    (0..100).for_each(|_| bench.verdicts.send(Verdict::Full).unwrap());
    let before = Instant::now();
    assert!(matches!(bench.committer.close(), Err(StoreError::Full { .. })));
    assert!(before.elapsed() < PATIENCE);
}

#[test]
fn a_failed_sync_ends_the_committer_and_is_reported_once() {
    let bench = Bench::new();
    bench.submit(1..=1);
    bench.expect_commit(&[1], Verdict::Good);
    bench.expect(&Outcome::Persisted { upto: 1 });
    bench.submit(2..=2);
    bench.began.recv_timeout(PATIENCE).unwrap();
    bench.submit(3..=3);
    bench.verdicts.send(Verdict::SyncFailed).unwrap();
    bench.expect_message("start again: EIO");
    bench.submit(4..=4);
    assert!(bench.committer.has_room(), "nothing is kept");
    assert!(bench.began.recv_timeout(Duration::from_millis(50)).is_err(), "and nothing is tried");
    assert!(bench.outcomes.try_recv().is_err());
    assert!(matches!(bench.committer.close(), Err(StoreError::SyncFailed { .. })));
}

#[test]
fn a_panic_ends_the_committer_and_is_reported() {
    let bench = Bench::new();
    bench.submit(1..=1);
    bench.expect_commit(&[1], Verdict::Panics);
    bench.expect_message("a fault in this program");
    bench.submit(2..=2);
    assert_eq!(bench.kept(), 0);
    bench.committer.close().unwrap_err();
}

#[test]
fn the_queue_says_when_it_has_no_room() {
    let bench = Bench::new();
    bench.submit(1..=1);
    bench.began.recv_timeout(PATIENCE).unwrap();
    let mut last = 1;
    while bench.committer.has_room() {
        assert!(last < QUEUE_WEIGHT_MAX as u64, "it has room for ever");
        bench.submit(last + 1..=last + 100);
        last += 100;
    }
    assert!(last * 2 >= QUEUE_WEIGHT_MAX as u64);
    bench.verdicts.send(Verdict::Good).unwrap();
    let mut upto = 0;
    while upto < last {
        let _ = bench.verdicts.send(Verdict::Good);
        match bench.outcomes.recv_timeout(PATIENCE).unwrap() {
            Outcome::Persisted { upto: more } => upto = more,
            other => panic!("{other:?}"),
        }
    }
    assert!(bench.committer.has_room());
}

#[test]
fn a_drop_commits_what_is_queued() {
    let bench = Bench::new();
    bench.submit(1..=1);
    bench.began.recv_timeout(PATIENCE).unwrap();
    bench.submit(2..=2);
    (0..2).for_each(|_| bench.verdicts.send(Verdict::Good).unwrap());
    drop(bench.committer);
    assert_eq!(bench.memory.clone().load().unwrap().registers.len(), 2);
}

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// Nothing is committed for its time only.
const FOR_EVER: Duration = Duration::from_hours(1);
