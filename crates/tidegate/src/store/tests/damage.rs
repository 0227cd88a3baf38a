//! What a disk may do to the files of a node that is not running: every start works, what is damaged is told,
//! and nothing is ever loaded that was not written (F4).

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;

use super::super::{Batch, Damage, Register, Store};
use super::support::{Draw, batch, by_key, copy, names, open, plain, read, register};

const DATABASE: &str = "registers.sqlite3";
const LOG: &str = "registers.sqlite3-wal";

/// What may be found under a key after the first commits.
type States = Vec<BTreeMap<Vec<u8>, Register>>;

/// A folder as a crash leaves it: `written_back` commits in the database, and `logged` more in its log.
fn crashed(written_back: u64, logged: u64) -> (TempDir, PathBuf, States) {
    let outer = tempfile::tempdir().unwrap();
    let path = outer.path().join("data");
    let mut states = vec![BTreeMap::new()];
    let mut commit = |store: &mut dyn Store, seq: u64| {
        let key = format!("aflags/flag-{}", seq % 40);
        store.commit(&[plain(seq, &key)]).unwrap();
        let mut state = states.last().unwrap().clone();
        state.insert(key.clone().into_bytes(), register(&key, seq));
        states.push(state);
    };
    let (mut store, _) = open(&path);
    store.commit(&[Batch { seq: 0, meta: Some(b"memory".to_vec()), ..Batch::default() }]).unwrap();
    (1..=written_back).for_each(|seq| commit(&mut store, seq));
    Box::new(store).close().unwrap();
    let (mut store, _) = open(&path);
    (written_back + 1..=written_back + logged).for_each(|seq| commit(&mut store, seq));
    let copied = outer.path().join("crashed");
    copy(&path, &copied);
    (outer, copied, states)
}

/// A copy of a folder for one round, with a file changed.
fn with(path: &Path, round: u64, name: &str, change: impl FnOnce(&mut Vec<u8>)) -> PathBuf {
    let target = path.with_file_name(format!("round-{round}"));
    copy(path, &target);
    let mut bytes = fs::read(target.join(name)).unwrap();
    change(&mut bytes);
    fs::write(target.join(name), bytes).unwrap();
    target
}

#[test]
fn what_an_administrator_does_to_any_database_is_not_damage() {
    let (_outer, path, states) = crashed(60, 0);
    let sql = [
        "ANALYZE",
        "PRAGMA optimize = 0x10002",
        "VACUUM",
        "REINDEX",
        "PRAGMA wal_checkpoint(TRUNCATE)",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA auto_vacuum = FULL; VACUUM",
        "PRAGMA page_size = 8192; PRAGMA journal_mode = DELETE; VACUUM",
    ];
    for (round, sql) in sql.into_iter().enumerate() {
        let path = with(&path, round as u64, DATABASE, |_| {});
        let connection = Connection::open(path.join(DATABASE)).unwrap();
        connection.execute_batch(sql).unwrap();
        if sql == "ANALYZE" {
            let count = "SELECT count(*) FROM sqlite_stat1";
            assert!(connection.query_row(count, [], |row| row.get::<_, u32>(0)).unwrap() > 0);
        }
        drop(connection);
        for start in ["first", "second"] {
            let (loaded, folder) = read(&path);
            assert_eq!(folder.damage, [], "{sql}, {start} start");
            assert_eq!(by_key(&loaded), *states.last().unwrap(), "{sql}, {start} start");
        }
    }
}

