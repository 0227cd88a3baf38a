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
use tidegate_engine::Attribute;
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::case::Case;
use crate::inputs::{ATTRIBUTES, FLAGS, NOW};

pub(crate) const HANDLE_ON: &str = "floor: one atomic load and a compare";
pub(crate) const HANDLE_ROLLOUT: &str = "floor: atomic load, xxh3, compare";
pub(crate) const HANDLE_RAMP: &str = "floor: coarse clock, atomic words, xxh3, compare without division";
pub(crate) const HANDLE_RULE: &str = "floor: atomic load, three attributes found by name and compared";
pub(crate) const NAME_ON: &str = "floor: generation, thread-local snapshot, hashed name";
pub(crate) const NAME_RAMP: &str = "floor: the same, coarse clock, compare without division";
pub(crate) const NAME_ROLLOUT: &str = "floor: generation, thread-local snapshot, hashed name, xxh3";
pub(crate) const ARC_SWAP_ROLLOUT: &str = "floor: arc-swap load, hashed name, xxh3";
pub(crate) const SHA1: &str = "floor: SHA-1 of the key";

pub(crate) fn add(cases: &mut Vec<Case>) {
    let cell = Arc::new(Cell::default());
    let (on, rollout, ramp, rule) = (Arc::clone(&cell), Arc::clone(&cell), Arc::clone(&cell), cell);
    // The key is at hand in every check, and the loop is not unrolled into one over the word alone.
    cases.push(Case::check(HANDLE_ON, move |key| {
        black_box(key);
        on.word.load(Ordering::Relaxed) & 1 == 1
    }));
    cases.push(Case::check(HANDLE_ROLLOUT, move |key| place(key, SEED) < rollout.share.load(Ordering::Relaxed)));
    cases.push(Case::check(HANDLE_RAMP, move |key| ramp.stretch().has_new(key, coarse_clock())));

    cases.push(Case::check(HANDLE_RULE, move |key| {
        black_box(key);
        rule.word.load(Ordering::Relaxed) & 1 == 1 && is_grown_up(black_box(&ATTRIBUTES))
    }));

    let board = Arc::new(Board::new());
    let (on, rollout, ramp, swapped) = (Arc::clone(&board), Arc::clone(&board), Arc::clone(&board), board);
    cases.push(Case::check(NAME_ON, move |_| on.read(|table| table.share(black_box("features/on")) & 1 == 1)));
    cases.push(Case::check(NAME_ROLLOUT, move |key| {
        rollout.read(|table| place(key, SEED) < u64::from(table.share(black_box("features/rollout"))))
    }));
    cases.push(Case::check(NAME_RAMP, move |key| {
        ramp.read(|table| {
            table.find(black_box("features/ramp")).is_some_and(|flag| flag.stretch.has_new(key, coarse_clock()))
        })
    }));
    cases.push(Case::check(ARC_SWAP_ROLLOUT, move |key| {
        place(key, SEED) < u64::from(swapped.current.load().share(black_box("features/rollout")))
    }));
    cases.push(Case::check(SHA1, |key| {
        let digest: [u8; 20] = Sha1::digest(key.as_bytes()).into();
        let [.., a, b, c, d] = digest;
        u32::from_be_bytes([a, b, c, d]) >> 31 == 0
    }));
}

/// The condition of the flag `rule`.
fn is_grown_up(attributes: &[(&str, Attribute<'_>)]) -> bool {
    let find = |wanted: &str| attributes.iter().find(|(name, _)| *name == wanted).map(|(_, attribute)| attribute);
    let is_premium = matches!(find("plan"), Some(Attribute::Text("premium")));
    let is_of_age = matches!(find("age"), Some(Attribute::Integer(18..)));
    is_premium && is_of_age && matches!(find("country"), Some(Attribute::Text("de" | "at" | "ch")))
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
        let Stretch { start, over, from, gain } = Stretch::default();
        Self {
            word: AtomicU64::new(1),
            share: AtomicU64::new(1 << 31),
            start: AtomicI64::new(start),
            over: AtomicU64::new(over),
            from: AtomicU64::new(from),
            gain: AtomicU64::new(gain),
        }
    }
}

impl Cell {
    fn stretch(&self) -> Stretch {
        Stretch {
            start: self.start.load(Ordering::Relaxed),
            over: self.over.load(Ordering::Relaxed),
            from: self.from.load(Ordering::Relaxed),
            gain: self.gain.load(Ordering::Relaxed),
        }
    }
}

/// A rising line.
struct Stretch {
    start: i64,
    over: u64,
    from: u64,
    gain: u64,
}

impl Default for Stretch {
    fn default() -> Self {
        let century = 100 * 365 * 86_400 * 1_000_000;
        Self { start: NOW.get() - century / 2, over: century.cast_unsigned(), from: 0, gain: 1 << 32 }
    }
}

impl Stretch {
    fn has_new(&self, key: &str, now: i64) -> bool {
        let elapsed = now.wrapping_sub(self.start).cast_unsigned();
        let above = place(key, SEED).wrapping_sub(self.from);
        let passed = (u128::from(elapsed) * u128::from(self.gain)) << 1;
        (u128::from(self.over) * u128::from(above)) << 1 < passed.wrapping_add(u128::from(self.gain))
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

/// All flags by their flag keys.
struct Table(HashTable<Flag>);

struct Flag {
    key: Box<str>,
    share: u32,
    stretch: Stretch,
}

impl Table {
    fn new() -> Self {
        let mut table: HashTable<Flag> = HashTable::with_capacity(FLAGS);
        let keys = (3..FLAGS).map(|number| format!("features/flag_{number:06}"));
        for key in keys.chain(["on", "rollout", "ramp"].map(|name| format!("features/{name}"))) {
            let share = if key == "features/on" { u32::MAX } else { 1 << 31 };
            let flag = Flag { key: key.into(), share, stretch: Stretch::default() };
            table.insert_unique(hash(&flag.key), flag, |flag| hash(&flag.key));
        }
        Self(table)
    }

    fn find(&self, key: &str) -> Option<&Flag> {
        self.0.find(hash(key), |flag| *flag.key == *key)
    }

    fn share(&self, key: &str) -> u32 {
        self.find(key).map_or(0, |flag| flag.share)
    }
}

fn hash(key: &str) -> u64 {
    xxh3_64(key.as_bytes())
}
