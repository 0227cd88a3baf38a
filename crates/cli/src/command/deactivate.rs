//! `tidegate deactivate`: everyone has stable, now.

use tidegate_engine::Share;

use super::change;
use crate::args::{ChangeArgs, FlagKeyArg, TargetArgs, UntilArg};
use crate::exit::Outcome;
use crate::output::Output;

/// Give stable to everyone, at once, on every node: the kill switch
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate deactivate features/new_login --reason 'INC-1234: sign-in fails'
  tidegate deactivate features/new_login --ack local

It sets the flag's dial to 0 %, which goes before the ramp, early adopters and everything else in a document, until \
`tidegate clear` takes it away. It works on a node that is alone, too: then it ends with 6, and the change reaches the \
others as soon as they are back.")]
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
