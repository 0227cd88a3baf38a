//! `cargo xtask audit`: what we take from others. Apart from CI, because its tools are large to build.
//!
//! cargo-deny checks licences, bans and sources by `deny.toml`. Its fourth check, advisories, is left
//! out: it fetches a database, which machines that build without a wide network cannot do; where the
//! network allows it, run `cargo deny check advisories`.

use crate::run::{self, Failure, announce, cargo, finish};

pub(crate) fn run(_arguments: &[String]) -> Result<(), Failure> {
    need_cargo_tool("cargo-deny", "0.20.2", &["deny", "--version"])?;
    need_cargo_tool("cargo-machete", "0.9.2", &["machete", "--version"])?;
    announce("licences, bans and sources");
    finish(&mut cargo(&["deny", "--all-features", "check", "licenses", "bans", "sources"]))?;
    announce("dependencies that nothing uses");
    finish(&mut cargo(&["machete", "--with-metadata"]))
}

/// Installs a cargo subcommand where it is missing.
pub(crate) fn need_cargo_tool(package: &str, version: &str, probe: &[&str]) -> Result<(), Failure> {
    if run::succeeds(&mut cargo(probe)) {
        return Ok(());
    }
    announce(&format!("install {package}"));
    finish(&mut cargo(&["install", "--locked", package, "--version", version]))
}
