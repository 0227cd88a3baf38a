//! Generates the reference of the command line from its definitions, and compares it with the committed page.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Command, CommandFactory as _};

use crate::cli::Cli;
use crate::exit::Exit;

/// `UPDATE=1` in the environment writes the page instead.
#[test]
fn the_reference_is_up_to_date() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/cli.md");
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == page, "`{}` has drifted; run `UPDATE=1 cargo xtask generate`", file.display());
}

fn page() -> String {
    let mut tidegate = Cli::command().term_width(COLUMNS).color(clap::ColorChoice::Never);
    tidegate.build();
    let mut page = HEAD.to_owned();
    page.push_str("## Exit codes\n\n| code | meaning |\n| --- | --- |\n");
    for exit in Exit::ALL {
        let _ = writeln!(page, "| {} | {} |", exit.code(), exit.meaning());
    }
    let _ = write!(page, "\n## tidegate\n\n{}", help(&tidegate));
    for command in commands_below(&tidegate) {
        let name = command.get_bin_name().unwrap_or_default();
        let _ = write!(page, "\n## {name}\n\n{}", help(command));
    }
    page
}

/// The commands of a command, each followed by its own.
fn commands_below(command: &Command) -> Vec<&Command> {
    let shown = command.get_subcommands().filter(|command| command.get_name() != "help");
    shown.flat_map(|command| std::iter::once(command).chain(commands_below(command))).collect()
}

/// The help of a command, as a terminal of [`COLUMNS`] shows it.
fn help(command: &Command) -> String {
    let help = command.clone().term_width(COLUMNS).render_long_help().to_string();
    let lines: Vec<&str> = help.lines().map(str::trim_end).collect();
    format!("```text\n{}\n```\n", lines.join("\n").trim_end())
}

const HEAD: &str = "\
# Command line

Generated from the definitions in `crates/cli/src`; refresh with `UPDATE=1 cargo xtask generate`.

Data goes to standard output, messages go to standard error. Commands whose output people and programs read have
`--format human|json`: the text may change from version to version, the JSON only gains fields. Times are read
as documents write them or as RFC 3339, and printed as RFC 3339 with six digits. `tidegate help COMMAND` prints the help of a
command; `tidegate man` and `tidegate completions` write manual pages and shell completions from the same definitions.
`TIDEGATE_SERVER` names the server for every command that has `--server`.

";

const COLUMNS: usize = 100;
