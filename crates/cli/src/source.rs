//! Reads SOURCE with its options through the library, and reports what is wrong with it.

mod open;
mod signed;

use std::borrow::Cow;
use std::time::Duration;

use tidegate::{Health, ServedFrom, Status, View};
use tidegate_engine::lease::Clocks;
use tidegate_engine::{Micros, Moment, Snapshot, check, limits};

use crate::args::{Location, SourceArgs, SourceOptions};
use crate::data::Data;
use crate::exit::{Exit, Failure};
use crate::files;
use crate::json::instant;
use crate::output::Output;
use crate::relative::rough;
use crate::report;
use crate::text::escape;

pub(crate) use open::{Opened, connect, connect_failure, open};
pub(crate) use signed::{Verdict, verdict};

/// The flags of a document, at an instant.
pub(crate) struct Loaded {
    view: View,
    /// Where the document comes from, and how old it is.
    pub(crate) data: Data,
    /// Why there is no document, if there is none.
    missing: Option<Failure>,
}

impl Loaded {
    /// The flags, under the locks of this host.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        self.view.snapshot()
    }

    /// The wall clock.
    pub(crate) fn now(&self) -> Micros {
        self.view.now()
    }

    /// The moment to evaluate at: now with this host's leases, or `at` without leases.
    pub(crate) fn moment(&self, at: Option<Micros>) -> Moment<'_> {
        match at {
            None => self.view.moment(),
            Some(at) => Moment { now: at, leases: SYNCED },
        }
    }

    /// The same, or why there is no document.
    fn with_document(mut self) -> Result<Self, Failure> {
        match self.take_missing() {
            None => Ok(self),
            Some(missing) => Err(missing),
        }
    }

    /// Why there is no document, where there is none: then only a lock of this host can answer.
    pub(crate) fn take_missing(&mut self) -> Option<Failure> {
        self.missing.take()
    }
}

/// Reads the source once, for commands about a fleet, which ignore the locks of this host.
pub(crate) fn load(source: &SourceArgs, output: &mut Output) -> Result<Loaded, Failure> {
    let (loaded, status) = load_any(source, output)?;
    if let Some(error) = &status.locks.error {
        output.warning(format_args!("cannot read the locks of this host: {}", escape(&error.message)));
    }
    loaded.with_document()
}

/// Reads the source once, for commands about this host that need its document.
pub(crate) fn load_with_locks(source: &SourceArgs, output: &mut Output) -> Result<Loaded, Failure> {
    load_or_locks(source, output)?.with_document()
}

/// Reads the source once. A missing document is not an error yet, because a lock of this host may decide.
pub(crate) fn load_or_locks(source: &SourceArgs, output: &mut Output) -> Result<Loaded, Failure> {
    let (loaded, status) = load_any(source, output)?;
    refuse_unknown_locks(&status)?;
    Ok(loaded)
}

fn load_any(source: &SourceArgs, output: &mut Output) -> Result<(Loaded, Status), Failure> {
    let Opened { builder, text } = open(&source.source, &source.options, output)?;
    let tide = connect(builder.one_shot(true))?;
    let status = tide.status();
    let view = tide.view();
    let mut data = Data::new(&status);
    if text.is_some() {
        data.source = source.source.to_string();
    }
    let missing = match status.served_from {
        // A server may have live changes alone.
        ServedFrom::NoDocument if tide.follower().is_some() && tide.is_ready() => None,
        ServedFrom::NoDocument => Some(missing(&source.source, &status, text.as_deref())),
        ServedFrom::Source | ServedFrom::Cache => None,
    };
    warn_about_source(&status, &data, missing.is_some(), output);
    Ok((Loaded { view, data, missing }, status))
}

/// Fails if the locks of this host cannot be read: one of them may decide otherwise than the document.
pub(crate) fn refuse_unknown_locks(status: &Status) -> Result<(), Failure> {
    let Some(error) = &status.locks.error else { return Ok(()) };
    Err(Failure::new(Exit::Failed, format_args!("cannot read the locks of this host: {}", escape(&error.message)))
        .help("fix the file, or remove it to have no locks"))
}

/// The text of a source as it is, whatever is wrong with it.
pub(crate) fn read(place: &Location, options: &SourceOptions, output: &mut Output) -> Result<Vec<u8>, Failure> {
    read_signed(place, options, output).map(|(text, _)| text)
}

/// The same with its signature, if there is one and a key is trusted.
pub(crate) fn read_signed(
    place: &Location,
    options: &SourceOptions,
    output: &mut Output,
) -> Result<(Vec<u8>, Option<String>), Failure> {
    let unreadable = |error: &dyn std::fmt::Display| {
        Failure::new(Exit::Unreachable, format_args!("cannot read `{}`: {error}", escape(&place.to_string())))
    };
    match place {
        Location::Stdin => Ok((stdin()?, None)),
        Location::Path(path) => {
            let text = files::read_start(path, limits::DOCUMENT_BYTES_MAX).map_err(|error| unreadable(&error))?;
            let is_signed = !options.trusted_keys.is_empty();
            let signature =
                if is_signed { signed::signature_of(path).map_err(|error| unreadable(&error))? } else { None };
            Ok((text, signature))
        }
        Location::Url(_) | Location::Follow(_) => {
            let opened = open(place, options, output)?;
            opened.builder.fetch_signed_text().map_err(|error| unreadable(&escape(&error.to_string())))
        }
    }
}

