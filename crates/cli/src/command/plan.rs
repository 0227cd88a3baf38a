//! `tidegate plan`: the shares of flags over time, as a chart, a list of changes, and a picture.

use std::path::{Path, PathBuf};

use tidegate_engine::forecast::Forecast;
use tidegate_engine::{Flag, FlagKey, Micros, Overlay, Snapshot};

use crate::args::{Format, FormatArg, SourceArgs};
use crate::chart;
use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::lookup;
use crate::output::Output;
use crate::relative::{relative, rough, short};
use crate::source;
use crate::svg;
use crate::table::{Cell, FAINT, HEADING, Table, paint};
use crate::terminal;
use crate::text::{escape, escape_json, shorten};

/// Show the shares of flags over time, the next changes, and ramps that overlap
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate plan flags.json
  tidegate plan flags.json features
  tidegate plan flags.json features new_login --from '2026-12-01 00:00Z' --to '2026-12-15 00:00Z'
  tidegate plan flags.json --svg plan.svg

The plan is for a whole fleet: it ignores locks of this host and leases. Without --from and --to it covers the time from \
the first to the last change within 400 days of now; if there is no change in that time, from the first to the last of all. \
The ramp of a rule has a line of its own.")]
pub(crate) struct Args {
    #[command(flatten)]
    source: SourceArgs,

    /// Only this section; or a flag key, as `features/x`
    section: Option<String>,

    /// Only this flag of the section
    flag: Option<String>,

    /// The first instant to show
    #[arg(long, value_name = "TIME", value_parser = crate::args::time)]
    from: Option<Micros>,

    /// The last instant to show
    #[arg(long, value_name = "TIME", value_parser = crate::args::time)]
    to: Option<Micros>,

    /// Also write the chart as an SVG picture to FILE; `-` writes only the picture, to standard output
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,

    #[command(flatten)]
    format: FormatArg,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    if let (Some(from), Some(to)) = (args.from, args.to)
        && from >= to
    {
        return Err(Failure::usage("--from is not before --to").help("swap the two"));
    }
    let loaded = source::load(&args.source, output)?;
    let snapshot = loaded.snapshot().overlaid(&Overlay::default());
    let flags = chosen(&snapshot, args)?;
    let forecast = Forecast::new(flags.into_iter(), loaded.now(), args.from, args.to);
    if let Some(file) = &args.svg {
        let picture = svg::draw(&forecast, &loaded.data.source);
        if file == Path::new("-") {
            output.text(&picture)?;
            return Ok(Exit::Success);
        }
        files::write(file, picture)
            .map_err(|error| Failure::new(Exit::Failed, format_args!("cannot write `{}`: {error}", file.display())))?;
        output.note(format_args!("the picture is in `{}`", file.display()));
    }
    match args.format.format {
        Format::Json => output.json(&forecast)?,
        Format::Human => human(&forecast, output)?,
    }
    Ok(Exit::Success)
}

/// The flags that were asked for: all, those of a section, or one.
fn chosen<'s>(snapshot: &'s Snapshot, args: &Args) -> Result<Vec<Flag<'s>>, Failure> {
    let one = |key: &FlagKey| lookup::find(snapshot, key).map(|flag| vec![flag]);
    match (&args.section, &args.flag) {
        (None, _) => Ok(snapshot.flags().collect()),
        (Some(section), Some(flag)) => one(&FlagKey::new(&**section, &**flag)),
        (Some(section), None) => {
            let of_section: Vec<Flag<'s>> = snapshot.flags().filter(|flag| flag.section() == section).collect();
            if of_section.is_empty() { one(&FlagKey::parse(section)) } else { Ok(of_section) }
        }
    }
}

fn human(forecast: &Forecast<'_>, output: &mut Output) -> Result<(), Failure> {
    if forecast.curves.is_empty() {
        output.note("the document has no flags");
        return Ok(());
    }
    if let [curve, others @ ..] = &*forecast.curves
        && others.iter().all(|other| other.flag.index() == curve.flag.index())
    {
        let value = |json: Option<&str>| json.map_or("-".into(), |json| shorten(&escape_json(json), 30).into_owned());
        let values = format!("{} → {}", value(curve.flag.stable()), value(curve.flag.new_value()));
        let share = format!("{} % now", curve.share_at(forecast.now));
        output.line(format_args!("{}  {values}  {share}", paint(&escape(&curve.name), HEADING)))?;
    }
    output.line("")?;
    for line in chart::draw(forecast, terminal::columns(), ROWS_MOST) {
        output.line(line)?;
    }
    output.line("")?;
    print_changes(forecast, output)?;
    print_overlaps(forecast, output)
}

/// What comes next, in time order.
fn print_changes(forecast: &Forecast<'_>, output: &mut Output) -> Result<(), Failure> {
    let coming = forecast.coming();
    if coming.is_empty() {
        return output.line("no changes after now in this time");
    }
    let mut table = Table::new(&["NEXT CHANGES", "", "FLAG", "SHARE>", "", ""]);
    for (curve, change) in coming.iter().take(CHANGES_MOST) {
        table.row([
            Cell::new(short(change.at)),
            Cell::new(relative(change.at, forecast.now)).styled(FAINT),
            Cell::new(escape(&curve.name)),
            Cell::new(format!("{} %", change.share)),
            Cell::new(change.kind.as_str()),
        ]);
    }
    output.table(&table)?;
    if coming.len() > CHANGES_MOST {
        output.line(paint(&format!("and {} more changes", coming.len() - CHANGES_MOST), FAINT))?;
    }
    Ok(())
}

/// When several flags move at once.
fn print_overlaps(forecast: &Forecast<'_>, output: &mut Output) -> Result<(), Failure> {
    let overlaps = forecast.overlaps();
    if overlaps.is_empty() {
        return Ok(());
    }
    output.line("")?;
    let mut table = Table::new(&["MOVING AT ONCE", "", "FOR", "UP TO>", "FLAGS"]);
    for overlap in overlaps.iter().take(CHANGES_MOST) {
        let names: Vec<_> = overlap.curves.iter().map(|number| escape(&forecast.curves[*number].name)).collect();
        let shown = names.iter().take(NAMES_MOST).map(AsRef::as_ref).collect::<Vec<_>>().join(", ");
        let more = names.len().saturating_sub(NAMES_MOST);
        let more = if more == 0 { String::new() } else { format!(" and {more} more") };
        table.row([
            Cell::new(short(overlap.from)),
            Cell::new(format!("to {}", short(overlap.to))),
            Cell::new(rough(overlap.to.since(overlap.from))),
            Cell::new(overlap.most.to_string()),
            Cell::new(format!("{shown}{more}")),
        ]);
    }
    output.table(&table)
}

/// Rows of the chart: a screen.
const ROWS_MOST: usize = 40;
/// Lines of a list: what one reads.
const CHANGES_MOST: usize = 20;
/// Names in a line.
const NAMES_MOST: usize = 4;
