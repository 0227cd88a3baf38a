//! `cargo xtask clients`: the SDKs of OpenFeature that users have, against a real server.
//!
//! Everything is installed by its ordinary client, at the versions that `clients/` fixes. What is missing is an error: no test is
//! skipped.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::prerequisites::{self, need};
use crate::run::{self, Failure, announce, cargo, finish, program};

/// A folder of `clients/`, and how its tests are run against this program.
struct Client {
    folder: &'static str,
    run: fn(&Path) -> Result<(), Failure>,
}

const CLIENTS: &[Client] = &[
    Client { folder: "python", run: python },
    Client { folder: "node", run: node },
    Client { folder: "browser", run: browser },
    Client { folder: "rust", run: rust },
    Client { folder: "gherkin", run: gherkin },
];

/// By a developer: with the profile `dev`, and only one client if it is named.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let only = arguments.first().map(String::as_str);
    if let Some(name) = only.filter(|name| CLIENTS.iter().all(|client| client.folder != *name)) {
        let known: Vec<&str> = CLIENTS.iter().map(|client| client.folder).collect();
        return Err(Failure::new(format!("there is no client `{name}`; there are {}", known.join(", "))));
    }
    run_all(&build("dev", "debug")?, only)
}

/// The same in CI, with the program that other steps have built.
pub(crate) fn ci() -> Result<(), Failure> {
    run_all(&build("ci", "ci")?, None)
}

fn run_all(server: &Path, only: Option<&str>) -> Result<(), Failure> {
    for client in CLIENTS.iter().filter(|client| only.is_none_or(|name| name == client.folder)) {
        announce(&format!("client: {}", client.folder));
        (client.run)(server)?;
    }
    Ok(())
}

pub(crate) fn build(profile: &str, folder: &str) -> Result<PathBuf, Failure> {
    finish(&mut cargo(&["build", "--locked", "--profile", profile, "--package", "tidegate-cli"]))?;
    canonical(&run::target().join(folder).join("tidegate"))
}

fn python(server: &Path) -> Result<(), Failure> {
    let python = python_environment("python")?;
    let tests = ["-m", "unittest", "discover", "--start-directory", "clients/python"];
    finish(program(&python).args(tests).env(PROGRAM, server).env("PYTHONDONTWRITEBYTECODE", "1"))
}

/// The Python of an environment with what a folder of `clients/` requires.
pub(crate) fn python_environment(client: &str) -> Result<PathBuf, Failure> {
    need("python3", "python3")?;
    // Debian has this part of Python in a package of its own.
    prerequisites::need_that("ensurepip for Python", "python3-venv", || {
        run::succeeds(program("python3").args(["-c", "import ensurepip, venv"]))
    })?;
    let folder = run::target().join("clients").join(client);
    finish(program("python3").args(["-m", "venv"]).arg(&folder))?;
    let python = canonical_folder(&folder)?.join("bin/python");
    let words = ["-m", "pip", "install", "--quiet", "--no-deps", "--requirement"];
    finish(program(&python).args(words).arg(format!("clients/{client}/requirements.txt")))?;
    Ok(python)
}

fn node(server: &Path) -> Result<(), Failure> {
    install_packages()?;
    node_tests(server, &["clients/node/provider.test.mjs", "clients/node/guide.test.mjs"])
}

fn browser(server: &Path) -> Result<(), Failure> {
    need("chromium", "chromium")?;
    install_packages()?;
    node_tests(server, &["clients/browser/browser.test.mjs", "clients/browser/docs.test.mjs"])
}

fn rust(server: &Path) -> Result<(), Failure> {
    finish(cargo(&["test", "--locked", "--manifest-path", "clients/rust/Cargo.toml"]).env(PROGRAM, server))
}

/// Needs no server: this provider decides in the process.
fn gherkin(_server: &Path) -> Result<(), Failure> {
    finish(&mut cargo(&["test", "--locked", "--manifest-path", "clients/gherkin/Cargo.toml"]))
}

fn install_packages() -> Result<(), Failure> {
    need("node", "nodejs")?;
    need("npm", "npm")?;
    let words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error", "--prefix", "clients"];
    finish(program("npm").args(words))
}

fn node_tests(server: &Path, files: &[&str]) -> Result<(), Failure> {
    finish(program("node").arg("--test").args(files).env(PROGRAM, server))
}

fn canonical(path: &Path) -> Result<PathBuf, Failure> {
    fs::canonicalize(path).map_err(|error| Failure::new(format!("`{}` is not there: {error}", path.display())))
}

/// The whole path of a folder whose own links stay as they are: the Python of an environment is a link that must not be followed.
fn canonical_folder(path: &Path) -> Result<PathBuf, Failure> {
    let name = path.file_name().unwrap_or(OsStr::new(""));
    Ok(canonical(path.parent().unwrap_or(Path::new(".")))?.join(name))
}

/// Tells tests where the program is.
pub(crate) const PROGRAM: &str = "TIDEGATE_PROGRAM";
