//! Why a change is not made.

use tidegate_engine::document::{DefinitionError, PercentError};
use tidegate_engine::{Diagnostic, FlagKey, FlagKeyError, Micros};
use tidegate_replica::WriteError;
use tidegate_replica::limits::TEXT_BYTES_MAX;

use super::value::ChangeKind;
use crate::first_error::first_error;

/// Why a change was not made. Nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The instance takes no live changes. The program's fault: see [`Builder::live`](crate::Builder::live).
    #[error("this instance takes no live changes; give its builder a `Live`")]
    NotLive,
    /// The instance follows a server, and changes nothing itself. Make the change there.
    #[error("this process follows {server}; make the change there")]
    Follower {
        /// The server.
        server: String,
    },
    /// The flag key names no flag. The caller's fault.
    #[error("the flag cannot be named so: {problem}")]
    Name {
        /// What is wrong.
        problem: FlagKeyError,
    },
    /// This node knows no such flag, and the change was to be made only to one that it knows. The caller's fault, unless
    /// the flag is known to other nodes by their documents: then see [`Change::elsewhere`](super::Change::elsewhere).
    #[error("this node knows no flag `{flag}`{}{}", unless_known(*.has_documents), suggested(.meant.as_ref()))]
    UnknownFlag {
        /// The flag.
        flag: FlagKey,
        /// A flag with a similar name, which was probably meant.
        meant: Option<FlagKey>,
        /// Whether any document is loaded here. If none is, this node cannot know which flags documents define.
        has_documents: bool,
    },
    /// There is no activation to clear. The flag follows its ramp already.
    #[error("`{flag}` has no activation on this node, so that there is nothing to clear")]
    NoActivation {
        /// The flag.
        flag: FlagKey,
    },
    /// There is no definition to remove: none was made by a live change, and no document of this node defines the flag.
    #[error("`{flag}` has no definition on this node, so that there is nothing to remove")]
    NoDefinition {
        /// The flag.
        flag: FlagKey,
    },
    /// The flag has none of the tags that [`Change::if_match`](super::Change::if_match) names: it has changed since it was read. Read it again.
    #[error("`{flag}` has changed since it was read")]
    NoMatch {
        /// The flag.
        flag: FlagKey,
    },
    /// The flag has one of the tags that [`Change::if_none_match`](super::Change::if_none_match) excludes: the register is there already.
    #[error("`{flag}` is there already")]
    Match {
        /// The flag.
        flag: FlagKey,
    },
    /// No change of this flag is in quarantine on this node.
    #[error("no change of `{flag}` is in quarantine on this node")]
    NotQuarantined {
        /// The flag.
        flag: FlagKey,
    },
    /// An activation and a definition of this flag are both in quarantine. The caller's fault: name the kind.
    #[error("an activation and a definition of `{flag}` are in quarantine; say which of the two is meant")]
    QuarantinedTwice {
        /// The flag.
        flag: FlagKey,
    },
    /// The percentage is none. The caller's fault.
    #[error("the percentage `{text}` {problem}; {}", problem.help())]
    Percentage {
        /// As it was given.
        text: String,
        /// What is wrong.
        problem: PercentError,
    },
    /// The end of the activation is past. The caller's fault, or this host's clock is wrong.
    #[error("`until` is {until}, which is past: it is {now} here; name a later instant, or clear the activation")]
    Past {
        /// The end.
        until: Micros,
        /// This host's clock.
        now: Micros,
    },
    /// The end of the activation lies beyond the year 9999, which no text can say. The caller's fault.
    #[error("`until` lies beyond the year 9999; leave it out")]
    Never {
        /// The end.
        until: Micros,
    },
    /// Actor or reason is too long. The caller's fault.
    #[error("the {what} has {bytes} bytes, more than the limit of {TEXT_BYTES_MAX}; shorten it")]
    TextTooLong {
        /// Which of the two.
        what: &'static str,
        /// How long it is.
        bytes: usize,
    },
    /// A document with this entry would be refused; the diagnostics say why. The caller's fault.
    #[error("the definition is refused: {}", first_error(.0))]
    Definition(Vec<Diagnostic>),
    /// The text is not one entry and nothing else. The caller's fault.
    #[error("a definition is the entry of one flag, such as `{{\"stable\": false, \"new\": true}}`")]
    Entry,
    /// A lease counts from the last successful poll of a document's source. The caller's fault.
    #[error("`lease` is for flags of documents; leave it out")]
    Lease,
    /// A document defines the flag already. Change it there, or take it out there first. Its activation can be set here.
    #[error("`{flag}` is defined by the document {source_name}; change it there, or set its activation")]
    DefinedByDocument {
        /// The flag.
        flag: FlagKey,
        /// Where the document comes from.
        source_name: String,
    },
    /// The cluster does not take it; the reason says what to do.
    #[error(transparent)]
    Refused(#[from] WriteError),
    /// Two changes of one set are of the same activation, or of the same definition. The caller's fault: make one of the two.
    #[error("an earlier change of the same set changes the {kind} of `{flag}`, too; make one of the two")]
    Repeated {
        /// The flag.
        flag: FlagKey,
        /// Which of its registers.
        kind: ChangeKind,
    },
    /// The disk takes nothing at the moment: it is full, read-only, or another program holds the database. Make room; it goes on
    /// by itself then.
    #[error("changes cannot be kept: {message}")]
    Disk {
        /// What is wrong with it.
        message: String,
    },
    /// Too many changes wait, or the disk is behind. Try again.
    #[error("too many changes wait; try again")]
    Busy,
    /// The instance is ending, or its thread has ended by a fault of ours, which the status tells. Start again.
    #[error("live changes have ended in this process; start it again")]
    Stopped,
}

impl From<DefinitionError> for ChangeError {
    fn from(error: DefinitionError) -> Self {
        match error {
            DefinitionError::Refused(diagnostics) => Self::Definition(diagnostics),
            DefinitionError::Lease => Self::Lease,
            _ => Self::Entry,
        }
    }
}
fn suggested(meant: Option<&FlagKey>) -> String {
    meant.map_or(String::new(), |meant| format!("; did you mean `{meant}`?"))
}

fn unless_known(has_documents: bool) -> &'static str {
    if has_documents { "" } else { ", and it has no document loaded, so that it cannot know the flags of documents" }
}

/// Why a node refuses changes, as a word.
pub(super) fn refusal_code(error: &WriteError) -> &'static str {
    match error {
        WriteError::ClockOff { .. } => "clock-off",
        WriteError::ClockPoisoned { .. } => "clock-poisoned",
        WriteError::DuplicateNode { .. } => "duplicate-node",
        WriteError::ReadOnly { .. } => "disk",
        _ => "writes-refused",
    }
}
