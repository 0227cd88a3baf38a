//! The contract of a source, as tests that anybody can run on a source of their own.
//!
//! A source answers one question: is there a newer document than the one I have, and what is it? Whatever goes wrong at the
//! source, readers keep the last good document, the status says why, and the next start serves the cache. The sources of this
//! crate pass these tests; a [callback](crate::Source::callback) of your own passes them if it answers with tags and reports
//! its errors.
//!
//! Implement [`Subject`] for the thing behind the source: it publishes a text, takes the thing away, and brings it back. Then
//! call [`check`] in a test. The feature `conformance` is meant for `[dev-dependencies]`:
//!
//! ```toml
//! [dev-dependencies]
//! tidegate = { path = "../tidegate/crates/tidegate", features = ["conformance"] }
//! ```
//!
//! A table of a database, which a callback reads:
//!
//! ```
//! use std::sync::{Arc, Condvar, Mutex};
//! use std::time::Duration;
//! use tidegate::source::conformance::{self, Property, Subject};
//! use tidegate::{BoxError, Builder, Fetched, Tag};
//!
//! /// Stands for a database: a row with a revision, which may be away, or not answer.
//! #[derive(Default)]
//! struct Row {
//!     text: Vec<u8>,
//!     revision: u64,
//!     is_away: bool,
//!     is_slow: bool,
//! }
//!
//! #[derive(Clone, Default)]
//! struct Database(Arc<(Mutex<Row>, Condvar)>);
//!
//! impl Database {
//!     /// The callback: what a program would give to `Builder::callback`.
//!     fn fetch(&self, have: Option<&Tag>) -> Result<Fetched, BoxError> {
//!         let row = self.0.1.wait_while(self.0.0.lock().unwrap(), |row| row.is_slow).unwrap();
//!         if row.is_away {
//!             return Err("the database is unreachable".into());
//!         }
//!         let tag = Tag::new(format!("revision {}", row.revision))?;
//!         if have == Some(&tag) {
//!             return Ok(Fetched::Unchanged);
//!         }
//!         Ok(Fetched::Changed { body: row.text.clone(), tag: Some(tag) })
//!     }
//!
//!     fn change(&self, change: impl FnOnce(&mut Row)) {
//!         change(&mut self.0.0.lock().unwrap());
//!         self.0.1.notify_all();
//!     }
//! }
//!
//! impl Subject for Database {
//!     fn name(&self) -> String {
//!         "database".to_owned()
//!     }
//!     fn configure(&self, builder: Builder) -> Builder {
//!         let database = self.clone();
//!         builder.callback(move |have| database.fetch(have))
//!     }
//!     fn publish(&mut self, text: &[u8]) {
//!         self.change(|row| (row.text, row.revision) = (text.to_vec(), row.revision + 1));
//!     }
//!     fn make_unreachable(&mut self) {
//!         self.change(|row| row.is_away = true);
//!     }
//!     fn make_slow(&mut self) {
//!         self.change(|row| row.is_slow = true);
//!     }
//!     fn make_reachable(&mut self) {
//!         self.change(|row| (row.is_away, row.is_slow) = (false, false));
//!     }
//! }
//!
//! // All properties: `conformance::check(Database::default)`. One of them:
//! conformance::check_property(Property::Unchanged, &mut Database::default());
//! ```

mod properties;
mod session;

use std::fmt;
use std::time::Duration;

use crate::{Builder, Health, ServedFrom};
use session::Session;

/// The thing behind a source, as a test controls it. When it is made it is reachable and has no document yet.
///
/// What it does to the thing is done when a method returns. A method that cannot do its work panics.
pub trait Subject {
    /// What reports and tables call the source, such as `HTTP`.
    fn name(&self) -> String;

    /// Names the source in a builder, with everything that it needs: headers, certificates. The suite sets times, the cache
    /// and the locks.
    fn configure(&self, builder: Builder) -> Builder;

    /// The source has this text from now on, as one change.
    fn publish(&mut self, text: &[u8]);

    /// Whatever holds the document cannot be had until [`make_reachable`](Subject::make_reachable): a server does not listen, a file
    /// is missing.
    fn make_unreachable(&mut self);

    /// The source is asked and does not answer until [`make_reachable`](Subject::make_reachable).
    fn make_slow(&mut self);

    /// The source answers again, with the text that was published last.
    fn make_reachable(&mut self);

    /// Whether the test can make it slow. Default: yes. A test cannot make a local disk hang; then [`Property::Slow`] is not
    /// checked.
    fn can_be_slow(&self) -> bool {
        true
    }

    /// What the source was given and must not show: passwords, tokens. Default: nothing, so that [`Property::NoSecrets`]
    /// holds without more ado; give it one if your source has any.
    fn secrets(&self) -> Vec<String> {
        Vec::new()
    }

    /// The longest wait for what a source does soon: it answers, or its trouble is seen. Default: 30 s, enough for a busy
    /// machine; a source that needs longer to come back has its own.
    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }
}

