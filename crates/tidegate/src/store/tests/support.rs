//! Registers and batches that tell where they came from.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::super::{Batch, DataFolder, Event, Loaded, Register, SqliteStore, Stamp, Store};

/// A stamp of one node, in the order of its number.
pub(crate) fn stamp(number: u64) -> Stamp {
    let mut bytes = [0; 18];
    bytes[2..8].copy_from_slice(&(1_700_000_000_000 + number).to_be_bytes()[2..]);
    bytes[17] = 7;
    Stamp::from_bytes(bytes)
}

/// A register that is stamped with `number`; every eleventh is a tombstone.
pub(crate) fn register(key: &str, number: u64) -> Register {
    let text = format!("{{\"percentage\":\"{number}\",\"filler\":\"{}\"}}", "x".repeat((number % 97) as usize * 4));
    Register {
        key: key.as_bytes().into(),
        stamp: stamp(number),
        value: (!number.is_multiple_of(11)).then(|| text.as_bytes().into()),
        replaces: number.checked_sub(1).map(stamp),
        supersedes: None,
        actor: "ann".into(),
        reason: format!("because of {number}").into(),
        extra: Arc::default(),
    }
}

/// A batch with one register, its event, and the replica's memory of it.
pub(crate) fn batch(seq: u64, key: &str) -> Batch {
    let register = register(key, seq);
    let event = Event { register: register.clone(), lost_to: None };
    let meta = Some(format!("remembered {seq}").into_bytes());
    Batch { seq, registers: vec![register], history: vec![event], meta, is_awaited: true, ..Batch::default() }
}

/// A batch as it comes when nothing has to be remembered.
pub(crate) fn plain(seq: u64, key: &str) -> Batch {
    Batch { meta: None, ..batch(seq, key) }
}

/// The registers by key.
pub(crate) fn by_key(loaded: &Loaded) -> BTreeMap<Vec<u8>, Register> {
    let map: BTreeMap<_, _> = loaded.registers.iter().map(|one| (one.key.to_vec(), one.clone())).collect();
    assert_eq!(map.len(), loaded.registers.len(), "no key comes twice");
    map
}

pub(crate) fn open(path: &Path) -> (SqliteStore, DataFolder) {
    SqliteStore::open(path).unwrap()
}

/// Everything in the store of a folder, which is closed again.
pub(crate) fn read(path: &Path) -> (Loaded, DataFolder) {
    let (mut store, folder) = open(path);
    let loaded = store.load().unwrap();
    Box::new(store).close().unwrap();
    (loaded, folder)
}

/// The names in a folder, sorted.
pub(crate) fn names(path: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(path).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Copies the files of a folder into another one, as they are at this moment.
pub(crate) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in names(from) {
        std::fs::copy(from.join(&name), to.join(&name)).unwrap();
    }
}

/// `SplitMix64`, for places and lengths that a failing test can print.
pub(crate) struct Draw(pub(crate) u64);

impl Draw {
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(crate::random::SPLITMIX_STEP);
        crate::random::splitmix(self.0) % end
    }
}
