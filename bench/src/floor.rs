//! Floors: the least that a check can cost, written out by hand.
//!
//! Nothing here is of any use but to be measured: no errors, no reasons, no updates beyond what the reader's
//! side of an update costs.

use std::cell::RefCell;
use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use hashbrown::HashTable;
use rustix::time::{ClockId, clock_gettime};
use sha1::{Digest as _, Sha1};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::case::Case;
use crate::inputs::{FLAGS, NOW};

pub(crate) const HANDLE_ON: &str = "floor: one atomic load and a compare";
pub(crate) const HANDLE_ROLLOUT: &str = "floor: atomic load, xxh3, compare";
pub(crate) const HANDLE_RAMP: &str = "floor: coarse clock, atomic words, xxh3, compare without division";
pub(crate) const NAME_ON: &str = "floor: generation, thread-local snapshot, hashed name";
pub(crate) const NAME_ROLLOUT: &str = "floor: generation, thread-local snapshot, hashed name, xxh3";
pub(crate) const ARC_SWAP_ROLLOUT: &str = "floor: arc-swap load, hashed name, xxh3";
pub(crate) const SHA1: &str = "floor: SHA-1 of the key";

pub(crate) fn add(cases: &mut Vec<Case>) {
    let cell = Arc::new(Cell::default());
    let (on, rollout, ramp) = (Arc::clone(&cell), Arc::clone(&cell), cell);
    cases.push(Case::check(HANDLE_ON, move |_| on.word.load(Ordering::Relaxed) & 1 == 1));
    cases.push(Case::check(HANDLE_ROLLOUT, move |key| place(key, SEED) < rollout.share.load(Ordering::Relaxed)));
    cases.push(Case::check(HANDLE_RAMP, move |key| ramp.ramp(key, coarse_clock())));

    let board = Arc::new(Board::new());
    let (on, rollout, swapped) = (Arc::clone(&board), Arc::clone(&board), board);
    cases.push(Case::check(NAME_ON, move |_| on.read(|table| table.find(black_box("on")) & 1 == 1)));
    cases.push(Case::check(NAME_ROLLOUT, move |key| {
        rollout.read(|table| place(key, SEED) < u64::from(table.find(black_box("rollout"))))
    }));
    cases.push(Case::check(ARC_SWAP_ROLLOUT, move |key| {
        place(key, SEED) < u64::from(swapped.current.load().find(black_box("rollout")))
    }));
    cases.push(Case::check(SHA1, |key| {
        let digest: [u8; 20] = Sha1::digest(key.as_bytes()).into();
        let [.., a, b, c, d] = digest;
        u32::from_be_bytes([a, b, c, d]) >> 31 == 0
    }));
}

const SEED: u64 = 0x7469_6465;

#[expect(clippy::inline_always, reason = "a floor should not depend on what the compiler thinks of it")]
#[inline(always)]
fn place(key: &str, seed: u64) -> u64 {
    xxh3_64_with_seed(key.as_bytes(), seed) >> 32
}

fn coarse_clock() -> i64 {
    let now = clock_gettime(ClockId::RealtimeCoarse);
    now.tv_sec * 1_000_000 + now.tv_nsec / 1_000
}

/// The words of one flag, as a writer would rewrite them in place.
struct Cell {
    word: AtomicU64,
    share: AtomicU64,
    start: AtomicI64,
    over: AtomicU64,
    from: AtomicU64,
    gain: AtomicU64,
}

impl Default for Cell {
    fn default() -> Self {
        let century = 100 * 365 * 86_400 * 1_000_000_u64;
        Self {
            word: AtomicU64::new(1),
            share: AtomicU64::new(1 << 31),
            start: AtomicI64::new(NOW.get() - i64::try_from(century / 2).expect("half a century fits")),
            over: AtomicU64::new(century),
            from: AtomicU64::new(0),
            gain: AtomicU64::new(1 << 32),
        }
    }
}

impl Cell {
    fn ramp(&self, key: &str, now: i64) -> bool {
        let elapsed = u128::from(now.wrapping_sub(self.start.load(Ordering::Relaxed)).cast_unsigned());
        let above = place(key, SEED).wrapping_sub(self.from.load(Ordering::Relaxed));
        let needed = 2 * u128::from(self.over.load(Ordering::Relaxed)) * u128::from(above);
        needed < (2 * elapsed + 1) * u128::from(self.gain.load(Ordering::Relaxed))
    }
}

/// Where the current table hangs.
struct Board {
    generation: AtomicU64,
    current: ArcSwap<Table>,
}

thread_local! {
    static LOCAL: RefCell<Option<(u64, Arc<Table>)>> = const { RefCell::new(None) };
}

impl Board {
    fn new() -> Self {
        Self { generation: AtomicU64::new(1), current: ArcSwap::from_pointee(Table::new()) }
    }

    fn read<R>(&self, read: impl Fn(&Table) -> R) -> R {
        let generation = self.generation.load(Ordering::Acquire);
        LOCAL.with_borrow_mut(|local| match local {
            Some((seen, table)) if *seen == generation => read(table),
            _ => read(&local.insert((generation, self.current.load_full())).1),
        })
    }
}

/// A share for each name.
struct Table(HashTable<(Box<str>, u32)>);

impl Table {
    fn new() -> Self {
        let mut table: HashTable<(Box<str>, u32)> = HashTable::with_capacity(FLAGS);
        let names = (2..FLAGS).map(|number| format!("flag_{number:06}"));
        for name in names.chain(["on".to_owned(), "rollout".to_owned()]) {
            let share = if name == "on" { u32::MAX } else { 1 << 31 };
            table.insert_unique(hash(&name), (name.into(), share), |(name, _)| hash(name));
        }
        Self(table)
    }

    fn find(&self, name: &str) -> u32 {
        self.0.find(hash(name), |(known, _)| **known == *name).map_or(0, |(_, share)| *share)
    }
}

fn hash(name: &str) -> u64 {
    xxh3_64(name.as_bytes())
}
