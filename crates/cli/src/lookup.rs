//! Finds the flag that a command names; if there is none, the error suggests what was meant.

use tidegate_engine::{Explanation, Flag, FlagKey, Rule, Snapshot};

use crate::exit::{Exit, Failure};
use crate::server::Address;
use crate::text::escape;

/// The flag with this key.
pub(crate) fn find<'s>(snapshot: &'s Snapshot, key: &FlagKey) -> Result<Flag<'s>, Failure> {
    match snapshot.find(key.section(), key.flag()) {
        Some(index) => Ok(snapshot.flag(index)),
        None => Err(unknown(snapshot, key)),
    }
}

/// The error for a flag without a value: it does not exist, or it is disabled.
pub(crate) fn no_answer(snapshot: &Snapshot, key: &FlagKey) -> Failure {
    match find(snapshot, key) {
        Ok(_) => disabled(key),
        Err(unknown) => unknown,
    }
}

/// The same for a flag of a server.
pub(crate) fn no_server_answer(server: &Address, explanation: &Explanation) -> Failure {
    let (flag, server) = (explanation.flag.to_string(), server.to_string());
    if explanation.rule == Rule::Disabled {
        return Failure::new(Exit::NoFlag, format_args!("flag `{}` is disabled", escape(&flag))).help(DISABLED);
    }
    Failure::new(Exit::NoFlag, format_args!("no flag `{}` at `{}`", escape(&flag), escape(&server)))
        .help("`tidegate flags` lists the flags of the server; --default gives a value for unknown flags")
}

/// The error for a flag that does not exist, with the one that was probably meant.
fn unknown(snapshot: &Snapshot, key: &FlagKey) -> Failure {
    let failure = Failure::new(Exit::NoFlag, format_args!("no flag `{}`", escape(&key.to_string())));
    match snapshot.nearest(key) {
        Some(meant) => failure.help(format_args!("did you mean `{}`?", escape(&meant.to_string()))),
        None if snapshot.is_empty() => failure.help("the document has no flags"),
        None => {
            failure.help("`tidegate list` shows the flags of a document; --default gives a value for unknown flags")
        }
    }
}

/// The error for a disabled flag where no default was given.
pub(crate) fn disabled(key: &FlagKey) -> Failure {
    Failure::new(Exit::NoFlag, format_args!("flag `{}` is disabled in the document", escape(&key.to_string())))
        .help(DISABLED)
}

const DISABLED: &str = "a disabled flag has the caller's default: give one with --default";
