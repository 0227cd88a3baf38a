//! What the log says of a cluster: each event once, with names.
//!
//! Names, actors and reasons are texts of others, and are escaped. Values of flags are not logged. Changes may come by the
//! thousand, so that only a limited number a second is logged, and how many were left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_engine::{FlagKey, Share};
use tidegate_mesh::{Cause, PeerEvent, Reason};
use tidegate_replica::{NodeId, Now, Outranked, Receipt as Written, Register, Replica, Stamp, WriteError};
use tracing::{error, info, warn};

use crate::live::carrier::Carrier;
use crate::live::change_error::refusal_code;
use crate::live::names::{Names, NodeName, clock_off, instant_of, shown_node};
use crate::live::receipt::Effect;
use crate::live::redis_link::RedisReceipt;
use crate::live::value::{ChangeKind, read_activation};

/// What was logged, so that it is logged once.
#[derive(Debug)]
pub(super) struct Events {
    own: NodeId,
    /// Whether changes are told by now.
    has_begun: bool,
    /// The processes that are connected, by node.
    connected: BTreeMap<NodeId, BTreeSet<u64>>,
    /// Nodes that are connected and not told yet, because their names are unknown: where they are, and since when.
    unnamed: BTreeMap<NodeId, (String, u64)>,
    /// Members by name, as they were told.
    members: Names,
    /// Whether a majority is reachable; none before it was for the first time.
    has_majority: Option<bool>,
    has_reached: bool,
    is_unreached_told: bool,
    /// Why changes are refused, as a word.
    refused: Option<&'static str>,
    /// The peers whose clocks are off.
    clocks: BTreeSet<NodeId>,
    quarantined: BTreeMap<Arc<[u8]>, (Stamp, NodeId)>,
    budget: Budget,
}

/// How many changes are told in a second.
#[derive(Debug)]
struct Budget {
    second: Instant,
    told: u32,
    left_out: u64,
}

impl Events {
    pub(super) fn new(own: NodeId) -> Self {
        Self {
            own,
            has_begun: false,
            connected: BTreeMap::new(),
            unnamed: BTreeMap::new(),
            members: Names::default(),
            has_majority: None,
            has_reached: false,
            is_unreached_told: false,
            refused: None,
            clocks: BTreeSet::new(),
            quarantined: BTreeMap::new(),
            budget: Budget { second: Instant::now(), told: 0, left_out: 0 },
        }
    }

    /// From now on changes are told, and members that are not among these.
    pub(super) fn begin(&mut self, names: &Names) {
        self.has_begun = true;
        self.members = Arc::clone(names);
    }

    /// Whether one more change may be told now. If not, it is counted.
    pub(super) fn may_tell(&mut self) -> bool {
        if !self.has_begun {
            return false;
        }
        let budget = &mut self.budget;
        if budget.second.elapsed() >= SECOND {
            (budget.second, budget.told) = (Instant::now(), 0);
        }
        if budget.told < CHANGES_TOLD {
            budget.told += 1;
            return true;
        }
        budget.left_out += 1;
        false
    }

    /// A process of a node has come or gone.
    pub(super) fn peer(&mut self, node: NodeId, instance: u64, event: PeerEvent, names: &Names, now: Now) {
        let processes = self.connected.entry(node).or_default();
        match event {
            PeerEvent::Connected { remote } if node == self.own => {
                processes.insert(instance);
                error!(
                    "another process has the id of this node, {node}, and is connected at {remote}; stop one of the two"
                );
            }
            PeerEvent::Connected { remote } => {
                self.has_reached = true;
                let is_first = processes.is_empty();
                processes.insert(instance);
                match names.get(&node) {
                    Some(name) if is_first => info!("connected to {} at {remote}", told(node, Some(name))),
                    Some(name) => info!("{} has started again and is connected at {remote}", told(node, Some(name))),
                    None => _ = self.unnamed.insert(node, (remote.to_string(), now.steady_ms)),
                }
            }
            PeerEvent::Lost { cause } => {
                processes.remove(&instance);
                // Another process of it is there: it has started again.
                if !processes.is_empty() {
                    return;
                }
                self.connected.remove(&node);
                self.tell_unnamed(node, names);
                let name = told(node, names.get(&node));
                match cause {
                    Cause::Ended(Reason::Leaving) => info!("{name} has left: it was stopped"),
                    cause => warn!("lost {name}: {cause}"),
                }
            }
        }
    }

