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

use std::hint::select_unpredictable;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};

use tidegate_engine::{
    Answer, Fall, FlagIndex, FlagKey, KeyHash, Micros, Plan, PlanKind, Position, Rise, Share, Snapshot, Span, Subject,
    Variant,
};

use crate::clock::Clock;
use crate::read::publish::Published;

/// The words of one flag. A cache line, on its own.
#[derive(Debug)]
#[repr(align(64))]
struct Words {
    /// What kind of answer it is, the small parts of it, and a version; see [`Head`].
    head: AtomicU64,
    /// The seed of the flag's positions.
    seed: AtomicU64,
    /// The words hold from this instant on.
    from: AtomicI64,
    /// The words hold until before this instant; [`i64::MAX`]: for ever.
    until: AtomicI64,
    /// The start of the stretch.
    start: AtomicI64,
    /// The length of the stretch.
    over: AtomicU64,
    /// A share; or the lower share of a stretch and the higher one less 1, in 32 bits each.
    shares: AtomicU64,
    /// Where the snapshot has the flag, as its number and 1; 0: unknown. It stands by itself: its user compares the name.
    place: AtomicU64,
}

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
    #[inline]
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

/// The words as plain numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Encoded {
    head: u64,
    seed: u64,
    from: i64,
    until: i64,
    start: i64,
    over: u64,
    shares: u64,
}

impl Encoded {
    /// `is_answered`: the flag has a value, it does not leave everybody to the caller's default.
    fn new(plan: &Plan, is_answered: bool, now: Micros, clock_may_jump: bool) -> Self {
        let mut words = Self {
            head: Head::ASK,
            seed: 0,
            from: plan.from.get(),
            until: plan.until.map_or(i64::MAX, Micros::get),
            start: 0,
            over: 0,
            shares: 0,
        };
        let bools = bool_bits(plan.stable, Head::STABLE_BOOL) | bool_bits(plan.new, Head::NEW_BOOL);
        let is_final = plan.until.is_none() && plan.from <= now && !clock_may_jump;
        let settled = if is_final || (plan.from == Micros::MIN && plan.until.is_none()) { Head::SETTLED } else { 0 };
        match plan.kind {
            PlanKind::Fixed(variant, value) => {
                // "Is it active" of a flag that leaves the answer to the caller has the answer no.
                let value = if is_answered { value } else { Some(false) };
                words.head = Head::FIXED | settled | variant_bits(variant) | bool_bits(value, Head::FIXED_BOOL);
                if let Some(value) = value.filter(|_| settled != 0) {
                    words.head |= Head::INSTANT | if value { Head::INSTANT_VALUE } else { 0 };
                }
            }
            PlanKind::Share(line, share) => {
                words.head = Head::SHARE | settled | bools | hash_bit(line);
                words.head |= if is_plain(plan, line) && settled != 0 { Head::QUICK } else { 0 };
                (words.seed, words.shares) = (seed_of(line), share.get());
            }
            PlanKind::Rise(line, rise) => {
                if let Some(shares) = pack(rise.from, rise.to) {
                    words.head = Head::RISE | bools | hash_bit(line) | moving_bit(plan, line);
                    (words.seed, words.shares) = (seed_of(line), shares);
                    (words.start, words.over) = (rise.start.get(), rise.over.get());
                }
            }
            PlanKind::Fall(line, fall) => {
                if let Some(shares) = pack(fall.to, fall.from) {
                    words.head = Head::FALL | bools | hash_bit(line) | moving_bit(plan, line);
                    (words.seed, words.shares) = (seed_of(line), shares);
                    (words.start, words.over) = (fall.start.get(), fall.over.get());
                }
            }
            PlanKind::Ask => {}
        }
        words
    }
}

