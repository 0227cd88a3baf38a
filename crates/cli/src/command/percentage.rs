//! `tidegate percentage`: gives new to a percentage of the keys.

use tidegate_engine::Share;

use super::change;
use crate::args::{ChangeArgs, FlagKeyArg, TargetArgs, UntilArg, percentage};
use crate::exit::Outcome;
use crate::output::Output;

/// Activate a flag for a percentage of the keys, at once, on every node
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate percentage features/new_login 20 --reason 'first look'
  tidegate percentage features/new_login 12.5 --until '2026-12-01 00:00Z'

The activation takes precedence over the ramp of a document until `tidegate clear` removes it. A key that has new keeps it \
when the percentage rises.")]
pub(crate) struct Args {
    #[command(flatten)]
    flag: FlagKeyArg,

    /// The percentage, from 0 to 100, with at most six decimals
    #[arg(value_name = "PCT", value_parser = percentage)]
    percentage: Share,

    #[command(flatten)]
    until: UntilArg,

    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    change: ChangeArgs,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    change::activate(args.flag.key(), args.percentage, &args.until, args.target.target(), &args.change, output)
}
