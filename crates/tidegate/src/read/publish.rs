//! How a new snapshot reaches readers: a generation counter, and a pointer in each reading thread.
//!
//! A reader compares one shared counter, which nearly never changes, with the one beside its thread's own
//! pointer. Equal: the pointer is good, and nothing shared was written, so threads do not slow each other
//! down. Different: it fetches the new pointer, once for each publication. It never waits for a writer.
//!
//! Invariant: a reader never frees a snapshot. The publisher keeps each retired one until no reader holds
//! it, and lets it go itself.

mod local;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use arc_swap::ArcSwap;
use serde::Deserialize;
use tidegate_engine::lease::Clocks;
use tidegate_engine::{Answer, Decision, ErrorCode, FlagIndex, FlagKey, Micros, Moment, Scalar, Snapshot, Subject};

use crate::clock::Clock;
use crate::read::misreads::Named;
use crate::read::reader_state::ReaderState;
use crate::read::typed::{self, Read};

/// Everything that readers see, as one piece.
#[derive(Debug)]
pub(crate) struct Published {
    pub(crate) snapshot: Snapshot,
    pub(crate) leases: Clocks,
    pub(crate) reader_state: Arc<ReaderState>,
    /// Which publication it is; no two of a process have the same number.
    generation: u64,
    /// An instant that is past, to the second; see [`Published::decide`].
    past: AtomicI64,
}

impl Published {
    /// Which publication it is; no two of a process have the same number.
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    pub(crate) fn moment(&self, now: Micros) -> Moment<'_> {
        Moment { now, leases: &self.leases }
    }

    /// What a flag answers now.
    ///
    /// Most flags no longer move: for them any instant is as good as now, and the clock is dearer than the
    /// decision. So a clock that is set back is noticed within a second, as with handles.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub(crate) fn decide(&self, flag: Option<FlagIndex>, subject: &Subject<'_>, clock: &Clock) -> Decision<'_> {
        let past = Micros::new(self.past.load(Ordering::Relaxed));
        self.snapshot.evaluate_now(flag, subject, past, || self.moment(clock.coarse()))
    }

    /// Takes note of the time, now and then.
    pub(crate) fn look_at(&self, clock: &Clock) {
        self.past.store(past(clock).get(), Ordering::Relaxed);
    }

    /// The decision's value as a `T`; `None` for the caller's default and for another type. A misread is counted.
    #[inline]
    pub(crate) fn value<'s, T: Deserialize<'s>>(
        &'s self,
        decision: Decision<'s>,
        named: Named<'_>,
        subject: &Subject<'_>,
    ) -> Option<T> {
        let value = self.known_value(decision, named);
        if value.is_none() {
            self.note_unanswered(decision, named, subject);
        }
        value
    }

    /// The same for a flag that need not exist.
    #[inline]
    pub(crate) fn known_value<'s, T: Deserialize<'s>>(&self, decision: Decision<'s>, named: Named<'_>) -> Option<T> {
        self.typed(decision.answer, named)
    }

    /// An answer as a `T`; `None` for the caller's default and, counted, for another type.
    #[inline]
    pub(crate) fn typed<'s, T: Deserialize<'s>>(&self, answer: Answer<'s>, named: Named<'_>) -> Option<T> {
        match typed::read(answer) {
            Read::Value(value) => Some(value),
            Read::CallerDefault => None,
            Read::WrongType => {
                self.reader_state.misreads.wrong_type(named);
                None
            }
        }
    }

    /// Whether the decision is `true`. The caller's default is `false`, and so is another type. A misread is counted.
    #[inline]
    pub(crate) fn is_true(&self, decision: Decision<'_>, named: Named<'_>, subject: &Subject<'_>) -> bool {
        match (decision.answer.as_bool(), decision.answer) {
            (Some(value), _) => value,
            (None, Answer::CallerDefault) => {
                self.note_unanswered(decision, named, subject);
                false
            }
            (None, _) => {
                self.reader_state.misreads.wrong_type(named);
                false
            }
        }
    }

    /// The same of a handle's flag, which need not exist: a handle may be made before its flag.
    #[inline]
    pub(crate) fn is_true_of(&self, decision: Decision<'_>, flag: &FlagKey) -> bool {
        match (decision.answer.as_bool(), decision.answer) {
            (Some(value), _) => value,
            (None, Answer::CallerDefault) => false,
            (None, _) => {
                self.reader_state.misreads.wrong_type(Named::Pair(flag.section(), flag.flag()));
                false
            }
        }
    }

    /// The number or the boolean of a decision, or that it is neither; `None` for the caller's default, which is counted if its
    /// flag is unknown.
    pub(crate) fn scalar(&self, decision: Decision<'_>, named: Named<'_>, subject: &Subject<'_>) -> Option<Scalar> {
        let scalar = decision.answer.scalar();
        if scalar.is_none() {
            self.note_unanswered(decision, named, subject);
        }
        scalar
    }

    /// The number or the boolean that a subject has now; see [`Published::scalar`].
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub(crate) fn scalar_now(&self, section: &str, flag: &str, subject: &Subject<'_>, clock: &Clock) -> Option<Scalar> {
        let past = Micros::new(self.past.load(Ordering::Relaxed));
        match self.snapshot.settled_value(section, flag, subject, past) {
            Ok(value) => Some(value.scalar()),
            Err(index) => self.decided_scalar(index, Named::Pair(section, flag), subject, clock),
        }
    }

    #[inline(never)]
    fn decided_scalar(
        &self,
        index: Option<FlagIndex>,
        named: Named<'_>,
        subject: &Subject<'_>,
        clock: &Clock,
    ) -> Option<Scalar> {
        self.scalar(self.decide(index, subject, clock), named, subject)
    }

    /// Counts a value of another type than the one asked for.
    #[cold]
    pub(crate) fn note_wrong_type(&self, named: Named<'_>) {
        self.reader_state.misreads.wrong_type(named);
    }

    /// Counts a decision that leaves the answer to the caller, if that is because its flag is unknown.
    #[inline]
    pub(crate) fn note_unanswered(&self, decision: Decision<'_>, named: Named<'_>, subject: &Subject<'_>) {
        if decision.error == Some(ErrorCode::FlagNotFound) {
            self.reader_state.misreads.unknown(named, subject, &self.snapshot);
        }
    }
}

