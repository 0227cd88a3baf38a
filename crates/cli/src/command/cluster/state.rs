//! `tidegate cluster status`: this node, its peers and its members.

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use tidegate_engine::Span;

use crate::args::{Format, FormatArg, ServerArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::relative::{relative, rough, short};
use crate::server::Instant;
use crate::source;
use crate::table::{Cell, FAINT, HEADING, Table, paint};
use crate::text::escape;

/// Show the nodes of a cluster: who is in reach, who has the same, whose clock is off
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate cluster status
  tidegate cluster status --format json | jq '.peers[] | select(.reachable | not)'

One node is asked, and says what it sees. IS `same`: it holds exactly what this node holds. The second table has the \
addresses at which it looks for others, and why there is no link where there is none.")]
pub(super) struct Args {
    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    format: FormatArg,
}

/// What a node says of its cluster.
#[derive(Debug, Deserialize)]
struct State {
    node: Node,
    #[serde(default)]
    peers: Vec<Peer>,
    #[serde(default)]
    members: Vec<Member>,
    #[serde(default)]
    addresses: Vec<Address>,
    /// What is wrong with the links of the node itself.
    #[serde(default)]
    link_problems: Vec<String>,
    /// Stamps that lie too far in the future to be taken.
    #[serde(default)]
    quarantined: Vec<Value>,
    #[serde(default)]
    isolated_since: Option<Instant>,
    #[serde(default)]
    writes_refused: Option<Value>,
}

/// The node that was asked.
#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    cluster: Option<String>,
    #[serde(default)]
    digest: Option<String>,
    #[serde(default)]
    epoch: u16,
}

/// Another node, as this one sees it.
#[derive(Debug, Deserialize)]
struct Peer {
    id: String,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    reachable: bool,
    #[serde(default = "yes")]
    responsive: bool,
    #[serde(default)]
    digest: Option<String>,
    #[serde(default)]
    clock_offset_ms: Option<i64>,
    #[serde(default)]
    heard_ms_ago: Option<u64>,
}

/// An address at which the node looks for others.
#[derive(Debug, Deserialize)]
struct Address {
    #[serde(rename = "address")]
    place: String,
    #[serde(default)]
    configured: bool,
    /// The node that is there, by its name or its id.
    #[serde(default)]
    node: Option<String>,
    #[serde(default)]
    connected: bool,
    #[serde(default)]
    problem: Option<String>,
    #[serde(default)]
    failing_ms: Option<u64>,
}

fn yes() -> bool {
    true
}

/// A node of the roster.
#[derive(Debug, Deserialize)]
struct Member {
    id: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    forgotten: bool,
    /// Nothing has come from it for a week.
    #[serde(default)]
    silent: bool,
}

impl Member {
    /// What is to be known of it besides whether it is there.
    fn mark(&self) -> &'static str {
        match (self.forgotten, self.silent) {
            (true, _) => "forgotten",
            (false, true) => "silent",
            (false, false) => "",
        }
    }
}

pub(super) fn run(args: &Args, output: &mut Output) -> Outcome {
    let server = args.server.connect()?;
    let reply = server.ask(server.request(Method::GET, &["cluster"], &[]))?;
    match args.format.format {
        Format::Json => output.json(&server.line(&reply)?)?,
        Format::Human => human(&server.read(&reply)?, output)?,
    }
    Ok(Exit::Done)
}

/// This node in lines, the others in a table.
fn human(state: &State, output: &mut Output) -> Result<(), Failure> {
    for (name, text) in lines(state) {
        output.line(format_args!("{}  {text}", paint(&format!("{name:<NAME_COLUMNS$}"), HEADING)))?;
    }
    let others = others(state);
    if !others.is_empty() {
        output.line("")?;
        let mut table = Table::new(&["NODE", "NUMBER", "IS", "CLOCK>", "HEARD", ""]);
        for row in others {
            table.row(row);
        }
        output.table(&table)?;
    }
    let addresses = addresses(state);
    if !addresses.is_empty() {
        output.line("")?;
        let mut table = Table::new(&["ADDRESS", "NODE", "LINK"]);
        for row in addresses {
            table.row(row);
        }
        output.table(&table)?;
    }
    Ok(())
}

/// A row for each configured address, and for each address of a member that cannot be reached.
fn addresses(state: &State) -> Vec<[Cell; 3]> {
    let is_shown = |address: &&Address| address.configured || !address.connected;
    let row = |address: &Address| {
        let link = match (&address.problem, address.connected) {
            (_, true) => "connected".to_owned(),
            (None, false) => "connecting".to_owned(),
            (Some(problem), false) => {
                let since = address.failing_ms.map_or_else(String::new, |ms| format!(", for {}", lasting(ms)));
                format!("{}{since}", escape(problem))
            }
        };
        let node = escape(address.node.as_deref().unwrap_or("-"));
        [Cell::new(escape(&address.place)), Cell::new(node), Cell::new(link)]
    };
    state.addresses.iter().filter(is_shown).map(row).collect()
}

