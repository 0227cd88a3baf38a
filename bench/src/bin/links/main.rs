//! What it costs to carry messages between nodes over mutual TLS 1.3: each node a process of its own, and four ways to
//! carry in the same run.
//!
//! - `floor`: blocking sockets, a thread for each connection, and nothing around them.
//! - `frames`: frames with their lengths on tokio. The sender wakes the task of the connection, which writes.
//! - `direct`: the same frames, but the sender writes by itself, as the nodes of Tidegate do.
//! - `grpc`: a bidirectional stream of tonic.
//!
//! `cargo xtask bench links` runs it in a network of its own, so that the bytes of the loopback device are those of the
//! nodes.

#[path = "../cluster/bare.rs"]
mod bare;
#[path = "../cluster/echo.rs"]
mod echo;
#[path = "../cluster/fleet.rs"]
mod fleet;
mod frames;
mod grpc;
mod idle;
#[path = "../cluster/process.rs"]
mod process;
#[path = "../cluster/rest.rs"]
mod rest;
#[path = "../cluster/show.rs"]
mod show;
mod sockets;
mod times;
#[path = "../cluster/tls.rs"]
mod tls;

use std::error::Error;
use std::time::Duration;

use frames::Writer;

/// Whatever goes wrong ends the run.
type Outcome<T = ()> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Outcome {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["floor", rest @ ..] => bare::run(rest),
        ["frames", rest @ ..] => frames::run(rest, Writer::Task),
        ["direct", rest @ ..] => frames::run(rest, Writer::Sender),
        ["grpc", rest @ ..] => grpc::run(rest),
        [] => times::measure(),
        ["idle"] => idle::measure(),
        _ => Err("usage: links [idle]".into()),
    }
}

/// How often the node that connected asks whether the other one still answers: the same for frames and for gRPC.
const PING_EVERY: Duration = Duration::from_secs(3);
