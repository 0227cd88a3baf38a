//! What a cluster costs: each node a process of its own, beside bare zenoh and bare SQLite in the same run.
//!
//! `cargo xtask bench cluster` runs it in a network of its own, so that the bytes of the loopback device are those of the
//! nodes.

mod bare;
mod idle;
mod local;
mod node;
mod process;
mod show;
mod updates;

use std::error::Error;

/// Whatever goes wrong ends the run.
type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["node", rest @ ..] => node::run(rest),
        ["bare", rest @ ..] => bare::run(rest),
        [] => {
            updates::measure()?;
            idle::measure()?;
            local::measure()
        }
        ["updates"] => updates::measure(),
        ["idle"] => idle::measure(),
        ["local"] => local::measure(),
        _ => Err("usage: cluster [updates|idle|local]".into()),
    }
}
