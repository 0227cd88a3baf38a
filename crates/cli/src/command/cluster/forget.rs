//! `tidegate cluster forget`: removes a node from the membership.

use reqwest::Method;
use serde_json::json;

use crate::args::{AuthorArgs, FormatArg, ServerArgs};
use crate::command::change;
use crate::exit::Outcome;
use crate::output::Output;
use crate::text::escape;

/// Remove a node that will not return from the membership
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate cluster forget c --reason 'its disk is gone'

The node no longer counts for --ack majority, and tombstones can be collected without its acknowledgement. A node that \
returns nevertheless adopts the state of the other nodes and joins again. The exit code is 6 if no majority of the remaining \
members has acknowledged it within two seconds: the node is removed all the same, and the other members receive that when they can be \
reached.")]
pub(crate) struct Args {
    /// The node's name, or its id as `tidegate cluster status` shows it; the id if several members have that name
    node: String,

    /// Also forget a node that is reachable: it joins again, unless it is stopped
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    author: AuthorArgs,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    format: FormatArg,
}

pub(super) fn run(args: &Args, output: &mut Output) -> Outcome {
    let server = args.server.connect()?;
    let mut body = json!({"node": args.node});
    if let Some(reason) = &args.author.reason {
        body["reason"] = json!(reason);
    }
    let query: &[_] = if args.force { &[("force", "true")] } else { &[] };
    let request = server.request(Method::POST, &["cluster", "forget"], query).json(&body).actor(&args.author.actor());
    let (receipt, json) = server.ask_for_receipt(request)?;
    let done = format!("`{}` is no longer a member", escape(&args.node));
    change::report_to_operator(&done, &receipt, &json, args.format.format, output)
}
