//! `tidegate get`: the value that a key has.

use std::borrow::Cow;

use tidegate_engine::{FlagKey, Subject};

use crate::args::{AtArg, FlagArgs, KeyArg, SourceArgs, json};
use crate::exit::{Exit, Failure, Outcome};
use crate::lookup;
use crate::output::Output;
use crate::source::{self, Loaded};

/// Print the value that a key has, as one line of JSON
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate get flags.json features new_login
  tidegate get flags.json features/color --key alice --default '\"blue\"' --raw
  tidegate get flags.json features/color --key alice --at '2026-12-01 00:00Z'

With --at the answer is a pure function of the document, the key and the time: leases are left aside. \
A lock of this host goes before everything; `tidegate locks` shows them.

Where there is no document at all the exit code is 4 or 5, and a --default is printed all the same.")]
pub(crate) struct Args {
    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    flag: FlagArgs,

    #[command(flatten)]
    key: KeyArg,

    /// Print this where the flag is unknown or disabled
    #[arg(long, value_name = "JSON", value_parser = json, allow_hyphen_values = true)]
    default: Option<Box<str>>,

    #[command(flatten)]
    at: AtArg,

    /// Print a text without its quotes and escapes; other values stay JSON
    #[arg(long)]
    raw: bool,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let mut loaded = source::load_or_locks(&args.source, output)?;
    let missing = loaded.take_missing();
    let flag = args.flag.key();
    let answer = match (answer(&loaded, &flag, args), missing) {
        (Some(answer), _) => answer,
        (None, Some(missing)) => {
            // Whoever takes what is printed has the default even then; the exit code says what happened.
            args.default.iter().try_for_each(|default| print(default, args, output))?;
            return Err(missing);
        }
        (None, None) => match &args.default {
            Some(default) => default.clone().into(),
            None => return Err(lookup::no_answer(loaded.snapshot(), &flag)),
        },
    };
    print(&answer, args, output)?;
    Ok(Exit::Done)
}

/// The value as JSON; none where it is up to the caller.
fn answer(loaded: &Loaded, flag: &FlagKey, args: &Args) -> Option<String> {
    let snapshot = loaded.snapshot();
    let index = snapshot.find(flag.section(), flag.flag());
    let decision = snapshot.evaluate(index, &Subject::key(&args.key.or_host()), &loaded.moment(args.at.at));
    decision.answer.to_json().map(Cow::into_owned)
}

fn print(json: &str, args: &Args, output: &mut Output) -> Result<(), Failure> {
    if args.raw { output.line(plain(json)) } else { output.line(json) }
}

/// A JSON text without its quotes and escapes; anything else as it is.
fn plain(json: &str) -> Cow<'_, str> {
    match serde_json::from_str::<String>(json) {
        Ok(text) => Cow::Owned(text),
        Err(_) => Cow::Borrowed(json),
    }
}
