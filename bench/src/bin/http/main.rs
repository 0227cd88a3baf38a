//! What the server costs over HTTP.
//!
//! Each server is a process of its own on one core, and the load comes from the other core.
//!
//! - `http` measures the processor time of a request, beside hyper and axum with a fixed answer of the same size.
//! - `http followers` measures 1,000 followers of one server, on all cores.
//! - `http load` measures probes and changes beside 13,000 clients that are idle, slow, or do not read.

mod client;
mod followers;
mod load;
mod process;
mod server;
mod speed;

use std::error::Error;

/// Whatever goes wrong ends the run.
type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["serve", rest @ ..] => server::run(rest),
        [] => speed::measure(speed::ROUNDS),
        ["rounds", count] => speed::measure(count.parse()?),
        ["follow", address] => followers::follow(address),
        ["followers"] => followers::measure(),
        ["load"] => load::measure(30),
        ["load", seconds] => load::measure(seconds.parse()?),
        _ => Err("usage: http [rounds COUNT | followers | load [SECONDS]]".into()),
    }
}
