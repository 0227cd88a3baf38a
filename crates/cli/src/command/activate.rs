//! `tidegate activate`: gives new to every key.

use tidegate_engine::Share;

use super::change;
use crate::args::{ChangeArgs, FlagKeyArg, TargetArgs, UntilArg};
use crate::exit::Outcome;
use crate::output::Output;

/// Activate a flag: every key gets new, at once, on every node
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate activate features/new_login --reason 'all is well'
  tidegate activate maintenance_mode --create --until 2h

The activation is set to 100 %. It takes precedence over the ramp and everything else in a document, until `tidegate clear` \
removes it. A flag that the server does not know is an error, unless --create creates it with the values false and true.")]
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
