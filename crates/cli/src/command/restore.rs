//! `tidegate restore`: a backup, back into a cluster.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;

use crate::args::{AuthorArgs, Format, FormatArg, ServerArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::output::Output;

/// Merge a backup into a server and its cluster
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate restore prod.backup
  tidegate restore prod.backup --overwrite --reason 'back to the state of Monday'

Without --overwrite what is newer than the backup stays as it is: so a lost node is filled again. With it the values of \
the backup are written anew, as changes of now, and everything else stays; the history shows what they replaced.")]
pub(crate) struct Args {
    /// The file that `tidegate backup` has written; `-` for standard input
    #[arg(value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,

    /// Let the backup win over what is newer
    #[arg(long)]
    overwrite: bool,

    #[command(flatten)]
    author: AuthorArgs,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    format: FormatArg,
}

/// What became of it.
#[derive(Debug, Deserialize)]
struct Restored {
    /// Registers that the backup holds.
    #[serde(default)]
    registers: Option<u64>,
    /// Those of them that were put in force.
    #[serde(default)]
    restored: Option<u64>,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let backup = files::read_or_stdin(&args.file, BACKUP_BYTES_MAX)
        .map(files::without_mark)
        .map_err(|error| Failure::usage(format_args!("`{}` cannot be read: {error}", args.file.display())))?;
    let server = args.server.connect()?;
    let mut query = Vec::new();
    if args.overwrite {
        query.push(("overwrite", "true"));
    }
    query.extend(args.author.reason.as_deref().map(|reason| ("reason", reason)));
    let request = server.request(Method::POST, &["restore"], &query).body(backup, "application/x-ndjson");
    let reply = server.ask(request.actor(&args.author.actor()).patient(PATIENCE))?;
    match args.format.format {
        Format::Json => output.json(&server.line(&reply)?)?,
        Format::Human => {
            let restored: Restored = server.read(&reply)?;
            let registers = restored.registers.or(restored.restored).unwrap_or_default();
            let in_force = restored.restored.unwrap_or(registers);
            let others = if in_force < registers { "; the others were newer here" } else { "" };
            output.word(format_args!("{in_force} of {registers} registers are restored{others}"));
        }
    }
    Ok(Exit::Done)
}

/// What `tidegate backup` takes of a server at most.
const BACKUP_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Besides the usual time: 100,000 registers are written to a disk.
const PATIENCE: Duration = Duration::from_mins(2);
