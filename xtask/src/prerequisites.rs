//! What the tests need from the machine beyond Rust, installed where it is missing.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;

use crate::run::{self, Failure};

/// Makes sure that `program` can be started, by installing the Debian package that has it. A test that
/// needs a program is never skipped because it is missing.
pub(crate) fn need(program: &str, debian_package: &str) -> Result<(), Failure> {
    need_that(&format!("`{program}`"), debian_package, || find(program).is_some())
}

/// The same for anything that can be looked for.
pub(crate) fn need_that(what: &str, debian_package: &str, is_there: impl Fn() -> bool) -> Result<(), Failure> {
    if is_there() {
        return Ok(());
    }
    let missing =
        |why: &str| Failure::new(format!("{what} is missing and {why}; install the package `{debian_package}`"));
    if find("apt-get").is_none() {
        return Err(missing("this machine has no apt-get"));
    }
    let as_root: &[&str] = match (is_root(), find("sudo")) {
        (true, _) => &[],
        (false, Some(_)) => &["sudo"],
        (false, None) => return Err(missing("this user is not root and has no sudo")),
    };
    run::announce(&format!("install {debian_package}, for {what}"));
    // RUNLEVEL=1 keeps a package that brings a service from starting it.
    let quiet = ["env", "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get", "--quiet", "--yes"];
    let apt_get = |words: &[&str]| {
        let words: Vec<&str> = as_root.iter().chain(&quiet).chain(words).copied().collect();
        run::finish(run::program(words[0]).args(&words[1..]))
    };
    // A package list that could not be refreshed is no failure yet: the package may still be there.
    if let Err(failure) = apt_get(&["update"]) {
        eprintln!("warning: {failure}");
    }
    apt_get(&["install", "--no-install-recommends", debian_package])
        .map_err(|failure| missing(&format!("could not be installed ({failure})")))?;
    if is_there() { Ok(()) } else { Err(missing("the package that was installed does not bring it")) }
}

/// Where a program is: in `PATH`, or in the folders for services, which Debian leaves out of the
/// `PATH` of ordinary users.
fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let services = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(services).map(|folder| folder.join(program)).find(|file| file.is_file())
}

/// Whether this process has the rights of root: its own entry in `/proc` belongs to its effective user.
fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}
