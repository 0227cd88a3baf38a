//! `cargo xtask python`: the Python package, installed as its users install it, and tested.
//!
//! A virtual environment has the versions that `python/requirements.txt` fixes. What is missing is an error: no test is skipped.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::binding;
use crate::clients;
use crate::prerequisites::{self, need};
use crate::run::{self, Failure, announce, finish, program};

/// By a developer: the tests with the profile `dev`; a wheel, or the bench, with the profile `release`.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    match arguments.first().map(String::as_str) {
        None => tests("dev", "debug"),
        Some("wheel") => wheel(),
        Some("bench") => bench(),
        Some(word) => Err(Failure::new(format!("`python` takes `wheel`, `bench` or nothing, not `{word}`"))),
    }
}

/// The same in CI, with the profile that other steps have built the library's dependencies with.
pub(crate) fn ci() -> Result<(), Failure> {
    tests("ci", "ci")
}

fn tests(profile: &str, folder: &str) -> Result<(), Failure> {
    let python = environment()?;
    need("redis-server", "redis-server")?;
    need("valgrind", "valgrind")?;
    let server = clients::build(profile, folder)?;
    binding::clippy("python", "python/Cargo.toml", profile, &[])?;
    install(&python, profile)?;
    announce("python: types");
    let cached = run::target().join("python/mypy");
    finish(
        program(&python)
            .args(["-m", "mypy", "--config-file", "python/pyproject.toml", "--cache-dir"])
            .arg(&cached)
            .args(TYPED),
    )?;
    finish(program(&python).args(["-m", "mypy.stubtest", "tidegate._native"]))?;
    announce("python: tests");
    let words = [
        "-m",
        "pytest",
        "--quiet",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        "python",
        "--config-file",
        "python/pyproject.toml",
    ];
    let mut tests = program(&python);
    tests.args(words).arg("python/tests").env("PYTHONDONTWRITEBYTECODE", "1").env(clients::PROGRAM, server);
    finish(&mut tests)
}

/// Installs the package as its users do, built with this profile.
fn install(python: &Path, profile: &str) -> Result<(), Failure> {
    announce("python: pip install");
    let words =
        ["-m", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--force-reinstall", "./python"];
    finish(binding::built_here(
        program(python)
            .args(words)
            .env("PATH", path_with(python)?)
            .env("MATURIN_PEP517_ARGS", format!("--profile {profile}")),
    )?)
}

/// Prints what a read costs beside an empty method.
fn bench() -> Result<(), Failure> {
    let python = environment()?;
    install(&python, "release")?;
    finish(program(&python).arg("python/bench/reads.py"))
}

fn wheel() -> Result<(), Failure> {
    let python = environment()?;
    let words = ["-m", "maturin", "build", "--release", "--locked", "--manifest-path", "python/Cargo.toml", "--out"];
    finish(binding::built_here(program(&python).args(words).arg(run::target().join("wheels")))?)
}

/// The Python of the virtual environment, with everything but the package.
fn environment() -> Result<PathBuf, Failure> {
    need("python3", "python3")?;
    // Debian has this part of Python in a package of its own.
    prerequisites::need_that("ensurepip for Python", "python3-venv", || {
        run::succeeds(program("python3").args(["-c", "import ensurepip, venv"]))
    })?;
    let folder = binding::absolute_target()?.join("python/environment");
    finish(program("python3").args(["-m", "venv"]).arg(&folder))?;
    let python = folder.join("bin/python");
    let words = ["-m", "pip", "install", "--quiet", "--no-deps", "--requirement", "python/requirements.txt"];
    finish(program(&python).args(words))?;
    Ok(python)
}

/// The search path with the programs of the environment first: pip starts maturin by its name.
fn path_with(python: &Path) -> Result<OsString, Failure> {
    let others = std::env::var_os("PATH").unwrap_or_default();
    let folders = python.parent().map(Path::to_path_buf).into_iter().chain(std::env::split_paths(&others));
    std::env::join_paths(folders).map_err(|error| Failure::new(format!("PATH: {error}")))
}

/// What mypy checks.
const TYPED: &[&str] = &["python/package/tidegate", "python/tests", "python/bench", "examples/python"];
