//! `cargo xtask bench`: the tables of docs/performance.md, measured on this machine.
//!
//! By hand, on a quiet machine: no test depends on time. Each case stands beside its floor in the same run,
//! and only the ratio is worth quoting.

use crate::run::{Failure, announce, cargo, finish};

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    announce("time of each case beside its floor, in one run");
    finish(bench("table").args(arguments))?;
    announce("memory of a loaded document, and allocations of a check");
    finish(&mut bench("memory"))?;
    announce("two pinned threads against one");
    finish(&mut bench("threads"))
}

fn bench(binary: &str) -> std::process::Command {
    cargo(&["run", "--release", "--locked", "--quiet", "--manifest-path", "bench/Cargo.toml", "--bin", binary, "--"])
}
