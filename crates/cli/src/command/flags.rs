//! `tidegate flags`: lists the flags of a server.

use reqwest::Method;
use serde::Deserialize;
use serde_json::value::RawValue;
use tidegate_engine::{Change, ChangeKind, Micros, Share};

use crate::args::{Format, FormatArg, ServerArgs};
use crate::command::list::{VALUE_COLUMNS, describe_change, rounded};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::relative::{relative, short};
use crate::server::{FlagState, Server};
use crate::source;
use crate::table::{Cell, FAINT, Table};
use crate::text::{escape, escape_json, shorten};

/// List the flags of a server: values, current share, next change, activation
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate flags
  tidegate flags --server 10.0.0.7:8080 --format json | jq 'select(.activation != null)'

With --format json each flag is one object on a line of its own, as the server writes it.")]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    format: FormatArg,
}

/// The response of the server.
#[derive(Debug, Deserialize)]
struct List {
    flags: Vec<Box<RawValue>>,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let server = args.server.connect()?;
    let list: List = server.ask_for(server.request(Method::GET, &["flags"], &[]))?;
    match args.format.format {
        Format::Json => list.flags.iter().try_for_each(|flag| output.json(flag))?,
        Format::Human if list.flags.is_empty() => output.note("the server has no flags"),
        Format::Human => output.table(&table(&server, &list.flags)?)?,
    }
    Ok(Exit::Success)
}

fn table(server: &Server, flags: &[Box<RawValue>]) -> Result<Table, Failure> {
    let now = source::now();
    let mut table = Table::new(&["FLAG", "STABLE", "NEW", "SHARE>", "NEXT CHANGE", ""]);
    for flag in flags {
        let flag: FlagState = serde_json::from_str(flag.get()).map_err(|error| server.invalid_response(&error))?;
        let value = |json: Option<&RawValue>| match json {
            Some(json) => Cell::new(shorten(&escape_json(json.get()), VALUE_COLUMNS)),
            None => Cell::new("-").styled(FAINT),
        };
        let next = flag.next_change.as_ref().and_then(|next| {
            let kind = KINDS.into_iter().find(|kind| kind.as_str() == next.what)?;
            Some(describe_change(&Change { at: next.at.0, kind, share: next.share.0 }, "activation", now))
        });
        table.row([
            Cell::new(escape(&flag.flag)),
            value(flag.stable.as_deref()),
            value(flag.new.as_deref()),
            Cell::new(format!("{} %", rounded(flag.share.0))),
            next.map_or(Cell::new("-").styled(FAINT), Cell::new),
            Cell::new(marks(&flag, now).join(", ")).styled(FAINT),
        ]);
    }
    Ok(table)
}

/// The marks of a flag.
fn marks(flag: &FlagState, now: Micros) -> Vec<String> {
    let mut marks = Vec::new();
    if let Some(activation) = &flag.activation {
        let until = activation.until.map(|until| format!(" until {}, {}", short(until.0), relative(until.0, now)));
        let who = activation.actor.as_deref().map(|actor| format!(" by {}", shorten(&escape(actor), WHO_COLUMNS)));
        let state = match activation.percentage.as_ref().map(|share| share.0) {
            Some(Share::ZERO) => "deactivated".to_owned(),
            Some(share) => format!("activated for {} %", rounded(share)),
            None => "activated".to_owned(),
        };
        marks.push(format!("{state}{}{}", who.unwrap_or_default(), until.unwrap_or_default()));
    }
    if flag.source == "api" {
        marks.push("defined by API".to_owned());
    }
    marks
}

/// Longer names are shortened.
const WHO_COLUMNS: usize = 30;
const KINDS: [ChangeKind; 5] =
    [ChangeKind::Rises, ChangeKind::Holds, ChangeKind::Ends, ChangeKind::Falls, ChangeKind::Expires];
