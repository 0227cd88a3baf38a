//! How an instance is doing: what a person or a monitor wants to know, in one value.

use std::fmt;

use serde::{Serialize, Serializer};
use tidegate_engine::{Diagnostic, FlagKey, HostLock, Micros, Severity, Span};

use crate::read::misreads::MisreadKind;
use crate::read::publish::Published;

/// What an instance serves, where it comes from, how old it is, and what is wrong; made by
/// [`Tidegate::status`](crate::Tidegate::status).
///
/// It serializes to JSON with these names. Instants are RFC 3339 in UTC, durations seconds; what there is
/// none of is `null`. Nothing in it is secret: the source is named without user, password and query values.
///
/// ```
/// use tidegate::{Health, Tidegate};
///
/// let tide = Tidegate::builder().text(r#"{"flags": {"x": {"stable": 1}}}"#).without_locks().connect()?;
/// let status = tide.status();
/// assert_eq!((status.health, status.flags), (Health::Fresh, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Status {
    /// The source.
    pub source: String,
    /// How the source is doing.
    pub health: Health,
    /// Since when it has been doing so.
    pub health_since: Micros,
    /// Where this process got the active document from.
    pub served_from: ServedFrom,
    /// The tag of the active document.
    pub tag: Option<String>,
    /// When the active document was fetched from its source, by this process or an earlier one.
    pub fetched_at: Option<Micros>,
    /// The last successful poll: when the source last gave its document, or said that it is unchanged.
    pub fresh_at: Option<Micros>,
    /// The time since the last successful poll.
    #[serde(rename = "age_seconds", serialize_with = "optional_seconds")]
    pub age: Option<Span>,
    /// What went wrong when the source was last asked; none once it has answered again.
    pub last_error: Option<SourceTrouble>,
    /// The source's present document, where it was refused. The one before stays active.
    pub refused: Option<Refusal>,
    /// Signatures, unless no key is trusted.
    pub signature: Option<SignatureStatus>,
    /// A document that is skipped because processes died while they loaded it.
    pub poisoned: Option<Poisoned>,
    /// Entries of this source's document that have no effect, because the document of an earlier source defines the flag.
    pub shadowed: Shadowed,
    /// The digest of the active flags, 32 hexadecimal digits: equal on all hosts that have the same flags.
    pub digest: String,
    /// How many flags are defined, by documents and apart from them.
    pub flags: usize,
    /// How many things its author probably did not mean; `tidegate check` says which.
    pub warnings: usize,
    /// How often the source has been asked.
    pub polls: u64,
    /// How often an earlier document came back, as from a balancer with one stale machine. What goes back and
    /// forth is taken only when two polls in a row show it.
    pub flip_flops: u64,
    /// This host's clock against the source's.
    pub clock: Option<ClockOffset>,
    /// The cache, unless there is none.
    pub cache: Option<CacheStatus>,
    /// The locks of this host.
    pub locks: LocksStatus,
    /// Reads of flags that are unknown, which answered the caller's default. A handle may be made before its flag and counts
    /// nothing here, and nothing counts while no flag at all is loaded.
    pub unknown_flags: Misreads,
    /// Reads of values as another type than they have, which answered the caller's default.
    pub type_errors: Misreads,
    /// Reads of an unknown flag where another argument of the call names a known one: two arguments are exchanged, such as
    /// the flag and the key. The flags that were meant are listed.
    pub swapped_arguments: Misreads,
    /// Earlier snapshots that some thread or view still holds.
    pub snapshots_held: usize,
    /// The additional sources, each as this is of the first: what is of the whole instance is only told there.
    pub additional_sources: Vec<Status>,
}

impl Status {
    /// Of an instance that serves nothing yet.
    pub(crate) fn new(source: String, health: Health, now: Micros) -> Self {
        Self {
            source,
            health,
            health_since: now,
            served_from: ServedFrom::NoDocument,
            tag: None,
            fetched_at: None,
            fresh_at: None,
            age: None,
            last_error: None,
            refused: None,
            signature: None,
            poisoned: None,
            shadowed: Shadowed::default(),
            digest: String::new(),
            flags: 0,
            warnings: 0,
            polls: 0,
            flip_flops: 0,
            clock: None,
            cache: None,
            locks: LocksStatus::default(),
            unknown_flags: Misreads::default(),
            type_errors: Misreads::default(),
            swapped_arguments: Misreads::default(),
            snapshots_held: 0,
            additional_sources: Vec::new(),
        }
    }