impl Words {
    /// Whether a key has `new`; `false` for a fixed answer, none where the words do not say it.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    fn has_new(&self, head: Head, key: &str, clock: &Clock) -> Option<bool> {
        let kind = head.0 & Head::KIND;
        if kind == Head::ASK {
            return None;
        }
        let now = if head.0 & Head::SETTLED != 0 { Micros::MIN } else { clock.coarse() };
        if head.0 & Head::SETTLED == 0 && !self.hold_at(now) {
            return None;
        }
        if kind == Head::FIXED {
            return Some(false);
        }
        let start = Micros::new(self.start.load(Ordering::Relaxed));
        let over = Span::from_micros(self.over.load(Ordering::Relaxed));
        let shares = self.shares.load(Ordering::Relaxed);
        let position = self.position(head, key);
        match kind {
            Head::SHARE => Some(Share::new(shares)?.includes(position)),
            Head::RISE => {
                let (from, to) = unpack(shares)?;
                Some(Rise { start, over, from, to }.has_new(position, now))
            }
            Head::FALL => {
                let (to, from) = unpack(shares)?;
                Some(Fall { start, over, from, to }.has_new(position, now))
            }
            _ => None,
        }
    }

    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    fn position(&self, head: Head, key: &str) -> Position {
        let line =
            if head.0 & Head::SHA1 == 0 { KeyHash::Xxh3(self.seed.load(Ordering::Relaxed)) } else { KeyHash::Sha1 };
        line.position(key)
    }

    #[inline]
    fn hold_at(&self, now: Micros) -> bool {
        let (from, until) = (self.from.load(Ordering::Relaxed), self.until.load(Ordering::Relaxed));
        from <= now.get() && (now.get() < until || until == i64::MAX)
    }

    /// Whether the position of a key by `xxh3` is below the share, if the words still are those of this first word.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    fn is_below_share(&self, head: Head, key: &str) -> Option<bool> {
        let line = KeyHash::Xxh3(self.seed.load(Ordering::Relaxed));
        let has_new = u64::from(line.position(key).get()) < self.shares.load(Ordering::Relaxed);
        if self.are_still_of(head) { Some(has_new) } else { None }
    }

    /// Whether the first word is the one with which the others were read.
    #[inline]
    fn are_still_of(&self, head: Head) -> bool {
        fence(Ordering::Acquire);
        self.head.load(Ordering::Relaxed) == head.0
    }

    fn load(&self) -> Encoded {
        Encoded {
            head: self.head.load(Ordering::Relaxed) & !Head::VERSION,
            seed: self.seed.load(Ordering::Relaxed),
            from: self.from.load(Ordering::Relaxed),
            until: self.until.load(Ordering::Relaxed),
            start: self.start.load(Ordering::Relaxed),
            over: self.over.load(Ordering::Relaxed),
            shares: self.shares.load(Ordering::Relaxed),
        }
    }

    /// Stores all words but the first.
    fn store(&self, words: &Encoded) {
        self.seed.store(words.seed, Ordering::Relaxed);
        self.from.store(words.from, Ordering::Relaxed);
        self.until.store(words.until, Ordering::Relaxed);
        self.start.store(words.start, Ordering::Relaxed);
        self.over.store(words.over, Ordering::Relaxed);
        self.shares.store(words.shares, Ordering::Relaxed);
    }
}

/// The hash of a longer key takes a call, and a function that calls nothing is shorter.
const QUICK_KEY_BYTES_MAX: usize = 128;

/// The bits of the first word.
#[derive(Clone, Copy, Debug)]
struct Head(u64);

impl Head {
    /// Ask the snapshot.
    const ASK: u64 = 0;
    /// The boolean answer for every key and at all times, if there is one: [`Head::INSTANT`].
    const INSTANT_VALUE: u64 = 1;
    const INSTANT: u64 = 1 << 1;
    /// The clock need not be looked at.
    const SETTLED: u64 = 1 << 2;
    /// The positions are those of SHA-1; otherwise `xxh3`.
    const SHA1: u64 = 1 << 3;
    /// Which kind of plan the words hold.
    const KIND: u64 = 0b111 << 4;
    const FIXED: u64 = 1 << 4;
    const SHARE: u64 = 2 << 4;
    const RISE: u64 = 3 << 4;
    const FALL: u64 = 4 << 4;
    /// The share no longer moves, the positions are those of `xxh3`, and `new` is `true`: see [`FlagCell::settled_for`].
    const QUICK: u64 = 1 << 7;
    /// The share moves, the words hold as long as the stretch lasts, and otherwise it is as [`Head::QUICK`]: see
    /// [`FlagCell::moving_for`].
    const MOVING: u64 = 1 << 16;
    /// Rises with each rewriting, so that no two of them have the same word: at a million a second, 47 bits last for years.
    const VERSION: u64 = !(Self::NEXT - 1);
    const NEXT: u64 = 1 << 17;
    /// Places of an optional boolean, two bits each: is it one, and which.
    const STABLE_BOOL: u32 = 8;
    const NEW_BOOL: u32 = 10;
    const FIXED_BOOL: u32 = 12;
    /// Place of an optional variant, two bits.
    const VARIANT: u32 = 14;

