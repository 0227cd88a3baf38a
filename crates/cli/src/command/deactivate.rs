//! `tidegate deactivate`: gives stable to every key.

use tidegate_engine::Share;

use super::change;
use crate::args::{ChangeArgs, FlagKeyArg, TargetArgs, UntilArg};
use crate::exit::Outcome;
use crate::output::Output;

/// Deactivate a flag: every key gets stable, at once, on every node (the kill switch)
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate deactivate features/new_login --reason 'INC-1234: sign-in fails'
  tidegate deactivate features/new_login --ack local

The activation is set to 0 %. It takes precedence over the ramp, early adopters and everything else in a document, until \
`tidegate clear` removes it. It works on a node that reaches no other node, too: the exit code is 6 then, and the change \
reaches the other nodes when they are connected again.")]
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
    change::activate(args.flag.key(), Share::ZERO, &args.until, args.target.target(), &args.change, output)
}