/// Where the current [`Published`] hangs. On cache lines of its own, since each check reads the counter.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Board {
    generation: AtomicU64,
    clock: Clock,
    /// The one of all publications.
    reader_state: Arc<ReaderState>,
    current: ArcSwap<Published>,
}

impl Board {
    /// A board with a first publication.
    pub(crate) fn new(snapshot: Snapshot, leases: Clocks, reader_state: ReaderState, clock: Clock) -> Arc<Self> {
        let past = AtomicI64::new(past(&clock).get());
        let generation = next_generation();
        let reader_state = Arc::new(reader_state);
        let first = Published { snapshot, leases, reader_state: Arc::clone(&reader_state), generation, past };
        let current = ArcSwap::from_pointee(first);
        Arc::new(Self { generation: AtomicU64::new(generation), clock, reader_state, current })
    }

    /// The clock of the instance.
    #[inline]
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What all reads of the instance share.
    #[inline]
    pub(crate) fn reader_state(&self) -> &ReaderState {
        &self.reader_state
    }

    /// Reads what is published. May be called from within itself, also while a thread ends.
    #[inline]
    pub(crate) fn read<R>(self: &Arc<Self>, read: impl Fn(&Arc<Published>) -> R) -> R {
        match local::read(self.generation.load(Ordering::Acquire), &read) {
            Some(result) => result,
            None => self.read_anew(&read),
        }
    }

    /// Reads what this thread has seen of the current publication; `None` where it has seen none, or an older one.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub(crate) fn read_seen<R>(&self, read: impl Fn(&Arc<Published>) -> R) -> Option<R> {
        local::read(self.generation.load(Ordering::Acquire), &read)
    }

    /// What is published now, to be kept.
    pub(crate) fn load(&self) -> Arc<Published> {
        self.current.load_full()
    }

    #[cold]
    #[inline(never)]
    fn read_anew<R>(self: &Arc<Self>, read: &impl Fn(&Arc<Published>) -> R) -> R {
        if let Some(result) = local::read_other(self.generation.load(Ordering::Acquire), read) {
            return result;
        }
        let published = self.load();
        local::keep(self, &published);
        read(&published)
    }
}

/// A number for a publication. One counter for all instances, so that a thread recognizes what it has seen by this number alone.
fn next_generation() -> u64 {
    static GENERATIONS: AtomicU64 = AtomicU64::new(0);
    GENERATIONS.fetch_add(1, Ordering::Relaxed).wrapping_add(1)
}

/// An instant that is past. A manual clock may be set back at any time, so with it nothing ever is.
fn past(clock: &Clock) -> Micros {
    if clock.is_manual() { Micros::MIN } else { clock.coarse() }
}

/// The one that publishes.
#[derive(Debug)]
pub(crate) struct Publisher {
    board: Arc<Board>,
    /// Publications that readers may still hold.
    retired: Vec<Arc<Published>>,
}

impl Publisher {
    pub(crate) fn new(board: Arc<Board>) -> Self {
        Self { board, retired: Vec::new() }
    }

    /// Activates a snapshot. Readers that come after this see it.
    pub(crate) fn publish(&mut self, snapshot: Snapshot, leases: Clocks) {
        let generation = next_generation();
        let reader_state = Arc::clone(&self.board.reader_state);
        let past = AtomicI64::new(past(&self.board.clock).get());
        let retired = self.board.current.swap(Arc::new(Published { snapshot, leases, reader_state, generation, past }));
        self.board.generation.store(generation, Ordering::Release);
        self.retired.push(retired);
    }

    /// Frees what no reader holds any more. How many publications are still held by some reader.
    ///
    /// A thread that has read once and then falls silent holds what it last read.
    pub(crate) fn collect(&mut self) -> usize {
        // A retired one can only be cloned by a reader that holds it.
        self.retired.retain(|published| Arc::strong_count(published) > 1);
        self.retired.len()
    }
}

#[cfg(test)]
mod tests;
