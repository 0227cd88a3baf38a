//! `tidegate explain`: the value that a key has, and why.

mod json;
mod text;

pub(crate) use json::Lock;

use tidegate_engine::{Explanation, FlagKey, Micros, Rule};

use crate::args::{AtArg, AttributesArg, Format, FormatArg, KeyArg, Query, QueryArgs, SourceArgs};
use crate::data::Data;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::server::{Address, Server};
use crate::source;

/// Show which value a key has, and why: rule, position, share, flips, age of the data
#[derive(Clone, Debug, clap::Args)]
#[command(
    override_usage = "tidegate explain [OPTIONS] <SOURCE> <SECTION> <FLAG>
       tidegate explain [OPTIONS] <SOURCE> <FLAG_KEY>
       tidegate explain [OPTIONS] --server <URL> <FLAG_KEY>",
    after_help = "\
Examples:
  tidegate explain flags.json features/new_login
  tidegate explain flags.json features new_login --key alice --at '2026-12-01 00:00Z'
  tidegate explain flags.json features/new_login --format json | jq .valid_until
  tidegate explain flags.json features/new_login --key alice --attributes '{\"plan\": \"premium\"}'

The exit code is 3 if the flag is unknown or disabled; the explanation is printed nevertheless. \
With --at the value depends on the document, the key and the time alone: leases are ignored."
)]
pub(crate) struct Args {
    #[command(flatten)]
    query: QueryArgs,

    #[command(flatten)]
    key: KeyArg,

    #[command(flatten)]
    attributes: AttributesArg,

    #[command(flatten)]
    at: AtArg,

    #[command(flatten)]
    format: FormatArg,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let key = args.key.or_host();
    let explained = match args.query.with_flag()? {
        Query::Document(source, flag) => by_document(&source, &flag, &key, args, output)?,
        Query::Server(address, flag) => by_server(address, &flag, &key, args)?,
    };
    let Explained { explanation, now, data } = &explained;
    match args.format.format {
        Format::Json => output.json(&json::line(explanation, &key, data))?,
        Format::Human => {
            for (name, text) in text::lines(explanation, &key, *now, data) {
                output.line(text::line(name, &text))?;
            }
        }
    }
    let has_answer = !matches!(explanation.rule, Rule::UnknownFlag | Rule::Disabled);
    Ok(if has_answer { Exit::Success } else { Exit::NoFlag })
}

/// An explanation, as of when, and where it is from.
struct Explained {
    explanation: Explanation,
    now: Micros,
    data: Data,
}

fn by_document(
    source: &SourceArgs,
    flag: &FlagKey,
    key: &str,
    args: &Args,
    output: &mut Output,
) -> Result<Explained, Failure> {
    let mut loaded = source::load_or_locks(source, output)?;
    let missing = loaded.take_missing();
    let moment = loaded.moment(args.at.at);
    let explanation = loaded.snapshot().explain(flag.section(), flag.flag(), &args.attributes.subject(key), &moment);
    if let Some(missing) = missing.filter(|_| explanation.rule != Rule::HostLock) {
        return Err(missing);
    }
    let now = moment.now;
    Ok(Explained { explanation, now, data: loaded.data })
}

fn by_server(address: Address, flag: &FlagKey, key: &str, args: &Args) -> Result<Explained, Failure> {
    let server = Server::new(address)?.timeout(source::duration(args.query.options.timeout));
    let explanation = server.decide(flag, key, args.attributes.text(), args.at.at)?;
    let now = args.at.at.unwrap_or_else(source::now);
    Ok(Explained { explanation, now, data: server.data_for(flag) })
}
