//! What a stream of all changes sends: events of server-sent events, as text.

use axum::body::Bytes;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tidegate::{ArrivedChange, ChangeKind, FlagKey, HostLock, Micros, NodeName, Snapshot, View};

use super::position::Position;
use crate::api::answer;

/// A change as it is written.
#[derive(Debug, Serialize)]
struct ChangeJson<'c> {
    /// None: many flags, or it is unknown which.
    flag: Option<String>,
    kind: &'static str,
    old: Option<Box<RawValue>>,
    new: Option<Box<RawValue>>,
    actor: &'c str,
    reason: &'c str,
    node: String,
    /// None for what is not replicated.
    stamp: Option<String>,
    at: Micros,
    replaced: Option<String>,
    lost_to: Option<String>,
}

/// A change of a register: an activation, or a definition.
pub(super) fn register(arrived: &ArrivedChange, id: &Position) -> Bytes {
    let change = &arrived.change;
    let json = ChangeJson {
        flag: Some(change.flag.clone()),
        kind: match change.kind {
            ChangeKind::Activation => "activation",
            ChangeKind::Definition => "definition",
        },
        old: arrived.old.as_ref().and_then(raw),
        new: change.value.as_ref().and_then(raw),
        actor: &change.actor,
        reason: &change.reason,
        node: answer::name(&change.node),
        stamp: Some(change.stamp.to_string()),
        at: change.at,
        replaced: change.replaced.map(|stamp| stamp.to_string()),
        lost_to: change.lost_to.map(|stamp| stamp.to_string()),
    };
    event("change", Some(id), &json)
}

/// What a flag is by the documents alone, for `old` and `new`.
#[derive(Debug, Serialize)]
struct DocumentFlag<'s> {
    stable: Option<&'s RawValue>,
    new: Option<&'s RawValue>,
    share: tidegate::Share,
    enabled: bool,
    lock: Option<&'static str>,
}

/// All documents, where it is not listed which flags have changed.
#[derive(Debug, Serialize)]
struct Documents {
    digest: String,
    /// None where only the digest is known.
    flags: Option<usize>,
}

/// Another document is active: a flag of it has changed.
pub(super) fn document_flag(
    flag: &FlagKey,
    [old, new]: [&Snapshot; 2],
    view: &View,
    node: &NodeName,
    id: &Position,
) -> Bytes {
    let side = |snapshot: &Snapshot| {
        let found = snapshot.flag(snapshot.find(flag.section(), flag.flag())?);
        let raw = |text: Option<&str>| text.and_then(|text| RawValue::from_string(text.to_owned()).ok());
        let (stable, new) = (raw(found.stable()), raw(found.new_value()));
        let json = DocumentFlag {
            stable: stable.as_deref(),
            new: new.as_deref(),
            share: found.share_at(&view.moment()),
            enabled: found.is_enabled(),
            lock: found.lock().map(tidegate::Variant::as_str),
        };
        to_raw_value(&json).ok()
    };
    local("document", Some(flag), (side(old), side(new)), ("", ""), view.now(), node, id)
}

/// Another document is active, and it is not listed which flags have changed.
pub(super) fn documents(
    old: (u128, Option<usize>),
    new: &Snapshot,
    now: Micros,
    node: &NodeName,
    id: &Position,
) -> Bytes {
    let side = |digest: u128, flags| to_raw_value(&Documents { digest: format!("{digest:032x}"), flags }).ok();
    let sides = (side(old.0, old.1), side(new.digest().get(), Some(new.len())));
    local("document", None, sides, ("", ""), now, node, id)
}

/// The lock of a flag on this host is another.
pub(super) fn lock(
    flag: &FlagKey,
    [old, new]: [Option<&HostLock>; 2],
    now: Micros,
    node: &NodeName,
    id: &Position,
) -> Bytes {
    let (actor, reason) = new.map_or(("", ""), |lock| (&*lock.actor, &*lock.reason));
    local("lock", Some(flag), (old.and_then(raw), new.and_then(raw)), (actor, reason), now, node, id)
}

/// What is not replicated.
fn local(
    kind: &'static str,
    flag: Option<&FlagKey>,
    (old, new): (Option<Box<RawValue>>, Option<Box<RawValue>>),
    (actor, reason): (&str, &str),
    at: Micros,
    node: &NodeName,
    id: &Position,
) -> Bytes {
    let flag = flag.map(ToString::to_string);
    let node = answer::name(node);
    let json = ChangeJson { flag, kind, old, new, actor, reason, node, stamp: None, at, replaced: None, lost_to: None };
    event("change", Some(id), &json)
}

/// Changes are missing in the stream: the history of this node does not have all since the last event any more.
pub(super) fn gap() -> Bytes {
    #[derive(Serialize)]
    struct Gap {
        detail: &'static str,
    }
    let detail = "the history of this node does not have all changes since the last event; list the flags";
    event("gap", None, &Gap { detail })
}

/// The last event of a stream that this server ends.
pub(super) fn end(reason: &'static str, detail: &'static str) -> Bytes {
    #[derive(Serialize)]
    struct End {
        reason: &'static str,
        detail: &'static str,
    }
    event("end", None, &End { reason, detail })
}

/// The health of the sources is another.
pub(super) fn health(tide: &tidegate::Tidegate, id: &Position) -> Bytes {
    #[derive(Serialize)]
    struct Source<'s> {
        source: &'s str,
        health: &'static str,
    }
    #[derive(Serialize)]
    struct Sources<'s> {
        sources: Vec<Source<'s>>,
    }
    let status = tide.status();
    let all = std::iter::once(&status).chain(&status.additional_sources);
    let sources = all.map(|status| Source { source: &status.source, health: status.health.as_str() }).collect();
    event("health", Some(id), &Sources { sources })
}

/// Data is JSON on one line, so it is one line of the event.
fn event(name: &str, id: Option<&Position>, data: &impl Serialize) -> Bytes {
    let id = id.map_or_else(String::new, |id| format!("id: {id}\n"));
    // Texts and numbers: writing them cannot fail.
    let data = serde_json::to_string(data).unwrap_or_default();
    format!("{id}event: {name}\ndata: {data}\n\n").into()
}

fn raw(value: &impl Serialize) -> Option<Box<RawValue>> {
    to_raw_value(value).ok()
}
