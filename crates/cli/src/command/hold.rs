//! `tidegate hold`: pauses the ramp of a flag.

use reqwest::Method;

use super::change;
use crate::args::{ChangeArgs, FlagKeyArg, UntilArg};
use crate::exit::Outcome;
use crate::output::Output;
use crate::server::{FlagState, Operation};
use crate::source;

/// Pause the ramp of a flag: keep its current share
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate hold features/new_login --reason 'errors rise, looking'
  tidegate hold features/new_login --until 1h

The activation is set to the current share, to a millionth of a percent. The ramp itself is not shifted: after `tidegate \
clear` the flag has the share that the ramp has reached by then.")]
pub(crate) struct Args {
    #[command(flatten)]
    flag: FlagKeyArg,

    #[command(flatten)]
    until: UntilArg,

    #[command(flatten)]
    change: ChangeArgs,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let (flag, server) = (args.flag.key(), args.change.server.connect()?);
    let reply = server.ask(server.flag_request(&flag, Method::GET, &[], &[])?)?;
    let state: FlagState = server.read(&reply)?;
    let share = state.share.0;
    let until = args.until.instant(source::now());
    change::apply(
        &server,
        flag,
        // A change made since the share was read is kept.
        Operation::Hold(share, reply.tag),
        until,
        &format!("held at {share} %"),
        &args.change,
        output,
    )
}
