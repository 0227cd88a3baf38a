//! A flag's answer, ready in one cache line, rewritten in place by the background thread.
//!
//! An on/off flag is one relaxed load: its word says by itself what the answer is. Everything else takes
//! several words that belong together, so they stand under a sequence number that is odd while they are
//! being rewritten (a seqlock, of atomics alone); a reader that meets a writer does not wait, it asks the
//! snapshot. The same goes for an instant outside of the time for which the words hold.
//!
//! Invariant: what a cell answers at an instant is what the snapshot answers at that instant. The one
//! exception is documented: an answer that is final does not look at the clock, so after the system's clock
//! was set back it stands for up to a second, until the background thread has looked.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering, fence};

use tidegate_engine::{Answer, Fall, FlagKey, Micros, Plan, PlanKind, Rise, Share, Span, Subject, Variant};

use crate::clock::Clock;
use crate::publish::Published;

/// The words of one flag. A cache line, on its own.
#[derive(Debug)]
#[repr(align(64))]
struct Words {
    /// Odd while the others are being written.
    sequence: AtomicU64,
    /// What kind of answer it is, and the small parts of it; see [`Head`].
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
}

/// One flag as a handle sees it.
#[derive(Debug)]
pub(crate) struct FlagCell {
    words: Words,
    flag: FlagKey,
}

/// What a cell says to one question.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Said<T> {
    /// The answer.
    Answer(T),
    /// The cell does not know; the snapshot does.
    Ask,
}

