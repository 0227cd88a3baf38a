//! `tidegate cluster`: the nodes that agree, and what only an operator may do to them.

mod forget;
mod init;
mod quarantine;
mod repair_clock;
mod status;

use clap::Subcommand;

use crate::exit::Outcome;
use crate::output::Output;

/// Make the certificates of a cluster, see its nodes, take a node out, decide about quarantined changes, repair the clock
#[derive(Clone, Debug, clap::Args)]
#[command(subcommand_value_name = "COMMAND", disable_help_subcommand = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
enum Command {
    Init(init::Args),
    Status(status::Args),
    Forget(forget::Args),
    Quarantine(quarantine::Args),
    RepairClock(repair_clock::Args),
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    match &args.command {
        Command::Init(args) => init::run(args, output),
        Command::Status(args) => status::run(args, output),
        Command::Forget(args) => forget::run(args, output),
        Command::Quarantine(args) => quarantine::run(args, output),
        Command::RepairClock(args) => repair_clock::run(args, output),
    }
}
