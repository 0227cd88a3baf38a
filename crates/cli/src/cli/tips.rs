//! What an error about the command line suggests beyond what clap finds by itself: clap suggests what is spelled alike, and a command
//! that is spelled alike can do something else.

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::args::SERVER_VARIABLE;

/// Options that had another name, and their names now.
pub(super) const RENAMED: [(&str, &str); 3] = [("--who", "--actor"), ("--why", "--reason"), ("--for", "--until")];

/// Words that other systems have for a command, and the command: those of the package Rollout, and those of feature flags.
const COMMANDS: &[(&[&str], &str)] = &[
    (&["activate_percentage", "activate-percentage", "percent", "rollout"], PERCENTAGE),
    (&["enable"], "for all keys: `tidegate activate FLAG`"),
    (&["disable", "kill", "off"], "for all keys: `tidegate deactivate FLAG`"),
    (&["active", "active?", "is-active", "is_active", "enabled"], "whether a flag is true: `tidegate on SOURCE FLAG`"),
    (
        &["reset", "unset"],
        "to remove an activation: `tidegate clear FLAG`; to remove a definition: `tidegate remove FLAG`",
    ),
    (
        &["delete", "rm"],
        "to remove a definition: `tidegate remove FLAG`; to remove an activation: `tidegate clear FLAG`",
    ),
    (
        &["create", "set", "put", "update"],
        "to define a flag: `tidegate define FLAG FILE`; to change who has it: `tidegate percentage FLAG PERCENTAGE`",
    ),
    (&["validate", "lint"], "to check a document: `tidegate check FILE`"),
    (&["server", "start", "run"], "to run the server: `tidegate serve`"),
];

const PERCENTAGE: &str = "for a part of the keys: `tidegate percentage FLAG PERCENTAGE`";

/// The same error with what it suggests; `command` is the command that was given.
pub(super) fn with_tip(mut error: clap::Error, command: &str) -> clap::Error {
    let Some(tip) = tip(&error, command) else { return error };
    for kind in [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::TrailingArg] {
        error.remove(kind);
    }
    error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![StyledStr::from(tip)]));
    error
}

fn tip(error: &clap::Error, command: &str) -> Option<String> {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => text.as_str(),
        _ => "",
    };
    let (option, value) = (text(ContextKind::InvalidArg), text(ContextKind::InvalidValue));
    match error.kind() {
        ErrorKind::UnknownArgument => {
            let renamed = RENAMED.iter().find(|(old, _)| option == *old);
            let renamed = renamed.map(|(_, new)| format!("the option is called '{new}'"));
            renamed.or_else(|| (command == "activate" && is_percentage(option)).then(|| PERCENTAGE.to_owned()))
        }
        ErrorKind::InvalidSubcommand => {
            let word = text(ContextKind::InvalidSubcommand);
            COMMANDS.iter().find(|(words, _)| words.contains(&word)).map(|(_, tip)| (*tip).to_owned())
        }
        ErrorKind::ValueValidation
            if option.starts_with("--server") && std::env::var(SERVER_VARIABLE).is_ok_and(|set| set == value) =>
        {
            Some(format!("the value is that of the variable {SERVER_VARIABLE}"))
        }
        _ => None,
    }
}

/// Whether somebody means a percentage: an option of that name, or a number.
fn is_percentage(word: &str) -> bool {
    let number = word.trim_end_matches('%');
    word.starts_with("--percent")
        || (!number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
}
