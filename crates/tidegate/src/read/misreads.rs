//! Reads that cannot mean what their author meant: of an unknown flag, as another type, with two arguments exchanged.
//!
//! Such a read answers the caller's default, like every other read without an answer, so the program goes on and no error shows
//! the mistake. It is counted, the first flags of each kind are kept for the status, and the background thread logs each of
//! them once.
//!
//! Invariant: a read never waits and never logs here, and memory has a bound however many names come by. A flag that is known
//! to be misread is recognized without a lock, and each thread counts in a shard of its own.

use std::ptr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tidegate_engine::{FlagKey, Snapshot, Subject};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::random::SPLITMIX_STEP;

/// What is wrong with a read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum MisreadKind {
    /// No document, definition, activation, lock or default names the flag.
    UnknownFlag,
    /// The value is of another type than the one that was asked for.
    WrongType,
    /// The flag is unknown, and another argument names one that is known.
    SwappedArguments,
}

/// How a read names its flag.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Named<'a> {
    /// By section and name.
    Pair(&'a str, &'a str),
    /// By its flag key.
    Key(&'a str),
}

/// Counts the misreads of one instance.
#[derive(Debug)]
pub(crate) struct Misreads {
    counts: [Shard; SHARDS],
    /// Hashes of names that are recorded already, each with its kind in the lowest bits; 0 is an empty place.
    known: Box<[AtomicU64; PLACES]>,
    recorded: Mutex<Vec<Misread>>,
    /// How many of `recorded` have been logged. Only the background thread writes it.
    logged: AtomicUsize,
}

/// The counts of some threads, one for each kind, on a cache line of their own.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard([AtomicU64; KINDS]);

/// A flag that was misread.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Misread {
    pub(crate) kind: MisreadKind,
    pub(crate) flag: FlagKey,
}

impl Misreads {
    pub(crate) fn new() -> Self {
        Self {
            counts: Default::default(),
            known: Box::new([const { AtomicU64::new(0) }; PLACES]),
            recorded: Mutex::default(),
            logged: AtomicUsize::new(0),
        }
    }

    /// Counts a read of a flag that `snapshot` does not have. Before anything is loaded every flag is unknown, and that is no
    /// mistake of the program.
    #[cold]
    #[inline(never)]
    pub(crate) fn unknown(&self, named: Named<'_>, subject: &Subject<'_>, snapshot: &Snapshot) {
        let hash = named.hash();
        if self.is_known(hash, MisreadKind::UnknownFlag) {
            return self.count(MisreadKind::UnknownFlag);
        }
        if snapshot.is_empty() {
            return;
        }
        // The name in the wrong place may be a user's, so it is the flag that is recorded.
        if let Some(flag) = named.meant(subject, snapshot) {
            self.count(MisreadKind::SwappedArguments);
            return self.record(MisreadKind::SwappedArguments, Named::Pair(flag.section(), flag.flag()));
        }
        self.count(MisreadKind::UnknownFlag);
        self.record(MisreadKind::UnknownFlag, named);
    }

    /// Counts a read of a value as another type than it has.
    #[cold]
    #[inline(never)]
    pub(crate) fn wrong_type(&self, named: Named<'_>) {
        self.count(MisreadKind::WrongType);
        if !self.is_known(named.hash(), MisreadKind::WrongType) {
            self.record(MisreadKind::WrongType, named);
        }
    }

    /// How often this kind has happened, and the first few flags.
    pub(crate) fn of_kind(&self, kind: MisreadKind) -> (u64, Vec<FlagKey>) {
        let count = self.counts.iter().map(|shard| shard.of(kind).load(Ordering::Relaxed)).sum();
        let recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
        let flags = recorded.iter().filter(|misread| misread.kind == kind).map(|misread| misread.flag.clone());
        (count, flags.take(SHOWN_MAX).collect())
    }

    /// Logs what has been recorded since the last time. For the background thread.
    pub(crate) fn log(&self, snapshot: &Snapshot) {
        let logged = self.logged.load(Ordering::Relaxed);
        let fresh: Vec<Misread> = {
            let recorded = self.recorded.lock().unwrap_or_else(PoisonError::into_inner);
            recorded.get(logged..).unwrap_or_default().to_vec()
        };
        self.logged.store(logged.saturating_add(fresh.len()), Ordering::Relaxed);
        for Misread { kind, flag } in fresh {
            let text = flag.to_string();
            let flag_text = text.escape_debug();
            match kind {
                MisreadKind::UnknownFlag => {
                    let meant = snapshot.nearest(&flag).filter(|meant| *meant != flag);
                    let meant = meant.map(|meant| format!("; did you mean `{}`?", meant.to_string().escape_debug()));
                    let meant = meant.unwrap_or_default();
                    tracing::warn!("the program reads the unknown flag `{flag_text}` and gets its default{meant}");
                }
                MisreadKind::WrongType => tracing::warn!(
                    "the program reads `{flag_text}` as another type than its value has and gets its default; ask for \
                     that type, or change the value"
                ),
                MisreadKind::SwappedArguments => tracing::warn!(
                    "the program reads an unknown flag, and another argument of the same call names the flag \
                     `{flag_text}`; exchange the two arguments"
                ),
            }
        }
    }

