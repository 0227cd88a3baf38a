//! `tidegate unlock`: removes a lock of this host.

use crate::args::FlagArgs;
use crate::command::lock::{failure, lock_file, pin_text};
use crate::exit::{Exit, Outcome};
use crate::output::Output;
use crate::text::escape;

/// Remove the lock of a flag on this host
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate unlock features new_login
  tidegate unlock limits/batch

It is not an error if there is no such lock.")]
pub(crate) struct Args {
    #[command(flatten)]
    flag: FlagArgs,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let flag = args.flag.key();
    let removed = lock_file()?.remove(&flag).map_err(|error| failure(&error))?;
    let name = flag.to_string();
    match removed {
        Some(lock) => {
            output.message(format_args!(
                "`{}` is no longer locked to {} on this host",
                escape(&name),
                pin_text(&lock.pin)
            ));
        }
        None => output.note(format_args!("`{}` was not locked on this host", escape(&name))),
    }
    Ok(Exit::Success)
}
