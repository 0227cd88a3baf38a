//! `tidegate cluster`: certificates, status and membership of a cluster.

mod forget;
mod init;
mod quarantine;
mod repair_clock;
mod status;

use clap::Subcommand;

use crate::exit::Outcome;
use crate::output::Output;

/// Manage a cluster: certificates, status, membership, quarantined changes, clock repair
#[derive(Clone, Debug, clap::Args)]
#[command(subcommand_value_name = "COMMAND")]
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