fn lasting(ms: u64) -> String {
    rough(Span::from_micros(ms.saturating_mul(1_000)))
}

/// What there is to say of this node, in the order in which one asks.
fn lines(state: &State) -> Vec<(&'static str, String)> {
    let node = &state.node;
    let mut lines = vec![("node", format!("{}, {}", escape(&node.name), escape(&node.id)))];
    if let Some(cluster) = node.cluster.as_deref().filter(|cluster| !cluster.is_empty()) {
        let members = state.members.iter().filter(|member| !member.forgotten).count();
        lines
            .push(("cluster", format!("{}, {members} member{}", escape(cluster), if members == 1 { "" } else { "s" })));
    }
    if let Some(digest) = &node.digest {
        lines.push(("digest", escape(digest).into_owned()));
    }
    let writes = match &state.writes_refused {
        None | Some(Value::Null) => "accepted".to_owned(),
        Some(why) => format!("refused: {}", escape(&in_words(why))),
    };
    lines.push(("writes", writes));
    if let Some(since) = state.isolated_since {
        let at = since.0;
        lines.push(("alone", format!("since {}, {}", short(at), relative(at, source::now()))));
    }
    if node.epoch > 0 {
        lines.push(("epoch", format!("{}: the clock was repaired", node.epoch)));
    }
    let silent = state.members.iter().filter(|member| member.silent).count();
    if silent > 0 {
        let (members, them) = if silent == 1 { ("member", "it") } else { ("members", "them") };
        let remedy = format!("bring {them} back, or `tidegate cluster forget` {them}");
        lines.push(("silent", format!("{silent} {members}, not heard of for seven days; {remedy}")));
    }
    for problem in &state.link_problems {
        lines.push(("links", escape(problem).into_owned()));
    }
    if !state.quarantined.is_empty() {
        let count = state.quarantined.len();
        lines.push(("set aside", format!("{count} changes with stamps too far in the future")));
    }
    lines
}

/// A row for each other node, whether it was heard of or is only a member.
fn others(state: &State) -> Vec<[Cell; 6]> {
    let member = |id: &str| state.members.iter().find(|member| member.id == id);
    let mut rows = Vec::new();
    for peer in &state.peers {
        let member = member(&peer.id);
        let name = peer.name.as_deref().or(member.map(|member| member.name.as_str())).unwrap_or_default();
        let mark = member.map_or("reader", Member::mark);
        let state = match (peer.reachable, &peer.digest) {
            (false, _) => "away",
            (true, _) if !peer.responsive => "not answering",
            (true, Some(digest)) if Some(digest) == state.node.digest.as_ref() => "same",
            (true, Some(_)) => "catching up",
            (true, None) => "new",
        };
        rows.push(row(name, &peer.id, state, clock(peer.clock_offset_ms), heard(peer.heard_ms_ago), mark));
    }
    let is_known = |id: &str| id == state.node.id || state.peers.iter().any(|peer| peer.id == id);
    for member in state.members.iter().filter(|member| !is_known(&member.id)) {
        rows.push(row(&member.name, &member.id, "away", String::new(), "never".to_owned(), member.mark()));
    }
    rows
}

fn row(name: &str, id: &str, is: &str, clock: String, heard: String, mark: &str) -> [Cell; 6] {
    [
        Cell::new(if name.is_empty() { "-".into() } else { escape(name) }),
        Cell::new(escape(id)).styled(FAINT),
        Cell::new(is),
        Cell::new(clock),
        Cell::new(heard),
        Cell::new(mark).styled(FAINT),
    ]
}

fn clock(offset_ms: Option<i64>) -> String {
    offset_ms.map_or(String::new(), |offset| format!("{offset:+} ms"))
}

fn heard(ms_ago: Option<u64>) -> String {
    ms_ago.map_or("never".to_owned(), |ms| format!("{} ago", lasting(ms)))
}

/// The reason as a text, or whatever it is.
fn in_words(why: &Value) -> String {
    match why {
        Value::String(text) => text.clone(),
        Value::Object(fields) => match fields.get("message").or_else(|| fields.get("detail")) {
            Some(Value::String(text)) => text.clone(),
            _ => why.to_string(),
        },
        other => other.to_string(),
    }
}

/// The longest name is `set aside`.
const NAME_COLUMNS: usize = 9;