/// What every source does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Property {
    /// A new instance has the document when its start returns.
    FirstDocument,
    /// Each answer with a document has a tag; it is the same for the same document, and another one for another.
    Tag,
    /// Asked with the tag of its document, the source answers that it is unchanged, and the instance stays fresh.
    Unchanged,
    /// A new document becomes active, with its own tag.
    Changed,
    /// A text that is no document is refused: the last good document and its tag stay, until a good document comes.
    Refused,
    /// While the source is unreachable the last good document stays active and the status tells the error. A start meanwhile
    /// serves the cache; without a cache it does not fail, and readers have their defaults.
    Unreachable,
    /// When the source is reachable again, the instance is fresh again, and has the next document.
    Back,
    /// A source that does not answer is given up at the timeout. Neither readers nor the end of the instance wait for it.
    Slow,
    /// A text above the limit of a document is an error that tells the limit, and the last good document stays.
    TooLarge,
    /// Neither names, statuses nor errors show a secret, whatever goes wrong.
    NoSecrets,
}

impl Property {
    /// All of them, in the order in which they are checked.
    pub const ALL: [Self; 10] = [
        Self::FirstDocument,
        Self::Tag,
        Self::Unchanged,
        Self::Changed,
        Self::Refused,
        Self::Unreachable,
        Self::Back,
        Self::Slow,
        Self::TooLarge,
        Self::NoSecrets,
    ];

    fn try_check(self, subject: &mut dyn Subject) -> Result<Option<Outage>, String> {
        if self == Self::Slow && !subject.can_be_slow() {
            return Ok(None);
        }
        let mut session = Session::new(subject);
        let nothing_seen = |()| None;
        match self {
            Self::FirstDocument => properties::first_document(&mut session).map(nothing_seen),
            Self::Tag => properties::tag(&mut session).map(nothing_seen),
            Self::Unchanged => properties::unchanged(&mut session).map(nothing_seen),
            Self::Changed => properties::changed(&mut session).map(nothing_seen),
            Self::Refused => properties::refused(&mut session).map(nothing_seen),
            Self::Unreachable => properties::unreachable(&mut session).map(Some),
            Self::Back => properties::back(&mut session).map(nothing_seen),
            Self::Slow => properties::slow(&mut session).map(nothing_seen),
            Self::TooLarge => properties::too_large(&mut session).map(nothing_seen),
            Self::NoSecrets => properties::no_secrets(&mut session).map(nothing_seen),
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::FirstDocument => "first document",
            Self::Tag => "tag",
            Self::Unchanged => "unchanged",
            Self::Changed => "changed",
            Self::Refused => "refused",
            Self::Unreachable => "unreachable",
            Self::Back => "back",
            Self::Slow => "slow",
            Self::TooLarge => "too large",
            Self::NoSecrets => "secret in no message",
        })
    }
}

/// A property that a source does not have.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{property}: {problem}")]
#[non_exhaustive]
pub struct Violation {
    /// The property.
    pub property: Property,
    /// What was seen instead.
    pub problem: String,
}

/// What was seen while a source was unreachable.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Outage {
    /// The health of an instance that had a document.
    pub health: Health,
    /// Its message, in which the name of the source is `SOURCE`.
    pub message: String,
    /// The health of an instance that was started meanwhile, with a cache.
    pub restarted_health: Health,
    /// From where that one had its document.
    pub restarted_from: ServedFrom,
    /// From where an instance without a cache had a document.
    pub uncached_from: ServedFrom,
}

/// What [`check`] has seen of a source that passes.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The source, by [`Subject::name`].
    pub name: String,
    /// What was seen while it was unreachable.
    pub outage: Outage,
}

/// Checks all properties, each with a subject of its own. It takes some 15 seconds and whatever the subjects take.
///
/// # Panics
/// The source violates a property; the message lists all that it violates, and what was seen.
pub fn check<S: Subject>(make: impl FnMut() -> S) -> Report {
    match try_check(make) {
        Ok(report) => report,
        Err((name, violations)) => {
            let lines: Vec<_> = violations.iter().map(Violation::to_string).collect();
            panic!("the source `{name}` does not conform:\n  {}", lines.join("\n  "));
        }
    }
}

/// Checks all properties; returns those that the source violates, none if it conforms.
///
/// # Panics
/// A subject panics.
pub fn violations<S: Subject>(make: impl FnMut() -> S) -> Vec<Violation> {
    try_check(make).err().map_or_else(Vec::new, |(_, violations)| violations)
}

/// Checks one property.
///
/// # Panics
/// The source violates it.
pub fn check_property(property: Property, subject: &mut dyn Subject) {
    if let Err(problem) = property.try_check(subject) {
        panic!("the source `{}` does not conform: {property}: {problem}", subject.name());
    }
}

fn try_check<S: Subject>(mut make: impl FnMut() -> S) -> Result<Report, (String, Vec<Violation>)> {
    let (mut violations, mut seen, mut name) = (Vec::new(), None, String::new());
    for property in Property::ALL {
        let mut subject = make();
        name = subject.name();
        match property.try_check(&mut subject) {
            Ok(outage) => seen = outage.or(seen),
            Err(problem) => violations.push(Violation { property, problem }),
        }
    }
    match seen {
        Some(outage) if violations.is_empty() => Ok(Report { name, outage }),
        _ => Err((name, violations)),
    }
}
