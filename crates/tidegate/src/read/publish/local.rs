//! What a thread keeps for its reads: pointers to what it last saw.
//!
//! It may be gone while a thread ends, and it may be in use
//! further up the stack (a value's own `Deserialize` may read flags); both cases take the long way round.

use std::cell::RefCell;
use std::ptr;
use std::sync::{Arc, Weak};

use super::{Board, Published};

thread_local! {
    static LOCAL: Local = const { Local { seen: RefCell::new(None), others: RefCell::new(Vec::new()) } };
}

struct Local {
    /// Of the first instance that this thread has read from; nearly always there is no other.
    seen: RefCell<Option<Seen>>,
    /// Of all others.
    others: RefCell<Vec<Seen>>,
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

fn id(board: &Arc<Board>) -> usize {
    ptr::from_ref::<Board>(board).addr()
}
