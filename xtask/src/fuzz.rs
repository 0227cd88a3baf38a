//! `cargo xtask fuzz`: runs fuzz targets for a while, from the corpus that a plain test replays.
//!
//! What they find goes to `fuzz/target/found`, apart from the corpus, which is committed and small. To keep
//! what covers something new: `cargo +nightly fuzz run TARGET fuzz/corpus/TARGET fuzz/target/found/TARGET -- -merge=1`.

use std::path::Path;

use crate::audit::need_cargo_tool;
use crate::run::{self, Failure, announce, finish, program};

/// Long enough to notice a shallow mistake in each target, short enough to run before a commit.
const SECONDS: &str = "10";

pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let (targets, seconds) = match arguments {
        [] => (targets()?, SECONDS),
        [target] => (vec![target.clone()], SECONDS),
        [target, seconds] => (vec![target.clone()], seconds.as_str()),
        _ => {
            return Err(Failure::new("`fuzz` takes a target and a number of seconds"));
        }
    };
    if !run::succeeds(&mut nightly(&["--version"])) {
        return Err(Failure::new(
            "fuzzing needs a nightly toolchain; `rustup toolchain install nightly --profile minimal`",
        ));
    }
    need_cargo_tool("cargo-fuzz", "0.13.2", &["fuzz", "--version"])?;
    for target in targets {
        announce(&format!("fuzz {target} for {seconds} s"));
        let limit = format!("-max_total_time={seconds}");
        let (found, corpus) = (format!("fuzz/target/found/{target}"), format!("fuzz/corpus/{target}"));
        std::fs::create_dir_all(&found).map_err(|error| Failure::new(format!("cannot make {found}: {error}")))?;
        finish(&mut nightly(&["fuzz", "run", &target, &found, &corpus, "--", &limit]))?;
    }
    Ok(())
}

/// Cargo of the nightly toolchain; the toolchain that runs this task must not leak into it.
fn nightly(words: &[&str]) -> std::process::Command {
    let mut command = program("rustup");
    command.args(["run", "nightly", "cargo"]).args(words);
    for name in ["CARGO", "RUSTC", "RUSTDOC", "RUSTUP_TOOLCHAIN"] {
        command.env_remove(name);
    }
    command
}

/// The names of the files in `fuzz/fuzz_targets`, sorted.
fn targets() -> Result<Vec<String>, Failure> {
    let folder = Path::new("fuzz/fuzz_targets");
    let unreadable = |error: std::io::Error| Failure::new(format!("cannot read {}: {error}", folder.display()));
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            names.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    names.sort();
    Ok(names)
}