impl FlagCell {
    pub(crate) fn new(flag: FlagKey) -> Self {
        let words = Words {
            sequence: AtomicU64::new(0),
            head: AtomicU64::new(Head::ASK.0),
            seed: AtomicU64::new(0),
            from: AtomicI64::new(0),
            until: AtomicI64::new(0),
            start: AtomicI64::new(0),
            over: AtomicU64::new(0),
            shares: AtomicU64::new(0),
        };
        Self { words, flag }
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

    /// Whether the flag is on for a key.
    pub(crate) fn is_active_for(&self, key: &str, clock: &Clock) -> Said<bool> {
        let Some((plan, now)) = self.plan_now(clock) else { return Said::Ask };
        let value = match plan.kind {
            PlanKind::Fixed(_, value) => value,
            _ => plan.has_new(key, now).and_then(|has_new| if has_new { plan.new } else { plan.stable }),
        };
        value.map_or(Said::Ask, Said::Answer)
    }

    /// The variant of a key; none for the caller's default and for a value pinned on this host.
    pub(crate) fn variant_for(&self, key: &str, clock: &Clock) -> Said<Option<Variant>> {
        let Some((plan, now)) = self.plan_now(clock) else { return Said::Ask };
        if let PlanKind::Fixed(variant, _) = plan.kind {
            return Said::Answer(variant);
        }
        let variant = |has_new| if has_new { Variant::New } else { Variant::Stable };
        plan.has_new(key, now).map_or(Said::Ask, |has_new| Said::Answer(Some(variant(has_new))))
    }

    /// The plan, if it holds now, and the instant that was looked at.
    #[inline]
    fn plan_now(&self, clock: &Clock) -> Option<(Plan, Micros)> {
        let (head, plan) = self.read()?;
        if head.0 & Head::SETTLED != 0 {
            return Some((plan, plan.from));
        }
        let now = clock.coarse();
        (plan.from <= now && plan.until.is_none_or(|until| now < until)).then_some((plan, now))
    }

    /// The words, if no writer is at them and they say something.
    #[inline]
    fn read(&self) -> Option<(Head, Plan)> {
        let words = &self.words;
        let before = words.sequence.load(Ordering::Acquire);
        let head = Head(words.head.load(Ordering::Relaxed));
        let seed = words.seed.load(Ordering::Relaxed);
        let from = words.from.load(Ordering::Relaxed);
        let until = words.until.load(Ordering::Relaxed);
        let start = words.start.load(Ordering::Relaxed);
        let over = words.over.load(Ordering::Relaxed);
        let shares = words.shares.load(Ordering::Relaxed);
        fence(Ordering::Acquire);
        if before & 1 != 0 || words.sequence.load(Ordering::Relaxed) != before {
            return None;
        }
        let start = Micros::new(start);
        let over = Span::from_micros(over);
        let kind = match head.0 & Head::KIND {
            Head::FIXED => PlanKind::Fixed(head.fixed_variant(), bool_at(head.0, Head::FIXED_BOOL)),
            Head::SHARE => PlanKind::Share(seed, Share::new(shares)?),
            Head::RISE => {
                let (from, to) = unpack(shares)?;
                PlanKind::Rise(seed, Rise { start, over, from, to })
            }
            Head::FALL => {
                let (to, from) = unpack(shares)?;
                PlanKind::Fall(seed, Fall { start, over, from, to })
            }
            _ => return None,
        };
        let plan = Plan {
            kind,
            stable: bool_at(head.0, Head::STABLE_BOOL),
            new: bool_at(head.0, Head::NEW_BOOL),
            from: Micros::new(from),
            until: if until == i64::MAX { None } else { Some(Micros::new(until)) },
        };
        Some((head, plan))
    }

    /// Whether the words hold at this instant, so that nothing need be done.
    pub(crate) fn holds_at(&self, now: Micros) -> bool {
        let (from, until) = (self.words.from.load(Ordering::Relaxed), self.words.until.load(Ordering::Relaxed));
        from <= now.get() && (now.get() < until || until == i64::MAX)
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
        let (plan, is_answered) = match snapshot.find(self.flag.section(), self.flag.flag()) {
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
        let sequence = words.sequence.load(Ordering::Relaxed);
        words.sequence.store(sequence.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        words.store(&encoded);
        words.sequence.store(sequence.wrapping_add(2), Ordering::Release);
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
            head: Head::ASK.0,
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
            PlanKind::Share(seed, share) => {
                words.head = Head::SHARE | settled | bools;
                (words.seed, words.shares) = (seed, share.get());
            }
            PlanKind::Rise(seed, rise) => {
                if let Some(shares) = pack(rise.from, rise.to) {
                    words.head = Head::RISE | bools;
                    (words.seed, words.shares) = (seed, shares);
                    (words.start, words.over) = (rise.start.get(), rise.over.get());
                }
            }
            PlanKind::Fall(seed, fall) => {
                if let Some(shares) = pack(fall.to, fall.from) {
                    words.head = Head::FALL | bools;
                    (words.seed, words.shares) = (seed, shares);
                    (words.start, words.over) = (fall.start.get(), fall.over.get());
                }
            }
            PlanKind::Ask => {}
        }
        words
    }
}

impl Words {
    fn load(&self) -> Encoded {
        Encoded {
            head: self.head.load(Ordering::Relaxed),
            seed: self.seed.load(Ordering::Relaxed),
            from: self.from.load(Ordering::Relaxed),
            until: self.until.load(Ordering::Relaxed),
            start: self.start.load(Ordering::Relaxed),
            over: self.over.load(Ordering::Relaxed),
            shares: self.shares.load(Ordering::Relaxed),
        }
    }

    fn store(&self, words: &Encoded) {
        self.head.store(words.head, Ordering::Relaxed);
        self.seed.store(words.seed, Ordering::Relaxed);
        self.from.store(words.from, Ordering::Relaxed);
        self.until.store(words.until, Ordering::Relaxed);
        self.start.store(words.start, Ordering::Relaxed);
        self.over.store(words.over, Ordering::Relaxed);
        self.shares.store(words.shares, Ordering::Relaxed);
    }
}

/// The bits of the first word.
#[derive(Clone, Copy, Debug)]
struct Head(u64);

impl Head {
    /// Ask the snapshot.
    const ASK: Self = Self(0);
    /// Which kind of plan the words hold.
    const KIND: u64 = 0b111;
    const FIXED: u64 = 1;
    const SHARE: u64 = 2;
    const RISE: u64 = 3;
    const FALL: u64 = 4;
    /// The clock need not be looked at.
    const SETTLED: u64 = 1 << 3;
    /// The boolean answer is [`Head::INSTANT_VALUE`], for every key and at all times.
    const INSTANT: u64 = 1 << 4;
    const INSTANT_VALUE: u64 = 1 << 5;
    /// Places of an optional boolean, two bits each: is it one, and which.
    const STABLE_BOOL: u32 = 6;
    const NEW_BOOL: u32 = 8;
    const FIXED_BOOL: u32 = 10;
    /// Place of an optional variant, two bits.
    const VARIANT: u32 = 12;

    const fn fixed_variant(self) -> Option<Variant> {
        match (self.0 >> Self::VARIANT) & 0b11 {
            1 => Some(Variant::Stable),
            2 => Some(Variant::New),
            3 => Some(Variant::Interpolated),
            _ => None,
        }
    }
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
    match (head >> place) & 0b11 {
        0b10 => Some(false),
        0b11 => Some(true),
        _ => None,
    }
}

/// Two shares in one word: the lower one is below `FULL`, the higher one above 0, so 32 bits do for each.
fn pack(low: Share, high: Share) -> Option<u64> {
    let low = u32::try_from(low.get()).ok()?;
    let high = u32::try_from(high.get().checked_sub(1)?).ok()?;
    Some(u64::from(low) << 32 | u64::from(high))
}

#[inline]
fn unpack(shares: u64) -> Option<(Share, Share)> {
    Some((Share::new(shares >> 32)?, Share::new((shares & u64::from(u32::MAX)) + 1)?))
}

/// The plan of a flag that nobody knows.
const UNKNOWN: Plan =
    Plan { kind: PlanKind::Fixed(None, Some(false)), stable: None, new: None, from: Micros::MIN, until: None };

#[cfg(test)]
mod tests;
