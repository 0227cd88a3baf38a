//! `tidegate when`: the instant at which each key flips.

use serde::Serialize;
use tidegate_engine::{Explanation, Flag, FlagKey, Flips, Micros, Rule, Variant};

use crate::args::{
    AtArg, AttributesArg, Format, FormatArg, KeyFileArg, Location, Query, QueryArgs, SourceArgs, host_name,
};
use crate::exit::{Exit, Failure, Outcome};
use crate::json::instant;
use crate::keys;
use crate::lookup;
use crate::output::Output;
use crate::relative::relative;
use crate::server::{Address, Server};
use crate::source;
use crate::table::{Cell, FAINT, Table};
use crate::text::escape;

/// Show the instant at which each key flips, or that it never does
#[derive(Clone, Debug, clap::Args)]
#[command(
    override_usage = "tidegate when [OPTIONS] <SOURCE> <SECTION> <FLAG>
       tidegate when [OPTIONS] <SOURCE> <FLAG_KEY>
       tidegate when [OPTIONS] --server <URL> <FLAG_KEY>",
    after_help = "\
Examples:
  tidegate when flags.json features/new_login --key alice --key bob
  tidegate when flags.json features new_login --keys-from hosts.txt --format json

The flip shown is the next one, or the last one if there is no next. Locks of this host are ignored, because the keys may \
belong to other hosts. A flag that is locked by its document, activated or disabled has no flips."
)]
pub(crate) struct Args {
    #[command(flatten)]
    query: QueryArgs,

    /// A key; can be given several times [default: this host's name]
    #[arg(long = "key", value_name = "KEY", conflicts_with = "keys_from")]
    keys: Vec<String>,

    #[command(flatten)]
    file: KeyFileArg,

    #[command(flatten)]
    attributes: AttributesArg,

    #[command(flatten)]
    at: AtArg,

    #[command(flatten)]
    format: FormatArg,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let (flips_by_key, now) = match args.query.with_flag()? {
        Query::Document(source, flag) => by_document(&source, &flag, args, output)?,
        Query::Server(address, flag) => by_server(address, &flag, args, output)?,
    };
    let mut table = Table::new(&["KEY", "FLIP", "TO", ""]);
    for (key, flips) in &flips_by_key {
        match args.format.format {
            Format::Json => output.json(&Line::new(key, *flips, now))?,
            Format::Human => table.row(row(key, *flips, now)),
        }
    }
    if args.format.format == Format::Human {
        output.table(&table)?;
    }
    Ok(Exit::Success)
}

/// Each key with its flips, and the instant as of which they hold.
type FlipsByKey = (Vec<(String, Flips)>, Micros);

fn by_document(source: &SourceArgs, flag: &FlagKey, args: &Args, output: &mut Output) -> Result<FlipsByKey, Failure> {
    let keys = keys(args, Some(&source.source))?;
    let loaded = source::load(source, output)?;
    let moment = loaded.moment(args.at.at);
    let flag = lookup::find(loaded.snapshot(), flag)?;
    note_flag(&flag, moment.now, output);
    let is_still = flag.lock().is_some() || !flag.is_enabled() || flag.interpolates();
    let flips =
        |key: &str| if is_still { Flips::default() } else { flag.flips(&args.attributes.subject(key), &moment) };
    let flips_by_key = keys.into_iter().map(|key| {
        let flips = flips(&key);
        (key, flips)
    });
    let flips_by_key = flips_by_key.collect();
    Ok((flips_by_key, moment.now))
}

fn by_server(address: Address, flag: &FlagKey, args: &Args, output: &mut Output) -> Result<FlipsByKey, Failure> {
    let keys = keys(args, None)?;
    let server = Server::new(address)?.timeout(source::duration(args.query.options.timeout));
    let mut flips_by_key = Vec::with_capacity(keys.len());
    for key in keys {
        let explanation = server.decide(flag, &key, args.attributes.text(), args.at.at)?;
        if explanation.rule == Rule::UnknownFlag {
            return Err(lookup::no_server_answer(server.address(), &explanation));
        }
        if flips_by_key.is_empty() {
            note_server_flag(&explanation, output);
        }
        flips_by_key.push((key, explanation.flips));
    }
    Ok((flips_by_key, args.at.at.unwrap_or_else(source::now)))
}

/// The keys of the command line or of the file.
fn keys(args: &Args, source: Option<&Location>) -> Result<Vec<String>, Failure> {
    match &args.file.keys_from {
        Some(file) => keys::read(file, source),
        None if args.keys.is_empty() => Ok(vec![host_name()]),
        None => Ok(args.keys.clone()),
    }
}

/// Notes why a flag of a server has no flips, if it has none.
fn note_server_flag(explanation: &Explanation, output: &mut Output) {
    let name = explanation.flag.to_string();
    let name = escape(&name);
    match explanation.rule {
        Rule::DocumentLock => output.note(format_args!("`{name}` is locked by its document: no key flips")),
        Rule::Disabled => output.note(format_args!("`{name}` is disabled: no key flips")),
        Rule::Activation => {
            output.note(format_args!("`{name}` has an activation: no key flips until it is cleared"));
        }
        Rule::Interpolation => {
            output.note(format_args!("`{name}` is interpolated: every key has the same number, and none flips"));
        }
        _ => {}
    }
}

/// Notes why a flag of a document has no flips, or other ones on this host.
fn note_flag(flag: &Flag<'_>, now: Micros, output: &mut Output) {
    let name = flag.key().to_string();
    let name = escape(&name);
    if let Some(variant) = flag.lock() {
        output.note(format_args!("the document locks `{name}` to {variant}: no key flips"));
    } else if !flag.is_enabled() {
        output.note(format_args!("the document disables `{name}`: no key flips"));
    } else if flag.interpolates() {
        output.note(format_args!("`{name}` is interpolated: every key has the same number, and none flips"));
    } else if flag.host_lock().is_some_and(|lock| lock.until.is_none_or(|until| now < until)) {
        output.note(format_args!("`{name}` is locked on this host; the lock is ignored here"));
    }
}

/// The variant to which the next or last flip leads.
fn target(flips: Flips, flip: Micros) -> Variant {
    if flips.off == Some(flip) { Variant::Stable } else { Variant::New }
}

fn row(key: &str, flips: Flips, now: Micros) -> [Cell; 4] {
    let key = Cell::new(if key.is_empty() { "(the empty key)".into() } else { escape(key) });
    match flips.nearest(now) {
        None => [key, Cell::new("never").styled(FAINT), Cell::default(), Cell::default()],
        Some(flip) => {
            [key, Cell::new(flip.to_string()), Cell::new(target(flips, flip).as_str()), Cell::new(relative(flip, now))]
        }
    }
}

/// One key for programs.
#[derive(Debug, Serialize)]
struct Line<'k> {
    key: &'k str,
    /// The next flip, or the last one; `null`: never.
    flip: Option<String>,
    to: Option<&'static str>,
    on: Option<String>,
    off: Option<String>,
}

impl<'k> Line<'k> {
    fn new(key: &'k str, flips: Flips, now: Micros) -> Self {
        let flip = flips.nearest(now);
        Self {
            key,
            flip: flip.map(instant),
            to: flip.map(|flip| target(flips, flip).as_str()),
            on: flips.on.map(instant),
            off: flips.off.map(instant),
        }
    }
}
