//! Where things are kept on this host unless the user says otherwise (XDG Base Directory Specification).

use std::env;
use std::ffi::OsString;
use std::path::PathBuf;

/// The folder of cached documents: `$XDG_CACHE_HOME/tidegate`, or `~/.cache/tidegate`. None without a home
/// folder.
pub(crate) fn cache_dir() -> Option<PathBuf> {
    cache_dir_with(&|name| env::var_os(name), env::home_dir())
}

/// The file of this host's locks: `$TIDEGATE_LOCKS`, or `locks.json` in `$XDG_STATE_HOME/tidegate` or
/// `~/.local/state/tidegate`. None without a home folder.
pub(crate) fn locks_file() -> Option<PathBuf> {
    locks_file_with(&|name| env::var_os(name), env::home_dir())
}

/// The folder of what this host has to remember: `$XDG_STATE_HOME/tidegate`, or `~/.local/state/tidegate`. None
/// without a home folder.
pub(crate) fn state_dir() -> Option<PathBuf> {
    state_dir_with(&|name| env::var_os(name), env::home_dir())
}

type Variable<'a> = &'a dyn Fn(&str) -> Option<OsString>;

fn cache_dir_with(variable: Variable<'_>, home: Option<PathBuf>) -> Option<PathBuf> {
    base(variable, "XDG_CACHE_HOME", home, ".cache").map(|base| base.join(FOLDER))
}

fn locks_file_with(variable: Variable<'_>, home: Option<PathBuf>) -> Option<PathBuf> {
    if let Some(file) = variable("TIDEGATE_LOCKS").filter(|file| !file.is_empty()) {
        return Some(file.into());
    }
    state_dir_with(variable, home).map(|folder| folder.join("locks.json"))
}

fn state_dir_with(variable: Variable<'_>, home: Option<PathBuf>) -> Option<PathBuf> {
    base(variable, "XDG_STATE_HOME", home, ".local/state").map(|base| base.join(FOLDER))
}

/// The specification: a relative path in the variable is invalid and to be ignored.
fn base(variable: Variable<'_>, name: &str, home: Option<PathBuf>, in_home: &str) -> Option<PathBuf> {
    let named = variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    named.or_else(|| home.filter(|home| home.is_absolute()).map(|home| home.join(in_home)))
}

const FOLDER: &str = "tidegate";

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)], home: Option<&str>, cache: Option<&str>, locks: Option<&str>) {
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).into());
        let home = home.map(PathBuf::from);
        assert_eq!(cache_dir_with(&variable, home.clone()), cache.map(PathBuf::from), "{variables:?}");
        assert_eq!(locks_file_with(&variable, home), locks.map(PathBuf::from), "{variables:?}");
    }

    #[test]
    fn paths_follow_the_specification() {
        let home = Some("/home/u");
        let (cache, locks) = (Some("/home/u/.cache/tidegate"), Some("/home/u/.local/state/tidegate/locks.json"));
        check(&[], home, cache, locks);
        check(&[("XDG_CACHE_HOME", ""), ("XDG_STATE_HOME", "here"), ("TIDEGATE_LOCKS", "")], home, cache, locks);
        check(&[("XDG_CACHE_HOME", "/c")], home, Some("/c/tidegate"), locks);
        check(&[("XDG_STATE_HOME", "/s")], home, cache, Some("/s/tidegate/locks.json"));
        check(&[("TIDEGATE_LOCKS", "test/locks.json")], home, cache, Some("test/locks.json"));
        check(&[], None, None, None);
        check(
            &[("XDG_CACHE_HOME", "/c"), ("XDG_STATE_HOME", "/s")],
            None,
            Some("/c/tidegate"),
            Some("/s/tidegate/locks.json"),
        );
        check(&[], Some(""), None, None);
    }
}
