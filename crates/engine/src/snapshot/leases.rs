//! The leases that the flags of a snapshot use, and their clocks when one snapshot replaces another.

use super::{Extra, Snapshot};
use crate::Micros;
use crate::lease::{Clocks, Leased, MovedRamp};

impl Snapshot {
    /// The leases in use, with the start of each rollback under them, for [`Clocks::note_poll`].
    pub fn leases(&self) -> Vec<Leased> {
        let lease_of =
            |extra: &Extra| extra.lease.map(|lease| Leased { lease, rollback: extra.rollback.map(|fall| fall.start) });
        let mut leases: Vec<Leased> = self.core.extras.iter().filter_map(lease_of).collect();
        leases.sort_unstable();
        leases.dedup();
        leases
    }
}

impl Clocks {
    /// Records a successful poll that brought another document: `after` replaces `before`.
    ///
    /// The ramp of a flag of both documents continues from its instant, whatever its lease was before and is now, so that no
    /// share jumps. A flag that no longer has a lease follows the wall clock from then on.
    pub fn note_document(&mut self, now: Micros, before: &Snapshot, after: &Snapshot) {
        let mut next = self.clone();
        next.moved.clear();
        next.note_poll(now, &after.leases());
        for flag in after.flags() {
            let Some(lease) = flag.lease() else { continue };
            let Some(earlier) = before.find(flag.section(), flag.name()).map(|earlier| before.flag(earlier)) else {
                continue;
            };
            let key = flag.key().to_string();
            let rollback = flag.rollback_start();
            let (instant, mark) = match earlier.lease() {
                None => (now, rollback.filter(|start| *start <= now)),
                Some(earlier) => {
                    let clock = self.clock(earlier, &key);
                    (clock.ramp_instant(now), clock.mark(rollback, now))
                }
            };
            let ramp = MovedRamp { flag: key.into(), lease, instant, rollback, mark };
            if !next.has(&ramp, now) {
                next.moved.push(ramp);
            }
        }
        *self = next;
    }
}
