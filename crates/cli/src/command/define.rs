//! `tidegate define`: what a document says of a flag, said to a server.

use std::path::PathBuf;

use tidegate_engine::limits;

use super::change;
use crate::args::{ChangeArgs, OneFlagArg};
use crate::exit::{Failure, Outcome};
use crate::files;
use crate::output::Output;
use crate::server::What;
use crate::text::escape;

/// Define a flag on a server, as an entry of a document would
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate define features/new_login entry.json --reason 'the form is ready'
  echo '{\"stable\": \"blue\", \"new\": \"green\"}' | tidegate define colors/button -

FILE holds what stands after the flag's name in a document. A flag that a document of the server defines cannot be \
defined here, too; its dial can be set all the same.")]
pub(crate) struct Args {
    #[command(flatten)]
    flag: OneFlagArg,

    /// The entry: a file with JSON, or `-` for standard input
    #[arg(value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,

    #[command(flatten)]
    change: ChangeArgs,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let name = args.file.display().to_string();
    let name = if name == "-" { "standard input".to_owned() } else { name };
    let entry = files::read_or_stdin(&args.file, limits::DOCUMENT_BYTES_MAX)
        .map(files::without_mark)
        .map_err(|error| Failure::usage(format_args!("`{}` cannot be read: {error}", escape(&name))))?;
    let server = args.change.server.connect()?;
    change::make(&server, args.flag.key(), What::Define(name, entry), None, "defined", &args.change, output)
}
