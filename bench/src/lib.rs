//! What Tidegate costs, beside the least that the same work can cost.
//!
//! A [`Case`] is one kind of check in a loop over many keys. The same list of cases is timed by the table
//! (`cargo xtask bench`), counted in instructions under callgrind (`cargo xtask instructions`) and examined by
//! criterion (`cargo bench`). Most cases name a *floor*: the same work written out by hand with nothing around
//! it, measured in the same run. Ratios to the floor can be compared from machine to machine, times cannot.

mod case;
mod change;
mod engine;
mod floor;
mod inputs;
mod library;
mod load;
pub mod observe;

pub use case::{Case, Times};
pub use inputs::{KEYS, document};
pub use library::connect;
pub use load::{State, load, load_floor};

/// Every case in the order of the table; a floor stands before the cases that are held against it.
pub fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    floor::add(&mut cases);
    library::add(&mut cases);
    engine::add(&mut cases);
    load::add(&mut cases);
    change::add(&mut cases);
    cases
}
