//! The history stays within its limits, on disk.

use std::path::Path;

use rusqlite::Connection;

use super::super::sqlite::HistoryLimits;
use super::super::{Batch, Event, SqliteStore, Store};
use super::support::{plain, register, stamp};

fn open(path: &Path, limits: HistoryLimits) -> SqliteStore {
    SqliteStore::open_with(path, None, limits).unwrap().0
}

/// Events and their bytes, counted in another way.
fn count(path: &Path) -> (u64, u64) {
    let connection = Connection::open(path.join("registers.sqlite3")).unwrap();
    let sql = "SELECT count(*), ifnull(sum(length(body)), 0) FROM history";
    let (events, bytes): (i64, i64) = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    (events.try_into().unwrap(), bytes.try_into().unwrap())
}

#[test]
fn a_key_that_changes_all_the_time_does_not_crowd_out_others() {
    let outer = tempfile::tempdir().unwrap();
    let limits = HistoryLimits { per_key: 50, ..HistoryLimits::default() };
    let mut store = open(outer.path(), limits);
    store.commit(&[plain(1, "quiet"), plain(2, "quiet")]).unwrap();
    for start in (10..2_010).step_by(100) {
        let batches: Vec<_> = (start..start + 100).map(|seq| plain(seq, "busy")).collect();
        store.commit(&batches).unwrap();
    }
    let busy = store.history().page(b"busy", None, 1_000).unwrap();
    assert!((50..150).contains(&busy.len()), "{}", busy.len());
    assert_eq!(busy[0].register.stamp, stamp(2_009));
    assert!(busy.windows(2).all(|pair| pair[0].register.replaces == Some(pair[1].register.stamp)), "no gaps");
    assert_eq!(store.history().page(b"quiet", None, 10).unwrap().len(), 2);
}

#[test]
fn the_oldest_go_when_there_are_too_many() {
    let outer = tempfile::tempdir().unwrap();
    let limits = HistoryLimits { events: 200, ..HistoryLimits::default() };
    let mut store = open(outer.path(), limits);
    for seq in 1..=700 {
        store.commit(&[plain(seq, &format!("flag-{}", seq % 100))]).unwrap();
        if seq == 350 {
            drop(store);
            store = open(outer.path(), limits);
        }
    }
    assert_eq!(count(outer.path()).0, 200);
    let page = store.history().page(b"flag-5", None, 10).unwrap();
    assert_eq!(page.iter().map(|event| event.register.stamp).collect::<Vec<_>>(), [stamp(605), stamp(505)]);
}

#[test]
fn the_oldest_go_when_they_are_too_large() {
    let outer = tempfile::tempdir().unwrap();
    let limits = HistoryLimits { bytes: 100_000, ..HistoryLimits::default() };
    let mut store = open(outer.path(), limits);
    for seq in 1..=200 {
        let mut large = register(&format!("flag-{seq}"), seq);
        large.value = Some(vec![7; 5_000].into());
        let history = vec![Event { register: large, lost_to: None }];
        store.commit(&[Batch { seq, history, ..Batch::default() }]).unwrap();
    }
    let (events, bytes) = count(outer.path());
    assert!(bytes <= 100_000 && events >= 18, "{events} events of {bytes} bytes");
    assert_eq!(store.history().page(b"flag-200", None, 10).unwrap().len(), 1);
    // One alone that is larger than everything allowed is not kept, and does no harm.
    let mut huge = register("huge", 300);
    huge.value = Some(vec![7; 200_000].into());
    store
        .commit(&[Batch { seq: 300, history: vec![Event { register: huge, lost_to: None }], ..Batch::default() }])
        .unwrap();
    assert_eq!(count(outer.path()), (0, 0));
}

#[test]
fn a_closed_store_has_no_history_to_read() {
    let outer = tempfile::tempdir().unwrap();
    let mut store = open(outer.path(), HistoryLimits::default());
    store.commit(&[plain(1, "a")]).unwrap();
    let history = store.history();
    assert_eq!(history.page(b"a", None, 1).unwrap().len(), 1);
    Box::new(store).close().unwrap();
    assert_eq!(history.page(b"a", None, 1).unwrap_err().to_string(), "the store is closed");
}

#[test]
fn a_damaged_event_is_not_shown() {
    let outer = tempfile::tempdir().unwrap();
    let mut store = open(outer.path(), HistoryLimits::default());
    let lost = Event { register: register("a", 3), lost_to: Some(stamp(4)) };
    store
        .commit(&[plain(1, "a"), plain(2, "a"), Batch { history: vec![lost], ..plain(3, "a") }, plain(4, "a")])
        .unwrap();
    let other = Connection::open(outer.path().join("registers.sqlite3")).unwrap();
    let change = |sql: &str| assert_eq!(other.execute(sql, []).unwrap(), 1, "{sql}");
    change("UPDATE history SET body = CAST(substr(body, 1, 30) || x'ff' || substr(body, 32) AS BLOB) WHERE id = 1");
    change("UPDATE history SET lost_to = CAST(x'ff' || substr(lost_to, 2) AS BLOB) WHERE id = 3");
    let page = store.history().page(b"a", None, 10).unwrap();
    assert_eq!(page.iter().map(|event| event.register.stamp).collect::<Vec<_>>(), [stamp(4), stamp(2)]);
}

#[test]
fn damaged_events_are_left_out_of_the_history_of_all_and_hide_none() {
    let outer = tempfile::tempdir().unwrap();
    let mut store = open(outer.path(), HistoryLimits::default());
    let batches: Vec<_> = (1..=30).map(|seq| plain(seq, if seq % 2 == 0 { "a" } else { "b" })).collect();
    store.commit(&batches).unwrap();
    let other = Connection::open(outer.path().join("registers.sqlite3")).unwrap();
    let damaged = other.execute("UPDATE history SET body = x'00' WHERE id BETWEEN 20 AND 29", []).unwrap();
    assert_eq!(damaged, 10);
    assert!(!store.history().arrivals(15, 10, &|_| true).unwrap().is_complete, "a damaged event is missing");
    let page = store.history().page_of_all(None, 5).unwrap();
    let stamps: Vec<_> = page.iter().map(|event| event.register.stamp).collect();
    assert_eq!(stamps, [30, 19, 18, 17, 16].map(stamp));
}
