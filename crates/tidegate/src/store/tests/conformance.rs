//! The suite that every store passes.

use super::super::{Batch, Event, HISTORY_PAGE_MAX, HISTORY_PER_KEY_MAX, MemoryStore, SqliteStore, Stamp, Store};
use super::support::{batch, by_key, plain, register, stamp};

/// Opens the store of one place, again and again; never two at a time.
type Open<'o> = &'o dyn Fn() -> Box<dyn Store>;

/// What a store has to do, and what shows it.
type Case = (&'static str, fn(Open<'_>));

const SUITE: &[Case] = &[
    ("a new store is empty", a_new_store_is_empty),
    ("what is committed is there after a restart", what_is_committed_is_there),
    ("many batches are one commit, in their order", many_batches_are_one_commit),
    ("what is dropped is gone, and may come again", what_is_dropped_is_gone),
    ("the memory of the replica is kept as it is", meta_is_kept),
    ("a commit of nothing is nothing", a_commit_of_nothing),
    ("history is newest first, in pages", history_is_paged),
    ("history of all keys is newest first, in pages", history_of_all_is_paged),
    ("history is read in the order of arrival", arrivals_are_in_their_order),
    ("history says where an event is missing", missing_events_are_reported),
    ("history learns who lost", history_learns_who_lost),
    ("history is read while commits go on", history_is_read_meanwhile),
    ("large and strange bytes come back", strange_bytes_come_back),
    ("tending changes nothing", tending_changes_nothing),
];

#[test]
fn in_memory() {
    for (name, case) in SUITE {
        eprintln!("{name}");
        let store = MemoryStore::new();
        case(&|| Box::new(store.clone()));
    }
}

#[test]
fn on_disk() {
    for (name, case) in SUITE {
        eprintln!("{name}");
        let outer = tempfile::tempdir().unwrap();
        case(&|| Box::new(SqliteStore::open(&outer.path().join("data")).unwrap().0));
    }
}

fn a_new_store_is_empty(open: Open<'_>) {
    for _ in 0..2 {
        let mut store = open();
        let loaded = store.load().unwrap();
        assert!(loaded.registers.is_empty() && loaded.meta.is_none() && !loaded.is_damaged);
        assert_eq!(store.history().page(b"a", None, 10).unwrap(), []);
        store.close().unwrap();
    }
}

fn what_is_committed_is_there(open: Open<'_>) {
    let mut store = open();
    for seq in 1..=30 {
        store.commit(&[batch(seq, &format!("flag-{}", seq % 7))]).unwrap();
    }
    let expected = (24..=30).map(|seq| (format!("flag-{}", seq % 7).into_bytes(), seq));
    let expected: std::collections::BTreeMap<_, _> =
        expected.map(|(key, seq)| (key.clone(), register(std::str::from_utf8(&key).unwrap(), seq))).collect();
    assert_eq!(by_key(&store.load().unwrap()), expected, "in the same process");
    drop(store);
    let mut store = open();
    assert_eq!(by_key(&store.load().unwrap()), expected, "after an end without a close");
    assert_eq!(by_key(&store.load().unwrap()), expected, "a second time");
    store.close().unwrap();
    let loaded = open().load().unwrap();
    assert_eq!(by_key(&loaded), expected, "after a close");
    assert!(!loaded.is_damaged);
}

fn many_batches_are_one_commit(open: Open<'_>) {
    let mut store = open();
    let batches: Vec<_> = (1..=300).map(|seq| batch(seq, "same")).chain([plain(301, "other")]).collect();
    store.commit(&batches).unwrap();
    drop(store);
    let loaded = open().load().unwrap();
    let registers = by_key(&loaded);
    assert_eq!(registers[&b"same"[..]], register("same", 300));
    assert_eq!((registers.len(), loaded.meta.as_deref()), (2, Some(&b"remembered 300"[..])));
}

fn what_is_dropped_is_gone(open: Open<'_>) {
    let mut store = open();
    store.commit(&[batch(1, "a"), batch(2, "b"), batch(3, "c")]).unwrap();
    let drop_all =
        Batch { seq: 4, dropped: vec![b"a"[..].into(), b"b"[..].into(), b"z"[..].into()], ..Batch::default() };
    let again = Batch { dropped: vec![b"b"[..].into()], ..batch(5, "b") };
    store.commit(&[drop_all, again]).unwrap();
    drop(store);
    let registers = by_key(&open().load().unwrap());
    assert_eq!(registers.keys().map(Vec::as_slice).collect::<Vec<_>>(), [b"b", b"c"]);
    assert_eq!(registers[&b"b"[..]], register("b", 5));
}

