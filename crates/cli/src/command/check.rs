//! `tidegate check`: finds every problem of documents, and compares two versions of one.

mod against;

use std::path::PathBuf;

use serde::Serialize;
use tidegate_engine::{Code, Diagnostic, Document, Micros, Severity, check};
use tidegate_server::CheckReport;

use crate::args::{Format, FormatArg, Location, SourceOptions};
use crate::compare::Comparison;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::report;
use crate::source::{self, Verdict};
use crate::subjects;
use crate::text::escape;
use against::Against;

/// Check documents: report every problem with its place and a remedy; compare two versions
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate check flags.json
  tidegate check conf/*.json --format json
  tidegate check flags.json --trusted-key flags.pub --environment prod
  tidegate check flags.json --against https://flags.example/app.json
  tidegate check flags.json --against old.json --attributes users.jsonl
  tidegate check --explain E031

The exit code is 0 if there are only warnings and notes, 1 if there are errors, 4 if a source cannot be read. With --format \
json each source is one object on a line of its own.")]
pub(crate) struct Args {
    /// The documents: paths, `-` for standard input, or URLs
    #[arg(required_unless_present = "explain", value_name = "SOURCE", value_hint = clap::ValueHint::AnyPath)]
    sources: Vec<Location>,

    /// Also show the differences from OLD, and how many percent of the keys gain or lose new, now and at most
    #[arg(long, value_name = "OLD", value_hint = clap::ValueHint::AnyPath)]
    against: Option<Location>,

    /// With --against, also count how many of the subjects in FILE move; one JSON object per line, the attributes of a subject with
    /// its key as `$key`
    #[arg(long, value_name = "FILE", requires = "against")]
    attributes: Option<PathBuf>,

    /// Explain a diagnostic code, such as E031
    #[arg(long, value_name = "CODE", conflicts_with_all = ["sources", "against"])]
    explain: Option<Code>,

    #[command(flatten)]
    format: FormatArg,

    #[command(flatten)]
    options: SourceOptions,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    if let Some(code) = args.explain {
        output.text(&code.page())?;
        return Ok(Exit::Success);
    }
    if args.against.is_some() && args.sources.len() > 1 {
        return Err(Failure::usage("--against compares one document with another one")
            .help("give one SOURCE, or leave --against out"));
    }
    let old = args.against.as_ref().map(|place| accepted(place, &args.options, output)).transpose()?;
    let read = |file: &PathBuf| subjects::read(file, args.sources.first());
    let population = args.attributes.as_ref().map(read).transpose()?;
    let now = source::now();
    let mut worst = Exit::Success;
    for place in &args.sources {
        let (text, signature) = match source::read_signed(place, &args.options, output) {
            Ok(text) => text,
            Err(failure) => {
                output.failure(&failure);
                worst = Exit::Unreachable;
                continue;
            }
        };
        let checked = check(&text);
        let verdict = source::verdict(&args.options, &text, signature.as_deref())?;
        let old = old.as_ref().zip(args.against.as_ref());
        let comparison = old.zip(checked.document.as_ref()).map(|((old, place), new)| Compared {
            comparison: Comparison::new(old, new, now, population.as_deref()),
            with: place.to_string(),
            now,
        });
        let name = place.to_string();
        match args.format.format {
            Format::Json => output.json(&Line::new(&name, &checked.diagnostics, &verdict, comparison.as_ref()))?,
            Format::Human => human(&name, &text, &checked.diagnostics, &verdict, comparison.as_ref(), output)?,
        }
        let is_refused = checked.document.is_none() || matches!(verdict, Verdict::Refused(_));
        if is_refused && worst == Exit::Success {
            worst = Exit::Negative;
        }
    }
    Ok(worst)
}

/// A comparison with an older document.
struct Compared {
    comparison: Comparison,
    with: String,
    now: Micros,
}

/// The older document, which has to be one.
fn accepted(place: &Location, options: &SourceOptions, output: &mut Output) -> Result<Document, Failure> {
    let text = source::read(place, options, output)?;
    let checked = check(&text);
    let name = place.to_string();
    checked.document.ok_or_else(|| {
        Failure::new(Exit::Refused, format_args!("`{}` has errors and cannot be compared", escape(&name)))
            .help("give a document without errors")
            .diagnostics(report::render(&checked.diagnostics, &name, Some(&text)))
    })
}

fn human(
    name: &str,
    text: &[u8],
    found: &[Diagnostic],
    verdict: &Verdict,
    compared: Option<&Compared>,
    output: &mut Output,
) -> Result<(), Failure> {
    if !found.is_empty() {
        output.line(report::render(found, name, Some(text)))?;
        output.line("")?;
    }
    let signed = match verdict {
        Verdict::NotChecked | Verdict::Accepted(None) => String::new(),
        Verdict::Accepted(Some(key)) => format!(", signed by {key}"),
        Verdict::Refused(why) => format!(", but readers refuse it: {}", escape(why)),
    };
    output.line(format_args!("{}: {}{signed}", escape(name), summary(found)))?;
    let Some(compared) = compared else { return Ok(()) };
    against::human(&compared.comparison, &compared.with, compared.now, output)?;
    for warning in against::warnings(&compared.comparison) {
        output.warning(warning);
    }
    Ok(())
}

/// `2 errors, 1 warning`, or `no problems`.
fn summary(found: &[Diagnostic]) -> String {
    let counts = [(Severity::Error, "error"), (Severity::Warning, "warning"), (Severity::Note, "note")];
    let parts: Vec<String> = counts
        .iter()
        .map(|(severity, name)| (count(found, *severity), name))
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}{}", if count == 1 { "" } else { "s" }))
        .collect();
    if parts.is_empty() { "no problems".to_owned() } else { parts.join(", ") }
}

fn count(found: &[Diagnostic], severity: Severity) -> usize {
    found.iter().filter(|found| found.code.severity() == severity).count()
}

/// The result for one source, as JSON.
#[derive(Debug, Serialize)]
struct Line<'d> {
    #[serde(flatten)]
    report: CheckReport<'d>,
    /// The key that has signed it, where a key is trusted.
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by: Option<&'d str>,
    /// Why readers with these keys and this environment refuse it, whatever the diagnostics say.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<&'d str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    against: Option<Against<'d>>,
}

impl<'d> Line<'d> {
    fn new(source: &'d str, found: &'d [Diagnostic], verdict: &'d Verdict, compared: Option<&'d Compared>) -> Self {
        let against = |compared: &'d Compared| Against::new(&compared.comparison, &compared.with, compared.now);
        Self {
            report: CheckReport::new(source, found),
            signed_by: if let Verdict::Accepted(Some(key)) = verdict { Some(key) } else { None },
            refused: if let Verdict::Refused(why) = verdict { Some(why) } else { None },
            against: compared.map(against),
        }
    }
}
