//! The values of flags that no longer move, in as few steps as there can be.
//!
//! Most reads ask a flag whose ramp is over, for a key, and want the value alone. They need no reason, no clock and none of the
//! rules that only some flags have. What is not as simple as that is left to [`Snapshot::evaluate`].

use std::hint::select_unpredictable;

use crate::bucket::{self, SubjectKind};
use crate::custom_hash::RecordHash;
use crate::snapshot::{Core, FlagIndex, Record, RecordKind, Snapshot};
use crate::{HashAlgorithm, Micros, StoredValue, Subject};

impl Snapshot {
    /// The value that [`Snapshot::evaluate`] answers, if the flag's share alone decides, it no longer moves at `past`, nothing is
    /// laid over the flag, and its keys are placed by `xxh3`.
    ///
    /// ```
    /// use tidegate_engine::{CompileOptions, Micros, Subject, compile, read};
    ///
    /// let text = br#"{"shop": {"rows": {"stable": 3, "new": 4, "salt": "", "end_time": "2020-01-01 00:00Z", "duration": "1d"}}}"#;
    /// let snapshot = compile(&read(text).unwrap().0, &CompileOptions::default());
    /// let ann = Subject::key("ann");
    /// let value = |instant| snapshot.settled_value("shop", "rows", &ann, instant).map(|value| value.as_json());
    /// assert_eq!(value(Micros::new(1_600_000_000_000_000)), Ok("4"));
    /// assert_eq!(value(Micros::new(0)), Err(snapshot.find("shop", "rows")), "the ramp lies ahead");
    /// ```
    ///
    /// # Errors
    ///
    /// If it takes more to know: where the flag is, for [`Snapshot::evaluate`].
    #[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
    #[inline(always)]
    pub fn settled_value(
        &self,
        section: &str,
        flag: &str,
        subject: &Subject<'_>,
        past: Micros,
    ) -> Result<&StoredValue, Option<FlagIndex>> {
        let Some((core, id, record)) = self.find_record(section, flag) else {
            return Err(self.find_undocumented(section, flag));
        };
        let index = FlagIndex::from_number(id);
        let value = if self.is_overridden(index) { None } else { settled(core, record, subject, past) };
        value.ok_or(Some(index))
    }

    /// The same for a flag that was found before; `None` if it takes more to know.
    #[inline]
    pub fn settled_value_at(&self, flag: FlagIndex, subject: &Subject<'_>, past: Micros) -> Option<&StoredValue> {
        let entry = self.without_override(flag)?;
        settled(entry.core, entry.record, subject, past)
    }
}

#[expect(clippy::inline_always, reason = "a read is one function, also without link-time optimisation")]
#[inline(always)]
fn settled<'s>(core: &'s Core, record: &Record, subject: &Subject<'_>, past: Micros) -> Option<&'s StoredValue> {
    let SubjectKind::Key(key) = subject.kind() else { return None };
    let is_settled = record.kind == RecordKind::Share && record.moves_until < past;
    if !is_settled || record.hash != RecordHash::Algorithm(HashAlgorithm::Xxh3) {
        return None;
    }
    let has_new = record.rest.includes(bucket::xxh3_position(record.seed, key));
    // The processor cannot predict which of the two a key has, so there should be no branch.
    core.values.stored(select_unpredictable(has_new, record.new, record.stable))
}