    /// Looks at everything that may have changed. Once a second.
    pub(super) fn watch(&mut self, replica: &Replica, names: &Names, carrier: &dyn Carrier, now: Now) {
        let is_due = |(_, since): &(String, u64)| now.steady_ms.saturating_sub(*since) >= NAMELESS_MS;
        let due: Vec<NodeId> = self
            .unnamed
            .iter()
            .filter(|(node, waits)| names.contains_key(node) || is_due(waits))
            .map(|(node, _)| *node)
            .collect();
        for node in due {
            self.tell_unnamed(node, names);
        }
        self.watch_members(names);
        self.watch_majority(replica, names, now);
        self.watch_reached(carrier, now);
        self.watch_refusal(replica, now);
        self.watch_clocks(replica, names, now);
        self.watch_quarantine(replica, names, now);
        let left_out = std::mem::take(&mut self.budget.left_out);
        if left_out > 0 {
            info!("{left_out} more changes were made or received in the last second and are not listed");
        }
    }

    fn tell_unnamed(&mut self, node: NodeId, names: &Names) {
        if let Some((remote, _)) = self.unnamed.remove(&node) {
            info!("connected to {} at {remote}", told(node, names.get(&node)));
        }
    }

    /// Nodes that have become members.
    fn watch_members(&mut self, names: &Names) {
        let before = std::mem::replace(&mut self.members, Arc::clone(names));
        for (node, name) in names.iter().filter(|(node, _)| !before.contains_key(node) && **node != self.own) {
            info!("{} is a member of the cluster now", told(*node, Some(name)));
        }
    }

    fn watch_majority(&mut self, replica: &Replica, names: &Names, now: Now) {
        let members: Vec<NodeId> =
            replica.members().filter(|member| !member.is_forgotten).map(|member| member.node).collect();
        let away: Vec<NodeId> =
            members.iter().copied().filter(|node| *node != self.own && !replica.is_reachable(*node)).collect();
        let (reached, count) = (members.len() - away.len(), members.len());
        let has_majority = count < 2 || reached * 2 > count;
        let is_starting = self.has_majority.is_none() && now.steady_ms < STARTING_MS;
        match (self.has_majority, has_majority) {
            (None, true) => self.has_majority = Some(true),
            (None | Some(true), false) if !is_starting => {
                self.has_majority = Some(false);
                let away: Vec<String> = away.iter().map(|node| told(*node, names.get(node))).collect();
                warn!(
                    "the majority is lost: {reached} of {count} members are reachable, and changes are not acknowledged by a \
                     majority; unreachable: {}",
                    away.join(", ")
                );
            }
            (Some(false), true) => {
                self.has_majority = Some(true);
                info!("the majority is regained: {reached} of {count} members are reachable");
            }
            _ => {}
        }
    }

    /// A node that was told of others and has found none.
    fn watch_reached(&mut self, carrier: &dyn Carrier, now: Now) {
        if self.has_reached || self.is_unreached_told || now.steady_ms < STARTING_MS {
            return;
        }
        let Some(status) = carrier.status() else { return };
        let sought = status.addresses.iter().filter(|address| address.cause != Some(Cause::Own));
        let mut why = String::new();
        for address in sought.take(ADDRESSES_TOLD) {
            let cause = address.cause.as_ref().map_or_else(|| "no answer yet".to_owned(), ToString::to_string);
            let _ = write!(why, "; {}: {cause}", address.address.escape_debug());
        }
        if !why.is_empty() {
            self.is_unreached_told = true;
            warn!("no other node was reached since the start, {} s ago{why}", now.steady_ms / 1_000);
        }
    }

    /// Why this node refuses changes: its clock, a clone.
    fn watch_refusal(&mut self, replica: &Replica, now: Now) {
        let refusal = replica.writes_refused(now);
        // The store has told of its own.
        let refusal = refusal.filter(|error| !matches!(error, WriteError::ReadOnly { .. }));
        let code = refusal.as_ref().map(refusal_code);
        if code == std::mem::replace(&mut self.refused, code) {
            return;
        }
        if let Some(error) = refusal {
            error!("changes are refused on this node: {error}");
        } else {
            info!("changes are accepted on this node again");
        }
    }

