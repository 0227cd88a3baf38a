//! `tidegate cluster repair-clock`: raises the epoch after a wrong clock has stamped changes.

use reqwest::Method;
use serde_json::json;

use crate::args::{AuthorArgs, FormatArg, ServerArgs};
use crate::command::change;
use crate::exit::Outcome;
use crate::output::Output;

/// Make a cluster accept changes again after its logical clock was driven into the future
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate cluster repair-clock --reason 'ntp on host c was ten years ahead'

Correct the clocks of the hosts first. The command raises the epoch of the whole cluster by one: every later change outranks \
every earlier one. It changes no value. The exit code is 6 if no majority of the members has acknowledged it within two seconds: \
the epoch is raised all the same, and the other members receive it when they can be reached.")]
pub(crate) struct Args {
    #[command(flatten)]
    author: AuthorArgs,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    format: FormatArg,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Outcome {
    let server = args.server.connect()?;
    let body = args.author.reason.as_ref().map_or_else(|| json!({}), |reason| json!({"reason": reason}));
    let request =
        server.request(Method::POST, &["cluster", "repair-clock"], &[]).json(&body).actor(&args.author.actor());
    let (receipt, json) = server.ask_for_receipt(request)?;
    let done = "raised the epoch: changes from now on outrank all earlier ones";
    change::report_to_operator(done, &receipt, &json, args.format.format, output)
}
