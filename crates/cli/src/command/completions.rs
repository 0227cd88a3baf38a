//! `tidegate completions`: a shell script that completes commands and options.

use clap_complete::Shell;

use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;

/// Print a shell script that completes commands and options
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  tidegate completions bash > ~/.local/share/bash-completion/completions/tidegate
  tidegate completions zsh > ~/.zfunc/_tidegate
  tidegate completions fish > ~/.config/fish/completions/tidegate.fish")]
pub(crate) struct Args {
    /// The shell
    shell: Shell,
}

/// `tidegate` is the whole command line.
pub(crate) fn run(args: &Args, mut tidegate: clap::Command, output: &mut Output) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut tidegate, "tidegate", &mut script);
    let script = String::from_utf8(script).map_err(|error| Failure::new(Exit::Failed, error))?;
    output.text(&script)?;
    Ok(Exit::Success)
}
