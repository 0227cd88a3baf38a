//! The tidegate command line: one command each over the library and the engine.

mod args;
mod axis;
mod chart;
mod cli;
mod command;
mod compare;
mod data;
mod exit;
mod files;
#[cfg(test)]
mod generated;
mod json;
mod keys;
mod log;
mod lookup;
mod output;
mod relative;
mod report;
mod server;
mod source;
mod subjects;
mod svg;
mod table;
mod terminal;
mod text;

use std::process::ExitCode;

use clap::CommandFactory as _;

use cli::{Cli, Color, Command};
use exit::{Exit, Failure, Outcome};
use output::Output;

fn main() -> ExitCode {
    anstream::ColorChoice::from(Color::among(std::env::args_os())).write_global();
    let cli = Cli::parse_words(std::env::args_os()).unwrap_or_else(|error| error.exit());
    let mut output = Output::new();
    let outcome = run(&cli.command, &mut output).and_then(|exit| output.flush().map(|()| exit));
    match outcome {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output.failure(&failure);
            match failure {
                Failure::ClosedPipe => Exit::Success.into(),
                Failure::Reported(report) => report.exit.into(),
            }
        }
    }
}

fn run(command: &Command, output: &mut Output) -> Outcome {
    match command {
        Command::Get(args) => command::get::run(args, output),
        Command::On(args) => command::on::run(args, output),
        Command::Explain(args) => command::explain::run(args, output),
        Command::When(args) => command::when::run(args, output),
        Command::List(args) => command::list::run(args, output),
        Command::Check(args) => command::check::run(args, output),
        Command::Plan(args) => command::plan::run(args, output),
        Command::Simulate(args) => command::simulate::run(args, output),
        Command::Watch(args) => command::watch::run(args, output),
        Command::Lock(args) => command::lock::run(args, output),
        Command::Unlock(args) => command::unlock::run(args, output),
        Command::Locks(args) => command::locks::run(args, output),
        Command::Serve(args) => command::serve::run(args, output),
        Command::Activate(args) => command::activate::run(args, output),
        Command::Deactivate(args) => command::deactivate::run(args, output),
        Command::Percentage(args) => command::percentage::run(args, output),
        Command::Hold(args) => command::hold::run(args, output),
        Command::Clear(args) => command::clear::run(args, output),
        Command::Flags(args) => command::flags::run(args, output),
        Command::History(args) => command::history::run(args, output),
        Command::Status(args) => command::status::run(args, output),
        Command::Cluster(args) => command::cluster::run(args, output),
        Command::Define(args) => command::define::run(args, output),
        Command::Remove(args) => command::remove::run(args, output),
        Command::Backup(args) => command::backup::run(args, output),
        Command::Restore(args) => command::restore::run(args, output),
        Command::Schema(args) => command::schema::run(args, output),
        Command::Completions(args) => command::completions::run(args, Cli::command(), output),
        Command::Man(args) => command::man::run(args, Cli::command(), output),
    }
}
