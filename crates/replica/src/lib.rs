//! Registers that a cluster agrees on: stamps, merge, hash tree, roster and acknowledgement as a state machine.
//!
//! [`Replica::handle`] takes one [`Input`] and the time, and says in an [`Output`] what its caller has to do: what to
//! send, what to make durable, who has an answer, when to call again. Nothing here does input or output, reads a clock
//! or draws randomness, and nothing knows of flags: keys and values are bytes.
//!
//! Messages may be lost, doubled, delayed and turned round; word of peers that come and go may be wrong. What must hold
//! all the same:
//!
//! | | |
//! | --- | --- |
//! | I1 | once writes stop and faults heal, all nodes hold the same |
//! | I2 | what was acknowledged is not lost while the disks that acknowledged it survive |
//! | I3 | a register's rank never falls on a node, restarts included: see [`Register::rank`] |
//! | I4 | no stamp is issued twice, or below one that its node has seen |
//! | I5 | what was removed does not come back without a newer write |
//! | I7 | memory, queues and bytes a second stay below their [`limits`] |
//! | I8 | a stamp further ahead than the drift that is allowed, or of an epoch that nobody has opened, is never adopted, and a repair of the clock changes no value |
//! | I9 | at rest each node sends one small message a second, however many nodes there are |
//! | I11 | what a node acknowledges is active there, and a level is reached only by such acknowledgements |
//! | I12 | what a write superseded in quarantine does not come back |
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unreachable)
)]
#![warn(missing_docs)]

mod change;
mod clock;
mod codec;
mod durable;
mod io;
pub mod limits;
mod membership;
mod merkle;
mod message;
mod mutant;
mod node;
mod options;
mod random;
mod register;
mod replica;
#[cfg(feature = "simulate")]
pub mod simulator;
mod stamp;
mod status;
mod table;

pub use change::{Change, Expected, Level, LevelError, Outranked, Receipt, WriteError};
pub use codec::DecodeError;
pub use io::{Batch, Event, Input, Loaded, Now, Output, Resolution};
pub use mutant::Mutant;
pub use node::{NodeId, NodeIdError};
pub use options::{Options, Timing};
pub use register::Register;
pub use replica::Replica;
pub use stamp::{Stamp, StampError};
pub use status::{Counters, Member, PeerStatus, Quarantined, Status};
