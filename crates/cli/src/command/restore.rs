//! `tidegate restore`: restores a backup into a cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Method;
use serde::{Deserialize, Serialize};
use tidegate::store::Register;
use tidegate::store::backup::{self, Backup};
use tidegate_server::limits;

use crate::args::{AuthorArgs, Format, FormatArg, ServerArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::output::Output;

/// Restore a backup into a server and its cluster
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate restore prod.backup
  tidegate restore prod.backup --overwrite --reason 'back to the state of Monday'

Without --overwrite, values that are newer than the backup are kept; this refills a node that has lost its data. With \
--overwrite, the values of the backup are written as new changes, and everything else is kept; the history shows what they \
replaced.

The whole backup is checked before anything is sent. It is sent in batches of 1,000 registers. After an interruption, run the \
command again: values that are restored already are skipped.")]
pub(crate) struct Args {
    /// The file that `tidegate backup` has written; `-` for standard input
    #[arg(value_hint = clap::ValueHint::FilePath)]
    file: PathBuf,

    /// Overwrite newer values with those of the backup
    #[arg(long)]
    overwrite: bool,

    #[command(flatten)]
    author: AuthorArgs,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    format: FormatArg,
}

/// The counts of a batch, or of all batches.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Sum {
    /// Registers of the backup.
    #[serde(default)]
    registers: u64,
    /// Registers that were restored.
    #[serde(default)]
    restored: u64,
    /// Registers whose value was the same or newer.
    #[serde(default)]
    left: u64,
    /// Registers that a newer version of the program has written.
    #[serde(default)]
    unknown: u64,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let Backup { header, registers } = read(&args.file)?;
    let server = args.server.connect()?;
    let mut query = Vec::new();
    if args.overwrite {
        query.push(("overwrite", "true"));
    }
    query.extend(args.author.reason.as_deref().map(|reason| ("reason", reason)));
    let (total, mut sum) = (registers.len() as u64, Sum::default());
    for batch in batches(&registers) {
        let mut body = Vec::new();
        backup::write(&mut body, &header, batch).map_err(|error| Failure::new(Exit::Failed, error))?;
        let request = server.request(Method::POST, &["restore"], &query).body(body, "application/x-ndjson");
        let reply = server.ask(request.actor(&args.author.actor()).with_extra_time(PATIENCE)).and_then(|reply| {
            let restored: Sum = server.read(&reply)?;
            Ok(restored)
        });
        let restored = match reply {
            Ok(restored) => restored,
            Err(failure) => {
                if sum.registers > 0 {
                    let done = sum.registers;
                    output.message(format_args!(
                        "{done} of {total} registers are restored; run the command again to continue"
                    ));
                }
                return Err(failure);
            }
        };
        sum.registers += batch.len() as u64;
        sum.restored += restored.restored;
        sum.left += restored.left;
        sum.unknown += restored.unknown;
        if sum.registers < total {
            output.message(format_args!("{} of {total} registers", sum.registers));
        }
    }
    match args.format.format {
        Format::Json => output.json(&sum)?,
        Format::Human => {
            let others = match (sum.left, sum.unknown) {
                (0, 0) => String::new(),
                (_, 0) => "; the others have the same value, or a newer one".to_owned(),
                (_, unknown) => format!("; {unknown} need a newer version of tidegate"),
            };
            output.message(format_args!("restored {} of {} registers{others}", sum.restored, sum.registers));
        }
    }
    Ok(Exit::Success)
}

/// Reads a backup, and checks that it is complete.
fn read(path: &Path) -> Result<Backup, Failure> {
    let name = path.display();
    let bytes = files::read_or_stdin(path, BACKUP_BYTES_MAX)
        .map(files::without_mark)
        .map_err(|error| Failure::usage(format_args!("cannot read `{name}`: {error}")))?;
    backup::read(&*bytes).map_err(|error| Failure::usage(format_args!("`{name}`: {error}")))
}

/// The registers in the order of the backup, in batches that fit into one request.
fn batches(registers: &[Register]) -> impl Iterator<Item = &[Register]> {
    let mut rest = registers;
    std::iter::from_fn(move || {
        let mut bytes = 0_usize;
        let fits = |register: &&Register| {
            bytes += LINE_FACTOR * register.encode().len() + LINE_BYTES;
            bytes <= limits::RESTORE_BYTES_MAX
        };
        let count = rest.iter().take(BATCH).take_while(fits).count().max(1).min(rest.len());
        let (batch, left) = rest.split_at(count);
        rest = left;
        (!batch.is_empty()).then_some(batch)
    })
}

/// The largest backup that `tidegate backup` reads from a server.
const BACKUP_BYTES_MAX: usize = 512 * 1024 * 1024;

/// Registers in one request: some tenths of a second of work, so that progress is visible and no request times out.
const BATCH: usize = 1_000;

/// A line of a backup has a register as hexadecimal digits, and its value as JSON, in which a character takes up to six.
const LINE_FACTOR: usize = 8;

/// The rest of a line.
const LINE_BYTES: usize = 512;

/// Extra time for one batch.
const PATIENCE: Duration = Duration::from_mins(2);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidegate::{Level, Live, Tidegate};

    use super::*;

    fn registers(count: usize) -> Vec<Register> {
        let tide = Tidegate::builder().live(Live::in_memory()).without_locks().connect().unwrap();
        tide.activate("x").ack(Level::Local).send().unwrap();
        let mut text = Vec::new();
        tide.cluster().unwrap().backup(&mut text).unwrap();
        let one = backup::read(&*text).unwrap().registers.remove(0);
        let key = |number: usize| Arc::from(format!("ax/{number}").into_bytes());
        (0..count).map(|number| Register { key: key(number), ..one.clone() }).collect()
    }

    #[test]
    fn batches_are_all_registers_in_order_and_each_fits_a_request() {
        assert_eq!(batches(&[]).count(), 0);
        let small = registers(2_500);
        assert_eq!(batches(&small).map(<[Register]>::len).collect::<Vec<_>>(), [1_000, 1_000, 500]);
        assert_eq!(batches(&small).flatten().cloned().collect::<Vec<_>>(), small);
        // Values of the largest size: fewer fit.
        let mut large = registers(300);
        for register in &mut large {
            register.value = Some(Arc::from(vec![b'\n'; 64 * 1024]));
        }
        let header = backup::Header {
            cluster: "tests".to_owned(),
            node: tidegate::NodeId::new(1),
            created_at: tidegate::Micros::new(0),
        };
        for batch in batches(&large) {
            let mut body = Vec::new();
            backup::write(&mut body, &header, batch).unwrap();
            assert!(body.len() <= limits::RESTORE_BYTES_MAX, "{} bytes", body.len());
        }
        assert!(batches(&large).count() > 1);
    }
}