    /// Whether all sources have given a document, or there is none; see [`Tidegate::is_ready`](crate::Tidegate::is_ready).
    ///
    /// ```
    /// let tide = tidegate::Tidegate::builder().text("{}").without_locks().connect()?;
    /// assert!(tide.status().is_ready());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_ready(&self) -> bool {
        self.has_document() && self.additional_sources.iter().all(Self::has_document)
    }

    /// Whether this source has given a document, now or before, or there is no source.
    pub fn has_document(&self) -> bool {
        self.served_from != ServedFrom::NoDocument || self.health == Health::NoSource
    }

    /// The same, with what changes by itself as it is at this instant.
    pub(crate) fn at(mut self, now: Micros, published: &Published) -> Self {
        self.digest = published.snapshot.digest().to_string();
        self.flags = published.snapshot.len();
        self.age = self.fresh_at.map(|fresh_at| now.since(fresh_at));
        for lock in &mut self.locks.locks {
            lock.is_expired = lock.lock.until.is_some_and(|until| now >= until);
        }
        if let Some(signature) = &mut self.signature {
            signature.is_expired = signature.expires.is_some_and(|expires| now >= expires);
            signature.is_from_future = signature.issued.is_some_and(|at| at > now.saturating_add(CLOCKS_APART));
        }
        for source in &mut self.additional_sources {
            source.age = source.fresh_at.map(|fresh_at| now.since(fresh_at));
        }
        let misreads = |kind| {
            let (count, flags) = published.reader_state.misreads.of_kind(kind);
            Misreads { count, flags }
        };
        self.unknown_flags = misreads(MisreadKind::UnknownFlag);
        self.type_errors = misreads(MisreadKind::WrongType);
        self.swapped_arguments = misreads(MisreadKind::SwappedArguments);
        self
    }
}

/// Entries of a document that have no effect: of several documents the first that defines a flag counts, in the order in
/// which the program names their sources, whichever was loaded first.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Shadowed {
    /// How many there are.
    pub count: usize,
    /// The first hundred of them.
    pub entries: Vec<ShadowedEntry>,
}

/// An entry of a document that has no effect.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ShadowedEntry {
    /// The flag.
    #[serde(serialize_with = "flag_key")]
    pub flag: FlagKey,
    /// The source of the document that counts.
    pub by: String,
}

impl Shadowed {
    pub(crate) fn add(&mut self, flag: FlagKey, by: &str) {
        self.count += 1;
        if self.entries.len() < SHADOWED_MAX {
            self.entries.push(ShadowedEntry { flag, by: by.to_owned() });
        }
    }
}

/// Entries without effect that are named. The same document twice has as many as flags.
const SHADOWED_MAX: usize = 100;

/// How the source is doing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Health {
    /// It has not answered yet.
    Starting,
    /// It answered when it was last asked, and its document is active.
    Fresh,
    /// It did not answer, or not as it should. The last good document stays active.
    Stale,
    /// Its document was refused. The last good document stays active.
    Refused,
    /// It is not asked, by request.
    Offline,
    /// There is none: flags come from live changes alone.
    NoSource,
}

impl Health {
    /// The word for it, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Fresh => "fresh",
            Self::Stale => "stale",
            Self::Refused => "refused",
            Self::Offline => "offline",
            Self::NoSource => "no_source",
        }
    }
}

/// Where the active document comes from.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServedFrom {
    /// The source itself.
    Source,
    /// The cache, as an earlier process left it.
    Cache,
    /// There is none: every flag answers the caller's default.
    NoDocument,
}

/// What is wrong with a source.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SourceTrouble {
    /// The latest failure, with what to do.
    pub message: String,
    /// The first failure since it was last well.
    pub since: Micros,
    /// The latest one.
    pub at: Micros,
    /// How many since then.
    pub count: u64,
}

/// A document that was refused.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Refusal {
    /// When it was first seen.
    pub since: Micros,
    /// How often it has been seen.
    pub count: u64,
    /// The hash of its bytes, 32 hexadecimal digits: XXH3-128.
    pub body: String,
    /// The first error, in one line.
    pub message: String,
    /// What is wrong with it; nothing where the document itself is good, and its signature or its version is not.
    #[serde(serialize_with = "findings")]
    pub diagnostics: Vec<Diagnostic>,
}