    fn watch_clocks(&mut self, replica: &Replica, names: &Names, now: Now) {
        for (node, offset_ms) in replica.peers_with_clocks_off(now) {
            if self.clocks.insert(node) {
                warn!("{}", clock_off(&told(node, names.get(&node)), offset_ms));
            }
        }
        for (node, offset_ms) in replica.clock_offsets() {
            if offset_ms.unsigned_abs() < CLOCK_GOOD_MS && self.clocks.remove(&node) {
                let name = told(node, names.get(&node));
                info!("the clock of {name} agrees with this host's again: {offset_ms:+} ms");
            }
        }
    }

    fn watch_quarantine(&mut self, replica: &Replica, names: &Names, now: Now) {
        let held: BTreeMap<Arc<[u8]>, (Stamp, NodeId)> =
            replica.quarantine().map(|held| (held.key, (held.stamp, held.from))).collect();
        if held == self.quarantined {
            return;
        }
        let before = std::mem::replace(&mut self.quarantined, held);
        let name_of = |node: NodeId| told(node, names.get(&node));
        let held = self.quarantined.clone();
        for (key, (stamp, from)) in held.iter().filter(|(key, held)| before.get(*key) != Some(held)) {
            if self.may_tell() {
                let ahead = stamp.millis().saturating_sub(now.wall_ms) / 1_000;
                let (what, writer) = (about(key), name_of(stamp.node()));
                let sent = if *from == stamp.node() { String::new() } else { format!(", sent by {}", name_of(*from)) };
                warn!(
                    "{what} by {writer}{sent} is quarantined: it is stamped {}, {ahead} s ahead of this host's clock; set the \
                     clock of {writer}",
                    instant_of(*stamp)
                );
            }
        }
        for (key, (stamp, _)) in before.iter().filter(|(key, _)| !held.contains_key(*key)) {
            if self.may_tell() {
                let (what, writer) = (about(key), name_of(stamp.node()));
                match replica.get(key) {
                    Some(register) if register.stamp == *stamp => {
                        info!("{what} by {writer} is no longer quarantined: it is active now");
                    }
                    _ => info!("{what} by {writer} is no longer quarantined: another change counts for more"),
                }
            }
        }
    }
}

/// What a register is about.
fn about(key: &[u8]) -> String {
    match (key, ChangeKind::from_key(key)) {
        (_, Some((_, flag))) => format!("a change of `{}`", flag.to_string().escape_debug()),
        // The replica's own registers.
        ([0, ..], None) => "a change of the membership".to_owned(),
        (_, None) => "a change that only a newer version knows".to_owned(),
    }
}

/// A node for the log: its name and its id.
fn told(node: NodeId, name: Option<&String>) -> String {
    match name.filter(|name| !name.is_empty()) {
        Some(name) => format!("`{}` ({node})", name.escape_debug()),
        None => format!("node {node}"),
    }
}

/// What is done to a flag.
pub(super) fn what(kind: ChangeKind, flag: &FlagKey, value: Option<&[u8]>) -> String {
    let flag = flag.to_string();
    let flag = flag.escape_debug();
    match (kind, value) {
        (ChangeKind::Activation, None) => format!("`{flag}`: the activation is cleared"),
        (ChangeKind::Definition, None) => format!("`{flag}`: the definition is removed"),
        (ChangeKind::Definition, Some(_)) => format!("`{flag}` is defined"),
        (ChangeKind::Activation, Some(value)) => match read_activation(value) {
            Ok(activation) if activation.share == Share::ZERO => format!("`{flag}` is deactivated"),
            Ok(activation) => format!("`{flag}` is activated for {} %", activation.share),
            Err(_) => format!("`{flag}` is activated"),
        },
    }
}

/// Who and why, as far as the change names them.
pub(super) fn by(actor: &str, reason: &str) -> String {
    let mut text = String::new();
    if !actor.is_empty() {
        let _ = write!(text, " by `{}`", actor.escape_debug());
    }
    if !reason.is_empty() {
        let _ = write!(text, " (`{}`)", reason.escape_debug());
    }
    text
}

