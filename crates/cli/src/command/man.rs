//! `tidegate man`: the manual pages.

use std::path::{Path, PathBuf};

use clap_mangen::Man;

use crate::exit::{Exit, Failure, Outcome};
use crate::files;
use crate::output::Output;

/// Print the manual page, or write those of all commands into a folder
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate man | man -l -
  tidegate man ~/.local/share/man/man1")]
pub(crate) struct Args {
    /// Write a page for each command into this folder, which is created if needed
    dir: Option<PathBuf>,
}

/// `tidegate` is the whole command line.
pub(crate) fn run(args: &Args, mut tidegate: clap::Command, output: &mut Output) -> Outcome {
    tidegate.build();
    let Some(dir) = &args.dir else {
        let page = page(&tidegate).map_err(|error| failure(Path::new("standard output"), &error))?;
        output.text(&page)?;
        return Ok(Exit::Success);
    };
    std::fs::create_dir_all(dir).map_err(|error| failure(dir, &error))?;
    for command in with_those_below(&tidegate) {
        let name = command.get_display_name().unwrap_or(command.get_name());
        let file = dir.join(format!("{name}.1"));
        let page = page(command).map_err(|error| failure(&file, &error))?;
        files::write(&file, page).map_err(|error| failure(&file, &error))?;
    }
    Ok(Exit::Success)
}

/// A command, and all commands below it.
fn with_those_below(command: &clap::Command) -> Vec<&clap::Command> {
    let below = command.get_subcommands().filter(|command| command.get_name() != "help");
    std::iter::once(command).chain(below.flat_map(with_those_below)).collect()
}

fn page(command: &clap::Command) -> std::io::Result<String> {
    let mut page = Vec::new();
    Man::new(command.clone()).render(&mut page)?;
    String::from_utf8(page).map_err(std::io::Error::other)
}

fn failure(file: &Path, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, format_args!("cannot write `{}`: {error}", file.display()))
}
