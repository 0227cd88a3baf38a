//! `tidegate explain`: the value that a key has, and everything that led to it.

mod human;
mod machine;

pub(crate) use machine::Lock;

use tidegate_engine::{Rule, Subject};

use crate::args::{AtArg, FlagArgs, Format, FormatArg, KeyArg, SourceArgs};
use crate::exit::{Exit, Outcome};
use crate::output::Output;
use crate::source;

/// Say which value a key has, and why: rule, position, share, flips, and how old the data is
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate explain flags.json features/new_login
  tidegate explain flags.json features new_login --key alice --at '2026-12-01 00:00Z'
  tidegate explain flags.json features/new_login --format json | jq .valid_until

The exit code is 3 where the flag is unknown or disabled; the explanation is printed all the same. \
With --at the answer is a pure function of the document, the key and the time: leases are left aside.")]
pub(crate) struct Args {
    #[command(flatten)]
    source: SourceArgs,

    #[command(flatten)]
    flag: FlagArgs,

    #[command(flatten)]
    key: KeyArg,

    #[command(flatten)]
    at: AtArg,

    #[command(flatten)]
    format: FormatArg,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let mut loaded = source::load_or_locks(&args.source, output)?;
    let missing = loaded.take_missing();
    let (key, flag) = (args.key.or_host(), args.flag.key());
    let moment = loaded.moment(args.at.at);
    let explanation = loaded.snapshot().explain(flag.section(), flag.flag(), &Subject::key(&key), &moment);
    if let Some(missing) = missing.filter(|_| explanation.rule != Rule::HostLock) {
        return Err(missing);
    }
    match args.format.format {
        Format::Json => output.json(&machine::line(&explanation, &key, &loaded.data))?,
        Format::Human => {
            for (name, text) in human::lines(&explanation, &key, moment.now, &loaded.data) {
                output.line(human::line(name, &text))?;
            }
        }
    }
    let has_answer = !matches!(explanation.rule, Rule::UnknownFlag | Rule::Disabled);
    Ok(if has_answer { Exit::Done } else { Exit::NoFlag })
}
