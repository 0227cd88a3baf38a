//! `tidegate cluster quarantine`: lists, accepts and drops quarantined changes.

use clap::{Subcommand, ValueEnum};
use reqwest::Method;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use crate::args::{AuthorArgs, FlagKeyArg, Format, FormatArg, ServerArgs};
use crate::command::change;
use crate::exit::{Exit, Outcome};
use crate::output::Output;
use crate::relative::{relative, short};
use crate::server::{Percentage, Timestamp};
use crate::source;
use crate::table::{Cell, FAINT, Table};
use crate::text::{escape, shorten};

/// List, accept or drop quarantined changes, which a wrong clock has stamped
#[derive(Clone, Debug, clap::Args)]
#[command(subcommand_value_name = "COMMAND")]
#[command(after_help = "\
A change whose stamp is further in the future than `--max-drift` of the nodes allows is quarantined: it is not active. It \
becomes active when it is accepted, or at the time of its stamp if the flag was not changed since.")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// List the quarantined changes of a node
    List(ListArgs),
    /// Accept a quarantined change: it becomes active on every node
    Accept(ResolveArgs),
    /// Drop a quarantined change on every node: it never becomes active
    Drop(ResolveArgs),
}

/// Options of `list`.
#[derive(Clone, Debug, clap::Args)]
struct ListArgs {
    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    format: FormatArg,
}

/// Options of `accept` and `drop`.
#[derive(Clone, Debug, clap::Args)]
struct ResolveArgs {
    #[command(flatten)]
    flag: FlagKeyArg,

    /// Which change of the flag, if two are quarantined
    #[arg(long, value_enum)]
    kind: Option<Kind>,

    #[command(flatten)]
    author: AuthorArgs,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    format: FormatArg,
}

/// What a change is about.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Kind {
    Activation,
    Definition,
}

/// The response of the server.
#[derive(Debug, Deserialize)]
struct Listed {
    changes: Vec<Box<RawValue>>,
}

/// One of them.
#[derive(Debug, Deserialize)]
struct Entry {
    flag: String,
    kind: String,
    at: Timestamp,
    node: String,
    value: Option<Box<RawValue>>,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Outcome {
    match &args.command {
        Command::List(args) => list(args, output),
        Command::Accept(args) => resolve(args, "accept", "accepted", output),
        Command::Drop(args) => resolve(args, "drop", "dropped", output),
    }
}

fn list(args: &ListArgs, output: &mut Output) -> Outcome {
    let server = args.server.connect()?;
    let listed: Listed = server.ask_for(server.request(Method::GET, &["cluster", "quarantine"], &[]))?;
    if args.format.format == Format::Json {
        for change in &listed.changes {
            output.json(change)?;
        }
        return Ok(Exit::Success);
    }
    if listed.changes.is_empty() {
        output.note("no quarantined changes");
        return Ok(Exit::Success);
    }
    let now = source::now();
    let mut table = Table::new(&["FLAG", "KIND", "VALUE", "STAMPED", "NODE"]);
    for change in &listed.changes {
        let entry: Entry = serde_json::from_str(change.get()).map_err(|error| server.invalid_response(&error))?;
        table.row([
            Cell::new(escape(&entry.flag)),
            Cell::new(escape(&entry.kind)),
            Cell::new(describe(&entry)),
            Cell::new(relative(entry.at.0, now)),
            Cell::new(escape(&entry.node)).styled(FAINT),
        ]);
    }
    output.table(&table)?;
    Ok(Exit::Success)
}

/// What the change says, as text.
fn describe(entry: &Entry) -> String {
    /// An activation.
    #[derive(Debug, Deserialize)]
    struct Activation {
        percentage: Percentage,
        until: Option<Timestamp>,
    }
    let Some(value) = &entry.value else {
        return if entry.kind == "activation" { "cleared".to_owned() } else { "removed".to_owned() };
    };
    match serde_json::from_str::<Activation>(value.get()) {
        Ok(Activation { percentage, until }) if entry.kind == "activation" => {
            let until = until.map_or(String::new(), |until| format!(" until {}", short(until.0)));
            format!("{} %{until}", percentage.0)
        }
        _ => shorten(&escape(value.get()), VALUE_COLUMNS).into_owned(),
    }
}

fn resolve(args: &ResolveArgs, path: &str, done: &str, output: &mut Output) -> Outcome {
    let (server, flag) = (args.server.connect()?, args.flag.key());
    let mut body = json!({"flag": flag.to_string()});
    if let Some(kind) = args.kind {
        body["kind"] = json!(match kind {
            Kind::Activation => "activation",
            Kind::Definition => "definition",
        });
    }
    if let Some(reason) = &args.author.reason {
        body["reason"] = json!(reason);
    }
    let request = server.request(Method::POST, &["cluster", "quarantine", path], &[]).json(&body);
    let (receipt, json) = server.ask_for_receipt(request.actor(&args.author.actor()))?;
    change::report(&flag, done, &receipt, &json, args.format.format, output)
}

/// Longer definitions are shortened.
const VALUE_COLUMNS: usize = 60;
