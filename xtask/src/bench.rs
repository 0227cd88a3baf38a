//! `cargo xtask bench`: the tables of docs/performance.md, measured on this machine.
//!
//! By hand, on a quiet machine: no test depends on time. Each case stands beside its floor in the same run,
//! and only the ratio is worth quoting.

use crate::run::{Failure, announce, cargo, finish};

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    if arguments.first().is_some_and(|first| first == "cluster") {
        return cluster(&arguments[1..]);
    }
    announce("time of each case beside its floor, in one run");
    finish(bench("table").args(arguments))?;
    announce("memory of a loaded document, and allocations of a check");
    finish(&mut bench("memory"))?;
    announce("two pinned threads against one");
    finish(&mut bench("threads"))
}

/// In a network of its own, whose loopback device carries nothing else. Needs root.
fn cluster(arguments: &[String]) -> Result<(), Failure> {
    announce("what a cluster costs, beside bare zenoh and bare SQLite, in one run");
    let manifest = "bench/Cargo.toml";
    let words =
        ["build", "--release", "--locked", "--manifest-path", manifest, "--features", "cluster", "--bin", "cluster"];
    finish(&mut cargo(&words))?;
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "bench/target".to_owned());
    let script = format!("ip link set lo up && exec {target}/release/cluster {}", arguments.join(" "));
    finish(crate::run::program("unshare").args(["--net", "sh", "-c", &script]))
}

fn bench(binary: &str) -> std::process::Command {
    cargo(&["run", "--release", "--locked", "--quiet", "--manifest-path", "bench/Cargo.toml", "--bin", binary, "--"])
}
