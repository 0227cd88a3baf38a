//! `tidegate simulate`: counts how many keys have which variant, and when.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tidegate_engine::population::{self, Counts, StepsError, Tally};
use tidegate_engine::{Flag, Micros, Overlay, Span, Subject};

use crate::args::{FlagArgs, Format, FormatArg, KeyFileArg, SourceArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::keys;
use crate::lookup;
use crate::output::Output;
use crate::relative::{relative, short};
use crate::source;
use crate::subjects::{self, KnownSubject};
use crate::table::{Cell, FAINT, Table};
use crate::text::escape;

/// Count how many keys have which variant: now, at an instant, or in steps
#[derive(Clone, Debug, clap::Args)]
#[command(group(clap::ArgGroup::new("keys").required(true).args(["keys_from", "population", "attributes"])))]
#[command(after_help = "\
Examples:
  tidegate simulate flags.json features/new_login --population 1000000
  tidegate simulate flags.json features new_login --keys-from hosts.txt --at '2026-12-01 00:00Z'
  tidegate simulate flags.json features/new_login --population 10000 --every 1d --format json
  tidegate simulate flags.json features/new_login --attributes users.jsonl

With --every and without --from and --to the steps cover the time in which the share moves. Locks of this host and leases \
are ignored, because the keys may belong to other hosts.")]
pub(crate) struct Args {
    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    flag: FlagArgs,

    #[command(flatten)]
    file: KeyFileArg,

    /// Read subjects from FILE: one JSON object per line, its attributes, with the key as `$key`; `-` for standard input
    #[arg(long, value_name = "FILE")]
    attributes: Option<PathBuf>,

    /// Use the keys `0` to `N-1`
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    population: Option<u64>,

    /// Count as of TIME instead of now; RFC 3339, or as documents write it
    #[arg(long, value_name = "TIME", value_parser = crate::args::time)]
    at: Option<Micros>,

    /// Count in steps of DURATION
    #[arg(long, value_name = "DURATION", value_parser = crate::args::duration, conflicts_with = "at")]
    every: Option<Span>,

    /// The first instant of --every
    #[arg(long, value_name = "TIME", value_parser = crate::args::time, requires = "every")]
    from: Option<Micros>,

    /// The last instant of --every
    #[arg(long, value_name = "TIME", value_parser = crate::args::time, requires = "every")]
    to: Option<Micros>,

    #[command(flatten)]
    format: FormatArg,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let listed = args.file.keys_from.as_ref().map(|file| keys::read(file, Some(&args.source.source))).transpose()?;
    let read = |file: &PathBuf| subjects::read(file, Some(&args.source.source));
    let subjects = args.attributes.as_ref().map(read).transpose()?;
    let loaded = source::load(&args.source, output)?;
    let snapshot = loaded.snapshot().overlaid(&Overlay::default());
    let key = args.flag.key();
    let flag = lookup::find(&snapshot, &key)?;
    if flag.lock().is_none() && !flag.is_enabled() {
        return Err(lookup::disabled(&key).help("every key has the caller's default; there is nothing to count"));
    }
    let instants = match args.every {
        None => vec![args.at.unwrap_or(loaded.now())],
        Some(every) => instants(flag, every, args)?,
    };
    let mut tally = Tally::new(&snapshot, flag, instants);
    match (&listed, &subjects, args.population) {
        (Some(keys), ..) => {
            add_all(&mut tally, keys.len() as u64, keys.iter().map(|key| Subject::key(key)));
        }
        (_, Some(subjects), _) => {
            add_all(&mut tally, subjects.len() as u64, subjects.iter().map(KnownSubject::as_subject));
        }
        (.., population) => add_numbers(&mut tally, population.unwrap_or_default()),
    }
    show(&tally.counts(), args.format.format, loaded.now(), output)?;
    Ok(Exit::Success)
}

/// From `--from` to `--to` in steps of `--every`, both included.
fn instants(flag: Flag<'_>, every: Span, args: &Args) -> Result<Vec<Micros>, Failure> {
    population::steps(flag, every, args.from, args.to, INSTANTS_MOST).map_err(|error| match error {
        StepsError::Zero => Failure::usage("--every is zero").help("give a step such as `1h`"),
        StepsError::NeverMoves => {
            Failure::usage("the share of this flag never moves, so there is no time to step through")
                .help("give --from and --to, or --at")
        }
        StepsError::Backwards { from, to } => Failure::usage(format_args!(
            "the steps would begin at {} and end before that, at {}",
            short(from),
            short(to)
        ))
        .help("give --from and --to, the earlier one first"),
        StepsError::TooMany { count } => {
            Failure::usage(format_args!("{count} instants are more than the limit of {INSTANTS_MOST}"))
                .help("use longer steps, or a shorter time")
        }
    })
}

fn add_all<'s>(tally: &mut Tally<'_>, count: u64, subjects: impl Iterator<Item = Subject<'s>>) {
    let mut progress = Progress::new(count);
    for subject in subjects {
        tally.add(&subject);
        progress.step();
    }
    progress.finish();
}