#[test]
fn a_log_that_is_cut_loses_only_what_was_cut() {
    let (_outer, path, states) = crashed(60, 60);
    let length = fs::metadata(path.join(LOG)).unwrap().len();
    let mut draw = Draw(1);
    let mut least = usize::MAX;
    for round in 0..ROUNDS {
        let cut = draw.below(length + 1);
        let zeroed = round % 3 == 0;
        let target = with(&path, round, LOG, |bytes| {
            let cut = usize::try_from(cut).unwrap();
            if zeroed { bytes[cut..].fill(0) } else { bytes.truncate(cut) }
        });
        let (loaded, folder) = read(&target);
        let found = by_key(&loaded);
        let commits = states.iter().rposition(|state| *state == found);
        let commits = commits.unwrap_or_else(|| panic!("round {round}, cut at {cut}: a state that never was"));
        least = least.min(commits);
        // Each commit has four pages at most; what was whole before the cut must be there.
        assert!(commits as u64 >= 60 + (cut / (4_120 * 6)).min(60), "round {round}, cut at {cut}: {commits}");
        let may_be_damaged = zeroed && matches!(folder.damage[..], [Damage::LogTail]);
        assert!(may_be_damaged || !loaded.is_damaged, "round {round}, cut at {cut}: {folder:?}");
        assert_eq!(loaded.meta.as_deref(), Some(&b"memory"[..]));
        fs::remove_dir_all(&target).unwrap();
    }
    assert!((60..65).contains(&least), "some rounds lose nearly all of the log: {least}");
}

#[test]
fn a_flipped_bit_in_the_log_is_noticed() {
    flip(LOG, &crashed(60, 60), 2, |_| {});
}

#[test]
fn a_flipped_bit_in_the_database_is_noticed() {
    let (outer, path, states) = crashed(400, 1);
    // What is in the log hides pages of the database, and a bit that is not read does no harm.
    fs::remove_file(path.join(LOG)).unwrap();
    let states = vec![states[400].clone()];
    let saved = std::cell::Cell::new(0);
    flip(DATABASE, &(outer, path, states), 3, |damage| {
        if let Damage::Database { saved: count, .. } = damage {
            saved.set(saved.get().max(*count));
        }
    });
    assert!(saved.get() >= 35, "most registers of a damaged database are saved: {}", saved.get());
}

/// Flips a random bit of a file, many times, each time in a fresh copy.
fn flip(name: &str, (_outer, path, states): &(TempDir, PathBuf, States), seed: u64, mut see: impl FnMut(&Damage)) {
    let length = fs::metadata(path.join(name)).unwrap().len();
    let last = states.last().unwrap();
    let mut draw = Draw(seed);
    let mut noticed = 0;
    for round in 0..ROUNDS {
        let (place, bit) = (draw.below(length), draw.below(8));
        let target = with(path, round, name, |bytes| bytes[usize::try_from(place).unwrap()] ^= 1 << bit);
        let what = format!("round {round}, bit {bit} of byte {place} of `{name}`");
        let (loaded, folder) = read(&target);
        folder.damage.iter().for_each(&mut see);
        for (key, register) in by_key(&loaded) {
            // An older one may come back where a newer one is lost, and then that is told.
            let is_written = states.iter().any(|state| state.get(&key) == Some(&register));
            assert!(is_written, "{what}: a register that was never written: {register:?}");
        }
        let is_all_there = by_key(&loaded) == *last && loaded.meta.as_deref() == Some(b"memory");
        assert!(is_all_there || loaded.is_damaged, "{what}: lost in silence");
        noticed += u64::from(loaded.is_damaged);
        // The start after that is an ordinary one, which still reports it until a batch has noted it.
        let (mut store, again) = open(&target);
        assert!(again.damage.is_empty() && again.node == folder.node, "{what}: {again:?}");
        let second = store.load().unwrap();
        assert_eq!((by_key(&second), second.is_damaged), (by_key(&loaded), loaded.is_damaged), "{what}");
        store.commit(&[batch(1_000, "new")]).unwrap();
        drop(store);
        assert!(!read(&target).0.is_damaged, "{what}");
        fs::remove_dir_all(&target).unwrap();
    }
    assert!(noticed > ROUNDS / 20, "only {noticed} of {ROUNDS} were noticed");
}

