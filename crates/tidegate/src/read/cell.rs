//! A flag's answer, ready in one cache line, rewritten in place by the background thread.
//!
//! An on/off flag is one load: its word says by itself what the answer is. Everything else takes several words that belong
//! together. They form a seqlock of atomics: the first word holds a version beside its bits, and says "ask the snapshot" while
//! the others are rewritten. A reader that finds another first word after it has read the others does not wait, it asks the
//! snapshot. The same goes for an instant outside of the time for which the words hold.
//!
//! Invariant: what a cell answers at an instant is what the snapshot answers at that instant. The one
//! exception is documented: an answer that is final does not look at the clock, so after the system's clock
//! was set back it stands for up to a second, until the background thread has looked.

mod stretch;
mod words;

use std::hint::select_unpredictable;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};

use tidegate_engine::{
    Answer, FlagIndex, FlagKey, KeyHash, Micros, Plan, PlanKind, Position, Snapshot, Subject, Variant,
};

use crate::clock::Clock;
use crate::read::publish::Published;

use words::{Encoded, Head, Words, bool_at, ends};

/// One flag as a handle sees it.
#[derive(Debug)]
pub(crate) struct FlagCell {
    words: Words,
    flag: FlagKey,
    /// The flag's key as a text.
    flag_key: Box<str>,
}

/// What a cell answers to one question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CachedAnswer<T> {
    /// The cell holds the answer.
    Known(T),
    /// The cell does not hold the answer; the caller asks the snapshot.
    Unknown,
}

impl FlagCell {
    pub(crate) fn new(flag: FlagKey) -> Self {
        let words = Words {
            head: AtomicU64::new(Head::ASK),
            seed: AtomicU64::new(0),
            from: AtomicI64::new(0),
            until: AtomicI64::new(0),
            start: AtomicI64::new(0),
            over: AtomicU64::new(0),
            shares: AtomicU64::new(0),
            place: AtomicU64::new(0),
        };
        let flag_key = flag.to_string().into();
        Self { words, flag, flag_key }
    }

    pub(crate) fn flag(&self) -> &FlagKey {
        &self.flag
    }

    /// The answer that needs neither key nor time.
    #[inline]
    pub(crate) fn instant(&self) -> Option<bool> {
        let head = Head(self.words.head.load(Ordering::Relaxed));
        if head.0 & Head::INSTANT != 0 { Some(head.0 & Head::INSTANT_VALUE != 0) } else { None }
    }

    /// Whether the flag is on for a key, where the share no longer moves and the key's position by `xxh3` is all that matters:
    /// the rollouts that are asked most.
    #[inline]
    pub(crate) fn settled_for(&self, key: &str) -> Option<bool> {
        let head = Head(self.words.head.load(Ordering::Acquire));
        if head.0 & Head::QUICK == 0 || key.len() > QUICK_KEY_BYTES_MAX {
            return None;
        }
        self.words.is_below_share(head, key)
    }

    /// Whether the flag is on at a position, for the rollouts of [`FlagCell::settled_for`].
    #[inline]
    pub(crate) fn settled_at(&self, position: Position) -> Option<bool> {
        let head = Head(self.words.head.load(Ordering::Acquire));
        if head.0 & Head::QUICK == 0 {
            return None;
        }
        let has_new = u64::from(position.get()) < self.words.shares.load(Ordering::Relaxed);
        if self.words.are_still_of(head) { Some(has_new) } else { None }
    }

    /// Whether [`FlagCell::moving_for`] may have the answer.
    #[inline]
    pub(crate) fn moves(&self) -> bool {
        self.words.head.load(Ordering::Relaxed) & Head::MOVING != 0
    }

    /// Whether the flag is on for a key, while its share moves, where the key's position by `xxh3` and the time are all that
    /// matters, and the words hold as long as the stretch lasts.
    #[inline]
    pub(crate) fn moving_for(&self, key: &str, clock: &Clock) -> Option<bool> {
        let words = &self.words;
        let head = Head(words.head.load(Ordering::Acquire));
        if head.0 & Head::MOVING == 0 || key.len() > QUICK_KEY_BYTES_MAX {
            return None;
        }
        let over = words.over.load(Ordering::Relaxed);
        let elapsed = stretch::elapsed(clock.coarse(), words.start.load(Ordering::Relaxed), over)?;
        let shares = words.shares.load(Ordering::Relaxed);
        let position = KeyHash::Xxh3(words.seed.load(Ordering::Relaxed)).position(key);
        let is_fall = head.0 & Head::KIND == Head::FALL;
        let has_new = stretch::has_new(is_fall, position, ends(shares), elapsed, over);
        if words.are_still_of(head) { Some(has_new) } else { None }
    }

