//! `tidegate locks`: lists the locks of this host.

use serde::Serialize;
use tidegate::HostLock;
use tidegate_engine::Micros;

use crate::args::{Format, FormatArg};
use crate::command::explain::Lock;
use crate::command::lock::{failure, lock_file, pin_text};
use crate::exit::{Exit, Outcome};
use crate::output::Output;
use crate::relative::{relative, short};
use crate::source;
use crate::table::{Cell, FAINT, Table};
use crate::text::{escape, shorten};

/// List the locks of this host
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate locks
  tidegate locks --format json")]
pub(crate) struct Args {
    #[command(flatten)]
    format: FormatArg,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let file = lock_file()?;
    let locks = file.list().map_err(|error| failure(&error))?;
    let now = source::now();
    match args.format.format {
        Format::Json => locks.iter().try_for_each(|lock| output.json(&Line::new(lock, now)))?,
        Format::Human if locks.is_empty() => {
            output.note(format_args!("no locks on this host (`{}`)", file.path().display()));
        }
        Format::Human => {
            let mut table = Table::new(&["FLAG", "LOCKED TO", "UNTIL", "", "BY", "REASON"]);
            for lock in &locks {
                table.row(row(lock, now));
            }
            output.table(&table)?;
        }
    }
    Ok(Exit::Success)
}

fn row(lock: &HostLock, now: Micros) -> [Cell; 6] {
    let (until, distance) = match lock.until {
        None => ("-".to_owned(), String::new()),
        Some(until) if until <= now => (short(until), format!("expired {}", relative(until, now))),
        Some(until) => (short(until), relative(until, now)),
    };
    [
        Cell::new(escape(&lock.flag.to_string())),
        Cell::new(pin_text(&lock.pin)),
        Cell::new(until),
        Cell::new(distance).styled(FAINT),
        Cell::new(shorten(&escape(&lock.actor), TEXT_COLUMNS)),
        Cell::new(shorten(&escape(&lock.reason), TEXT_COLUMNS)),
    ]
}

/// One lock for programs.
#[derive(Debug, Serialize)]
struct Line<'l> {
    flag: String,
    #[serde(flatten)]
    lock: Lock<'l>,
    expired: bool,
}

impl<'l> Line<'l> {
    fn new(lock: &'l HostLock, now: Micros) -> Self {
        let expired = lock.until.is_some_and(|until| until <= now);
        Self { flag: lock.flag.to_string(), lock: Lock::new(lock), expired }
    }
}

/// Longer texts are shortened.
const TEXT_COLUMNS: usize = 50;