/// The keys `0` to `count - 1`.
fn add_numbers(tally: &mut Tally<'_>, count: u64) {
    let mut progress = Progress::new(count);
    let mut key = String::new();
    for number in 0..count {
        key.clear();
        let _ = write!(key, "{number}");
        tally.add(&Subject::key(&key));
        progress.step();
    }
    progress.finish();
}

/// A progress bar on standard error, if that is a terminal and the count takes longer than a second.
struct Progress {
    bar: Option<ProgressBar>,
    begun: Instant,
    count: u64,
    done: u64,
}

impl Progress {
    fn new(count: u64) -> Self {
        Self { bar: None, begun: Instant::now(), count, done: 0 }
    }

    fn step(&mut self) {
        self.done += 1;
        if self.done.is_multiple_of(STEPS_BETWEEN_LOOKS) {
            self.show();
        }
    }

    fn show(&mut self) {
        if self.bar.is_none() && self.begun.elapsed() > SILENCE {
            let style = ProgressStyle::with_template("{bar:40} {percent:>3} % of {len} keys, {eta} left");
            let bar = ProgressBar::with_draw_target(Some(self.count), ProgressDrawTarget::stderr());
            self.bar = Some(bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())));
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn show(counts: &[Counts], format: Format, now: Micros, output: &mut Output) -> Result<(), Failure> {
    if format == Format::Json {
        return counts.iter().try_for_each(|counts| output.json(counts));
    }
    let variants: Vec<String> = counts.iter().take(1).flat_map(|counts| &counts.named).map(heading).collect();
    if !variants.is_empty() {
        return show_named(counts, &variants, now, output);
    }
    let has_interpolated = counts.iter().any(|counts| counts.interpolated > 0);
    let mut headings = vec!["AT", "", "STABLE>", "NEW>", "ON NEW>"];
    if has_interpolated {
        headings.insert(4, "INTERPOLATED>");
    }
    let mut table = Table::new(&headings);
    for counts in counts {
        let mut cells = vec![
            Cell::new(short(counts.at)),
            Cell::new(relative(counts.at, now)).styled(FAINT),
            Cell::new(counts.stable.to_string()),
            Cell::new(counts.new.to_string()),
        ];
        if has_interpolated {
            cells.push(Cell::new(counts.interpolated.to_string()));
        }
        cells.push(Cell::new(percent(counts)));
        table.row(cells);
    }
    output.table(&table)
}

/// The heading of a column of numbers below the name of a variant.
fn heading((name, _): &(String, u64)) -> String {
    format!("{}>", escape(name))
}

/// One column for each named variant.
fn show_named(counts: &[Counts], variants: &[String], now: Micros, output: &mut Output) -> Result<(), Failure> {
    let headings = ["AT", ""].into_iter().chain(variants.iter().map(String::as_str)).chain(["ON NEW>"]);
    let mut table = Table::new(&headings.collect::<Vec<_>>());
    for counts in counts {
        let mut cells = vec![Cell::new(short(counts.at)), Cell::new(relative(counts.at, now)).styled(FAINT)];
        cells.extend(counts.named.iter().map(|(_, count)| Cell::new(count.to_string())));
        cells.push(Cell::new(percent(counts)));
        table.row(cells);
    }
    output.table(&table)
}

/// How many of a hundred keys have `new`, with two decimals.
fn percent(counts: &Counts) -> String {
    let hundredths = u128::from(counts.new) * 10_000 / u128::from(counts.population().max(1));
    format!("{}.{:02} %", hundredths / 100, hundredths % 100)
}

/// More instants would fill the memory, and are not readable.
const INSTANTS_MOST: u64 = 100_000;
/// A look at the clock costs as much as a key.
const STEPS_BETWEEN_LOOKS: u64 = 4_096;
/// A count that takes no longer needs no bar.
const SILENCE: Duration = Duration::from_secs(1);