fn meta_is_kept(open: Open<'_>) {
    let mut store = open();
    let large = vec![0xff; 70_000];
    for meta in [&b""[..], b"short", &large, b"last"] {
        store.commit(&[Batch { seq: 1, meta: Some(meta.to_vec()), ..Batch::default() }, plain(2, "a")]).unwrap();
        drop(store);
        store = open();
        assert_eq!(store.load().unwrap().meta.as_deref(), Some(meta));
    }
    store.commit(&[Batch { seq: 3, ..Batch::default() }]).unwrap();
    assert_eq!(store.load().unwrap().meta.as_deref(), Some(&b"last"[..]), "none is no change");
}

fn a_commit_of_nothing(open: Open<'_>) {
    let mut store = open();
    store.commit(&[]).unwrap();
    store.commit(&[Batch::default(), Batch::default()]).unwrap();
    assert!(store.load().unwrap().registers.is_empty());
}

fn history_of_all_is_paged(open: Open<'_>) {
    let mut store = open();
    let keys = ["aflags/x", "dflags/x", "aflags/y", "m"];
    let batches: Vec<_> = (1..=40).zip(keys.iter().cycle()).map(|(seq, key)| batch(seq, key)).collect();
    store.commit(&batches).unwrap();
    let history = store.history();
    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let page = history.page_of_all(before, 7).unwrap();
        before = page.last().map(|event| event.register.stamp);
        seen.extend(page.iter().map(|event| event.register.stamp));
        if page.len() < 7 {
            break;
        }
    }
    assert_eq!(seen, (1..=40).rev().map(stamp).collect::<Vec<_>>());
    assert_eq!(history.page_of_all(None, usize::MAX).unwrap().len(), 40);
    assert_eq!(history.page_of_all(Some(stamp(1)), 7).unwrap(), []);
    assert_eq!(history.page_of_all(None, 0).unwrap(), []);
}

fn history_is_paged(open: Open<'_>) {
    let mut store = open();
    let history = store.history();
    let batches: Vec<_> = (1..=25).map(|seq| plain(seq, if seq % 5 == 0 { "other" } else { "key" })).collect();
    store.commit(&batches).unwrap();
    let numbers: Vec<_> = (1..=25).rev().filter(|seq| seq % 5 != 0).map(stamp).collect();
    let mut seen = Vec::new();
    let mut before = None;
    loop {
        let page = history.page(b"key", before, 6).unwrap();
        assert!(page.len() <= 6);
        let Some(last) = page.last() else { break };
        before = Some(last.register.stamp);
        seen.extend(page.iter().map(|event| event.register.stamp));
    }
    assert_eq!(seen, numbers);
    let all = history.page(b"key", None, usize::MAX).unwrap();
    assert_eq!(all.len(), 20);
    assert_eq!(all[0], Event { register: register("key", 24), lost_to: None });
    assert!(history.page(b"key", None, 0).unwrap().is_empty());
    assert!(history.page(b"ke", None, HISTORY_PAGE_MAX).unwrap().is_empty());
    drop((history, store));
    assert_eq!(open().history().page(b"other", Some(stamp(25)), 9).unwrap().len(), 4, "after a restart");
}

fn arrivals_are_in_their_order(open: Open<'_>) {
    let mut store = open();
    assert_eq!(store.history().ends().unwrap(), None);
    // Not in the order of their stamps, and one of them twice.
    let order = [5, 3, 9, 1, 3, 7];
    let batches: Vec<_> = (1..).zip(order).map(|(seq, number)| Batch { seq, ..plain(number, "key") }).collect();
    store.commit(&batches).unwrap();
    let history = store.history();
    let (first, last) = history.ends().unwrap().unwrap();
    let stamps = |after: u64, limit: usize, is_wanted: &dyn Fn(Stamp) -> bool| {
        let arrivals = history.arrivals(after, limit, is_wanted).unwrap();
        assert!(arrivals.events.iter().all(|(position, event)| {
            *position > after && history.stamp_at(*position).unwrap() == Some(event.register.stamp)
        }));
        (arrivals.events.iter().map(|(_, event)| event.register.stamp).collect::<Vec<_>>(), arrivals.last)
    };
    let all: Vec<_> = [5, 3, 9, 1, 7].map(stamp).into();
    assert_eq!(stamps(0, 10, &|_| true), (all.clone(), last));
    assert_eq!(stamps(first, 10, &|_| true), (all[1..].to_vec(), last));
    assert_eq!(stamps(last, 10, &|_| true), (vec![], last), "nothing more has come");
    assert_eq!(stamps(0, 10, &|found| found > stamp(4)), ([5, 9, 7].map(stamp).into(), last));
    let (some, seen) = stamps(0, 2, &|found| found > stamp(4));
    assert_eq!((some, stamps(seen, 10, &|_| true).0), (vec![stamp(5)], all[2..].to_vec()), "two were looked at");
    assert_eq!(history.stamp_at(last + 1).unwrap(), None);
    drop(store);
    if open().history().ends().unwrap().is_some() {
        assert_eq!(open().history().ends().unwrap(), Some((first, last)), "after a restart");
    }
}

