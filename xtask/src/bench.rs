//! `cargo xtask bench`: the tables of docs/performance.md, measured on this machine. `bench cluster` and `bench links`
//! measure processes that talk to each other, `bench http`, `bench load` and `bench followers` the server, `bench peers`
//! other libraries for feature flags, `bench redis` and `bench zookeeper` real servers.
//!
//! By hand, on a quiet machine: no test depends on time. Each case stands beside its floor in the same run,
//! and only the ratio is worth quoting.

use crate::run::{Failure, announce, cargo, finish};

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    match arguments.first().map(String::as_str) {
        Some("cluster") => {
            announce("what a cluster costs, beside bare TLS and bare SQLite, in one run");
            return in_own_network("cluster", &arguments[1..]);
        }
        Some("links") => {
            announce("what it costs to carry messages by frames and by gRPC, beside bare TLS, in one run");
            return in_own_network("links", &arguments[1..]);
        }
        Some("http") => {
            announce("processor time of a request over HTTP, beside hyper and axum with a fixed answer, in one run");
            return server(&arguments[1..]);
        }
        Some("load") => {
            announce("probes and changes beside 13,000 clients that are idle, slow, or do not read");
            return server(arguments);
        }
        Some("followers") => {
            announce("1,000 followers of one server, beside a bare server, in one run");
            return server(arguments);
        }
        Some("redis") => {
            announce("changes through Redis, beside a bare script and stream, in one run");
            return beside_server("redis");
        }
        Some("zookeeper") => {
            announce("changes of a document in ZooKeeper, beside a bare client's watch, in one run");
            return beside_server("zookeeper");
        }
        Some("peers") => return peers(),
        _ => {}
    }
    announce("time of each case beside its floor, in one run");
    finish(bench("table").args(arguments))?;
    announce("memory of a loaded document, and allocations of a check");
    finish(&mut bench("memory"))?;
    announce("two pinned threads against one");
    finish(&mut bench("threads"))
}

/// Other libraries, in a workspace that nothing else builds. Two programs: an allocator that counts would be timed too.
/// Without `--locked`: CI does not see when the lock file is older than a dependency of ours, and the peers' versions are
/// exact in the manifest.
fn peers() -> Result<(), Failure> {
    announce("other libraries for feature flags, beside Tidegate in one run");
    for binary in ["times", "memory"] {
        let manifest = "bench/peers/Cargo.toml";
        finish(&mut cargo(&["run", "--release", "--quiet", "--manifest-path", manifest, "--bin", binary]))?;
    }
    Ok(())
}

/// The server in processes of its own, which share the loopback device with whatever else runs.
fn server(arguments: &[String]) -> Result<(), Failure> {
    let manifest = "bench/Cargo.toml";
    let words = ["run", "--release", "--locked", "--quiet", "--manifest-path", manifest, "--features", "http"];
    finish(cargo(&words).args(["--bin", "http", "--"]).args(arguments))
}

/// Runs a binary, built with the feature of its name, that starts a server of the package of that name.
fn beside_server(binary: &str) -> Result<(), Failure> {
    let manifest = "bench/Cargo.toml";
    let words = ["run", "--release", "--locked", "--quiet", "--manifest-path", manifest, "--features", binary];
    finish(cargo(&words).args(["--bin", binary]))
}

/// Runs a binary, built with the feature of its name, in a network of its own, whose loopback device carries nothing
/// else. Needs root.
fn in_own_network(binary: &str, arguments: &[String]) -> Result<(), Failure> {
    let manifest = "bench/Cargo.toml";
    let words = ["build", "--release", "--locked", "--manifest-path", manifest, "--features", binary, "--bin", binary];
    finish(&mut cargo(&words))?;
    let target = std::env::var("CARGO_TARGET_DIR").unwrap_or_else(|_| "bench/target".to_owned());
    let script = format!("ip link set lo up && exec {target}/release/{binary} {}", arguments.join(" "));
    finish(crate::run::program("unshare").args(["--net", "sh", "-c", &script]))
}

fn bench(binary: &str) -> std::process::Command {
    cargo(&["run", "--release", "--locked", "--quiet", "--manifest-path", "bench/Cargo.toml", "--bin", binary, "--"])
}
