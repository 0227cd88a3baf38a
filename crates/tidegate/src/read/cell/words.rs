//! The words of a cell, and what their bits mean.

use std::hint::select_unpredictable;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};

use tidegate_engine::{Fall, KeyHash, Micros, Plan, PlanKind, Position, Rise, Share, Span, Variant};

use crate::clock::Clock;
use crate::read::cell::stretch;

/// The words of one flag. A cache line, on its own.
#[derive(Debug)]
#[repr(align(64))]
pub(super) struct Words {
    /// What kind of answer it is, the small parts of it, and a version; see [`Head`].
    pub(super) head: AtomicU64,
    /// The seed of the flag's positions.
    pub(super) seed: AtomicU64,
    /// The words hold from this instant on.
    pub(super) from: AtomicI64,
    /// The words hold until before this instant; [`i64::MAX`]: for ever.
    pub(super) until: AtomicI64,
    /// The start of the stretch.
    pub(super) start: AtomicI64,
    /// The length of the stretch.
    pub(super) over: AtomicU64,
    /// A share; or the lower share of a stretch and the higher one less 1, in 32 bits each.
    pub(super) shares: AtomicU64,
    /// Where the snapshot has the flag, as its number and 1; 0: unknown. It stands by itself: its user compares the name.
    pub(super) place: AtomicU64,
}

impl Words {
    /// Whether a key has `new`; `false` for a fixed answer, none where the words do not say it.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub(super) fn has_new(&self, head: Head, key: &str, clock: &Clock) -> Option<bool> {
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
    pub(super) fn hold_at(&self, now: Micros) -> bool {
        let (from, until) = (self.from.load(Ordering::Relaxed), self.until.load(Ordering::Relaxed));
        from <= now.get() && (now.get() < until || until == i64::MAX)
    }

    /// Whether the position of a key by `xxh3` is below the share, if the words still are those of this head.
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub(super) fn is_below_share(&self, head: Head, key: &str) -> Option<bool> {
        let line = KeyHash::Xxh3(self.seed.load(Ordering::Relaxed));
        let has_new = u64::from(line.position(key).get()) < self.shares.load(Ordering::Relaxed);
        if self.are_still_of(head) { Some(has_new) } else { None }
    }

    /// Whether the head is the one with which the other words were read.
    #[inline]
    pub(super) fn are_still_of(&self, head: Head) -> bool {
        fence(Ordering::Acquire);
        self.head.load(Ordering::Relaxed) == head.0
    }

    pub(super) fn load(&self) -> Encoded {
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
    pub(super) fn store(&self, words: &Encoded) {
        self.seed.store(words.seed, Ordering::Relaxed);
        self.from.store(words.from, Ordering::Relaxed);
        self.until.store(words.until, Ordering::Relaxed);
        self.start.store(words.start, Ordering::Relaxed);
        self.over.store(words.over, Ordering::Relaxed);
        self.shares.store(words.shares, Ordering::Relaxed);
    }
}

/// The words as plain numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Encoded {
    pub(super) head: u64,
    pub(super) seed: u64,
    pub(super) from: i64,
    pub(super) until: i64,
    pub(super) start: i64,
    pub(super) over: u64,
    pub(super) shares: u64,
}

impl Encoded {
    /// `is_answered`: the flag has a value, it does not leave everybody to the caller's default.
    pub(super) fn new(plan: &Plan, is_answered: bool, now: Micros, clock_may_jump: bool) -> Self {
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

/// The head: the word that says how to read the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head(pub(super) u64);

impl Head {
    /// Ask the snapshot.
    pub(super) const ASK: u64 = 0;
    /// The boolean answer for every key and at all times, if there is one: [`Head::INSTANT`].
    pub(super) const INSTANT_VALUE: u64 = 1;
    pub(super) const INSTANT: u64 = 1 << 1;
    /// The clock need not be looked at.
    pub(super) const SETTLED: u64 = 1 << 2;
    /// The positions are those of SHA-1; otherwise `xxh3`.
    pub(super) const SHA1: u64 = 1 << 3;
    /// Which kind of plan the words hold.
    pub(super) const KIND: u64 = 0b111 << 4;
    pub(super) const FIXED: u64 = 1 << 4;
    pub(super) const SHARE: u64 = 2 << 4;
    pub(super) const RISE: u64 = 3 << 4;
    pub(super) const FALL: u64 = 4 << 4;
    /// The share no longer moves, the positions are those of `xxh3`, and `new` is `true`: see [`FlagCell::settled_for`].
    pub(super) const QUICK: u64 = 1 << 7;
    /// The share moves, the words hold as long as the stretch lasts, and otherwise it is as [`Head::QUICK`]: see
    /// [`FlagCell::moving_for`].
    pub(super) const MOVING: u64 = 1 << 16;
    /// Rises with each rewriting, so that no two of them have the same word: at a million a second, 47 bits last for years.
    pub(super) const VERSION: u64 = !(Self::NEXT - 1);
    pub(super) const NEXT: u64 = 1 << 17;
    /// Places of an optional boolean, two bits each: is it one, and which.
    const STABLE_BOOL: u32 = 8;
    const NEW_BOOL: u32 = 10;
    const FIXED_BOOL: u32 = 12;
    /// Place of an optional variant, two bits.
    const VARIANT: u32 = 14;

    /// Where the boolean stands that is the answer.
    #[inline]
    pub(super) fn bool_place(self, has_new: bool) -> u32 {
        if self.0 & Self::KIND == Self::FIXED {
            return Self::FIXED_BOOL;
        }
        // Which of the two it is cannot be foreseen, so there should be no branch that tries to.
        select_unpredictable(has_new, Self::NEW_BOOL, Self::STABLE_BOOL)
    }

    /// The variant that is the answer.
    #[inline]
    pub(super) fn variant(self, has_new: bool) -> Option<Variant> {
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
        // What a rule serves is never the same for every key.
        None | Some(Variant::Named) => 0,
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
pub(super) const fn bool_at(head: u64, place: u32) -> Option<bool> {
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
pub(super) const fn ends(shares: u64) -> (u64, u64) {
    (shares >> 32, (shares & 0xffff_ffff) + 1)
}