    /// The variant of a key, for the rollouts of [`FlagCell::settled_for`], whatever their values are.
    #[inline]
    pub(crate) fn settled_variant_for(&self, key: &str) -> Option<Variant> {
        let head = Head(self.words.head.load(Ordering::Acquire));
        let is_settled = head.0 & (Head::KIND | Head::SETTLED | Head::SHA1) == Head::SHARE | Head::SETTLED;
        if !is_settled || key.len() > QUICK_KEY_BYTES_MAX {
            return None;
        }
        let has_new = self.words.is_below_share(head, key)?;
        Some(select_unpredictable(has_new, Variant::New, Variant::Stable))
    }

    /// Where a snapshot has the flag, most likely where it was when the words were written.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub(crate) fn find(&self, snapshot: &Snapshot) -> Option<FlagIndex> {
        let number = self.words.place.load(Ordering::Relaxed).checked_sub(1);
        let place = number.and_then(|number| u32::try_from(number).ok()).map(FlagIndex::from_number);
        snapshot.find_again(place, &self.flag_key)
    }

    /// Whether the words leave every question to the snapshot.
    #[inline]
    pub(crate) fn asks(&self) -> bool {
        self.words.head.load(Ordering::Relaxed) & (Head::KIND | Head::INSTANT) == Head::ASK
    }

    /// Whether the flag is on for a key.
    #[inline]
    pub(crate) fn is_active_for(&self, key: &str, clock: &Clock) -> CachedAnswer<bool> {
        self.read(key, clock, |head, has_new| bool_at(head.0, head.bool_place(has_new)))
    }

    /// The variant of a key; none for the caller's default and for a value pinned on this host.
    #[inline]
    pub(crate) fn variant_for(&self, key: &str, clock: &Clock) -> CachedAnswer<Option<Variant>> {
        self.read(key, clock, |head, has_new| Some(head.variant(has_new)))
    }

    /// What the words say of a key, if no writer is at them and they say something.
    ///
    /// The key is placed between the two looks at the first word, so that words which do not belong together
    /// may come by. They are numbers, and any numbers give some answer, which is then thrown away.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    fn read<T>(&self, key: &str, clock: &Clock, answer: impl FnOnce(Head, bool) -> Option<T>) -> CachedAnswer<T> {
        let words = &self.words;
        let head = Head(words.head.load(Ordering::Acquire));
        let has_new = words.has_new(head, key, clock);
        if !words.are_still_of(head) {
            return CachedAnswer::Unknown;
        }
        has_new.and_then(|has_new| answer(head, has_new)).map_or(CachedAnswer::Unknown, CachedAnswer::Known)
    }

    /// Whether the words hold at this instant, so that nothing need be done.
    pub(crate) fn holds_at(&self, now: Micros) -> bool {
        self.words.hold_at(now)
    }

    /// The instant from which the words no longer hold.
    pub(crate) fn until(&self) -> Option<Micros> {
        Some(self.words.until.load(Ordering::Relaxed)).filter(|until| *until != i64::MAX).map(Micros::new)
    }

    /// Rewrites the words from what is published. Only one thread may do that at a time.
    ///
    /// It works from the same coarse clock as readers do, so that no answer is final before its time.
    pub(crate) fn write(&self, published: &Published, clock: &Clock) {
        let now = clock.coarse();
        let moment = published.moment(now);
        let snapshot = &published.snapshot;
        let place = snapshot.find(self.flag.section(), self.flag.flag());
        let number = place.map_or(0, |index| u64::from(index.number()).saturating_add(1));
        self.words.place.store(number, Ordering::Relaxed);
        let (plan, is_answered) = match place {
            Some(index) => {
                let decision = snapshot.evaluate(Some(index), &Subject::absent(), &moment);
                (snapshot.flag(index).plan(&moment), decision.answer != Answer::CallerDefault)
            }
            None => (UNKNOWN, false),
        };
        let encoded = Encoded::new(&plan, is_answered, now, clock.is_manual());
        let words = &self.words;
        if encoded == words.load() {
            return;
        }
        let version = words.head.load(Ordering::Relaxed) & Head::VERSION;
        words.head.store(version.wrapping_add(Head::NEXT) | Head::ASK, Ordering::Relaxed);
        fence(Ordering::Release);
        words.store(&encoded);
        words.head.store(version.wrapping_add(2 * Head::NEXT) | encoded.head, Ordering::Release);
    }
}

/// The hash of a longer key takes a call, and a function that calls nothing is shorter.
const QUICK_KEY_BYTES_MAX: usize = 128;

/// The plan of an unknown flag.
const UNKNOWN: Plan =
    Plan { kind: PlanKind::Fixed(None, Some(false)), stable: None, new: None, from: Micros::MIN, until: None };

#[cfg(test)]
mod tests;
