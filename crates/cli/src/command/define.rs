//! `tidegate define`: defines a flag on a server.

use std::path::PathBuf;

use tidegate_engine::document::read_definition;
use tidegate_engine::{FlagKey, limits};

use super::change;
use crate::args::{ChangeArgs, FlagKeyArg};
use crate::exit::{Failure, Outcome};
use crate::files;
use crate::output::Output;
use crate::report;
use crate::server::Operation;
use crate::text::escape;

/// Define a flag on a server, as an entry of a document would
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate define features/new_login entry.json --reason 'the form is ready'
  echo '{\"stable\": \"blue\", \"new\": \"green\"}' | tidegate define colors/button -

FILE has the flag's entry, as it follows the flag's name in a document. A flag that a document of the server defines cannot \
be defined here, but it can be activated. Warnings are shown as `tidegate check` shows them, and do not prevent the definition.")]
pub(crate) struct Args {
    #[command(flatten)]
    flag: FlagKeyArg,

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
        .map_err(|error| Failure::usage(format_args!("cannot read `{}`: {error}", escape(&name))))?;
    let server = args.change.server.connect()?;
    show_warnings(&args.flag.key(), &name, &entry, output);
    change::apply(&server, args.flag.key(), Operation::Define(name, entry), None, "defined", &args.change, output)
}

/// Shows what `check` reports for the entry in a document. The server reports why it refuses an entry.
fn show_warnings(flag: &FlagKey, name: &str, entry: &[u8], output: &mut Output) {
    let Ok(text) = str::from_utf8(entry) else { return };
    if let Ok((_, diagnostics)) = read_definition(flag, text)
        && !diagnostics.is_empty()
    {
        output.report(&report::render(&diagnostics, name, Some(entry)));
    }
}
