//! The flag that was asked for, or a helpful word where there is none.

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

/// Why a flag has no answer: there is none, or it is disabled.
pub(crate) fn no_answer(snapshot: &Snapshot, key: &FlagKey) -> Failure {
    match find(snapshot, key) {
        Ok(_) => disabled(key),
        Err(unknown) => unknown,
    }
}

/// Why a server has no answer for a flag: there is none, or it is disabled.
pub(crate) fn no_server_answer(server: &Address, explanation: &Explanation) -> Failure {
    let (flag, server) = (explanation.flag.to_string(), server.to_string());
    if explanation.rule == Rule::Disabled {
        return Failure::new(Exit::NoFlag, format_args!("flag `{}` is disabled", escape(&flag))).help(DISABLED);
    }
    Failure::new(Exit::NoFlag, format_args!("there is no flag `{}` at `{}`", escape(&flag), escape(&server)))
        .help("`tidegate flags` lists the flags of a server; --default gives an answer without one")
}

/// There is no such flag; says which one was probably meant.
fn unknown(snapshot: &Snapshot, key: &FlagKey) -> Failure {
    let failure = Failure::new(Exit::NoFlag, format_args!("there is no flag `{}`", escape(&key.to_string())));
    match snapshot.nearest(key) {
        Some(meant) => failure.help(format_args!("did you mean `{}`?", escape(&meant.to_string()))),
        None if snapshot.is_empty() => failure.help("the document has no flags at all"),
        None => failure.help("`tidegate list` shows the flags of a document; --default gives an answer without one"),
    }
}

/// The flag is disabled and answers the caller's default, of which there is none.
pub(crate) fn disabled(key: &FlagKey) -> Failure {
    Failure::new(Exit::NoFlag, format_args!("flag `{}` is disabled in the document", escape(&key.to_string())))
        .help(DISABLED)
}

const DISABLED: &str = "a disabled flag answers the caller's default: give one with --default";
