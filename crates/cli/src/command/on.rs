//! `tidegate on`: reports a boolean flag by its exit code.

use tidegate_engine::{Answer, FlagKey};

use crate::args::{AtArg, AttributesArg, KeyArg, Query, QueryArgs, SourceArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::lookup;
use crate::output::Output;
use crate::server::{Address, Server};
use crate::source;
use crate::text::{escape, escape_json, shorten};

/// Exit with 0 if the value is true, with 1 if it is false: for `if` in a shell
#[derive(Clone, Debug, clap::Args)]
#[command(
    override_usage = "tidegate on [OPTIONS] <SOURCE> <SECTION> <FLAG>
       tidegate on [OPTIONS] <SOURCE> <FLAG_KEY>
       tidegate on [OPTIONS] --server <URL> <FLAG_KEY>",
    after_help = "\
Examples:
  if tidegate on flags.json features/new_login; then echo new; else echo stable; fi
  tidegate on flags.json features new_login --key alice --default false || exit 1

Nothing is printed. Exit codes: 0 true, 1 false, 2 the value is not a boolean; without --default also 3 no such flag or a \
disabled one, 4 or 5 no document or no server. `if` treats every code but 0 as false. With --default, the default decides \
the exit code wherever there is no value; a warning says why."
)]
pub(crate) struct Args {
    #[command(flatten)]
    query: QueryArgs,

    #[command(flatten)]
    key: KeyArg,

    #[command(flatten)]
    attributes: AttributesArg,

    /// Use this if the flag is unknown or disabled, or the source cannot be read
    #[arg(long, value_name = "true|false", hide_possible_values = true)]
    default: Option<bool>,

    #[command(flatten)]
    at: AtArg,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let is_on = match args.query.with_flag()? {
        Query::Document(source, flag) => by_document(&source, &flag, args, output)?,
        Query::Server(address, flag) => by_server(address, &flag, args, output)?,
    };
    Ok(if is_on { Exit::Success } else { Exit::Negative })
}

fn by_document(source: &SourceArgs, flag: &FlagKey, args: &Args, output: &mut Output) -> Result<bool, Failure> {
    let mut loaded = source::load_or_locks(source, output)?;
    let missing = loaded.take_missing();
    let (key, snapshot) = (args.key.or_host(), loaded.snapshot());
    let index = snapshot.find(flag.section(), flag.flag());
    let answer = snapshot.evaluate(index, &args.attributes.subject(&key), &loaded.moment(args.at.at)).answer;
    match (answer, missing) {
        (Answer::CallerDefault, Some(missing)) => default_or(args, missing, output),
        (Answer::CallerDefault, None) => args.default.ok_or_else(|| lookup::no_answer(snapshot, flag)),
        (answer, _) => answer.as_bool().ok_or_else(|| not_boolean(flag, &key, &answer.to_json().unwrap_or_default())),
    }
}

/// The default, or the failure if there is none.
fn default_or(args: &Args, failure: Failure, output: &mut Output) -> Result<bool, Failure> {
    let Some(default) = args.default else { return Err(failure) };
    output.warn_of_fallback(&failure, "using the default");
    Ok(default)
}

fn by_server(address: Address, flag: &FlagKey, args: &Args, output: &mut Output) -> Result<bool, Failure> {
    let server = Server::new(address)?.timeout(source::duration(args.query.options.timeout));
    let key = args.key.or_host();
    let explanation = match server.decide(flag, &key, args.attributes.text(), args.at.at) {
        Err(failure) if failure.is_unreachable() => return default_or(args, failure, output),
        decided => decided?,
    };
    match explanation.value.as_deref() {
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(value) => Err(not_boolean(flag, &key, value)),
        None => args.default.ok_or_else(|| lookup::no_server_answer(server.address(), &explanation)),
    }
}

fn not_boolean(flag: &FlagKey, key: &str, value: &str) -> Failure {
    let value = escape_json(value);
    Failure::usage(format_args!(
        "flag `{}` is not a boolean: its value for the key `{}` is `{}`",
        escape(&flag.to_string()),
        escape(key),
        shorten(&value, VALUE_COLUMNS)
    ))
    .help("`tidegate get` prints values of any kind")
}

/// A longer value is shortened in the message.
const VALUE_COLUMNS: usize = 60;
