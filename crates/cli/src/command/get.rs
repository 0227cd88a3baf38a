//! `tidegate get`: prints the value that a key has.

use std::borrow::Cow;

use tidegate_engine::FlagKey;

use crate::args::{AtArg, AttributesArg, KeyArg, Query, QueryArgs, SourceArgs, json};
use crate::exit::{Exit, Failure, Outcome};
use crate::lookup;
use crate::output::Output;
use crate::server::{Address, Server};
use crate::source::{self, Loaded};

/// Print the value of a flag for a key, as one line of JSON
#[derive(Clone, Debug, clap::Args)]
#[command(
    override_usage = "tidegate get [OPTIONS] <SOURCE> <SECTION> <FLAG>
       tidegate get [OPTIONS] <SOURCE> <FLAG_KEY>
       tidegate get [OPTIONS] --server <URL> <FLAG_KEY>",
    after_help = "\
Examples:
  tidegate get flags.json features new_login
  tidegate get flags.json features/color --key alice --default '\"blue\"' --raw
  tidegate get flags.json features/color --key alice --at '2026-12-01 00:00Z'
  tidegate get flags.json features/color --key alice --attributes '{\"plan\": \"premium\"}'

With --at the value depends on the document, the key and the time alone: leases are ignored. A lock of this host takes \
precedence over the document; `tidegate locks` lists them. With --server, or with TIDEGATE_SERVER and no SOURCE, the server \
evaluates, and locks and leases of this host are ignored.

If neither document nor server is available, --default is printed, as for an unknown flag, and a warning says why; without \
--default the exit code is 4 or 5."
)]
pub(crate) struct Args {
    #[command(flatten)]
    query: QueryArgs,

    #[command(flatten)]
    key: KeyArg,

    #[command(flatten)]
    attributes: AttributesArg,

    /// Print this if the flag is unknown or disabled, or the source cannot be read
    #[arg(long, value_name = "JSON", value_parser = json, allow_hyphen_values = true)]
    default: Option<Box<str>>,

    #[command(flatten)]
    at: AtArg,

    /// Print a string without its quotes and escapes; other values stay JSON
    #[arg(long)]
    raw: bool,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let answered = match args.query.with_flag()? {
        Query::Document(source, flag) => from_document(&source, &flag, args, output)?,
        Query::Server(address, flag) => from_server(address, &flag, args)?,
    };
    match (answered, &args.default) {
        (Ok(value), _) => print(&value, args, output)?,
        (Err(NoValue::CallerDefault(_)), Some(default)) => print(default, args, output)?,
        (Err(NoValue::Unavailable(failure)), Some(default)) => {
            print(default, args, output)?;
            output.warn_of_fallback(&failure, "using the default");
        }
        (Err(NoValue::CallerDefault(failure) | NoValue::Unavailable(failure)), None) => return Err(failure),
    }
    Ok(Exit::Success)
}

/// Why there is no value, with the error for when there is no default either.
enum NoValue {
    /// The flag is unknown or disabled.
    CallerDefault(Failure),
    /// There is no document, or no server.
    Unavailable(Failure),
}

/// The value as JSON, by a document.
fn from_document(
    source: &SourceArgs,
    flag: &FlagKey,
    args: &Args,
    output: &mut Output,
) -> Result<Result<String, NoValue>, Failure> {
    let mut loaded = source::load_or_locks(source, output)?;
    let missing = loaded.take_missing();
    Ok(match (answer(&loaded, flag, args), missing) {
        (Some(answer), _) => Ok(answer),
        (None, Some(missing)) => Err(NoValue::Unavailable(missing)),
        (None, None) => Err(NoValue::CallerDefault(lookup::no_answer(loaded.snapshot(), flag))),
    })
}

/// The value as JSON, by a server.
fn from_server(address: Address, flag: &FlagKey, args: &Args) -> Result<Result<String, NoValue>, Failure> {
    let server = Server::new(address)?.timeout(source::duration(args.query.options.timeout));
    Ok(match server.decide(flag, &args.key.or_host(), args.attributes.text(), args.at.at) {
        Err(failure) if failure.is_unreachable() => Err(NoValue::Unavailable(failure)),
        Err(failure) => return Err(failure),
        Ok(explanation) => {
            let no_answer = lookup::no_server_answer(server.address(), &explanation);
            explanation.value.ok_or(NoValue::CallerDefault(no_answer))
        }
    })
}

/// The value as JSON; none if it is the caller's default.
fn answer(loaded: &Loaded, flag: &FlagKey, args: &Args) -> Option<String> {
    let snapshot = loaded.snapshot();
    let index = snapshot.find(flag.section(), flag.flag());
    let decision = snapshot.evaluate(index, &args.attributes.subject(&args.key.or_host()), &loaded.moment(args.at.at));
    decision.answer.to_json().map(Cow::into_owned)
}

fn print(json: &str, args: &Args, output: &mut Output) -> Result<(), Failure> {
    if args.raw { output.line(plain(json)) } else { output.line(json) }
}

/// A JSON string without its quotes and escapes; any other value unchanged.
fn plain(json: &str) -> Cow<'_, str> {
    match serde_json::from_str::<String>(json) {
        Ok(text) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(json),
    }
}
