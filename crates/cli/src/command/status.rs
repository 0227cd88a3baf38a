//! `tidegate status`: whether a server is ready, and the state of its documents.

use reqwest::Method;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tidegate_engine::Span;

use crate::args::{Format, FormatArg, ServerArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::relative::rough;
use crate::table::{Cell, HEADING, Table, paint};
use crate::text::escape;

/// Show whether a server is ready, and the state of its documents
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate status
  tidegate status --server 10.0.0.7:8080 --format json | jq .ready

The exit code is 1 if the server is not ready: it has loaded no document from one of its sources, also none from the cache. \
`tidegate cluster status` shows the nodes of a cluster.")]
pub(crate) struct Args {
    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    format: FormatArg,
}

/// The response of the server.
#[derive(Debug, Deserialize)]
struct Answer {
    version: String,
    ready: bool,
    status: State,
}

/// One source; the first one also has the fields of the whole server.
#[derive(Debug, Deserialize)]
struct State {
    #[serde(default)]
    source: String,
    health: String,
    #[serde(default)]
    served_from: String,
    #[serde(default)]
    age_seconds: Option<f64>,
    #[serde(default)]
    last_error: Option<Trouble>,
    #[serde(default)]
    refused: Option<Trouble>,
    /// The clock of the server's host against that of the source.
    #[serde(default)]
    clock: Option<Clock>,
    #[serde(default)]
    shadowed: Shadowed,
    /// A document that has crashed processes is skipped.
    #[serde(default)]
    poisoned: Option<IgnoredAny>,
    #[serde(default)]
    signature: Option<Signature>,
    #[serde(default)]
    cache: Option<Cache>,
    /// The locks of the server's host.
    #[serde(default)]
    locks: Locks,
    #[serde(default)]
    flags: u64,
    #[serde(default)]
    additional_sources: Vec<State>,
}

/// Entries of a document without effect, because an earlier document defines the same flags.
#[derive(Debug, Default, Deserialize)]
struct Shadowed {
    count: u64,
    entries: Vec<ShadowedEntry>,
}

#[derive(Debug, Deserialize)]
struct ShadowedEntry {
    flag: String,
    by: String,
}

impl Shadowed {
    fn shown(&self) -> Option<String> {
        let ShadowedEntry { flag, by } = self.entries.first()?;
        let others = if self.count > 1 { format!(" and {} more", self.count - 1) } else { String::new() };
        Some(format!("shadowed by an earlier document: {flag}{others} (in {by})"))
    }
}

/// One clock against another.
#[derive(Debug, Deserialize)]
struct Clock {
    ahead_seconds: f64,
    is_suspicious: bool,
}

impl Clock {
    /// The problem of the clock, if there is one.
    fn describe(&self) -> Option<String> {
        let which = if self.ahead_seconds > 0.0 { "ahead of" } else { "behind" };
        let words = || format!("the server's clock is {:.1} s {which} that of the source", self.ahead_seconds.abs());
        self.is_suspicious.then(words)
    }
}

/// The signature of a document, where a key is trusted.
#[derive(Debug, Deserialize)]
struct Signature {
    #[serde(default)]
    is_expired: bool,
    #[serde(default)]
    rollback: Option<RollbackAlarm>,
    #[serde(default)]
    error: Option<String>,
}

/// An older document came than one before.
#[derive(Debug, Deserialize)]
struct RollbackAlarm {
    version: u64,
    seen: u64,
}

impl Signature {
    /// Its problems.
    fn describe(&self) -> impl Iterator<Item = String> + use<> {
        let rollback = self
            .rollback
            .as_ref()
            .map(|alarm| format!("rollback alarm: version {} was sent after version {}", alarm.version, alarm.seen));
        let expired = self.is_expired.then(|| "the active document has expired".to_owned());
        [rollback, expired, self.error.clone()].into_iter().flatten()
    }
}

/// The copy on the disk.
#[derive(Debug, Deserialize)]
struct Cache {
    #[serde(default)]
    error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Locks {
    #[serde(default)]
    error: Option<Trouble>,
}

impl State {
    /// All problems of the source, in one line.
    fn problems(&self) -> String {
        let trouble = self.refused.as_ref().or(self.last_error.as_ref()).map(|trouble| trouble.message.clone());
        let poisoned =
            self.poisoned.as_ref().map(|_| "the document is skipped: processes died while they loaded it".to_owned());
        let cache = self.cache.as_ref().and_then(|cache| cache.error.as_ref()).map(|error| format!("cache: {error}"));
        let signature = self.signature.iter().flat_map(Signature::describe);
        let clock = self.clock.as_ref().and_then(Clock::describe);
        let first = [trouble, poisoned].into_iter().flatten();
        let all = first.chain(signature).chain([cache, clock, self.shadowed.shown()].into_iter().flatten());
        all.collect::<Vec<_>>().join("; ")
    }
}

/// A problem of a source.
#[derive(Debug, Deserialize)]
struct Trouble {
    message: String,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let server = args.server.connect()?;
    let reply = server.ask(server.request(Method::GET, &["status"], &[]))?;
    let answer: Answer = server.read(&reply)?;
    match args.format.format {
        Format::Json => output.json(&server.json_line(&reply)?)?,
        Format::Human => human(&server.address().to_string(), &answer, output)?,
    }
    Ok(if answer.ready { Exit::Success } else { Exit::Negative })
}

fn human(address: &str, answer: &Answer, output: &mut Output) -> Result<(), Failure> {
    let state = &answer.status;
    for (name, text) in [
        ("server", format!("{}, version {}", escape(address), escape(&answer.version))),
        ("ready", if answer.ready { "yes" } else { "no: a source has no document" }.to_owned()),
        ("flags", format!("{} defined", state.flags)),
    ] {
        output.line(format_args!("{}  {text}", paint(&format!("{name:<NAME_COLUMNS$}"), HEADING)))?;
    }
    if let Some(error) = &state.locks.error {
        let name = paint(&format!("{:<NAME_COLUMNS$}", "locks"), HEADING);
        output.line(format_args!("{name}  cannot be read: {}", escape(&error.message)))?;
    }
    let sources: Vec<&State> =
        std::iter::once(state).chain(&state.additional_sources).filter(|state| state.health != NO_SOURCE).collect();
    if sources.is_empty() {
        return Ok(());
    }
    output.line("")?;
    let mut table = Table::new(&["DOCUMENT", "STATE", "FROM", "LAST SEEN", ""]);
    for source in sources {
        table.row([
            Cell::new(escape(&source.source)),
            Cell::new(escape(&source.health.replace('_', " "))),
            Cell::new(escape(&source.served_from.replace('_', " "))),
            Cell::new(source.age_seconds.map_or("never".to_owned(), ago)),
            Cell::new(escape(&source.problems())),
        ]);
    }
    output.table(&table)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "ages are positive, and far below 2^53 microseconds"
)]
fn ago(seconds: f64) -> String {
    format!("{} ago", rough(Span::from_micros((seconds * 1e6) as u64)))
}

const NAME_COLUMNS: usize = 6;

/// Where there are no documents at all.
const NO_SOURCE: &str = "no_source";
