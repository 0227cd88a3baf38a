//! What every store must do, and what happens to the one on the disk when the disk or the process does not
//! do its part.

mod committed;
mod conformance;
mod crash;
mod damage;
mod folder;
mod generated;
mod history;
mod presence;
pub(crate) mod support;
mod unwritable;
