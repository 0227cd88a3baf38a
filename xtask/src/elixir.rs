//! `cargo xtask elixir`: the Elixir application, built and tested as its users build it.
//!
//! No package of hex is needed, only Debian's `elixir` and `erlang-dev`. What is missing is an error: no test is skipped.

use std::path::Path;
use std::process::Command;

use crate::binding;
use crate::prerequisites::{need, need_that};
use crate::run::{Failure, announce, finish, program};

/// By a developer: the tests with the profile `dev`, or the bench with the profile `release`.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    match arguments.first().map(String::as_str) {
        None => tests("dev"),
        Some("bench") => bench(),
        Some(word) => Err(Failure::new(format!("`elixir` takes `bench` or nothing, not `{word}`"))),
    }
}

/// The same in CI, with the profile that other steps have built the library's dependencies with.
pub(crate) fn ci() -> Result<(), Failure> {
    tests("ci")
}

fn tests(profile: &str) -> Result<(), Failure> {
    prerequisites()?;
    binding::clippy("elixir", "elixir/native/Cargo.toml", profile, &["--features", "testing"])?;
    announce("elixir: format");
    finish(mix("test", profile)?.args(["format", "--check-formatted"]))?;
    announce("elixir: tests");
    finish(mix("test", profile)?.args(["compile", "--warnings-as-errors"]))?;
    finish(mix("test", profile)?.arg("test"))
}

fn bench() -> Result<(), Failure> {
    prerequisites()?;
    finish(mix("prod", "release")?.args(["run", "bench/reads.exs"]))
}

fn prerequisites() -> Result<(), Failure> {
    need("mix", "elixir")?;
    // Debian has the library of unit tests and the headers in packages of their own.
    need_that("the development files of Erlang", "erlang-dev", || Path::new("/usr/lib/erlang/usr/include").is_dir())
}

/// A call of mix in the folder of the application.
fn mix(environment: &str, profile: &str) -> Result<Command, Failure> {
    let mut mix = program("mix");
    mix.current_dir("elixir")
        .env("MIX_ENV", environment)
        .env("TIDEGATE_CARGO_PROFILE", profile)
        // The virtual machine decides by the locale how it prints texts, and warns where it is not UTF-8.
        .env("LC_ALL", "C.UTF-8");
    binding::built_here(&mut mix)?;
    Ok(mix)
}

#[cfg(test)]
mod tests {
    use std::fs;

    #[test]
    fn the_version_is_that_of_the_workspace() {
        let version = |manifest: &str| {
            let text = fs::read_to_string(format!("{}/../{manifest}", env!("CARGO_MANIFEST_DIR"))).unwrap();
            text.lines().find(|line| line.starts_with("version = ")).map(str::to_owned)
        };
        assert_eq!(version("elixir/native/Cargo.toml"), version("Cargo.toml"));
    }
}
