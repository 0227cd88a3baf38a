//! `tidegate list`: the flags of a document, their shares and next changes.

use serde::Serialize;
use serde_json::value::RawValue;
use tidegate_engine::document::Visibility;
use tidegate_engine::{Change, ChangeKind, Flag, Micros, Moment, Pin, Share, Variant};

use crate::args::{AtArg, Format, FormatArg, SourceArgs};
use crate::command::explain::Lock;
use crate::exit::{Exit, Outcome};
use crate::json::{Percent, instant, raw};
use crate::output::Output;
use crate::relative::{relative, short};
use crate::source;
use crate::table::{Cell, FAINT, Table};
use crate::text::{escape, escape_json, shorten};

/// List the flags of a document: values, current share, next change
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate list flags.json
  tidegate list https://flags.example/app.json --format json | jq 'select(.share > 50)'

Marks: `locked` by the document, `locked here` on this host, `disabled`, `interpolated`, `leased`.")]
pub(crate) struct Args {
    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    at: AtArg,

    #[command(flatten)]
    format: FormatArg,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let loaded = source::load_with_locks(&args.source, output)?;
    let moment = loaded.moment(args.at.at);
    match args.format.format {
        Format::Json => loaded.snapshot().flags().try_for_each(|flag| output.json(&Line::new(&flag, &moment)))?,
        Format::Human if loaded.snapshot().flags().next().is_none() => output.note("the document has no flags"),
        Format::Human => output.table(&table(loaded.snapshot().flags(), &moment))?,
    }
    Ok(Exit::Success)
}

fn table<'s>(flags: impl Iterator<Item = Flag<'s>>, moment: &Moment<'_>) -> Table {
    let mut table = Table::new(&["FLAG", "STABLE", "NEW", "SHARE>", "NEXT CHANGE", ""]);
    for flag in flags {
        let value = |json: Option<&str>| {
            json.map_or(Cell::new("-").styled(FAINT), |json| Cell::new(shorten(&escape_json(json), VALUE_COLUMNS)))
        };
        let next = match flag.next_change(moment) {
            Some(change) => Cell::new(describe_change(&change, "lock", moment.now)),
            None => Cell::new("-").styled(FAINT),
        };
        table.row([
            Cell::new(escape(&flag.key().to_string())),
            value(flag.stable()),
            value(flag.new_value()),
            Cell::new(format!("{} %", rounded(flag.share_at(moment)))),
            next,
            Cell::new(marks(&flag, moment.now).join(", ")).styled(FAINT),
        ]);
    }
    table
}

/// The share with at most three decimals, enough for a list.
pub(crate) fn rounded(share: Share) -> String {
    let thousandths = share.to_millionths() / 1_000;
    let text = format!("{}.{:03}", thousandths / 1_000, thousandths % 1_000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// A change without its subject; `ending` names what ends in a change of kind `Expires`.
pub(crate) fn describe_change(change: &Change, ending: &str, now: Micros) -> String {
    let what = match change.kind {
        ChangeKind::Rises => format!("rises from {} %", change.share),
        ChangeKind::Holds => format!("holds at {} %", change.share),
        ChangeKind::Ends => format!("stays at {} %", change.share),
        ChangeKind::Falls => format!("falls from {} %", change.share),
        ChangeKind::Expires => format!("{ending} ends, then {} %", change.share),
    };
    format!("{} {what}, {}", short(change.at), relative(change.at, now))
}

/// The marks of a flag.
fn marks(flag: &Flag<'_>, now: Micros) -> Vec<String> {
    let mut marks = Vec::new();
    if let Some(lock) = flag.host_lock().filter(|lock| lock.until.is_none_or(|until| now < until)) {
        let pin = match &lock.pin {
            Pin::Variant(variant) => variant.as_str().to_owned(),
            Pin::Value(value) => shorten(&escape_json(value), VALUE_COLUMNS).into_owned(),
        };
        marks.push(format!("locked here to {pin}"));
    }
    if let Some(variant) = flag.lock() {
        marks.push(format!("locked to {variant}"));
    }
    if !flag.is_enabled() {
        marks.push("disabled".to_owned());
    }
    if flag.interpolates() {
        marks.push("interpolated".to_owned());
    }
    if flag.lease().is_some() {
        marks.push("leased".to_owned());
    }
    marks
}

/// One flag for programs.
#[derive(Debug, Serialize)]
struct Line<'s> {
    flag: String,
    section: &'s str,
    name: &'s str,
    stable: Option<Box<RawValue>>,
    new: Option<Box<RawValue>>,
    share: Percent,
    next_change: Option<Next>,
    enabled: bool,
    lock: Option<&'static str>,
    host_lock: Option<Lock<'s>>,
    interpolate: bool,
    lease: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'s str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<&'s str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tags: Vec<&'s str>,
    /// Only where it is not for everyone.
    #[serde(skip_serializing_if = "Option::is_none")]
    visibility: Option<&'static str>,
}

/// The next change for programs.
#[derive(Debug, Serialize)]
struct Next {
    at: String,
    what: &'static str,
    share: Percent,
}

impl<'s> Line<'s> {
    fn new(flag: &Flag<'s>, moment: &Moment<'_>) -> Self {
        let details = flag.details();
        let is_active = |until: Option<Micros>| until.is_none_or(|until| moment.now < until);
        Self {
            flag: flag.key().to_string(),
            section: flag.section(),
            name: flag.name(),
            stable: flag.stable().and_then(raw),
            new: flag.new_value().and_then(raw),
            share: Percent(flag.share_at(moment)),
            next_change: flag.next_change(moment).map(|change| Next {
                at: instant(change.at),
                what: change.kind.as_str(),
                share: Percent(change.share),
            }),
            enabled: flag.is_enabled(),
            lock: flag.lock().map(Variant::as_str),
            host_lock: flag.host_lock().filter(|lock| is_active(lock.until)).map(Lock::new),
            interpolate: flag.interpolates(),
            lease: flag.lease().map(|lease| lease.to_string()),
            description: details.and_then(|details| details.description.as_deref()),
            owner: details.and_then(|details| details.owner.as_deref()),
            tags: details.map(|details| details.tags.iter().map(|tag| &**tag).collect()).unwrap_or_default(),
            visibility: (!flag.is_for_clients()).then_some(Visibility::Server.as_str()),
        }
    }
}

/// Longer values are shortened.
pub(crate) const VALUE_COLUMNS: usize = 24;