#[test]
fn only_the_damaged_register_is_kept_apart() {
    let outer = tempfile::tempdir().unwrap();
    let (mut store, _) = open(outer.path());
    store.commit(&[batch(1, "a"), batch(2, "b"), batch(3, "c"), batch(4, "d")]).unwrap();
    Box::new(store).close().unwrap();
    let database = Connection::open(outer.path().join(DATABASE)).unwrap();
    let change = |sql: &str| assert_eq!(database.execute(sql, []).unwrap(), 1, "{sql}");
    change(
        "UPDATE registers SET body = CAST(substr(body, 1, 20) || x'ff' || substr(body, 22) AS BLOB) WHERE key = x'62'",
    );
    change("UPDATE registers SET key = x'7a' WHERE key = x'63'");
    let (loaded, folder) = read(outer.path());
    assert_eq!(folder.damage, [Damage::Rows { count: 2 }]);
    assert_eq!(by_key(&loaded).keys().map(Vec::as_slice).collect::<Vec<_>>(), [b"a", b"d"]);
    assert!(loaded.is_damaged && loaded.meta.is_some());
    let aside: i64 =
        database.query_row("SELECT count(*) FROM aside WHERE kind = 'register'", [], |row| row.get(0)).unwrap();
    assert_eq!(aside, 2);
    let (mut store, folder) = open(outer.path());
    assert!(store.load().unwrap().is_damaged && folder.damage.is_empty(), "until it is noted");
    store.commit(&[plain(5, "b")]).unwrap();
    assert!(store.load().unwrap().is_damaged, "a batch without memory notes nothing");
    store.commit(&[batch(6, "c")]).unwrap();
    assert!(!store.load().unwrap().is_damaged);
    drop(store);
    change(
        "UPDATE meta SET body = CAST(substr(body, 1, 9) || x'ff' || substr(body, 11) AS BLOB) WHERE name = 'replica'",
    );
    drop(database);
    let (loaded, _) = read(outer.path());
    assert!(loaded.is_damaged && loaded.meta.is_none());
    assert_eq!(loaded.registers.len(), 4);
}

#[test]
fn a_database_that_is_no_database_is_renamed_whole() {
    for content in [&b"not a database at all, but longer than a header has to be "[..], &[0; 8_192], &[0xff; 50]] {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("data");
        let (mut store, first) = open(&path);
        store.commit(&[batch(1, "a")]).unwrap();
        Box::new(store).close().unwrap();
        fs::write(path.join(DATABASE), content).unwrap();
        let (loaded, folder) = read(&path);
        assert!(loaded.is_damaged && loaded.registers.is_empty());
        assert_eq!((folder.node, folder.starts), (first.node, 2), "who it is survives");
        let [Damage::Database { aside, saved: 0, .. }] = &folder.damage[..] else { panic!("{folder:?}") };
        assert_eq!(fs::read(aside).unwrap(), content);
        // A second time does not overwrite the first.
        fs::write(path.join(DATABASE), "again").unwrap();
        read(&path);
        let asides = names(&path).iter().filter(|name| name.starts_with("registers.sqlite3.damaged-")).count();
        assert!(asides >= 2, "{:?}", names(&path));
    }
}

#[test]
fn a_missing_database_is_reported() {
    let (_outer, path, _) = crashed(5, 5);
    fs::remove_file(path.join(DATABASE)).unwrap();
    let (loaded, folder) = read(&path);
    assert_eq!(folder.damage, [Damage::DatabaseMissing]);
    assert!(loaded.is_damaged && loaded.registers.is_empty() && folder.starts == 3);
    let found = names(&path);
    assert!(found.iter().any(|name| name.contains(".damaged-") && name.ends_with("-wal")), "{found:?}");
}

#[test]
fn a_log_that_is_gone_is_what_it_was_before() {
    let (_outer, path, states) = crashed(60, 60);
    fs::remove_file(path.join(LOG)).unwrap();
    assert_eq!(by_key(&read(&path).0), states[60]);
}

#[test]
fn a_replacement_that_was_cut_short_is_finished() {
    // As after the second of three steps: the damaged database is renamed, the new one not yet in its place.
    let (_outer, path, states) = crashed(60, 0);
    fs::rename(path.join(DATABASE), path.join("registers.sqlite3.new")).unwrap();
    let _ = fs::remove_file(path.join(LOG));
    let (loaded, folder) = read(&path);
    assert_eq!(by_key(&loaded), states[60]);
    assert!(folder.damage.is_empty(), "{folder:?}");
    // As in the first step.
    fs::write(path.join("registers.sqlite3.new"), "half").unwrap();
    assert_eq!(by_key(&read(&path).0), states[60]);
    assert!(!names(&path).contains(&"registers.sqlite3.new".to_owned()));
}

/// Enough to meet every kind of page; each takes about 10 ms.
const ROUNDS: u64 = 300;