/// A change that was made on another node.
pub(super) fn described(kind: ChangeKind, flag: &FlagKey, register: &Register, names: &Names) -> String {
    let node = NodeName::new(register.stamp.node(), names);
    let (what, by) = (what(kind, flag, register.value.as_deref()), by(&register.actor, &register.reason));
    format!("{what}{by} on {}", shown_node(&node))
}

/// A change of another node is active here.
pub(super) fn tell_received(line: &str, from: Option<Share>, to: Option<Share>) {
    info!("{line}{}; received", effect_in_words(&Effect { from, to }));
}

/// A change that was made here and has its receipt, which it may share with others.
pub(super) struct AnsweredChange<'c> {
    pub(super) line: &'c str,
    pub(super) effect: Option<&'c Effect>,
    pub(super) stamp: Stamp,
    pub(super) written: &'c Written,
}

impl<'c> AnsweredChange<'c> {
    /// What counts for more than this change.
    fn losses(&self) -> impl Iterator<Item = &'c Outranked> {
        let stamp = self.stamp;
        self.written.outranked.iter().filter(move |loss| loss.stamp == stamp)
    }
}

/// A change that was made here has its receipt.
pub(super) fn tell_written(change: &AnsweredChange<'_>, names: &Names) {
    let AnsweredChange { line, written, .. } = change;
    let effect = change.effect.map_or_else(String::new, effect_in_words);
    let mut losses = change.losses().peekable();
    let (have, count) = (written.durable_on.len(), written.durable_on.len() + written.pending.len());
    let (level, s) = (written.level, if count == 1 { "" } else { "s" });
    if losses.peek().is_some() {
        let name = |node: NodeId| told(node, names.get(&node));
        let losses = losses.map(|loss| {
            let state = if loss.is_quarantined { "a quarantined change" } else { "a change" };
            format!("on {} by {state} of {} ({})", name(loss.node), name(loss.by.node()), loss.by)
        });
        warn!("{line}{effect}; stored, but outranked {}", losses.collect::<Vec<_>>().join(", "));
    } else if written.is_reached {
        info!("{line}{effect}; acknowledged by {have} of {count} member{s} ({level})");
    } else if (have, count) == (1, 1) {
        // It has peers configured: alone it is no majority.
        warn!("{line}{effect}; acknowledged by this node alone, which knows no other member yet ({level})");
    } else {
        let pending: Vec<String> = written.pending.iter().map(|node| told(*node, names.get(node))).collect();
        let not_yet = if pending.is_empty() { String::new() } else { format!("; not yet: {}", pending.join(", ")) };
        warn!("{line}{effect}; acknowledged by only {have} of {count} member{s} in time ({level}){not_yet}");
    }
}

/// A change that was made here, and what Redis has said of it.
pub(super) fn tell_stored(change: &AnsweredChange<'_>, redis: &RedisReceipt, names: &Names) {
    let AnsweredChange { line, written, .. } = change;
    if change.losses().next().is_some() {
        return tell_written(change, names);
    }
    let effect = change.effect.map_or_else(String::new, effect_in_words);
    let level = written.level;
    let replicas = match redis.replicas {
        0 => String::new(),
        count => format!(" and {count} of its replicas"),
    };
    if written.is_reached {
        info!("{line}{effect}; acknowledged by Redis{replicas} ({level})");
    } else {
        let why = redis.problem.as_deref().unwrap_or("too few of its replicas have it");
        warn!("{line}{effect}; active here, and not acknowledged by Redis ({level}): {why}");
    }
}

fn effect_in_words(effect: &Effect) -> String {
    let share = |share: Option<Share>| share.map_or_else(|| "default".to_owned(), |share| format!("{share} %"));
    format!(": {} -> {}", share(effect.from), share(effect.to))
}

const SECOND: Duration = Duration::from_secs(1);

/// Changes that are told in one second: a person reads no more, and a restore has thousands.
const CHANGES_TOLD: u32 = 20;

/// How long a node that has just started looks for the others before the log reports it, in milliseconds.
const STARTING_MS: u64 = 10_000;

/// How long a node is waited for to say its name, in milliseconds.
const NAMELESS_MS: u64 = 2_000;

/// A clock that is off by less agrees again, in milliseconds.
const CLOCK_GOOD_MS: u64 = 400;

/// Addresses that are listed with their causes.
const ADDRESSES_TOLD: usize = 5;

#[cfg(test)]
mod tests;
