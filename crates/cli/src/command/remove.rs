//! `tidegate remove`: takes back what `define` said.

use super::change;
use crate::args::{ChangeArgs, FlagKeyArg};
use crate::exit::Outcome;
use crate::output::Output;
use crate::server::Operation;

/// Take the definition of a flag away that was made on a server
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate remove features/new_login --reason 'everybody has it'

The dial of the flag stays as it is; `tidegate clear` takes it away.")]
pub(crate) struct Args {
    #[command(flatten)]
    flag: FlagKeyArg,

    #[command(flatten)]
    change: ChangeArgs,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let (flag, server) = (args.flag.key(), args.change.server.connect()?);
    change::apply(&server, flag, Operation::Remove, None, "no longer defined here", &args.change, output)
}
