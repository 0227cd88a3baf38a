//! The whole command line: every command and the options of the program itself. The reference, the manual pages and the
//! shell completions are made from these definitions.

mod tips;

use std::ffi::OsString;

use anstyle::{AnsiColor, Style};
use clap::builder::Styles;
use clap::{Parser, Subcommand, ValueEnum};

use crate::command;
use crate::exit::Exit;

/// Roll features out gradually to hosts, users or anything with a name; stop at any time, or go back.
///
/// A document defines each flag: its stable and its new value, and the ramp from one to the other. The clock and a hash of the
/// key decide which value a key has. SOURCE is a path, `-` for standard input, or a URL; no server is needed.
#[derive(Debug, Parser)]
#[command(
    name = "tidegate",
    version,
    styles = STYLES,
    after_help = after_help(),
    subcommand_value_name = "COMMAND",
    propagate_version = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Use colour: auto (on a terminal, unless `NO_COLOR` is set), always or never
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", display_order = 900)]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub(crate) color: Color,
}

impl Cli {
    /// Parses the command line.
    ///
    /// # Errors
    /// It cannot be parsed, or asks for help or the version: the error knows where to print and with which code to exit.
    pub(crate) fn parse_words(words: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let words: Vec<OsString> = words.into_iter().collect();
        let command = words.get(1).and_then(|word| word.to_str()).unwrap_or_default();
        Self::try_parse_from(&words).map_err(|error| tips::with_tip(error, command))
    }
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Get(command::get::Args),
    On(command::on::Args),
    Explain(command::explain::Args),
    When(command::when::Args),
    List(command::list::Args),
    Check(command::check::Args),
    Plan(command::plan::Args),
    Simulate(command::simulate::Args),
    Watch(command::watch::Args),
    Lock(command::lock::Args),
    Unlock(command::unlock::Args),
    Locks(command::locks::Args),
    Serve(command::serve::Args),
    Activate(command::activate::Args),
    Deactivate(command::deactivate::Args),
    Percentage(command::percentage::Args),
    Hold(command::hold::Args),
    Clear(command::clear::Args),
    Flags(command::flags::Args),
    History(command::history::Args),
    Status(command::status::Args),
    Cluster(command::cluster::Args),
    Define(command::define::Args),
    Remove(command::remove::Args),
    Backup(command::backup::Args),
    Restore(command::restore::Args),
    Schema(command::schema::Args),
    Completions(command::completions::Args),
    Man(command::man::Args),
}

/// When to colour.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    /// The choice among the words of a command line, before they are parsed: it also holds for the help.
    pub(crate) fn among(words: impl IntoIterator<Item = OsString>) -> Self {
        let mut words = words.into_iter().skip(1).take_while(|word| word != "--");
        while let Some(word) = words.next() {
            let Some(word) = word.to_str() else { continue };
            let choice = match word.strip_prefix("--color") {
                Some("") => words.next().and_then(|choice| choice.into_string().ok()).unwrap_or_default(),
                Some(rest) if rest.starts_with('=') => rest.trim_start_matches('=').to_owned(),
                _ => continue,
            };
            return Self::from_str(&choice, false).unwrap_or_default();
        }
        Self::default()
    }
}

impl From<Color> for anstream::ColorChoice {
    fn from(color: Color) -> Self {
        match color {
            Color::Auto => Self::Auto,
            Color::Always => Self::Always,
            Color::Never => Self::Never,
        }
    }
}

const STYLES: Styles = Styles::styled()
    .header(Style::new().bold())
    .usage(Style::new().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default());

/// Examples, and what the exit codes mean.
fn after_help() -> String {
    let codes = Exit::ALL.map(|exit| format!("  {}  {}", exit.code(), exit.meaning()));
    format!("{EXAMPLES}\n\nExit codes:\n{}", codes.join("\n"))
}

const EXAMPLES: &str = "\
Examples:
  tidegate get flags.json features new_login --key alice
  if tidegate on https://flags.example/app.json features/new_login; then ...; fi
  tidegate plan flags.json
  tidegate check flags.json --against https://flags.example/app.json";

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::args::SERVER_VARIABLE;

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
    }

    /// Each command with its words, and those below it.
    fn commands(command: &clap::Command, words: &str) -> Vec<(String, clap::Command)> {
        let below = command.get_subcommands().filter(|command| command.get_name() != "help");
        let below = below.flat_map(|below| commands(below, &format!("{words} {}", below.get_name())));
        std::iter::once((words.to_owned(), command.clone())).chain(below).collect()
    }

    #[test]
    fn each_command_that_can_ask_a_server_reads_the_variable() {
        let mut asking = 0;
        for (words, command) in commands(&Cli::command(), "tidegate") {
            let Some(server) = command.get_arguments().find(|arg| arg.get_long() == Some("server")) else { continue };
            assert_eq!(server.get_env(), Some(SERVER_VARIABLE.as_ref()), "{words}");
            asking += 1;
        }
        assert!(asking >= 20, "{asking}");
    }

    #[test]
    fn one_idea_has_one_option() {
        for (words, command) in commands(&Cli::command(), "tidegate") {
            for arg in command.get_arguments() {
                let is_old = tips::RENAMED.iter().any(|(old, _)| arg.get_long() == old.strip_prefix("--"));
                assert!(!is_old && !arg.is_hide_set(), "{words}: {arg}");
            }
        }
    }

    #[test]
    fn the_colour_is_known_before_the_rest() {
        let lines = [
            ("tidegate list x", Color::Auto),
            ("tidegate --color never list x", Color::Never),
            ("tidegate list x --color=always", Color::Always),
            ("tidegate list --color", Color::Auto),
            ("tidegate list --color blue", Color::Auto),
            ("tidegate get x -- --color always", Color::Auto),
        ];
        for (line, color) in lines {
            assert_eq!(Color::among(line.split(' ').map(Into::into)), color, "{line}");
        }
    }
}
