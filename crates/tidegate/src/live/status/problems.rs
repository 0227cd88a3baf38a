//! What is wrong, each thing once, from what the status says one by one.

use tidegate_engine::{Micros, Span};

use super::{AddressView, ClusterStatus, MemberStatus};
use crate::live::names::{NodeName, clock_off, shown_node};
use crate::live::problem::ClusterProblem;

/// All that is wrong now. `refusal`: why the replica refuses changes, as a word.
pub(super) fn find(status: &ClusterStatus, refusal: Option<&'static str>, now: Micros) -> Vec<ClusterProblem> {
    let mut problems = Problems(Vec::new());
    writes(status, refusal, &mut problems);
    for damage in &status.damage {
        problems.act("damage", format!("{damage}; check the disk. What others have is fetched from them"));
    }
    problems.0.extend(status.redis.iter().flat_map(|redis| redis.problems.iter().cloned()));
    others(status, &mut problems);
    links(status, now, &mut problems);
    changes(status, &mut problems);
    problems.0
}

struct Problems(Vec<ClusterProblem>);

impl Problems {
    /// A person has to act.
    fn act(&mut self, code: &str, message: String) {
        self.0.push(ClusterProblem { code: code.to_owned(), message, needs_action: true });
    }

    /// It is to be known.
    fn note(&mut self, code: &str, message: String) {
        self.0.push(ClusterProblem { code: code.to_owned(), message, needs_action: false });
    }
}

/// Whether changes are accepted, and kept.
fn writes(status: &ClusterStatus, refusal: Option<&'static str>, problems: &mut Problems) {
    match (&status.writes_refused, &status.disk) {
        (Some(why), Some(_)) => problems.act("disk", format!("changes are refused: {why}")),
        (Some(why), None) => problems.act(refusal.unwrap_or("writes-refused"), format!("changes are refused: {why}")),
        (None, Some(disk)) => problems.act("disk", disk.clone()),
        (None, None) => {}
    }
}

/// Other nodes: whether they are there, answer, and have the same time.
fn others(status: &ClusterStatus, problems: &mut Problems) {
    let is_reachable =
        |node: &NodeName| status.peers.iter().any(|peer| peer.node.node == node.node && peer.is_reachable);
    let members: Vec<&MemberStatus> = status.members.iter().filter(|member| !member.is_forgotten).collect();
    let unreachable: Vec<&MemberStatus> = members
        .iter()
        .filter(|member| member.node.node != status.node.id && !is_reachable(&member.node))
        .copied()
        .collect();
    let names = named(unreachable.iter().map(|member| &member.node));
    let reached = members.len() - unreachable.len();
    if let Some(since) = status.isolated_since {
        let whom = if unreachable.is_empty() {
            "no other node was reached".to_owned()
        } else {
            format!("{names} cannot be reached")
        };
        let message = format!("this node is alone since {since}: {whom}; changes stay here until one is");
        // The first node of a cluster waits for the others.
        let is_expected = unreachable.is_empty() && !status.addresses.iter().any(is_sought);
        if is_expected { problems.note("isolated", message) } else { problems.act("isolated", message) }
    } else if reached * 2 <= members.len() && !members.is_empty() {
        problems.act(
            "no-majority",
            format!(
                "{reached} of {} members are reachable, which is no majority: changes are not acknowledged by one; {names} \
                 cannot be reached",
                members.len()
            ),
        );
    } else {
        for member in &unreachable {
            let heard = status.peers.iter().find(|peer| peer.node.node == member.node.node);
            let ms = heard.and_then(|peer| peer.heard_ms_ago).unwrap_or(status.node.uptime_ms);
            let message = format!("{} cannot be reached, for {}", shown_node(&member.node), lasting(ms));
            if ms >= LONG_MS {
                problems.act("member-unreachable", message);
            } else {
                problems.note("member-unreachable", message);
            }
        }
    }
    for member in members.iter().filter(|member| member.is_silent) {
        let node = shown_node(&member.node);
        problems.act(
            "silent-member",
            format!(
                "nothing has come from {node} for seven days, and majorities count it; bring it back, or take it out with \
                 `tidegate cluster forget {}`",
                member.node.node
            ),
        );
    }
    for peer in status.peers.iter().filter(|peer| peer.is_reachable) {
        let node = shown_node(&peer.node);
        if !peer.is_responsive {
            problems.act(
                "not-answering",
                format!("{node} is connected and does not answer; look at its log, or restart it"),
            );
        }
        if let Some(offset) = peer.clock_offset_ms.filter(|_| peer.is_clock_off) {
            problems.act("clock", clock_off(&node, offset));
        }
    }
}

