use std::sync::Barrier;
use std::sync::atomic::AtomicBool;
use std::thread;

use tidegate_engine::{FlagKey, HostLock, Overlay, Pin};

use super::*;
use crate::random::random;

/// A snapshot in which the one flag has the number of the publication.
fn numbered(number: u64) -> Snapshot {
    let pin = Pin::Value(number.to_string().into());
    let lock = HostLock { flag: FlagKey::parse("n"), pin, actor: String::new(), reason: String::new(), until: None };
    Snapshot::empty().overlaid(&Overlay { locks: vec![lock], ..Overlay::default() })
}

fn board_of(snapshot: Snapshot) -> Arc<Board> {
    Board::new(snapshot, Clocks::synced(), ReaderState::new(None), Clock::system())
}

fn number(published: &Arc<Published>) -> u64 {
    let decision = published.decide(published.snapshot.find_key("n"), &Subject::absent(), &Clock::system());
    decision.answer.to_json().unwrap().parse().unwrap()
}

#[test]
fn a_reader_sees_each_publication_at_once() {
    let board = board_of(numbered(0));
    let mut publisher = Publisher::new(Arc::clone(&board));
    for count in 1..10 {
        publisher.publish(numbered(count), Clocks::synced());
        assert_eq!(board.read(number), count);
        assert_eq!(board.read(number), count, "and again from its own pointer");
    }
}

#[test]
fn instances_do_not_mix() {
    let boards: Vec<_> = (0..20).map(|count| board_of(numbered(count))).collect();
    for _ in 0..3 {
        for (board, count) in boards.iter().zip(0..) {
            assert_eq!(board.read(number), count);
        }
    }
}

#[test]
fn an_instance_at_the_place_of_a_dropped_one_is_another() {
    for count in 0..100 {
        let board = board_of(numbered(count));
        assert_eq!(board.read(number), count);
    }
}

#[test]
fn reading_within_a_read_sees_what_was_published_since() {
    let board = board_of(numbered(0));
    assert_eq!(board.read(number), 0);
    let publisher = std::cell::RefCell::new(Publisher::new(Arc::clone(&board)));
    let seen = board.read(|outer| {
        publisher.borrow_mut().publish(numbered(1), Clocks::synced());
        let other = board_of(numbered(7));
        (number(outer), board.read(number), board.read(number), other.read(number))
    });
    assert_eq!(seen, (0, 1, 1, 7));
    assert_eq!(board.read(number), 1);
}

#[test]
fn reading_while_a_thread_ends() {
    struct ReadsOnDrop(Arc<Board>);
    impl Drop for ReadsOnDrop {
        fn drop(&mut self) {
            assert_eq!(self.0.read(number), 3);
            let _ = random();
        }
    }
    thread_local! {
        static LAST: std::cell::OnceCell<ReadsOnDrop> = const { std::cell::OnceCell::new() };
    }
    let board = board_of(numbered(3));
    for reads_before in [true, false] {
        let board = Arc::clone(&board);
        let thread = thread::spawn(move || {
            if reads_before {
                board.read(number);
            }
            LAST.with(|last| last.get_or_init(|| ReadsOnDrop(Arc::clone(&board))).0.read(number));
        });
        thread.join().unwrap();
    }
}

#[test]
fn the_publisher_frees_what_readers_have_let_go() {
    let board = board_of(numbered(0));
    let mut publisher = Publisher::new(Arc::clone(&board));
    let (go_on, hold) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let reader = {
        let (board, go_on, hold) = (Arc::clone(&board), Arc::clone(&go_on), Arc::clone(&hold));
        thread::spawn(move || {
            assert_eq!(board.read(number), 0);
            hold.wait();
            go_on.wait();
            assert_eq!(board.read(number), 2);
            hold.wait();
            go_on.wait();
        })
    };
    hold.wait();
    publisher.publish(numbered(1), Clocks::synced());
    publisher.publish(numbered(2), Clocks::synced());
    assert_eq!(publisher.collect(), 1, "the one that the reader has seen is kept");
    go_on.wait();
    hold.wait();
    assert_eq!(publisher.collect(), 0);
    go_on.wait();
    reader.join().unwrap();
}

#[test]
fn many_readers_never_go_back() {
    let board = board_of(numbered(0));
    let mut publisher = Publisher::new(Arc::clone(&board));
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = || {
            scope.spawn(|| {
                let mut last = 0;
                while !done.load(Ordering::Relaxed) {
                    let seen = board.read(number);
                    assert!(seen >= last, "{seen} after {last}");
                    last = seen;
                }
                assert_eq!(board.read(number), 2_000);
            })
        };
        let readers = [reader(), reader(), reader()];
        for count in 1..=2_000 {
            publisher.publish(numbered(count), Clocks::synced());
            publisher.collect();
        }
        done.store(true, Ordering::Relaxed);
        // The end of a scope does not wait for what threads drop as they end; this does.
        for reader in readers {
            reader.join().unwrap();
        }
    });
    drop(board);
    assert_eq!(publisher.collect(), 0, "threads that have ended hold nothing");
}
