//! `tidegate on`: the answer as an exit code.

use tidegate_engine::{Answer, FlagKey, Subject};

use crate::args::{AtArg, FlagArgs, KeyArg, SourceArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::lookup;
use crate::output::Output;
use crate::source;
use crate::text::{escape, escape_json, shorten};

/// Exit with 0 where the value is true, with 1 where it is false: for `if` in a shell
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  if tidegate on flags.json features/new_login; then echo new; else echo stable; fi
  tidegate on flags.json features new_login --key alice --default false || exit 1

Nothing is printed. Exit codes: 0 true, 1 false, 2 the value is not a boolean, 3 no such flag or a disabled \
one and no --default, 4 and 5 no document. In `if`, everything but 0 takes the way of `false`.")]
pub(crate) struct Args {
    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    flag: FlagArgs,

    #[command(flatten)]
    key: KeyArg,

    /// Answer this where the flag is unknown or disabled
    #[arg(long, value_name = "true|false", hide_possible_values = true)]
    default: Option<bool>,

    #[command(flatten)]
    at: AtArg,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let mut loaded = source::load_or_locks(&args.source, output)?;
    let missing = loaded.take_missing();
    let (key, flag) = (args.key.or_host(), args.flag.key());
    let snapshot = loaded.snapshot();
    let index = snapshot.find(flag.section(), flag.flag());
    let answer = snapshot.evaluate(index, &Subject::key(&key), &loaded.moment(args.at.at)).answer;
    let is_on = match (answer, missing) {
        (Answer::CallerDefault, Some(missing)) => return Err(missing),
        (Answer::CallerDefault, None) => args.default.ok_or_else(|| lookup::no_answer(snapshot, &flag))?,
        (answer, _) => answer.as_bool().ok_or_else(|| not_boolean(&flag, &key, answer))?,
    };
    Ok(if is_on { Exit::Done } else { Exit::No })
}

fn not_boolean(flag: &FlagKey, key: &str, answer: Answer<'_>) -> Failure {
    let value = answer.to_json().unwrap_or_default();
    let value = escape_json(&value);
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
