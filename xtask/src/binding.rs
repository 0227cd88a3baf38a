//! What the packages for other languages have in common: each has a workspace of its own, and is built into the folder of this one.

use std::path::PathBuf;
use std::process::Command;

use crate::run::{self, Failure, announce, cargo, finish};

/// Lints the native part of a package. `extra` are further words for cargo, such as features.
pub(crate) fn clippy(package: &str, manifest: &str, profile: &str, extra: &[&str]) -> Result<(), Failure> {
    announce(&format!("{package}: clippy"));
    let words = ["clippy", "--locked", "--profile", profile, "--manifest-path", manifest];
    finish(built_here(cargo(&words).args(extra).args(["--", "-D", "warnings"]))?)
}

/// Lets a command, and each cargo that it starts, build into the folder of this workspace.
pub(crate) fn built_here(command: &mut Command) -> Result<&mut Command, Failure> {
    Ok(command.env("CARGO_TARGET_DIR", absolute_target()?))
}

/// The whole path of the folder that cargo builds into: a command may run in another folder.
pub(crate) fn absolute_target() -> Result<PathBuf, Failure> {
    let target = run::target();
    std::path::absolute(&target).map_err(|error| Failure::new(format!("`{}`: {error}", target.display())))
}
