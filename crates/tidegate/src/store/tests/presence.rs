//! Files that are deleted or replaced while a store works with them.

use std::fs;
use std::path::Path;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::super::{Committer, Outcome, SqliteStore, Store, StoreError};
use super::support::{batch, copy, open, read};

/// What may be done to a data folder, and how that is reported.
type Deed = (&'static str, fn(&Path), &'static str);

const DEEDS: [Deed; 12] = [
    ("the folder is deleted", |path| fs::remove_dir_all(path).unwrap(), "was deleted or moved"),
    ("the folder is moved", |path| fs::rename(path, path.with_extension("moved")).unwrap(), "was deleted or moved"),
    (
        "the folder is replaced by a copy",
        |path| {
            let moved = path.with_extension("moved");
            fs::rename(path, &moved).unwrap();
            copy(&moved, path);
        },
        "was replaced",
    ),
    ("the database is deleted", |path| fs::remove_file(path.join(DATABASE)).unwrap(), "`{DATABASE}` was deleted"),
    (
        "the database is replaced by a copy",
        |path| {
            fs::copy(path.join(DATABASE), path.join("copy")).unwrap();
            fs::rename(path.join("copy"), path.join(DATABASE)).unwrap();
        },
        "`{DATABASE}` was replaced",
    ),
    (
        "the database is overwritten by another one",
        |path| {
            let other = path.with_extension("other");
            drop(open(&other));
            fs::copy(other.join(DATABASE), path.join(DATABASE)).unwrap();
        },
        "`{DATABASE}` was ",
    ),
    (
        "the database is overwritten by a text",
        |path| fs::write(path.join(DATABASE), vec![b'x'; 1_000_000]).unwrap(),
        "`{DATABASE}` was overwritten",
    ),
    ("the database is emptied", |path| fs::write(path.join(DATABASE), "").unwrap(), "`{DATABASE}` was cut short"),
    ("the log is deleted", |path| fs::remove_file(path.join(LOG)).unwrap(), "`{LOG}` was deleted"),
    (
        "the log is replaced by a copy",
        |path| {
            fs::copy(path.join(LOG), path.join("copy")).unwrap();
            fs::rename(path.join("copy"), path.join(LOG)).unwrap();
        },
        "`{LOG}` was replaced",
    ),
    ("the lock is deleted", |path| fs::remove_file(path.join("lock")).unwrap(), "`lock` was deleted"),
    ("the node's id is deleted", |path| fs::remove_file(path.join("node")).unwrap(), "`node` was deleted"),
];

fn check(deed: &str, error: &StoreError, told: &str, path: &Path) {
    let text = error.to_string();
    let file = |text: &str, name: &str| text.replace(&format!("`{name}`"), &format!("`{}`", path.join(name).display()));
    let told = told.replace("{DATABASE}", DATABASE).replace("{LOG}", LOG);
    let told = [DATABASE, LOG, "lock", "node"].iter().fold(told, |told, name| file(&told, name));
    assert!(matches!(error, StoreError::Replaced { .. }) && text.contains(&told), "{deed}: {text}");
    assert!(!error.is_retryable(), "{deed}");
}

#[test]
fn whatever_is_done_to_the_files_is_noticed_and_nothing_is_written_afterwards() {
    for (deed, act, told) in DEEDS {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("data");
        let (mut store, _) = open(&path);
        store.commit(&[batch(1, "a")]).unwrap();
        store.check().unwrap();
        act(&path);
        check(deed, &store.check().unwrap_err(), told, &path);
        assert!(matches!(store.commit(&[batch(2, "a")]), Err(StoreError::Finished { .. })), "{deed}");
        assert!(matches!(store.history().page(b"a", None, 1), Err(StoreError::Closed)), "{deed}");
    }
}

#[test]
fn what_was_written_into_files_that_are_gone_is_not_confirmed() {
    for (deed, act, told) in DEEDS {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("data");
        let (tell, outcomes) = channel();
        let report = move |outcome| tell.send(outcome).unwrap_or_default();
        let committer = Committer::start(Box::new(open(&path).0), report).unwrap();
        let next = || outcomes.recv_timeout(PATIENCE).unwrap();
        committer.submit(vec![batch(1, "a")]);
        assert_eq!(next(), Outcome::Persisted { upto: 1 }, "{deed}");
        act(&path);
        committer.submit(vec![batch(2, "a")]);
        // A database that was overwritten may be noticed by itself.
        let outcome = next();
        assert!(matches!(&outcome, Outcome::Failed { message } if !message.is_empty()), "{deed}: {outcome:?} {told}");
    }
}

#[test]
fn an_idle_store_notices_within_a_second() {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("data");
    let (tell, outcomes) = channel();
    let report = move |outcome| tell.send(outcome).unwrap_or_default();
    let committer = Committer::start(Box::new(open(&path).0), report).unwrap();
    let began = Instant::now();
    fs::remove_dir_all(&path).unwrap();
    let outcome = outcomes.recv_timeout(PATIENCE).unwrap();
    assert!(matches!(&outcome, Outcome::Failed { message } if message.contains("was deleted")), "{outcome:?}");
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    drop(committer);
    assert!(!path.exists(), "it is not made again");
}

#[test]
fn a_folder_of_another_node_at_the_same_place_is_left_alone() {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("data");
    let (mut first, folder) = open(&path);
    first.commit(&[batch(1, "a")]).unwrap();
    fs::rename(&path, outer.path().join("moved")).unwrap();
    let (mut second, _) = open(&path);
    second.commit(&[batch(1, "b"), batch(2, "c")]).unwrap();
    first.check().unwrap_err();
    drop(first);
    second.check().unwrap();
    second.commit(&[batch(3, "d")]).unwrap();
    drop(second);
    assert_eq!(read(&path).0.registers.len(), 3);
    let (loaded, again) = read(&outer.path().join("moved"));
    assert_eq!((loaded.registers.len(), again.node), (1, folder.node));
}

#[test]
fn another_program_may_work_with_the_database_as_with_any() {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("data");
    let (mut store, _) = open(&path);
    for seq in 1..100 {
        store.commit(&[batch(seq, &format!("flag-{seq}"))]).unwrap();
    }
    let other = Connection::open(path.join(DATABASE)).unwrap();
    other.execute_batch("PRAGMA wal_checkpoint(RESTART); UPDATE history SET lost_to = NULL").unwrap();
    other.execute_batch("PRAGMA wal_checkpoint(RESTART)").unwrap();
    store.check().unwrap();
    drop(other);
    store.commit(&[batch(100, "x")]).unwrap();
    store.tend().unwrap();
    store.check().unwrap();
    let store: SqliteStore = store;
    Box::new(store).close().unwrap();
    assert_eq!(read(&path).0.registers.len(), 100);
}

const DATABASE: &str = "registers.sqlite3";
const LOG: &str = "registers.sqlite3-wal";
const PATIENCE: Duration = Duration::from_secs(20);
