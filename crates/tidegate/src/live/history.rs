//! What happened to a flag: its dial and its definition in one list.

use serde::Serialize;
use serde_json::value::RawValue;
use tidegate_engine::{FlagKey, Micros};
use tidegate_replica::Stamp;

use super::change::{NodeName, display, instant_of};
use super::request::Names;
use super::value::{ChangeKind, shown};
use crate::store::{Event, HISTORY_PAGE_MAX, History, StoreError};

/// A page of a flag's history, newest first.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct HistoryPage {
    /// The changes.
    pub changes: Vec<HistoryEntry>,
    /// What to name as `before` for the next page; none: this was the last.
    #[serde(serialize_with = "optional")]
    pub next: Option<Stamp>,
}

/// One change of a flag.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// When and by which node it was made.
    #[serde(serialize_with = "display")]
    pub stamp: Stamp,
    /// The same instant for people.
    pub at: Micros,
    /// What was changed.
    pub kind: ChangeKind,
    /// What it was changed to, JSON: of a dial an object with `percentage`, `until` and `defined`, of a definition its
    /// entry; none: it was cleared or removed.
    pub value: Option<Box<RawValue>>,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// On which node.
    pub node: NodeName,
    /// The change that stood there when this one was made, as its writer saw it.
    #[serde(serialize_with = "optional")]
    pub replaced: Option<Stamp>,
    /// Another node made this change at the same time, without knowing of this one, and it counts for more: this one has no
    /// effect.
    #[serde(serialize_with = "optional")]
    pub lost_to: Option<Stamp>,
}

/// One page of both registers of a flag.
pub(super) fn page(
    history: &dyn History,
    flag: &FlagKey,
    before: Option<Stamp>,
    limit: usize,
    names: &Names,
) -> Result<HistoryPage, StoreError> {
    let limit = limit.clamp(1, HISTORY_PAGE_MAX);
    let mut events = Vec::new();
    for kind in [ChangeKind::Activation, ChangeKind::Definition] {
        let page = history.page(&kind.key(flag), before, limit)?;
        events.extend(page.into_iter().map(|event| (kind, event)));
    }
    events.sort_unstable_by_key(|(_, event)| std::cmp::Reverse(event.register.stamp));
    // A full page may have been the last one; then the next is empty.
    let is_full = events.len() >= limit;
    events.truncate(limit);
    let next = events.last().filter(|_| is_full).map(|(_, event)| event.register.stamp);
    Ok(HistoryPage { changes: events.into_iter().map(|(kind, event)| entry(kind, event, names)).collect(), next })
}

fn entry(kind: ChangeKind, event: Event, names: &Names) -> HistoryEntry {
    let Event { register, lost_to } = event;
    HistoryEntry {
        stamp: register.stamp,
        at: instant_of(register.stamp),
        kind,
        value: register.value.as_deref().and_then(|value| shown(kind, value)),
        actor: register.actor.to_string(),
        reason: register.reason.to_string(),
        node: NodeName::of(register.stamp.node(), names),
        replaced: register.replaces,
        lost_to,
    }
}

#[expect(clippy::ref_option, reason = "serde hands over the field as it is")]
fn optional<S: serde::Serializer>(stamp: &Option<Stamp>, serializer: S) -> Result<S::Ok, S::Error> {
    stamp.map(|stamp| stamp.to_string()).serialize(serializer)
}
