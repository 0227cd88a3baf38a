//! `cargo xtask ci`: everything that a change must pass.
//!
//! Cheap steps first, the tests last, so that a slip shows within seconds and the output ends with the
//! test runner's own lines. Clippy, rustdoc and the tests share one profile and one set of features:
//! nothing is built twice.

use std::path::Path;

use crate::run::{Failure, announce, cargo, finish, program};
use crate::{check_deps, clients, commits, elixir, instructions, prerequisites, python, schemathesis, simulate, soak};

/// One step: what it shows and what it does.
struct Step {
    name: &'static str,
    run: fn() -> Result<(), Failure>,
}

/// The steps in order. Generated files, the README's commands, the conformance vectors and the replay
/// of the fuzz corpus are plain tests and belong to the last one.
const STEPS: &[Step] = &[
    Step { name: "programs that the tests need", run: programs },
    Step { name: "commit subjects", run: || commits::run(&[]) },
    Step { name: "format", run: format },
    Step { name: "lock files", run: lock_files },
    Step { name: "conformance vectors, by the reference in Python", run: reference },
    Step { name: "dependency arrows", run: || check_deps::run(&[]) },
    Step { name: "clippy, warnings denied", run: clippy },
    Step { name: "documentation, warnings denied", run: documentation },
    Step { name: "instructions of each check", run: || instructions::run(&[]) },
    Step { name: "seeds of the simulator, and its mutants", run: simulate::ci },
    Step { name: "faults on real processes", run: soak::ci },
    Step { name: "the first command of the README", run: first_command },
    Step { name: "clients of OpenFeature", run: clients::ci },
    Step { name: "the Python package", run: python::ci },
    Step { name: "the Elixir application", run: elixir::ci },
    Step { name: "requests made from the contract", run: schemathesis::ci },
    Step { name: "tests", run: tests },
];

/// Programs beyond Rust that a test starts, each with the Debian package that brings it.
const PROGRAMS: &[(&str, &str)] = &[
    ("nginx", "nginx-light"),
    ("kill", "procps"),
    ("strace", "strace"),
    ("unshare", "util-linux"),
    ("prlimit", "util-linux"),
    ("python3", "python3"),
    ("redis-server", "redis-server"),
    ("redis-cli", "redis-tools"),
];

/// Debian's ZooKeeper, whose server the tests start with Java.
const ZOOKEEPER: &str = "/usr/share/java/zookeeper.jar";

/// Crates with a workspace of their own, so that no test build pays for what they need.
const APART: &[&str] = &[
    "bench/Cargo.toml",
    "fuzz/Cargo.toml",
    "clients/rust/Cargo.toml",
    "clients/gherkin/Cargo.toml",
    "python/Cargo.toml",
    "elixir/native/Cargo.toml",
];

/// Other libraries beside Tidegate: hundreds of crates that CI neither fetches nor builds, so it only looks at the format.
const NOT_BUILT: &str = "bench/peers/Cargo.toml";

/// The profile of every step that compiles: `dev` without incremental files.
const PROFILE: &str = "ci";

pub(crate) fn run(_arguments: &[String]) -> Result<(), Failure> {
    for step in STEPS {
        announce(step.name);
        (step.run)()?;
    }
    Ok(())
}

fn programs() -> Result<(), Failure> {
    for (program, debian_package) in PROGRAMS {
        prerequisites::need(program, debian_package)?;
    }
    // It brings Java.
    prerequisites::need_that("ZooKeeper's server", "zookeeper", || Path::new(ZOOKEEPER).is_file())
}

fn format() -> Result<(), Failure> {
    finish(&mut cargo(&["fmt", "--all", "--", "--check"]))?;
    for manifest in APART.iter().chain([&NOT_BUILT]) {
        finish(&mut cargo(&["fmt", "--manifest-path", manifest, "--", "--check"]))?;
    }
    Ok(())
}

/// The reference answers every question of the vectors again, so that a file and the program that wrote it stay together.
fn reference() -> Result<(), Failure> {
    for script in ["reference.py", "rules.py", "splits.py"] {
        finish(program("python3").args([&format!("conformance/{script}"), "check"]))?;
    }
    Ok(())
}

/// A crate apart has a lock file of its own, which goes stale when a dependency of ours changes.
fn lock_files() -> Result<(), Failure> {
    for manifest in ["Cargo.toml"].iter().chain(APART) {
        finish(&mut cargo(&["update", "--quiet", "--workspace", "--locked", "--manifest-path", manifest]))?;
    }
    Ok(())
}

fn clippy() -> Result<(), Failure> {
    finish(&mut cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--locked",
        "--profile",
        PROFILE,
        "--",
        "-D",
        "warnings",
    ]))
}

/// Libraries and programs apart, because a library and a program of one name have one place for their pages.
fn documentation() -> Result<(), Failure> {
    for kind in ["--lib", "--bins"] {
        let words = ["doc", "--workspace", "--all-features", kind, "--no-deps", "--locked", "--profile", PROFILE];
        finish(cargo(&words).env("RUSTDOCFLAGS", "-D warnings"))?;
    }
    Ok(())
}

/// What the tests do not show: that `cargo run` alone means this program, and that it builds without the optional clients.
fn first_command() -> Result<(), Failure> {
    let words = ["get", "examples/documents/slowroll.json", "features", "install_to_opt_foo", "--key", "canary-host"];
    let build = ["run", "--quiet", "--locked", "--no-default-features", "--profile", PROFILE, "--"];
    finish(cargo(&build).args(words))
}

fn tests() -> Result<(), Failure> {
    finish(&mut cargo(&["test", "--workspace", "--all-features", "--locked", "--profile", PROFILE, "--no-fail-fast"]))
}
