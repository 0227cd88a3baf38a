//! `tidegate history`: who changed a flag, when, and why.

use reqwest::Method;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::args::{Format, FormatArg, OneFlagArg, ServerArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::relative::{relative, short};
use crate::server::{Instant, Numeral, Server};
use crate::source;
use crate::table::{Cell, FAINT, Table};
use crate::text::{escape, shorten};

/// Show who changed a flag, when, and why; the newest change first
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate history features/new_login
  tidegate history features/new_login --limit 1000 --format json

With --format json there is one object a change, on a line of its own, as the server writes it.")]
pub(crate) struct Args {
    #[command(flatten)]
    flag: OneFlagArg,

    /// Show so many changes at most
    #[arg(long, value_name = "N", default_value_t = 20)]
    limit: usize,

    /// Only changes older than the one with this stamp
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
    changes: Vec<Box<RawValue>>,
    #[serde(default)]
    next: Option<String>,
}

/// One change.
#[derive(Debug, Deserialize)]
struct Entry {
    at: Instant,
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

/// What was set; nothing for what was taken away.
#[derive(Debug, Deserialize)]
struct Value {
    #[serde(default)]
    percentage: Option<Numeral>,
    #[serde(default)]
    until: Option<Instant>,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let server = args.server.connect()?;
    let (changes, is_cut) = changes(&server, args)?;
    match args.format.format {
        Format::Json => changes.iter().try_for_each(|change| output.json(change))?,
        Format::Human if changes.is_empty() => {
            let flag = args.flag.key().to_string();
            output.note(format_args!("`{}` was never changed here", escape(&flag)));
        }
        Format::Human => output.table(&table(&server, &changes)?)?,
    }
    if is_cut {
        output.note("there are older changes; --limit shows more of them");
    }
    Ok(Exit::Done)
}

/// So many changes as there are, up to the limit, and whether there are more.
fn changes(server: &Server, args: &Args) -> Result<(Vec<Box<RawValue>>, bool), Failure> {
    let (flag, mut before, mut changes) = (args.flag.key(), args.before.clone(), Vec::new());
    loop {
        let limit = (args.limit - changes.len()).clamp(1, PAGE_MOST).to_string();
        let mut query = vec![("limit", &*limit)];
        query.extend(before.as_deref().map(|before| ("before", before)));
        let page: Page = server.ask_for(server.about(&flag, Method::GET, &["history"], &query)?)?;
        let is_empty = page.changes.is_empty();
        changes.extend(page.changes);
        if page.next.is_none() || is_empty || changes.len() >= args.limit {
            let is_cut = page.next.is_some() || changes.len() > args.limit;
            changes.truncate(args.limit);
            return Ok((changes, is_cut));
        }
        before = page.next;
    }
}

fn table(server: &Server, changes: &[Box<RawValue>]) -> Result<Table, Failure> {
    let now = source::now();
    let mut table = Table::new(&["AT", "", "CHANGE", "BY", "NODE", "REASON", ""]);
    for change in changes {
        let entry: Entry = serde_json::from_str(change.get()).map_err(|error| server.senseless(&error))?;
        let lost = entry.lost_to.as_ref().map_or("", |_| "lost to a change made at the same time");
        table.row([
            Cell::new(short(entry.at.0)),
            Cell::new(relative(entry.at.0, now)).styled(FAINT),
            Cell::new(in_words(&entry)),
            Cell::new(shorten(&escape(&entry.actor), TEXT_COLUMNS)),
            Cell::new(shorten(&escape(&entry.node), TEXT_COLUMNS)),
            Cell::new(shorten(&escape(entry.reason.as_deref().unwrap_or_default()), TEXT_COLUMNS)),
            Cell::new(lost).styled(FAINT),
        ]);
    }
    Ok(table)
}

/// What was done.
fn in_words(entry: &Entry) -> String {
    match (&*entry.kind, &entry.value) {
        ("activation", None) => "cleared".to_owned(),
        ("activation", Some(value)) => {
            let share = value.percentage.as_ref().map_or("?".to_owned(), |share| share.0.to_string());
            let until = value.until.map_or(String::new(), |until| format!(" until {}", short(until.0)));
            format!("dialled to {share} %{until}")
        }
        ("definition", None) => "removed".to_owned(),
        ("definition", Some(_)) => "defined".to_owned(),
        (kind, _) => escape(kind).into_owned(),
    }
}

/// A server gives no more at once.
const PAGE_MOST: usize = 100;
/// Longer texts are shortened.
const TEXT_COLUMNS: usize = 50;
