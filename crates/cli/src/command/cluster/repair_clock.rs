//! `tidegate cluster repair-clock`: raises the epoch after a wrong clock has stamped changes.

use reqwest::Method;
use serde_json::json;

use crate::args::{AuthorArgs, Format, FormatArg, ServerArgs};
use crate::exit::{Exit, Outcome};
use crate::output::Output;

/// Make a cluster accept changes again after its logical clock was driven into the future
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate cluster repair-clock --reason 'ntp on host c was ten years ahead'

Correct the clocks of the hosts first. The command raises the epoch of the whole cluster by one: every later change outranks \
every earlier one. It changes no value.")]
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
    let reply = server.ask(request)?;
    match args.format.format {
        Format::Json => output.json(&server.json_line(&reply)?)?,
        Format::Human => output.message("raised the epoch: changes from now on outrank all earlier ones"),
    }
    Ok(Exit::Success)
}
