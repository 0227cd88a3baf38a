//! `tidegate remove`: removes a definition from a server.

use super::change;
use crate::args::{ChangeArgs, FlagKeyArg};
use crate::exit::Outcome;
use crate::output::Output;
use crate::server::Operation;

/// Remove the definition of a flag from a server
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate remove features/new_login --reason 'rolled out'

The activation of the flag is kept; `tidegate clear` removes it.")]
pub(crate) struct Args {
    #[command(flatten)]
    flag: FlagKeyArg,

    #[command(flatten)]
    change: ChangeArgs,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let (flag, server) = (args.flag.key(), args.change.server.connect()?);
    change::apply(&server, flag, Operation::Remove, None, "no longer defined on the server", &args.change, output)
}