/// The links, and who may use them.
fn links(status: &ClusterStatus, now: Micros, problems: &mut Problems) {
    for address in status.addresses.iter().filter(|address| is_sought(address) && !address.is_connected) {
        let Some(problem) = &address.problem else { continue };
        let failing_ms = address.failing_ms.unwrap_or(0);
        let message = format!("no link to {}, for {}: {problem}", place(address), lasting(failing_ms));
        let passes = address.cause.as_deref().is_some_and(|cause| PASSING.contains(&cause)) && failing_ms < LONG_MS;
        if passes { problems.note("no-link", message) } else { problems.act("no-link", message) }
    }
    for problem in &status.link_problems {
        problems.act("links", problem.clone());
    }
    if let Some(expires) = status.node.certificate_expires {
        let left = i128::from(expires.get()) - i128::from(now.get());
        // One that has expired is a problem of the links already.
        if (1..CERTIFICATE_WARNED_US).contains(&left) {
            problems.act(
                "certificate-expires",
                format!(
                    "the certificate of this node expires on {expires}; make a new one with `tidegate cluster init --renew`"
                ),
            );
        }
    }
    if status.messages_refused.contains_key("equal-stamps") {
        problems.act(
            "equal-stamps",
            "two contents came under one stamp: two processes have written with one node's id; find the copied data folder"
                .to_owned(),
        );
    }
}

/// Changes that are not active.
fn changes(status: &ClusterStatus, problems: &mut Problems) {
    if status.quarantined_count > 0 {
        let mut nodes: Vec<&NodeName> = status.quarantined.iter().map(|change| &change.node).collect();
        nodes.sort();
        nodes.dedup();
        let count = status.quarantined_count;
        let (s, object) = if count == 1 { (" is", "it") } else { ("s are", "them") };
        problems.act(
            "quarantined",
            format!(
                "{count} change{s} quarantined, because the clock of {} was ahead when it made {object}; set that clock",
                named(nodes)
            ),
        );
    }
    for change in &status.inapplicable {
        let flag = change.flag.escape_debug();
        problems.act("inapplicable", format!("a change of `{flag}` cannot be made active here: {}", change.problem));
    }
    if !status.shadowed.is_empty() {
        let flags: Vec<String> = status.shadowed.iter().take(NAMED).map(|flag| format!("`{flag}`")).collect();
        let more = status.shadowed.len().saturating_sub(NAMED);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        problems.note(
            "shadowed",
            format!("definitions have no effect here, because a document defines the flag: {}{more}", flags.join(", ")),
        );
    }
}

/// Whether the configuration names another node there.
fn is_sought(address: &AddressView) -> bool {
    address.is_configured && address.cause.as_deref() != Some(OWN)
}

fn named<'n>(nodes: impl IntoIterator<Item = &'n NodeName>) -> String {
    let all: Vec<String> = nodes.into_iter().map(shown_node).collect();
    let more = all.len().saturating_sub(NAMED);
    let shown = all.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}

fn place(address: &AddressView) -> String {
    let whose = address.node.as_ref().map_or_else(String::new, |node| format!(" ({})", shown_node(node)));
    format!("{}{whose}", address.address.escape_debug())
}

fn lasting(ms: u64) -> String {
    // To the second: people read it.
    Span::from_micros((ms / 1_000).saturating_mul(1_000_000)).to_string()
}

/// What passes by itself within this, in milliseconds, is a restart.
const LONG_MS: u64 = 60_000;

/// Thirty days, in microseconds: from then on the log warns as well.
const CERTIFICATE_WARNED_US: i128 = 30 * 86_400 * 1_000_000;

/// Causes that may pass by themselves.
const PASSING: [&str; 6] = ["name-not-resolved", "connection-refused", "timed-out", "network", "closed", "silent"];

/// The node's own address is a good one to have among the others.
const OWN: &str = "own-address";

/// How many nodes a message names.
const NAMED: usize = 5;