    /// Where the boolean stands that is the answer.
    #[inline]
    fn bool_place(self, has_new: bool) -> u32 {
        if self.0 & Self::KIND == Self::FIXED {
            return Self::FIXED_BOOL;
        }
        // Which of the two it is cannot be foreseen, so there should be no branch that tries to.
        select_unpredictable(has_new, Self::NEW_BOOL, Self::STABLE_BOOL)
    }

    /// The variant that is the answer.
    #[inline]
    fn variant(self, has_new: bool) -> Option<Variant> {
        if self.0 & Self::KIND == Self::FIXED {
            return self.fixed_variant();
        }
        Some(select_unpredictable(has_new, Variant::New, Variant::Stable))
    }

    const fn fixed_variant(self) -> Option<Variant> {
        match (self.0 >> Self::VARIANT) & 0b11 {
            1 => Some(Variant::Stable),
            2 => Some(Variant::New),
            3 => Some(Variant::Interpolated),
            _ => None,
        }
    }
}

const fn seed_of(line: KeyHash) -> u64 {
    match line {
        KeyHash::Xxh3(seed) => seed,
        KeyHash::Sha1 => 0,
    }
}

const fn hash_bit(line: KeyHash) -> u64 {
    match line {
        KeyHash::Xxh3(_) => 0,
        KeyHash::Sha1 => Head::SHA1,
    }
}

/// Whether a key's position by `xxh3` says whether the flag is on.
fn is_plain(plan: &Plan, line: KeyHash) -> bool {
    (plan.stable, plan.new) == (Some(false), Some(true)) && matches!(line, KeyHash::Xxh3(_))
}

fn moving_bit(plan: &Plan, line: KeyHash) -> u64 {
    if is_plain(plan, line) && stretch::is_whole(plan) { Head::MOVING } else { 0 }
}

fn variant_bits(variant: Option<Variant>) -> u64 {
    let number = match variant {
        None => 0,
        Some(Variant::Stable) => 1,
        Some(Variant::New) => 2,
        Some(Variant::Interpolated) => 3,
    };
    number << Head::VARIANT
}

fn bool_bits(value: Option<bool>, place: u32) -> u64 {
    value.map_or(0, |value| (0b10 | u64::from(value)) << place)
}

#[inline]
const fn bool_at(head: u64, place: u32) -> Option<bool> {
    let bits = head >> place;
    if bits & 0b10 == 0 { None } else { Some(bits & 1 != 0) }
}

/// Two shares in one word: the lower one is below `FULL`, the higher one above 0, so 32 bits do for each.
fn pack(low: Share, high: Share) -> Option<u64> {
    let low = u32::try_from(low.get()).ok()?;
    let high = u32::try_from(high.get().checked_sub(1)?).ok()?;
    Some(u64::from(low) << 32 | u64::from(high))
}

#[inline]
fn unpack(shares: u64) -> Option<(Share, Share)> {
    let (low, high) = ends(shares);
    Some((Share::new(low)?, Share::new(high)?))
}

/// The lower and the higher share of a word.
#[inline]
const fn ends(shares: u64) -> (u64, u64) {
    (shares >> 32, (shares & 0xffff_ffff) + 1)
}

/// The plan of an unknown flag.
const UNKNOWN: Plan =
    Plan { kind: PlanKind::Fixed(None, Some(false)), stable: None, new: None, from: Micros::MIN, until: None };

#[cfg(test)]
mod tests;
