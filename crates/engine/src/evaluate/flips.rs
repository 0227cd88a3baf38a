//! When a subject changes variant.

use super::Query;
use crate::bucket::SubjectKind;
use crate::change::Flips;
use crate::snapshot::{Flag, NONE};
use crate::timeline::Timeline;
use crate::{Moment, Subject};

impl Flag<'_> {
    /// The instants at which a subject changes variant by ramp and rollback alone, without locks and activations.
    ///
    /// ```
    /// use tidegate_engine::document::{parse_time, read};
    /// use tidegate_engine::lease::Clocks;
    /// use tidegate_engine::{CompileOptions, Micros, Moment, Subject, compile};
    ///
    /// let text = br#"{"shop": {"dark": {"stable": 1, "new": 2, "start_time": "2026-12-01 00:00Z", "duration": "1d"}}}"#;
    /// let snapshot = compile(&read(text).unwrap().0, &CompileOptions::default());
    /// let flag = snapshot.flag(snapshot.find("shop", "dark").unwrap());
    /// let moment = Moment { now: Micros::new(0), leases: &Clocks::synced() };
    /// let flips = flag.flips(&Subject::key("ann"), &moment);
    /// assert!(flips.on.unwrap() < parse_time("2026-12-02 00:00Z").unwrap());
    /// assert_eq!(flips.off, None);
    /// ```
    pub fn flips(&self, subject: &Subject<'_>, moment: &Moment<'_>) -> Flips {
        let Some(entry) = self.entry().filter(|entry| entry.record.new != NONE) else { return Flips::default() };
        let extra = entry.extra();
        if let Some(extra) = extra.filter(|extra| !extra.adopters.is_empty()) {
            match subject.kind() {
                SubjectKind::Key(key) if extra.adopters.has(key) => {
                    return Flips { on: None, off: extra.adopters_leave };
                }
                // Whether it is an early adopter is not known, so it has `stable` throughout.
                SubjectKind::Absent => return Flips::default(),
                _ => {}
            }
        }
        let timeline = Timeline::new(entry, extra, moment.leases);
        let query = Query { snapshot: self.snapshot(), subject, moment, asking: None };
        if let Some(flips) = extra.and_then(|extra| query.rule_flips(entry, extra)) {
            return flips;
        }
        query.position(entry).map(|position| timeline.flips(position, moment.now)).unwrap_or_default()
    }
}
