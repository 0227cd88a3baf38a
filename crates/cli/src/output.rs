//! The only module that writes: data to standard output, messages to standard error.
//!
//! Standard output has only the data that the command prints, so that it can be piped; explanations, warnings and errors go to
//! standard error. Colour is removed where the output is not a terminal, and never carries a meaning.

use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, Stderr, StdoutLock, Write as _};

use anstream::AutoStream;
use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::exit::{Exit, Failure, chain};
use crate::table::{Table, paint};

/// Standard output and standard error.
pub(crate) struct Output {
    data: BufWriter<AutoStream<StdoutLock<'static>>>,
    messages: AutoStream<Stderr>,
}

impl Output {
    pub(crate) fn new() -> Self {
        Self { data: BufWriter::new(AutoStream::auto(io::stdout().lock())), messages: AutoStream::auto(io::stderr()) }
    }

    /// Writes one line of data.
    pub(crate) fn line(&mut self, line: impl Display) -> Result<(), Failure> {
        writeln!(self.data, "{line}").map_err(|error| failure(&error))
    }

    /// Writes data as it is.
    pub(crate) fn text(&mut self, text: &str) -> Result<(), Failure> {
        self.bytes(text.as_bytes())
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.data.write_all(bytes).map_err(|error| failure(&error))
    }

    /// Writes one line of JSON.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(|error| Failure::new(Exit::Failed, error))?;
        self.line(text)
    }

    /// Writes the lines of a table.
    pub(crate) fn table(&mut self, table: &Table) -> Result<(), Failure> {
        table.lines().try_for_each(|line| self.line(line))
    }

    /// Writes everything that is buffered.
    pub(crate) fn flush(&mut self) -> Result<(), Failure> {
        self.data.flush().map_err(|error| failure(&error))
    }

    /// Reports something worth knowing, in one line.
    pub(crate) fn note(&mut self, text: impl Display) {
        self.labelled("note", AnsiColor::Green, text);
    }

    /// Reports that something is probably not intended, in one line.
    pub(crate) fn warning(&mut self, text: impl Display) {
        self.labelled("warning", AnsiColor::Yellow, text);
    }

    /// Reports a failure that does not end the command, and what the command does instead.
    pub(crate) fn warn_of_fallback(&mut self, failure: &Failure, instead: &str) {
        let Failure::Reported(report) = failure else { return };
        if !report.diagnostics.is_empty() {
            self.report(&report.diagnostics);
        }
        self.warning(format_args!("{}; {instead}", report.message));
    }

    /// Reports progress or a result, in one line without a label.
    pub(crate) fn message(&mut self, text: impl Display) {
        let _ = writeln!(self.messages, "{text}");
    }

    /// Shows diagnostics, with an empty line after them.
    pub(crate) fn report(&mut self, report: &str) {
        let _ = writeln!(self.messages, "{report}\n");
    }

    /// Reports the error that ends the command.
    pub(crate) fn failure(&mut self, failure: &Failure) {
        let Failure::Reported(report) = failure else { return };
        let _ = self.flush();
        if !report.diagnostics.is_empty() {
            self.report(&report.diagnostics);
        }
        self.labelled("error", AnsiColor::Red, &report.message);
        if !report.help.is_empty() {
            self.labelled("help", AnsiColor::Cyan, &report.help);
        }
    }

    /// One line with a label. A failure to write it is ignored.
    fn labelled(&mut self, label: &str, color: AnsiColor, text: impl Display) {
        let label = paint(label, Style::new().bold().fg_color(Some(color.into())));
        let _ = writeln!(self.messages, "{label}: {text}");
    }
}

fn failure(error: &io::Error) -> Failure {
    if error.kind() == ErrorKind::BrokenPipe {
        return Failure::ClosedPipe;
    }
    Failure::new(Exit::Failed, format_args!("cannot write to standard output: {}", chain(error)))
}
