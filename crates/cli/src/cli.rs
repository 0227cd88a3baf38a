//! The whole command line: every command and the options of the program itself. The reference, the manual pages and the
//! shell completions are made from these definitions.

use anstyle::{AnsiColor, Style};
use clap::builder::Styles;
use clap::{Parser, Subcommand, ValueEnum};

use crate::command;
use crate::exit::Exit;

/// Move hosts, users or anything with a name from stable to new, gradually; and stop, or go back.
///
/// A document says how each flag moves; the clock and a hash of the key decide who has which value. No
/// server is needed: SOURCE is a path, `-` for standard input, or a URL.
#[derive(Debug, Parser)]
#[command(
    name = "tidegate",
    version,
    styles = STYLES,
    after_help = after_help(),
    subcommand_value_name = "COMMAND",
    disable_help_subcommand = true,
    propagate_version = true
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,

    /// Colour: auto (on a terminal, unless `NO_COLOR` is set), always or never
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN", display_order = 900)]
    #[arg(hide_possible_values = true, hide_default_value = true)]
    pub(crate) color: Color,
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
    pub(crate) fn among(words: impl IntoIterator<Item = std::ffi::OsString>) -> Self {
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

    #[test]
    fn the_definitions_are_sound() {
        Cli::command().debug_assert();
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
