//! `tidegate percentage`: so many have new, now.

use tidegate_engine::Share;

use super::change;
use crate::args::{ChangeArgs, FlagKeyArg, TargetArgs, UntilArg, percentage};
use crate::exit::Outcome;
use crate::output::Output;

/// Give new to this percentage of the keys, at once, on every node
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate percentage features/new_login 20 --reason 'first look'
  tidegate percentage features/new_login 12.5 --until '2026-12-01 00:00Z'

It sets the flag's dial, which goes before the ramp of a document until `tidegate clear` takes it away. A key that has \
new keeps it when the percentage rises.")]
pub(crate) struct Args {
    #[command(flatten)]
    flag: FlagKeyArg,

    /// From 0 to 100, with at most six decimals
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
