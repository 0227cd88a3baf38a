//! The instant at which a flag is evaluated.

use crate::Micros;
use crate::lease::Clocks;

/// The instant at which a flag is evaluated, and the lease clocks of this host.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The wall clock's instant. The engine reads no clock: the caller passes it.
    pub now: Micros,
    /// The clocks of leases; [`Clocks::synced`] if every ramp follows the wall clock.
    pub leases: &'a Clocks,
}
