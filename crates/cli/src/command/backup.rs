//! `tidegate backup`: writes the live state of a cluster into a file.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use reqwest::Method;

use crate::args::ServerArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::output::Output;

/// Back up all activations and definitions of a server into a file
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate backup prod.backup
  tidegate backup - | gzip > prod.backup.gz

One node is enough, because all nodes hold the same state. The file is replaced atomically, and only its owner can read it. \
`tidegate restore` reads it.")]
pub(crate) struct Args {
    /// The file; `-` for standard output
    #[arg(value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,

    #[command(flatten)]
    server: ServerArgs,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    if args.file.as_os_str() != "-" {
        files::refuse_to_write(&args.file)
            .map_err(|problem| Failure::usage(format_args!("cannot write `{}`: {problem}", args.file.display())))?;
    }
    let server = args.server.connect()?;
    let backup = server.ask(server.request(Method::GET, &["backup"], &[]))?.body;
    if args.file.as_os_str() == "-" {
        output.bytes(&backup)?;
        return Ok(Exit::Success);
    }
    let name = args.file.display();
    write(&args.file, &backup)
        .map_err(|error| Failure::new(Exit::Failed, format_args!("cannot write `{name}`: {error}")))?;
    let registers = backup.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count().saturating_sub(AROUND);
    let s = if registers == 1 { "" } else { "s" };
    output.message(format_args!("wrote {registers} register{s} to `{name}`, {} bytes", backup.len()));
    Ok(Exit::Success)
}

/// Lines of a backup that are not registers: the header, and the end mark.
const AROUND: usize = 2;

/// Replaces the file atomically: at any moment, also after a crash, there is the old content or the new one.
fn write(file: &Path, backup: &[u8]) -> io::Result<()> {
    let mut name = file.file_name().ok_or(io::ErrorKind::InvalidInput)?.to_owned();
    name.push(format!(".{}.next", std::process::id()));
    let next = file.with_file_name(name);
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&next).and_then(|mut to| {
        to.write_all(backup)?;
        to.sync_all()?;
        std::fs::rename(&next, file)
    });
    if written.is_err() {
        let _ = std::fs::remove_file(&next);
    }
    written?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
