//! `tidegate history`: who changed a flag, when, and why.

use reqwest::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use tidegate_engine::{FlagKey, Share};

use crate::args::{Format, FormatArg, ServerArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::relative::{relative, short};
use crate::server::{Percentage, Server, Timestamp};
use crate::source;
use crate::table::{Cell, FAINT, Table};
use crate::text::{escape, shorten};

/// Show who changed a flag, or any flag, when and why; the newest change first
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate history features/new_login
  tidegate history features/new_login --limit 1000 --format json
  tidegate history

Without a flag, the changes of all flags are shown. Each node has its own history: the changes that were made there or that it \
has received. A change that was replaced before the node received it is mentioned, with the nodes that know it; ask them with \
--server.

With --format json each change is one object on a line of its own, as the server writes it.")]
pub(crate) struct Args {
    /// The flag key, as `features/x`; `x` alone means `flags/x` [default: all flags]
    #[arg(value_name = "FLAG")]
    flag: Option<String>,

    /// Show at most N changes
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,

    /// Show only changes older than the one with this stamp
    #[arg(long, value_name = "STAMP")]
    before: Option<String>,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    format: FormatArg,
}

/// A page of the history.
#[derive(Debug, Deserialize)]
struct Page {
    #[serde(default)]
    node: String,
    #[serde(default)]
    others: Vec<String>,
    #[serde(default)]
    missing: Vec<Missing>,
    changes: Vec<Box<RawValue>>,
    #[serde(default)]
    next: Option<String>,
}

/// A change that was replaced before the node received it.
#[derive(Debug, Deserialize)]
struct Missing {
    flag: String,
    at: Timestamp,
    #[serde(default)]
    known_to: Vec<String>,
}

/// One change.
#[derive(Debug, Deserialize)]
struct Entry {
    #[serde(default)]
    flag: String,
    at: Timestamp,
    kind: String,
    #[serde(default)]
    value: Option<Value>,
    #[serde(default)]
    actor: String,
    #[serde(default)]
    node: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    lost_to: Option<String>,
}

/// The value that was set; none if it was removed.
#[derive(Debug, Deserialize)]
struct Value {
    #[serde(default)]
    percentage: Option<Percentage>,
    #[serde(default)]
    until: Option<Timestamp>,
}

impl Args {
    fn flag(&self) -> Option<FlagKey> {
        self.flag.as_deref().map(FlagKey::parse)
    }
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let server = args.server.connect()?;
    let found = find(&server, args)?;
    match args.format.format {
        Format::Json => found.changes.iter().try_for_each(|change| output.json(change))?,
        Format::Human if found.changes.is_empty() => match args.flag() {
            Some(flag) => {
                output.note(format_args!("no changes of `{}` in the history of this node", escape(&flag.to_string())));
            }
            None => output.note("no changes in the history of this node"),
        },
        Format::Human => output.table(&table(&server, args, &found.changes)?)?,
    }
    if found.next.is_some() {
        output.note("there are older changes; show more with --limit");
    }
    if !found.others.is_empty() {
        let (node, others) = (escape(&found.node), listed(&found.others));
        let s = if found.others.len() == 1 { "has its own history" } else { "have their own histories" };
        output.note(format_args!("this is the history of `{node}`; {others} {s}"));
    }
    for missing in found.missing.iter().take(MISSING_MAX) {
        let known_to = if missing.known_to.is_empty() { &found.others } else { &missing.known_to };
        let ask = if known_to.is_empty() { String::new() } else { format!("; {} may have it", listed(known_to)) };
        let (flag, at) = (escape(&missing.flag), short(missing.at.0));
        output.note(format_args!("the change of `{flag}` at {at} was replaced before this node received it{ask}"));
    }
    Ok(Exit::Success)
}

fn listed(names: &[String]) -> String {
    names.iter().map(|name| format!("`{}`", escape(name))).collect::<Vec<_>>().join(", ")
}

/// The newest changes up to the limit, with what is known of other nodes.
fn find(server: &Server, args: &Args) -> Result<Page, Failure> {
    let (flag, mut before) = (args.flag(), args.before.clone());
    let mut found =
        Page { node: String::new(), others: Vec::new(), missing: Vec::new(), changes: Vec::new(), next: None };
    loop {
        let limit = (args.limit - found.changes.len()).clamp(1, PAGE_MAX).to_string();
        let mut query = vec![("limit", &*limit)];
        query.extend(before.as_deref().map(|before| ("before", before)));
        let request = match &flag {
            Some(flag) => server.flag_request(flag, Method::GET, &["history"], &query)?,
            None => server.request(Method::GET, &["history"], &query),
        };
        let page: Page = server.ask_for(request)?;
        let is_empty = page.changes.is_empty();
        found.changes.extend(page.changes);
        found.missing.extend(page.missing);
        (found.node, found.others, found.next) = (page.node, page.others, page.next);
        if found.next.is_none() || is_empty || found.changes.len() >= args.limit {
            if found.changes.len() > args.limit {
                found.changes.truncate(args.limit);
                found.next.get_or_insert_default();
            }
            return Ok(found);
        }
        before.clone_from(&found.next);
    }
}

fn table(server: &Server, args: &Args, changes: &[Box<RawValue>]) -> Result<Table, Failure> {
    let now = source::now();
    let is_of_all = args.flag.is_none();
    let headings: &[_] = &["AT", "", "FLAG", "CHANGE", "BY", "NODE", "REASON", ""];
    let mut table = Table::new(if is_of_all { headings } else { &["AT", "", "CHANGE", "BY", "NODE", "REASON", ""] });
    for change in changes {
        let entry: Entry = serde_json::from_str(change.get()).map_err(|error| server.invalid_response(&error))?;
        let lost = entry.lost_to.as_ref().map_or("", |_| "lost to a concurrent change");
        let when = [Cell::new(short(entry.at.0)), Cell::new(relative(entry.at.0, now)).styled(FAINT)];
        let flag = is_of_all.then(|| Cell::new(escape(&entry.flag)));
        let what = [
            Cell::new(describe_entry(&entry)),
            Cell::new(shorten(&escape(&entry.actor), TEXT_COLUMNS)),
            Cell::new(shorten(&escape(&entry.node), TEXT_COLUMNS)),
            Cell::new(shorten(&escape(entry.reason.as_deref().unwrap_or_default()), TEXT_COLUMNS)),
            Cell::new(lost).styled(FAINT),
        ];
        table.row(when.into_iter().chain(flag).chain(what));
    }
    Ok(table)
}

/// The change as text.
fn describe_entry(entry: &Entry) -> String {
    match (&*entry.kind, &entry.value) {
        ("activation", None) => "cleared".to_owned(),
        ("activation", Some(value)) => {
            let share = value.percentage.as_ref().map_or("?".to_owned(), |share| share.0.to_string());
            let until = value.until.map_or(String::new(), |until| format!(" until {}", short(until.0)));
            match value.percentage.as_ref().map(|share| share.0) {
                Some(Share::ZERO) => format!("deactivated{until}"),
                _ => format!("activated for {share} %{until}"),
            }
        }
        ("definition", None) => "removed".to_owned(),
        ("definition", Some(_)) => "defined".to_owned(),
        (kind, _) => escape(kind).into_owned(),
    }
}

/// The largest page of the API.
const PAGE_MAX: usize = 100;
/// Longer texts are shortened.
const TEXT_COLUMNS: usize = 50;

/// At most this many missing changes are mentioned.
const MISSING_MAX: usize = 3;