/// What is known of signatures, where only signed documents are taken. The refusal of one is in
/// [`Status::refused`].
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SignatureStatus {
    /// The key that signed the active document, as minisign numbers it; none while there is no document.
    pub key: Option<String>,
    /// The environment that the active document names.
    pub environment: Option<String>,
    /// The version of the active document.
    pub version: Option<u64>,
    /// When it was made.
    pub issued: Option<Micros>,
    /// Whether that lies more than five minutes ahead, so that this host's clock is probably wrong.
    pub is_from_future: bool,
    /// When it should have been replaced.
    pub expires: Option<Micros>,
    /// Whether that is over: an alarm. The document stays active.
    pub is_expired: bool,
    /// The newest version that was ever active, here or in an earlier process. Older ones are refused.
    pub version_seen: Option<u64>,
    /// An older document came, or another one of the same version. It stays until the process ends.
    pub rollback: Option<RollbackAlarm>,
    /// The file that remembers the newest version; none: only this process does.
    pub file: Option<String>,
    /// What is wrong with that file.
    pub error: Option<String>,
}

/// Documents came that are older than one that was active: by mistake, from a stale mirror, or because
/// an attacker wants an old state back. None was accepted.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RollbackAlarm {
    /// The version of the latest of them.
    pub version: u64,
    /// The newest version that had been active.
    pub seen: u64,
    /// When the first came.
    pub since: Micros,
    /// When the latest came.
    pub at: Micros,
    /// How often one has come.
    pub count: u64,
}

/// A document that is not loaded any more.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Poisoned {
    /// The hash of its bytes, 32 hexadecimal digits: XXH3-128.
    pub body: String,
    /// When it was skipped.
    pub since: Micros,
    /// Whether it came from the source or from the cache.
    pub from: ServedFrom,
}

/// This host's clock against the source's, by the `Date` of its last answers. One answer is exact to a second, because a date is
/// cut to it; sixteen are to about a tenth.
///
/// Its `Display` says it in words: `0.8 s ahead of`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClockOffset {
    /// How far this host is ahead, in seconds; negative: behind.
    pub ahead_seconds: f64,
    /// How far the true value may be from that, in either direction.
    pub uncertainty_seconds: f64,
    /// Whether it is certainly more than 500 ms. The two clocks alone do not tell which one is wrong.
    pub is_suspicious: bool,
}

impl fmt::Display for ClockOffset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let which = if self.ahead_seconds > 0.0 { "ahead of" } else { "behind" };
        write!(formatter, "{:.1} s {which}", self.ahead_seconds.abs())
    }
}

/// The cache.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct CacheStatus {
    /// The file of the document; none if not even its folder is known.
    pub file: Option<String>,
    /// What is wrong with it. Then the next start may have nothing to fall back on.
    pub error: Option<String>,
}

/// The locks of this host.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LocksStatus {
    /// The file they are read from.
    pub file: Option<String>,
    /// What is wrong with it. The last good locks stay active.
    pub error: Option<LocksTrouble>,
    /// Those of the program, then those of the file.
    pub locks: Vec<LockStatus>,
}

/// What is wrong with the file of locks.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LocksTrouble {
    /// All that is wrong, with its place.
    pub message: String,
    /// When it was first seen.
    pub since: Micros,
}

/// One lock.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LockStatus {
    /// The lock.
    #[serde(flatten)]
    pub lock: HostLock,
    /// Whether it is over. It then has no effect.
    pub is_expired: bool,
}

/// Reads that cannot mean what their author meant, so that the caller's default was the answer. The log names each flag once.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Misreads {
    /// How often, by this process.
    pub count: u64,
    /// The first 16 of the flags.
    #[serde(serialize_with = "flag_keys")]
    pub flags: Vec<FlagKey>,
}

#[expect(clippy::ref_option, reason = "serde hands over the field as it is")]
fn optional_seconds<S: Serializer>(span: &Option<Span>, serializer: S) -> Result<S::Ok, S::Error> {
    span.map(|span| seconds(span.get())).serialize(serializer)
}

/// The same of a difference.
#[expect(clippy::cast_precision_loss, reason = "exact for 285 years, and no decision uses it")]
pub(crate) fn signed_seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// Microseconds as seconds, for people and monitors.
#[expect(clippy::cast_precision_loss, reason = "exact for 285 years, and no decision uses it")]
pub(crate) fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

fn flag_key<S: Serializer>(flag: &FlagKey, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(flag)
}

fn flag_keys<S: Serializer>(flags: &[FlagKey], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(flags.iter().map(ToString::to_string))
}

fn findings<S: Serializer>(diagnostics: &[Diagnostic], serializer: S) -> Result<S::Ok, S::Error> {
    let errors = diagnostics.iter().filter(|diagnostic| diagnostic.code.severity() == Severity::Error);
    serializer.collect_seq(errors.take(FINDINGS_SHOWN))
}

/// So far apart clocks may be before a document counts as one from the future.
pub(crate) const CLOCKS_APART: Span = Span::from_micros(5 * 60 * 1_000_000);

/// Errors of a refused document in the JSON form; more are in the value itself.
const FINDINGS_SHOWN: usize = 20;
