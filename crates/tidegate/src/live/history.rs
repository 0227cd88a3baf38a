//! What happened to a flag: its activation and its definition in one list.

use serde::Serialize;
use tidegate_engine::{FlagKey, Micros};
use tidegate_replica::Stamp;

use super::names::{Names, NodeName, instant_of};
use super::text;
use super::value::{ChangeKind, RegisterValue};
use crate::store::{Event, HISTORY_PAGE_MAX, History, StoreError};

/// A page of the history of a flag, or of all flags, newest first.
///
/// It is this node's: what it has written, and what has come to it. Of changes that were made close together elsewhere it may
/// have seen the last one only, and what was made while it was away may have come as a result without its steps.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct HistoryPage {
    /// The node whose history this is.
    pub node: NodeName,
    /// The other members. Each has a history of its own.
    pub others: Vec<NodeName>,
    /// Changes that were replaced by some on this page, and are not in this node's history: they never came here, or were too
    /// many to be kept.
    pub missing: Vec<MissingChange>,
    /// The changes.
    pub changes: Vec<HistoryEntry>,
    /// What to name as `before` for the next page; none: this was the last.
    #[serde(serialize_with = "optional")]
    pub next: Option<Stamp>,
}

/// A change of which this node knows that it was made, and no more.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct MissingChange {
    /// The flag.
    pub flag: String,
    /// Its stamp.
    #[serde(serialize_with = "text::serialize")]
    pub stamp: Stamp,
    /// The same instant for people.
    pub at: Micros,
    /// The nodes that know more: the one that made it, and the one that replaced it. This one is not among them.
    pub known_to: Vec<NodeName>,
}

/// One change of a flag.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// The flag.
    pub flag: String,
    /// When and by which node it was made.
    #[serde(serialize_with = "text::serialize")]
    pub stamp: Stamp,
    /// The same instant for people.
    pub at: Micros,
    /// What was changed.
    pub kind: ChangeKind,
    /// What it was changed to; none: it was cleared or removed, or only a newer version can read it.
    pub value: Option<RegisterValue>,
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

/// Whose history it is, and whose else there is.
#[derive(Debug)]
pub(super) struct Whose {
    pub(super) node: NodeName,
    pub(super) others: Vec<NodeName>,
    pub(super) names: Names,
}

/// One page of both registers of a flag, or of all flags.
pub(super) fn page(
    history: &dyn History,
    flag: Option<&FlagKey>,
    before: Option<Stamp>,
    limit: usize,
    whose: Whose,
) -> Result<HistoryPage, StoreError> {
    let limit = limit.clamp(1, PAGE_MAX.min(HISTORY_PAGE_MAX));
    let (events, next) = match flag {
        Some(flag) => events_of(history, flag, before, limit)?,
        None => events_of_all(history, before, limit)?,
    };
    let mut missing = Vec::new();
    for (kind, flag, event) in &events {
        if let Some(replaced) = event.register.replaces
            && !is_known(history, &events, (*kind, flag), replaced)?
        {
            let mut known_to = vec![replaced.node(), event.register.stamp.node()];
            known_to.dedup();
            known_to.retain(|node| *node != whose.node.node);
            let known_to = known_to.into_iter().map(|node| NodeName::new(node, &whose.names)).collect();
            missing.push(MissingChange { flag: flag.to_string(), stamp: replaced, at: instant_of(replaced), known_to });
        }
    }
    let changes = events.into_iter().map(|(kind, flag, event)| entry(kind, &flag, event, &whose.names)).collect();
    Ok(HistoryPage { node: whose.node, others: whose.others, missing, changes, next })
}

type Found = (ChangeKind, FlagKey, Event);

fn events_of(
    history: &dyn History,
    flag: &FlagKey,
    before: Option<Stamp>,
    limit: usize,
) -> Result<(Vec<Found>, Option<Stamp>), StoreError> {
    let mut events = Vec::new();
    for kind in [ChangeKind::Activation, ChangeKind::Definition] {
        let page = history.page(&kind.key(flag), before, limit)?;
        events.extend(page.into_iter().map(|event| (kind, flag.clone(), event)));
    }
    events.sort_unstable_by_key(|(.., event)| std::cmp::Reverse(event.register.stamp));
    // A full page may have been the last one; then the next is empty.
    let is_full = events.len() >= limit;
    events.truncate(limit);
    let next = events.last().filter(|_| is_full).map(|(.., event)| event.register.stamp);
    Ok((events, next))
}

fn events_of_all(
    history: &dyn History,
    mut before: Option<Stamp>,
    limit: usize,
) -> Result<(Vec<Found>, Option<Stamp>), StoreError> {
    let mut events: Vec<Found> = Vec::new();
    loop {
        let wanted = limit - events.len();
        let page = history.page_of_all(before, wanted)?;
        let is_last = page.len() < wanted;
        before = page.last().map(|event| event.register.stamp);
        // The membership has a history as well, and a newer version may know more kinds.
        events.extend(page.into_iter().filter_map(|event| {
            let (kind, flag) = ChangeKind::from_key(&event.register.key)?;
            Some((kind, flag, event))
        }));
        if is_last || events.len() >= limit {
            return Ok((events, before.filter(|_| !is_last)));
        }
    }
}

