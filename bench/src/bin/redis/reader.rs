//! A process that notes when it has each change: from a bare stream, or as an instance of Tidegate.

use std::io::{Write as _, stdin, stdout};
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::Duration;

use redis::Value;
use tidegate::{Live, Tidegate};
use tidegate_bench::observe::{Seen, note_activations, now};

use crate::Outcome;

pub(crate) fn run(kind: &str, url: &str) -> Outcome {
    let seen = Seen::default();
    let tide = if kind == "bare" {
        follow(url, Arc::clone(&seen))?;
        None
    } else {
        let tide = connect(url)?;
        note_activations(&tide, &seen);
        Some(tide)
    };
    writeln!(stdout(), "ready")?;
    for line in stdin().lines() {
        line?;
        let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        let words: Vec<String> = seen.iter().map(|(number, at)| format!("{number}:{}", at.as_nanos())).collect();
        writeln!(stdout(), "{}", words.join(" "))?;
    }
    drop(tide);
    Ok(())
}

/// An instance that shares its flags through this Redis.
pub(crate) fn connect(url: &str) -> Outcome<Tidegate> {
    let live = Live::redis(url).cluster("bench");
    Ok(Tidegate::builder().live(live).without_locks().startup_wait(Duration::from_secs(10)).connect()?)
}

/// Follows the bare stream.
fn follow(url: &str, seen: Seen) -> Outcome {
    let mut connection = redis::Client::open(url)?.get_connection()?;
    let mut last = "$".to_owned();
    thread::spawn(move || {
        loop {
            let mut asked = redis::cmd("XREAD");
            asked.arg("BLOCK").arg(0).arg("STREAMS").arg(BARE_LOG).arg(&last);
            let Ok(reply) = asked.query::<Value>(&mut connection) else { return };
            let at = now();
            for (id, number) in entries(reply) {
                last = id;
                seen.lock().unwrap_or_else(PoisonError::into_inner).push((number, at));
            }
        }
    });
    Ok(())
}

/// The ids of the entries, and the numbers in them.
fn entries(reply: Value) -> Vec<(String, u64)> {
    let items = |value: Value| if let Value::Array(items) = value { items } else { Vec::new() };
    let text = |value: &Value| match value {
        Value::BulkString(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    };
    let streams = items(reply).into_iter().filter_map(|stream| items(stream).into_iter().nth(1));
    let entries = streams.flat_map(items).map(items);
    entries
        .filter_map(|entry| {
            let mut parts = entry.into_iter();
            let id = text(&parts.next()?);
            let fields = items(parts.next()?);
            Some((id, text(fields.get(1)?).parse().ok()?))
        })
        .collect()
}

/// The stream without Tidegate.
pub(crate) const BARE_LOG: &str = "{bare}:log";
