//! What a thread keeps for its reads: pointers to what it last saw, and a source of random draws.
//!
//! This, and the counter of publications, is the only state outside of an instance. It may be gone while a thread ends, and it may be in use
//! further up the stack (a value's own `Deserialize` may read flags); both cases take the long way round.

use std::cell::{Cell, RefCell};
use std::hash::{BuildHasher, RandomState};
use std::ptr;
use std::sync::{Arc, Weak};

use super::{Board, Published};

thread_local! {
    static LOCAL: Local = const {
        Local { seen: RefCell::new(None), others: RefCell::new(Vec::new()), random: Cell::new(0) }
    };
}

struct Local {
    /// Of the first instance that this thread has read from; nearly always there is no other.
    seen: RefCell<Option<Seen>>,
    /// Of all others.
    others: RefCell<Vec<Seen>>,
    /// The state of the generator; 0 before the first draw.
    random: Cell<u64>,
}

/// What a thread last saw of one instance.
struct Seen {
    /// The address of the board. It cannot be another one's, because `board` keeps the place taken.
    id: usize,
    /// The number of the publication, which no other one has, of this instance or of another.
    generation: u64,
    published: Arc<Published>,
    board: Weak<Board>,
}

/// Reads what this thread has seen of its first instance, if it is this publication.
#[inline]
pub(super) fn read<R>(generation: u64, read: &impl Fn(&Arc<Published>) -> R) -> Option<R> {
    let seen = |local: &Local| {
        let seen = local.seen.try_borrow().ok()?;
        let seen = seen.as_ref().filter(|seen| seen.generation == generation)?;
        Some(read(&seen.published))
    };
    LOCAL.try_with(seen).ok().flatten()
}

/// The same of all other instances.
pub(super) fn read_other<R>(generation: u64, read: &impl Fn(&Arc<Published>) -> R) -> Option<R> {
    let seen = |local: &Local| {
        let others = local.others.try_borrow().ok()?;
        let seen = others.iter().find(|seen| seen.generation == generation)?;
        Some(read(&seen.published))
    };
    LOCAL.try_with(seen).ok().flatten()
}

/// Remembers what was read, and forgets instances that are gone.
pub(super) fn keep(board: &Arc<Board>, published: &Arc<Published>) {
    let _ = LOCAL.try_with(|local| {
        let (Ok(mut first), Ok(mut others)) = (local.seen.try_borrow_mut(), local.others.try_borrow_mut()) else {
            return;
        };
        let id = id(board);
        if let Some(seen) = first.iter_mut().chain(others.iter_mut()).find(|seen| seen.id == id) {
            seen.generation = published.generation;
            seen.published = Arc::clone(published);
            return;
        }
        let seen = Seen {
            id,
            generation: published.generation,
            published: Arc::clone(published),
            board: Arc::downgrade(board),
        };
        others.retain(|seen| seen.board.strong_count() > 0);
        if first.as_ref().is_some_and(|seen| seen.board.strong_count() > 0) {
            others.push(seen);
        } else {
            *first = Some(seen);
        }
    });
}

/// An evenly distributed number, from a generator of this thread's own (`SplitMix64`; Steele, Lea and Flood,
/// 2014) that the standard library's random keys have seeded.
#[inline]
pub(crate) fn random() -> u64 {
    LOCAL
        .try_with(|local| {
            let mut state = local.random.get();
            if state == 0 {
                state = seed();
            }
            state = state.wrapping_add(SPLITMIX_STEP);
            local.random.set(state);
            splitmix(state)
        })
        .unwrap_or_else(|_| seed())
}

/// The output of `SplitMix64` for a state.
pub(crate) const fn splitmix(state: u64) -> u64 {
    let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    state ^ (state >> 31)
}

#[cold]
fn seed() -> u64 {
    RandomState::new().hash_one(0)
}

/// A number of the calling thread, for what threads count in shards. Two threads may have the same one.
#[inline]
pub(crate) fn thread_shard() -> usize {
    thread_local! {
        static PLACE: u8 = const { 0 };
    }
    // Threads have their variables at different addresses; the multiplication spreads them.
    let address = PLACE.try_with(|place| ptr::from_ref(place).addr()).unwrap_or(0);
    let address = u64::try_from(address).unwrap_or(0);
    usize::try_from(address.wrapping_mul(SPLITMIX_STEP) >> 56).unwrap_or(0)
}

fn id(board: &Arc<Board>) -> usize {
    ptr::from_ref::<Board>(board).addr()
}

/// What `SplitMix64` adds to its state at each draw.
pub(crate) const SPLITMIX_STEP: u64 = 0x9e37_79b9_7f4a_7c15;
