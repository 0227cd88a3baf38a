//! How a command ends: its exit code, and the message on standard error when it failed.

use std::fmt;
use std::process::ExitCode;

/// The exit codes of every command. They are documented, and never change their meaning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Exit {
    /// The command succeeded; for `on` the value is `true`.
    Success,
    /// The answer is no: `on` and the value is `false`, `check` found errors, `status` of a server that is not ready, `cluster
    /// status` when a person has to act.
    Negative,
    /// Wrong usage: arguments, configuration, or a file that they name cannot be used. Also `on` for a value that is not a boolean.
    Usage,
    /// The flag does not exist or is disabled, and no default was given. Of a change: there is nothing to clear or remove.
    NoFlag,
    /// The source could not be read, and nothing is cached; or the server does not answer. With a default, `get` and `on` use that
    /// instead.
    Unreachable,
    /// The document was refused, and nothing is cached; or the server refused the request.
    Refused,
    /// A change was accepted, but fewer nodes than requested acknowledged it in time.
    Unacknowledged,
    /// A local I/O error: output, or a file or socket of this host, cannot be used.
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
            Self::Success => "success; `on`: the value is true; `check`: no errors",
            Self::Negative => {
                "`on`: the value is false; `check`: there are errors; `status`: the server is not ready; `cluster status`: a person has to act"
            }
            Self::Usage => {
                "wrong usage: arguments, configuration, or a file that they name cannot be used; `on`: the value is not a boolean"
            }
            Self::NoFlag => {
                "no such flag, activation or definition; or the flag is disabled; `get`, `on`: and there is no --default"
            }
            Self::Unreachable => {
                "the source cannot be read and nothing is cached, or the server does not answer; `get`, `on`: and there is no --default"
            }
            Self::Refused => {
                "the document is refused and nothing is cached (`get`, `on`: and there is no --default), or the server refuses the request"
            }
            Self::Unacknowledged => "the change is accepted, but not acknowledged by enough members in time",
            Self::Failed => "local I/O error: output, or a file or socket of this host, cannot be used",
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
    /// The reader of standard output has closed it, as in `tidegate list ... | head`. That is not an error.
    ClosedPipe,
    /// An error that is reported on standard error.
    Reported(Box<ErrorReport>),
}

/// What is reported of an error, and the exit code.
#[derive(Debug)]
pub(crate) struct ErrorReport {
    /// The exit code.
    pub(crate) exit: Exit,
    /// Text to be shown before the message as it is: the diagnostics of a refused document.
    pub(crate) diagnostics: String,
    /// What went wrong, in one line that begins in lower case and has no full stop.
    pub(crate) message: String,
    /// What to do about it; empty if there is nothing to suggest.
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

    /// Whether the source or the server could not be reached.
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