fn missing_events_are_reported(open: Open<'_>) {
    let mut store = open();
    let busy = 2 * u64::from(HISTORY_PER_KEY_MAX);
    store.commit(&[plain(1, "quiet")]).unwrap();
    store.commit(&(2..=busy).map(|seq| plain(seq, "busy")).collect::<Vec<_>>()).unwrap();
    store.commit(&[plain(busy + 1, "quiet")]).unwrap();
    let history = store.history();
    let (first, last) = history.ends().unwrap().unwrap();
    let look = |after: u64, is_wanted: &dyn Fn(Stamp) -> bool| {
        let arrivals = history.arrivals(after, 2, is_wanted).unwrap();
        (arrivals.events.iter().map(|(position, _)| *position).collect::<Vec<_>>(), arrivals.is_complete)
    };
    let (seen, is_complete) = look(0, &|_| true);
    assert_eq!((seen[0], is_complete), (first, false), "the oldest of the busy key are gone");
    let kept = seen[1];
    assert!(kept > first + 1 && kept < last);
    assert_eq!(look(first, &|_| true), (vec![kept, kept + 1], false));
    assert_eq!(
        look(kept - 1, &|_| true),
        (vec![kept, kept + 1], true),
        "from the first that is kept nothing is missing"
    );
    assert_eq!(look(last - 1, &|_| true), (vec![last], true));
    assert_eq!(look(first, &|_| false), (vec![], true), "what is not wanted may be missing");
}

fn history_learns_who_lost(open: Open<'_>) {
    let mut store = open();
    store.commit(&[plain(1, "key"), plain(2, "key")]).unwrap();
    let lost = |number, to| Event { register: register("key", number), lost_to: to };
    let tell = |event| Batch { seq: 3, history: vec![event], ..Batch::default() };
    store.commit(&[tell(lost(1, Some(stamp(2))))]).unwrap();
    let expected = [lost(2, None), lost(1, Some(stamp(2)))];
    assert_eq!(store.history().page(b"key", None, 9).unwrap(), expected);
    // The same event again knows less than what is there.
    store.commit(&[tell(lost(1, None))]).unwrap();
    drop(store);
    let store = open();
    assert_eq!(store.history().page(b"key", None, 9).unwrap(), expected);
}

fn history_is_read_meanwhile(open: Open<'_>) {
    let mut store = open();
    let history = store.history();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut seen = 0;
            while seen < 60 {
                let page = history.page(b"key", None, 100).unwrap();
                assert!(page.len() >= seen, "an event is gone");
                assert!(page.windows(2).all(|pair| pair[0].register.stamp > pair[1].register.stamp));
                seen = page.len();
            }
        });
        for seq in 1..=60 {
            store.commit(&[plain(seq, "key")]).unwrap();
            store.tend().unwrap();
        }
        reader.join().unwrap();
    });
}

fn strange_bytes_come_back(open: Open<'_>) {
    let mut store = open();
    let mut odd = register("", 1);
    odd.key = (0..=255).cycle().take(1_024).collect();
    odd.value = Some((0..=255).rev().cycle().take(65_536).collect());
    odd.actor = "\u{0}';DROP TABLE registers;--\u{10ffff}".into();
    odd.extra = [0, 1, 2][..].into();
    let nul = super::super::Register { key: [0, b'n', 0, 255][..].into(), ..register("", 2) };
    let empty = super::super::Register { value: Some([][..].into()), replaces: None, ..register("empty", 3) };
    let all = vec![odd, nul, empty];
    let events = all.iter().map(|register| Event { register: register.clone(), lost_to: None }).collect();
    store.commit(&[Batch { seq: 1, registers: all.clone(), history: events, ..Batch::default() }]).unwrap();
    drop(store);
    let mut store = open();
    let registers = by_key(&store.load().unwrap());
    for register in &all {
        assert_eq!(&registers[&register.key[..]], register);
        assert_eq!(store.history().page(&register.key, None, 2).unwrap()[0].register, *register);
    }
}

fn tending_changes_nothing(open: Open<'_>) {
    let mut store = open();
    for seq in 1..=20 {
        store.commit(&[batch(seq, &format!("flag-{seq}"))]).unwrap();
        store.tend().unwrap();
    }
    assert_eq!(store.load().unwrap().registers.len(), 20);
}
