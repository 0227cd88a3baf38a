//! `tidegate clear`: removes the activation of a flag.

use super::change;
use crate::args::{ChangeArgs, FlagKeyArg};
use crate::exit::Outcome;
use crate::output::Output;
use crate::server::Operation;

/// Remove the activation; the flag follows its ramp again, at once, on every node
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate clear features/new_login --reason 'INC-1234 is over'

A flag without a definition is unknown again. If there is no activation, nothing is changed and the exit code is 3.")]
pub(crate) struct Args {
    #[command(flatten)]
    flag: FlagKeyArg,

    #[command(flatten)]
    change: ChangeArgs,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let (flag, server) = (args.flag.key(), args.change.server.connect()?);
    change::apply(&server, flag, Operation::Clear, None, "no longer activated", &args.change, output)
}
