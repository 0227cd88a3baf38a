//! How many subjects of a population have another variant by another document.

use tidegate_engine::{FlagKey, Micros, Moment, Snapshot, Variant};

use crate::source::SYNCED;
use crate::subjects::KnownSubject;

/// The subjects of a population that move.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Counted {
    /// How many subjects there are.
    pub(crate) subjects: usize,
    /// How many have `new` by the new document only.
    pub(crate) gain: usize,
    /// How many have `new` by the old document only.
    pub(crate) loss: usize,
}

impl Counted {
    pub(crate) fn new(
        before: &Snapshot,
        after: &Snapshot,
        flag: &FlagKey,
        now: Micros,
        subjects: &[KnownSubject],
    ) -> Self {
        let moment = Moment { now, leases: SYNCED };
        let places = [before, after].map(|snapshot| snapshot.find(flag.section(), flag.flag()));
        let mut counted = Self { subjects: subjects.len(), gain: 0, loss: 0 };
        for subject in subjects {
            let subject = subject.as_subject();
            let has_new =
                |snapshot: &Snapshot, place| snapshot.evaluate(place, &subject, &moment).variant == Some(Variant::New);
            match (has_new(before, places[0]), has_new(after, places[1])) {
                (false, true) => counted.gain += 1,
                (true, false) => counted.loss += 1,
                _ => {}
            }
        }
        counted
    }

    /// Whether a subject moves.
    pub(crate) fn has_moved(self) -> bool {
        self.gain > 0 || self.loss > 0
    }
}
