//! The instant of a question.

use crate::Micros;
use crate::lease::Clocks;

/// The instant of a question, and the clocks of the leases on this host.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The wall clock.
    pub now: Micros,
    /// Where each leased ramp stands; [`Clocks::synced`] where every ramp follows the wall clock.
    pub leases: &'a Clocks,
}
