//! What a cluster costs: each node a process of its own, beside bare TLS and bare `SQLite` in the same run.
//!
//! `cargo xtask bench cluster` runs it in a network of its own, so that the bytes of the loopback device are those of
//! the nodes. With `--beside PROGRAM` another build of this program, of an earlier commit for example, is measured in
//! turn with this one.

mod bare;
mod echo;
mod fleet;
mod flood;
mod idle;
mod kill;
mod local;
mod node;
mod process;
mod rest;
mod show;
mod tls;
mod updates;

use std::error::Error;
use std::path::{Path, PathBuf};

/// Whatever goes wrong ends the run.
type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

/// The builds that are compared: this one, and what it is compared with.
#[derive(Debug)]
pub(crate) struct Builds {
    own: PathBuf,
    other: Option<PathBuf>,
}

impl Builds {
    /// This build.
    pub(crate) fn own(&self) -> &Path {
        &self.own
    }

    /// All of them, with a word for each.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let other = self.other.iter().map(|other| ("beside: ", other.as_path()));
        std::iter::once(("", self.own())).chain(other)
    }
}

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let mut words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut builds = Builds { own: std::env::current_exe()?, other: None };
    if let Some(at) = words.iter().position(|word| *word == "--beside") {
        builds.other = Some(PathBuf::from(words.get(at + 1).ok_or("--beside wants a program")?));
        words.drain(at..at + 2);
    }
    match words.as_slice() {
        ["node", rest @ ..] => node::run(rest),
        ["bare", rest @ ..] => bare::run(rest),
        [] => {
            updates::measure(&builds)?;
            idle::measure(&builds, idle::NODES)?;
            flood::measure(&builds)?;
            kill::measure(&builds)?;
            local::measure()?;
            local::definitions()
        }
        ["updates"] => updates::measure(&builds),
        ["idle"] => idle::measure(&builds, idle::NODES),
        ["idle", count] => idle::measure(&builds, count.parse()?),
        ["flood"] => flood::measure(&builds),
        ["kill"] => kill::measure(&builds),
        ["local"] => local::measure(),
        ["definitions"] => local::definitions(),
        _ => Err("usage: cluster [updates|idle [NODES]|flood|kill|local|definitions] [--beside PROGRAM]".into()),
    }
}
