//! `tidegate when`: the instant at which each key flips.

use serde::Serialize;
use tidegate_engine::{Flag, Flips, Micros, Subject, Variant};

use crate::args::{AtArg, FlagArgs, Format, FormatArg, KeyFileArg, SourceArgs, host_name};
use crate::exit::{Exit, Outcome};
use crate::json::instant;
use crate::keys;
use crate::lookup;
use crate::output::Output;
use crate::relative::relative;
use crate::source;
use crate::table::{Cell, FAINT, Table};
use crate::text::escape;

/// Say at which instant each key flips, or that it never does
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate when flags.json features/new_login --key alice --key bob
  tidegate when flags.json features new_login --keys-from hosts.txt --format json

The flip shown is the next one, or the last one there was. Locks of this host are left aside: the keys may \
be those of other hosts. A flag that the document locks or disables flips for nobody.")]
pub(crate) struct Args {
    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    flag: FlagArgs,

    /// A key; may be given several times [default: this host's name]
    #[arg(long = "key", value_name = "KEY", conflicts_with = "keys_from")]
    keys: Vec<String>,

    #[command(flatten)]
    file: KeyFileArg,

    #[command(flatten)]
    at: AtArg,

    #[command(flatten)]
    format: FormatArg,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let keys = match &args.file.keys_from {
        Some(file) => keys::read(file, &args.source.source)?,
        None if args.keys.is_empty() => vec![host_name()],
        None => args.keys.clone(),
    };
    let loaded = source::load(&args.source, output)?;
    let moment = loaded.moment(args.at.at);
    let flag = lookup::find(loaded.snapshot(), &args.flag.key())?;
    remark(&flag, moment.now, output);
    let is_still = flag.lock().is_some() || !flag.is_enabled() || flag.interpolates();
    let mut table = Table::new(&["KEY", "FLIP", "TO", ""]);
    for key in &keys {
        let flips = if is_still { Flips::default() } else { flag.flips(&Subject::key(key), &moment) };
        match args.format.format {
            Format::Json => output.json(&Line::new(key, flips, moment.now))?,
            Format::Human => table.row(row(key, flips, moment.now)),
        }
    }
    if args.format.format == Format::Human {
        output.table(&table)?;
    }
    Ok(Exit::Done)
}

/// Why the instants may not be what is asked for.
fn remark(flag: &Flag<'_>, now: Micros, output: &mut Output) {
    let name = flag.key().to_string();
    let name = escape(&name);
    if let Some(variant) = flag.lock() {
        output.note(format_args!("the document locks `{name}` to {variant}: nobody flips"));
    } else if !flag.is_enabled() {
        output.note(format_args!("the document disables `{name}`: nobody flips"));
    } else if flag.interpolates() {
        output.note(format_args!("`{name}` is interpolated: everyone has the same number, and nobody flips"));
    } else if flag.host_lock().is_some_and(|lock| lock.until.is_none_or(|until| now < until)) {
        output.note(format_args!("`{name}` is locked on this host; the lock is left aside here"));
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
