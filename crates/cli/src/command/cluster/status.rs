//! `tidegate cluster status`: the nodes of a cluster, and their problems.

use reqwest::Method;
use tidegate::{AddressView, ClusterStatus, MemberStatus, NodeName, RedisStatus};
use tidegate_engine::Span;

use crate::args::{Format, FormatArg, ServerArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::relative::{relative, rough, short};
use crate::source;
use crate::table::{Cell, FAINT, HEADING, Table, paint};
use crate::text::escape;

/// Show the nodes of a cluster and every problem: reachability, synchronization, clocks, certificates, disks
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate cluster status
  tidegate cluster status --format json | jq '.peers[] | select(.reachable | not)'
  tidegate cluster status --format json | jq -r '.problems[] | select(.needs_action) | .message'

The output is the view of one node. STATE is `in sync` if the other node holds the same state, `syncing` while it receives \
changes. The second table has the addresses of other nodes, and why there is no connection.

The exit code is 1 when a person has to act: each line `problem` says what is wrong. A line `note` needs no action.")]
pub(super) struct Args {
    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    format: FormatArg,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Outcome {
    let server = args.server.connect()?;
    let reply = server.ask(server.request(Method::GET, &["cluster"], &[]))?;
    let status: ClusterStatus = server.read(&reply)?;
    match args.format.format {
        // As the server writes it, with the fields that only a newer version has.
        Format::Json => output.json(&server.json_line(&reply)?)?,
        Format::Human => human(&status, output)?,
    }
    Ok(if status.needs_action() { Exit::Negative } else { Exit::Success })
}

/// This node in lines, the others in a table.
fn human(status: &ClusterStatus, output: &mut Output) -> Result<(), Failure> {
    for (name, text) in lines(status) {
        output.line(format_args!("{}  {text}", paint(&format!("{name:<NAME_COLUMNS$}"), HEADING)))?;
    }
    let others = others(status);
    if !others.is_empty() {
        output.line("")?;
        let mut table = Table::new(&["NODE", "ID", "STATE", "CLOCK>", "LAST SEEN", ""]);
        for row in others {
            table.row(row);
        }
        output.table(&table)?;
    }
    let addresses = addresses(status);
    if !addresses.is_empty() {
        output.line("")?;
        let mut table = Table::new(&["ADDRESS", "NODE", "CONNECTION"]);
        for row in addresses {
            table.row(row);
        }
        output.table(&table)?;
    }
    Ok(())
}

/// A row for each configured address, and for each address of a member that cannot be reached.
fn addresses(status: &ClusterStatus) -> Vec<[Cell; 3]> {
    let is_shown = |address: &&AddressView| address.is_configured || !address.is_connected;
    let row = |address: &AddressView| {
        let link = match (&address.problem, address.is_connected) {
            (_, true) => "connected".to_owned(),
            (None, false) => "connecting".to_owned(),
            (Some(problem), false) => {
                let since = address.failing_ms.map_or_else(String::new, |ms| format!(", for {}", lasting(ms)));
                format!("{}{since}", escape(problem))
            }
        };
        let node = address.node.as_ref().map_or_else(|| "-".to_owned(), called);
        [Cell::new(escape(&address.address)), Cell::new(node), Cell::new(link)]
    };
    status.addresses.iter().filter(is_shown).map(row).collect()
}

/// The name of a node, or its id if the name is unknown.
fn called(node: &NodeName) -> String {
    if node.name.is_empty() { node.node.to_string() } else { escape(&node.name).into_owned() }
}

fn lasting(ms: u64) -> String {
    rough(Span::from_micros(ms.saturating_mul(1_000)))
}

/// The lines about this node.
fn lines(status: &ClusterStatus) -> Vec<(&'static str, String)> {
    let node = &status.node;
    let mut lines = vec![("node", format!("{}, {}", escape(&node.name), node.id))];
    if !node.cluster.is_empty() {
        let members = status.members.iter().filter(|member| !member.is_forgotten).count();
        let s = if members == 1 { "" } else { "s" };
        lines.push(("cluster", format!("{}, {members} member{s}", escape(&node.cluster))));
    }
    lines.push(("digest", format!("{:016x}", node.digest)));
    let changes =
        status.writes_refused.as_deref().map_or_else(|| "accepted".into(), |why| format!("refused: {}", escape(why)));
    lines.push(("changes", changes));
    if let Some(since) = status.isolated_since {
        lines.push(("isolated", format!("since {}, {}", short(since), relative(since, source::now()))));
    }
    if node.epoch > 0 {
        lines.push(("epoch", format!("{}: the clock was repaired", node.epoch)));
    }
    if let Some(expires) = node.certificate_expires {
        lines.push(("expires", format!("certificate on {}, {}", short(expires), relative(expires, source::now()))));
    }
    let refused = [("connections", &status.connections_refused), ("messages", &status.messages_refused)];
    for (what, causes) in refused.into_iter().filter(|(_, causes)| !causes.is_empty()) {
        let causes: Vec<String> = causes.iter().map(|(cause, count)| format!("{count} {}", escape(cause))).collect();
        lines.push(("refused", format!("{what} of other nodes since the start: {}", causes.join(", "))));
    }
    for change in &status.quarantined {
        let what = change.flag.as_deref().map_or_else(|| "a change".into(), |flag| format!("`{}`", escape(flag)));
        let at = change.at.map_or_else(String::new, |at| format!(", stamped {}", short(at)));
        let from = change.from.as_ref().filter(|from| from.node != change.node.node);
        let from = from.map_or_else(String::new, |from| format!(", sent by {}", called(from)));
        lines.push(("quarantine", format!("{what} by {}{at}{from}", called(&change.node))));
    }
    if let Some(redis) = &status.redis {
        lines.push(("redis", redis_text(redis)));
    }
    for problem in &status.problems {
        lines.push((if problem.needs_action { "problem" } else { "note" }, escape(&problem.message).into_owned()));
    }
    lines
}

/// Where Redis is, whether it is connected, and what it keeps.
fn redis_text(redis: &RedisStatus) -> String {
    let url = escape(&redis.url);
    if redis.is_connected {
        let sync = redis.appendfsync.as_deref().unwrap_or("unknown");
        let (registers, waiting) = (redis.registers, redis.waiting);
        return format!("{url}, connected, {registers} registers, {waiting} waiting, appendfsync {}", escape(sync));
    }
    let since = redis.unreachable_since.map_or(String::new(), |since| format!(" since {}", short(since)));
    let problem = redis.problem.as_deref().map_or(String::new(), |problem| format!(": {}", escape(problem)));
    format!("{url}, unreachable{since}{problem}; {} registers wait", redis.waiting)
}

/// A row for each other node: peers, and members that are not peers.
fn others(status: &ClusterStatus) -> Vec<[Cell; 6]> {
    let own = status.node.id;
    let member = |id| status.members.iter().find(|member| member.node.node == id);
    let mut rows = Vec::new();
    for peer in &status.peers {
        let member = member(peer.node.node);
        let name = Some(&peer.node).filter(|node| !node.name.is_empty()).or(member.map(|member| &member.node));
        let state = match (peer.is_reachable, peer.is_equal) {
            (false, _) => "unreachable",
            (true, _) if !peer.is_responsive => "not answering",
            (true, Some(true)) => "in sync",
            (true, Some(false)) => "syncing",
            (true, None) => "connected",
        };
        let clock = peer.clock_offset_ms.map_or_else(String::new, |offset| format!("{offset:+} ms"));
        let seen = peer.heard_ms_ago.map_or_else(|| "never".to_owned(), |ms| format!("{} ago", lasting(ms)));
        rows.push(row(name.unwrap_or(&peer.node), state, clock, seen, member.map_or("reader", mark)));
    }
    let is_known = |id| id == own || status.peers.iter().any(|peer| peer.node.node == id);
    for member in status.members.iter().filter(|member| !is_known(member.node.node)) {
        rows.push(row(&member.node, "unreachable", String::new(), "never".to_owned(), mark(member)));
    }
    rows
}

/// The mark of a member.
fn mark(member: &MemberStatus) -> &'static str {
    match (member.is_forgotten, member.is_silent) {
        (true, _) => "forgotten",
        (false, true) => "silent",
        (false, false) => "",
    }
}

fn row(node: &NodeName, state: &str, clock: String, seen: String, mark: &str) -> [Cell; 6] {
    let name = if node.name.is_empty() { "-".into() } else { escape(&node.name) };
    [
        Cell::new(name),
        Cell::new(node.node.to_string()).styled(FAINT),
        Cell::new(state),
        Cell::new(clock),
        Cell::new(seen),
        Cell::new(mark).styled(FAINT),
    ]
}

/// The longest name is `quarantine`.
const NAME_COLUMNS: usize = 10;