/// Whether a change is in this node's history.
fn is_known(
    history: &dyn History,
    page: &[Found],
    of: (ChangeKind, &FlagKey),
    stamp: Stamp,
) -> Result<bool, StoreError> {
    let is_it = |(kind, flag, event): &Found| (*kind, flag) == of && event.register.stamp == stamp;
    if page.iter().any(is_it) {
        return Ok(true);
    }
    let found = history.page(&of.0.key(of.1), Some(next_after(stamp)), 1)?;
    Ok(found.first().is_some_and(|event| event.register.stamp == stamp))
}

/// The least stamp that is greater: pages end before a stamp.
pub(super) fn next_after(stamp: Stamp) -> Stamp {
    let mut bytes = stamp.to_bytes();
    for byte in bytes.iter_mut().rev() {
        let is_carried;
        (*byte, is_carried) = byte.overflowing_add(1);
        if !is_carried {
            break;
        }
    }
    Stamp::from_bytes(bytes)
}

pub(super) fn entry(kind: ChangeKind, flag: &FlagKey, event: Event, names: &Names) -> HistoryEntry {
    let Event { register, lost_to } = event;
    HistoryEntry {
        flag: flag.to_string(),
        stamp: register.stamp,
        at: instant_of(register.stamp),
        kind,
        value: register.value.as_deref().and_then(|value| RegisterValue::from_bytes(kind, value)),
        actor: register.actor.to_string(),
        reason: register.reason.to_string(),
        node: NodeName::new(register.stamp.node(), names),
        replaced: register.replaces,
        lost_to,
    }
}

/// The most of one page: each may need a look at what it replaced.
const PAGE_MAX: usize = 100;

#[expect(clippy::ref_option, reason = "serde hands over the field as it is")]
fn optional<S: serde::Serializer>(stamp: &Option<Stamp>, serializer: S) -> Result<S::Ok, S::Error> {
    stamp.map(|stamp| stamp.to_string()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidegate_replica::{Batch, NodeId, Register};

    use super::*;
    use crate::store::{MemoryStore, Store};

    fn stamp(ms: u64, node: u8) -> Stamp {
        let mut bytes = [0; 18];
        bytes[2..8].copy_from_slice(&ms.to_be_bytes()[2..]);
        bytes[17] = node;
        Stamp::from_bytes(bytes)
    }

    fn event(key: &str, stamp: Stamp, replaces: Option<Stamp>) -> Event {
        let register = Register {
            key: key.as_bytes().into(),
            stamp,
            value: None,
            replaces,
            supersedes: None,
            actor: "".into(),
            reason: "".into(),
            extra: Arc::default(),
        };
        Event { register, lost_to: None }
    }

    fn whose() -> Whose {
        let known = |node: u64, name: &str| (NodeId::new(node), name.to_owned());
        let names = Arc::new([known(1, "a"), known(2, "b"), known(3, "c")].into());
        let (node, other) = (NodeName::new(NodeId::new(1), &names), NodeName::new(NodeId::new(2), &names));
        Whose { node, others: vec![other], names }
    }

    fn history() -> Box<dyn History> {
        let mut store = MemoryStore::new();
        let history = vec![
            event("aflags/x", stamp(1, 1), None),
            event("aflags/x", stamp(2, 2), Some(stamp(1, 1))),
            // Another one was there, which has never come here.
            event("aflags/x", stamp(5, 2), Some(stamp(4, 3))),
            event("dflags/y", stamp(3, 1), None),
            event("mmember", stamp(6, 1), None),
            event("aflags/y", stamp(7, 1), None),
        ];
        store.commit(&[Batch { seq: 1, history, ..Batch::default() }]).unwrap();
        store.history()
    }

    #[test]
    fn all_flags_newest_first_and_without_what_is_no_flag() {
        let (mut before, mut seen) = (None, Vec::new());
        loop {
            let page = page(&*history(), None, before, 2, whose()).unwrap();
            seen.extend(page.changes.iter().map(|change| (change.flag.clone(), change.kind, change.stamp)));
            before = page.next;
            if before.is_none() {
                break;
            }
        }
        let flag = |name: &str| format!("flags/{name}");
        assert_eq!(
            seen,
            [
                (flag("y"), ChangeKind::Activation, stamp(7, 1)),
                (flag("x"), ChangeKind::Activation, stamp(5, 2)),
                (flag("y"), ChangeKind::Definition, stamp(3, 1)),
                (flag("x"), ChangeKind::Activation, stamp(2, 2)),
                (flag("x"), ChangeKind::Activation, stamp(1, 1)),
            ]
        );
    }

    #[test]
    fn it_says_whose_it_is_and_who_knows_of_what_never_came() {
        for (flag, limit) in [(Some("x"), 10), (Some("x"), 1), (None, 10), (None, 2)] {
            let page = page(&*history(), flag.map(FlagKey::parse).as_ref(), None, limit, whose()).unwrap();
            assert_eq!((page.node.name.as_str(), page.others[0].name.as_str()), ("a", "b"));
            let missing: Vec<_> = page.missing.iter().map(|missing| (missing.flag.as_str(), missing.stamp)).collect();
            assert_eq!(missing, [("flags/x", stamp(4, 3))], "{flag:?} {limit}");
            let known_to: Vec<_> = page.missing[0].known_to.iter().map(|node| node.name.as_str()).collect();
            assert_eq!(known_to, ["c", "b"]);
        }
        let page = page(&*history(), Some(&FlagKey::parse("y")), None, 10, whose()).unwrap();
        assert!(page.missing.is_empty());
    }
}
