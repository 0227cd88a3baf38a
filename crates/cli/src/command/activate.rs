//! `tidegate activate`: everyone has new, now.

use tidegate_engine::Share;

use super::change;
use crate::args::{ChangeArgs, FlagKeyArg, TargetArgs, UntilArg};
use crate::exit::Outcome;
use crate::output::Output;

/// Give new to everyone, at once, on every node
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate activate features/new_login --reason 'all is well'
  tidegate activate maintenance_mode --create --until 2h

It sets the flag's dial to 100 %, which goes before the ramp and everything else in a document, until `tidegate \
clear` takes it away. A flag that the server does not know is an error, unless --create makes it one with the values \
false and true.")]
pub(crate) struct Args {
    #[command(flatten)]
    flag: FlagKeyArg,

    #[command(flatten)]
    until: UntilArg,

    #[command(flatten)]
    target: TargetArgs,

    #[command(flatten)]
    change: ChangeArgs,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    change::activate(args.flag.key(), Share::FULL, &args.until, args.target.target(), &args.change, output)
}
