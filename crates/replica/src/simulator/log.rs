//! The log of a run: one line for each step of a node, with its input and what follows from it.

use crate::message::{Body, Message};
use crate::{Batch, Input, Level, Output};

/// A line: the time in seconds, the node, the input, and the outputs that a caller sees.
pub(super) fn line(now_ms: u64, node: &str, input: &str, output: Option<&Output>) -> String {
    let outputs = output.map(outputs).unwrap_or_default();
    let arrow = if outputs.is_empty() { "" } else { " -> " };
    format!("{:>5}.{:03}  {node:<4}  {input}{arrow}{}", now_ms / 1_000, now_ms % 1_000, outputs.join("; "))
}

/// An input in a few words.
pub(super) fn input(input: &Input) -> String {
    match input {
        Input::Message { from, bytes } => format!("{} from {:x}", message(bytes), from.get()),
        Input::FromStore { registers } => format!("{} from the store", registers.len()),
        Input::PeerUp { node, .. } => format!("peer up {:x}", node.get()),
        Input::PeerDown { node, .. } => format!("peer down {:x}", node.get()),
        Input::UnmetPeers { count } => format!("unmet peers {count}"),
        Input::Write { request, changes, level, .. } => {
            let keys: Vec<String> = changes.iter().map(|change| text(&change.key)).collect();
            format!("write {request} of {} at {}", keys.join(" "), level_name(*level))
        }
        Input::RaiseEpoch { request, .. } => format!("raise epoch, request {request}"),
        Input::Resolve { request, key, stamp, resolution, .. } => {
            format!("{resolution:?} {} {stamp}, request {request}", text(key))
        }
        Input::Forget { request, node, .. } => format!("forget {:x}, request {request}", node.get()),
        Input::Persisted { upto } => format!("persisted {upto}"),
        Input::PersistFailed { message } => format!("disk failed: {message}"),
        Input::Tick => "tick".to_owned(),
    }
}

fn outputs(output: &Output) -> Vec<String> {
    let sent = output.send.iter().map(|(to, bytes)| format!("{} to {:x}", message(bytes), to.get()));
    let broadcast = output.broadcast.iter().map(|bytes| format!("{} to all", message(bytes)));
    let persist = output.persist.iter().map(batch);
    let changed = output.changed.iter().map(|key| format!("changed {}", text(key)));
    let receipts = output.receipts.iter().map(|(request, result)| match result {
        Ok(receipt) if receipt.is_reached => format!("receipt {request}: {} reached", level_name(receipt.level)),
        Ok(receipt) => format!("receipt {request}: {} not reached", level_name(receipt.level)),
        Err(error) => format!("receipt {request}: {error}"),
    });
    sent.chain(broadcast).chain(persist).chain(changed).chain(receipts).collect()
}

fn batch(batch: &Batch) -> String {
    let registers: Vec<String> =
        batch.registers.iter().map(|register| format!("{}@{}", text(&register.key), register.stamp)).collect();
    let dropped: Vec<String> = batch.dropped.iter().map(|key| format!("-{}", text(key))).collect();
    let state = batch.meta.is_some().then(|| "state".to_owned());
    let parts: Vec<String> = registers.into_iter().chain(dropped).chain(state).collect();
    format!("persist {} [{}]", batch.seq, parts.join(" "))
}

/// A message in a few words: its kind, and the registers or stamps that it is about.
fn message(bytes: &[u8]) -> String {
    let Ok((message, _)) = Message::decode(bytes) else { return format!("{} bytes", bytes.len()) };
    let kind = message.body.name();
    let about: Vec<String> = match &message.body {
        Body::Push { registers, .. } | Body::Repair(registers) | Body::SnapshotChunk { registers, .. } => {
            registers.iter().take(SHOWN).map(|register| format!("{}@{}", text(&register.key), register.stamp)).collect()
        }
        Body::Ack(stamps) => stamps.iter().take(SHOWN).map(ToString::to_string).collect(),
        Body::Outranked(losses) => losses.iter().take(SHOWN).map(|loss| loss.stamp.to_string()).collect(),
        Body::RootRequest(summary) => vec![format!("{:016x}", summary.root)],
        Body::RootReply { summary, is_same, .. } => {
            vec![format!("{:016x} {}", summary.root, if *is_same { "same" } else { "different" })]
        }
        _ => Vec::new(),
    };
    if about.is_empty() { kind.to_owned() } else { format!("{kind} [{}]", about.join(" ")) }
}

/// A key as text; those of the replica itself begin with a dot.
fn text(key: &[u8]) -> String {
    match key {
        [0, b'n', node @ ..] => format!(".member-{:x}", node.last().copied().unwrap_or_default()),
        [0, ..] => ".epoch".to_owned(),
        key => String::from_utf8_lossy(key).into_owned(),
    }
}

fn level_name(level: Level) -> String {
    level.to_string()
}

/// The registers or stamps of one message that are shown.
const SHOWN: usize = 4;
