//! `cargo xtask generate`: files that are written from the source and committed.
//!
//! Each such file has a test in the crate that knows its content, in a module called `generated`. It
//! compares, and with `UPDATE=1` in the environment it writes. `cargo test` therefore notices drift,
//! and this task is only a short name for those tests.

use crate::run::{Failure, cargo, finish};

pub(crate) fn run(_arguments: &[String]) -> Result<(), Failure> {
    finish(&mut cargo(&[
        "test",
        "--quiet",
        "--workspace",
        "--all-features",
        "--locked",
        "--lib",
        "--bins",
        "--tests",
        "generated",
    ]))
}