    fn count(&self, kind: MisreadKind) {
        if let Some(shard) = self.counts.get(thread_shard() % SHARDS) {
            shard.of(kind).fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether the flag with this hash is recorded as misread in this way.
    fn is_known(&self, hash: u64, kind: MisreadKind) -> bool {
        let wanted = tagged(hash, kind);
        let found =
            self.probe(hash).map(|place| place.load(Ordering::Relaxed)).find(|&found| found == wanted || found == 0);
        found == Some(wanted)
    }

    /// Keeps the flag for status and log, if there is room and no other thread is at it: a flag that is misread again comes by
    /// again.
    fn record(&self, kind: MisreadKind, named: Named<'_>) {
        let Ok(mut recorded) = self.recorded.try_lock() else { return };
        let of_kind = recorded.iter().filter(|misread| misread.kind == kind);
        let (is_listed, is_full) =
            of_kind.fold((false, 0), |(listed, count), misread| (listed || named.is(&misread.flag), count + 1));
        if !is_listed {
            if is_full >= RECORDED_MAX {
                return;
            }
            recorded.push(Misread { kind, flag: named.to_key() });
        }
        // Under the lock, so that no other thread takes the same place.
        let hash = named.hash();
        if let Some(place) = self.probe(hash).find(|place| place.load(Ordering::Relaxed) == 0) {
            place.store(tagged(hash, kind), Ordering::Relaxed);
        }
    }

    /// The places in which a hash may stand.
    fn probe(&self, hash: u64) -> impl Iterator<Item = &AtomicU64> {
        let first = usize::try_from(hash >> 32).unwrap_or(0);
        (0..PROBES).filter_map(move |step| self.known.get(first.wrapping_add(step) % PLACES))
    }
}

impl Shard {
    fn of(&self, kind: MisreadKind) -> &AtomicU64 {
        let [unknown, wrong_type, swapped] = &self.0;
        match kind {
            MisreadKind::UnknownFlag => unknown,
            MisreadKind::WrongType => wrong_type,
            MisreadKind::SwappedArguments => swapped,
        }
    }
}

impl Named<'_> {
    fn hash(self) -> u64 {
        match self {
            Self::Pair(section, flag) => xxh3_64_with_seed(flag.as_bytes(), xxh3_64(section.as_bytes())),
            Self::Key(flag_key) => xxh3_64(flag_key.as_bytes()),
        }
    }

    fn to_key(self) -> FlagKey {
        match self {
            Self::Pair(section, flag) => FlagKey::new(section, flag),
            Self::Key(flag_key) => FlagKey::parse(flag_key),
        }
    }

    fn is(self, flag: &FlagKey) -> bool {
        match self {
            Self::Pair(section, name) => flag.flag() == name && flag.section() == section,
            Self::Key(flag_key) => FlagKey::parse(flag_key) == *flag,
        }
    }

    /// The known flag that another argument names, or the same ones in another order.
    fn meant(self, subject: &Subject<'_>, snapshot: &Snapshot) -> Option<FlagKey> {
        let (key, is_known) = (subject.as_key(), |flag: &FlagKey| snapshot.find(flag.section(), flag.flag()).is_some());
        match self {
            Self::Key(_) => key.map(FlagKey::parse).filter(is_known),
            Self::Pair(section, flag) => {
                let swapped = key.map(|key| FlagKey::new(section, key));
                let whole =
                    [Some(flag), key].into_iter().flatten().filter(|text| text.contains('/')).map(FlagKey::parse);
                [Some(FlagKey::new(flag, section)), swapped].into_iter().flatten().chain(whole).find(is_known)
            }
        }
    }
}

/// A number of the calling thread, for what threads count in shards. Two threads may have the same one.
#[inline]
fn thread_shard() -> usize {
    thread_local! {
        static PLACE: u8 = const { 0 };
    }
    // Threads have their variables at different addresses; the multiplication spreads them.
    let address = PLACE.try_with(|place| ptr::from_ref(place).addr()).unwrap_or(0);
    let address = u64::try_from(address).unwrap_or(0);
    usize::try_from(address.wrapping_mul(SPLITMIX_STEP) >> 56).unwrap_or(0)
}

/// A hash with its kind in the lowest bits; never 0.
const fn tagged(hash: u64, kind: MisreadKind) -> u64 {
    let kind = match kind {
        MisreadKind::UnknownFlag => 1,
        MisreadKind::WrongType => 2,
        MisreadKind::SwappedArguments => 3,
    };
    hash & !0b11 | kind
}

const KINDS: usize = 3;

/// Flags of each kind that are recorded and logged: more than a person reads; the counts go on.
const RECORDED_MAX: usize = 100;

/// Flags of each kind that a status lists.
const SHOWN_MAX: usize = 16;

/// Places for hashes: all that may be recorded fill little more than half of them.
const PLACES: usize = 512;

/// Places that are looked at before a hash is taken for unknown. One that finds no room is found under the lock.
const PROBES: usize = 16;

/// More threads than this that misread all the time share a cache line.
const SHARDS: usize = 16;

#[cfg(test)]
mod tests;
