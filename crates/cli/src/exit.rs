//! How a command ends: the exit codes, and what stands on standard error when it did not work.

use std::fmt;
use std::process::ExitCode;

/// The exit codes of every command. They are documented, and never change their meaning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// The command did what it was asked; for `on` the answer is yes.
    Success,
    /// The answer is no: `on` and the value is `false`, `check` and there are errors, `cluster status` and a person has to act.
    Negative,
    /// The command was used wrongly; also `on` for a value that is not a boolean.
    Usage,
    /// There is no such flag, or it is disabled, and no default was given. Of a change: there is nothing to clear or remove.
    NoFlag,
    /// The source could not be read, and nothing is cached; or the server does not answer. Where a value is asked for and
    /// there is a default, that is the answer instead.
    Unreachable,
    /// The document was refused, and nothing is cached; or the server refused what was asked of it.
    Refused,
    /// A change was accepted and is durable, but not on as many nodes in time as was asked for.
    Unacknowledged,
    /// This host did not let the command do its work: output or a file could not be read or written.
    Failed,
}

impl Exit {
    /// Every code, in order.
    pub(crate) const ALL: [Self; 8] = [
        Self::Success,
        Self::Negative,
        Self::Usage,
        Self::NoFlag,
        Self::Unreachable,
        Self::Refused,
        Self::Unacknowledged,
        Self::Failed,
    ];

    /// The number that the shell sees.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Negative => 1,
            Self::Usage => 2,
            Self::NoFlag => 3,
            Self::Unreachable => 4,
            Self::Refused => 5,
            Self::Unacknowledged => 6,
            Self::Failed => 7,
        }
    }

    /// What the code means, for help and manual.
    pub(crate) const fn meaning(self) -> &'static str {
        match self {
            Self::Success => "done; `on`: the value is true; `check`: nothing worse than warnings",
            Self::Negative => {
                "the answer is no; `on`: the value is false; `check`: there are errors; `cluster status`: a person has to act"
            }
            Self::Usage => "wrong usage; `on`: the value is not a boolean",
            Self::NoFlag => "no such flag, activation or definition; or a disabled flag, and no --default",
            Self::Unreachable => {
                "the source cannot be read, and nothing is cached; the server does not answer; `get`, `on`: and no --default"
            }
            Self::Refused => {
                "the document is refused, and nothing is cached; `get`, `on`: and no --default; the server refuses"
            }
            Self::Unacknowledged => "the change is accepted, but not acknowledged by enough nodes in time",
            Self::Failed => "this host got in the way: output or a file cannot be read or written",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// What a command returns: how it ended, or why it could not go on.
pub(crate) type Outcome = Result<Exit, Failure>;

/// Why a command could not go on.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Nobody reads standard output any more. That is no trouble: `tidegate list ... | head` does it.
    ClosedPipe,
    /// Something to be said on standard error.
    Reported(Box<ErrorReport>),
}

/// The end of a command, with what its user should know.
#[derive(Debug)]
pub(crate) struct ErrorReport {
    /// The exit code.
    pub(crate) exit: Exit,
    /// Text to be shown before the message as it is: the diagnostics of a refused document.
    pub(crate) diagnostics: String,
    /// What went wrong, in one line that begins small and has no full stop.
    pub(crate) message: String,
    /// What to do about it; empty where there is nothing to say.
    pub(crate) help: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self::Reported(Box::new(ErrorReport {
            exit,
            diagnostics: String::new(),
            message: message.to_string(),
            help: String::new(),
        }))
    }

    /// Wrong usage.
    pub(crate) fn usage(message: impl fmt::Display) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Whether nobody could be asked.
    pub(crate) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Reported(report) if report.exit == Exit::Unreachable)
    }

    /// The same failure, with what to do about it.
    #[must_use]
    pub(crate) fn help(mut self, help: impl fmt::Display) -> Self {
        if let Self::Reported(report) = &mut self {
            report.help = help.to_string();
        }
        self
    }

    /// The same failure, with the diagnostics that led to it.
    #[must_use]
    pub(crate) fn diagnostics(mut self, diagnostics: String) -> Self {
        if let Self::Reported(report) = &mut self {
            report.diagnostics = diagnostics;
        }
        self
    }
}

/// An error with everything that led to it, in one line.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some errors repeat their cause in their own words.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