/// Standard input, to its end.
fn stdin() -> Result<Vec<u8>, Failure> {
    files::read_stdin_start(limits::DOCUMENT_BYTES_MAX)
        .map_err(|error| Failure::new(Exit::Unreachable, format_args!("cannot read standard input: {error}")))
}

/// Why there is no document.
fn missing(place: &Location, status: &Status, text: Option<&[u8]>) -> Failure {
    let source = match place {
        Location::Stdin | Location::Path(_) => escape(&place.to_string()).into_owned(),
        Location::Url(_) | Location::Follow(_) => escape(&status.source).into_owned(),
    };
    let refused = |diagnostics| {
        Failure::new(Exit::Refused, format_args!("the document from `{source}` is refused")).diagnostics(diagnostics)
    };
    let text = text.map(Cow::Borrowed).or_else(|| text_of(place).map(Cow::Owned));
    if let Some(refusal) = status.refused.as_ref().filter(|refusal| refusal.diagnostics.is_empty()) {
        let message = escape(&refusal.message);
        return Failure::new(Exit::Refused, format_args!("the document from `{source}` is refused: {message}"));
    }
    if let Some(refusal) = &status.refused {
        return refused(report::render(&refusal.diagnostics, &source, text.as_deref()));
    }
    // The library does not read a document that is too large; it is refused like any other.
    if let Some(text) = text.filter(|text| text.len() > limits::DOCUMENT_BYTES_MAX) {
        return refused(report::render(&check(&text).diagnostics, &source, Some(&text)));
    }
    let why = status.last_error.as_ref().map(|trouble| escape(&trouble.message).into_owned());
    match (status.health, why) {
        (Health::Offline, _) => Failure::new(Exit::Unreachable, format_args!("no document of `{source}` is cached"))
            .help("run once without --offline, or name another cache with --cache"),
        // The message about a file names it already.
        (_, Some(why)) if matches!(place, Location::Path(_)) => Failure::new(Exit::Unreachable, why),
        (_, Some(why)) => Failure::new(Exit::Unreachable, format_args!("cannot read `{source}`: {why}")),
        (_, None) => Failure::new(Exit::Unreachable, format_args!("`{source}` did not answer in time"))
            .help("give it more time with --timeout"),
    }
}

/// The text of a file, to show lines of it.
fn text_of(place: &Location) -> Option<Vec<u8>> {
    match place {
        Location::Path(path) => files::read_start(path, limits::DOCUMENT_BYTES_MAX).ok(),
        Location::Stdin | Location::Url(_) | Location::Follow(_) => None,
    }
}

/// Reports how old the document is if it is not fresh, and whatever else is wrong, each in one line.
fn warn_about_source(status: &Status, data: &Data, is_missing: bool, output: &mut Output) {
    let source = escape(&status.source);
    let age = status.age.map_or("of unknown age".to_owned(), |age| format!("{} old", rough(age)));
    let why = data.why.as_deref().map_or(String::new(), |why| format!(": {}", escape(why)));
    match status.health {
        _ if is_missing => {}
        Health::Fresh => {}
        Health::Offline => output.note(format_args!("offline: using the cached document, {age}")),
        Health::Refused => {
            output.warning(format_args!("the document from `{source}` is refused; using the cached one, {age}{why}"));
        }
        _ => output.warning(format_args!("`{source}` is unreachable; using the cached document, {age}{why}")),
    }
    if let Some(error) = status.cache.as_ref().and_then(|cache| cache.error.as_deref()) {
        output.warning(escape(error));
    }
    if let Some(signature) = status.signature.as_ref().filter(|_| !is_missing) {
        if let Some(expires) = signature.expires.filter(|_| signature.is_expired) {
            output.warning(format_args!("the document from `{source}` expired at {}", instant(expires)));
        }
        if let Some(error) = &signature.error {
            output.warning(escape(error));
        }
    }
    if let Some(clock) = status.clock.filter(|clock| clock.is_suspicious) {
        output.warning(format_args!(
            "this host's clock is about {clock} that of the source; correct the one that is wrong"
        ));
    }
}

/// This host's clock.
pub(crate) fn now() -> Micros {
    tidegate::Clock::system().now()
}

/// A duration for the library.
pub(crate) fn duration(span: tidegate_engine::Span) -> Duration {
    Duration::from_micros(span.get())
}

/// Every ramp follows the wall clock.
pub(crate) const SYNCED: &Clocks = &Clocks::synced();
