//! How many subjects of a population have another variant by another document.

use tidegate_engine::{FlagIndex, FlagKey, Micros, Moment, Snapshot, Variant};

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
    /// How many have another variant or another value, if the flag has named variants by one of the documents.
    pub(crate) moved: Option<usize>,
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
        let is_named = |snapshot: &Snapshot, place: Option<FlagIndex>| {
            place.is_some_and(|place| snapshot.flag(place).variants().is_some())
        };
        let has_names = is_named(before, places[0]) || is_named(after, places[1]);
        let mut counted = Self { subjects: subjects.len(), gain: 0, loss: 0, moved: has_names.then_some(0) };
        for subject in subjects {
            let subject = subject.as_subject();
            let [one, other] = [(before, places[0]), (after, places[1])]
                .map(|(snapshot, place)| snapshot.evaluate(place, &subject, &moment));
            if let Some(moved) = &mut counted.moved {
                let is_same =
                    one.variant_name() == other.variant_name() && one.answer.to_json() == other.answer.to_json();
                *moved += usize::from(!is_same);
            }
            match (one.variant == Some(Variant::New), other.variant == Some(Variant::New)) {
                (false, true) => counted.gain += 1,
                (true, false) => counted.loss += 1,
                _ => {}
            }
        }
        counted
    }

    /// Whether a subject moves.
    pub(crate) fn has_moved(self) -> bool {
        self.gain > 0 || self.loss > 0 || self.moved.is_some_and(|moved| moved > 0)
    }
}
