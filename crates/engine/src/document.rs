//! What a user writes: the document, as typed and checked data.
//!
//! A [`Document`] holds only what passed every check; text that did not is described by diagnostics
//! instead. Names, values and numbers are carried exactly as written: a value keeps the spelling of its
//! numbers, so that nothing is rounded on its way to the reader.

mod adopters;
mod cursor;
mod definition;
mod duration;
mod entry;
pub mod fields;
mod findings;
mod header;
mod members;
pub(crate) mod names;
pub(crate) mod patterns;
mod percent;
mod places;
mod reader;
mod scan;
mod schedule;
mod schema;
mod seen;
mod syntax;
pub(crate) mod time;
mod value;
mod write;

use findings::{Findings, Keep};

use crate::diagnostic::{Diagnostic, Severity};
use crate::{HashAlgorithm, Micros, Share, Span, Variant};

pub use definition::{Definition, DefinitionError, read_definition};
pub use duration::{DurationError, parse_duration};
pub use percent::{PercentError, parse_percent};
pub use schema::schema;
pub use time::{TimeError, parse_time};
pub use write::write;

/// Reads a document and says everything there is to say about it, errors, warnings and notes, with places.
///
/// The checker and the loader ([`read`]) are the same code; they differ in how much of the findings is kept.
///
/// ```
/// use tidegate_engine::document::check;
///
/// let checked = check(br#"{"features": {"dark_mode": {"new": true}}}"#);
/// assert!(checked.document.is_none());
/// assert_eq!(checked.diagnostics[0].code.as_str(), "E030");
/// assert_eq!(checked.diagnostics[0].path.to_string(), "features.dark_mode");
/// ```
pub fn check(text: &[u8]) -> Checked {
    check_with(text, Findings::new(Keep::All))
}

fn check_with(text: &[u8], mut findings: Findings) -> Checked {
    let document = reader::read(text, &mut findings);
    let document = (!findings.has_errors()).then_some(document);
    Checked { document, diagnostics: places::locate(findings.into_list(), text) }
}

/// Reads a document for use: what it says, and how much there was to warn of.
///
/// # Errors
///
/// Where the document has to be refused: all that [`check`] has to say, errors, warnings and notes.
pub fn read(text: &[u8]) -> Result<(Document, Tally), Vec<Diagnostic>> {
    let mut findings = Findings::new(Keep::Counts);
    let document = reader::read(text, &mut findings);
    if !findings.has_errors() {
        return Ok((document, findings.tally()));
    }
    // Read again for its messages; what was found out about its patterns is known.
    let mut again = Findings::new(Keep::All);
    again.patterns = findings.patterns.known();
    Err(check_with(text, again).diagnostics)
}

/// What was found in a text.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Checked {
    /// The document, unless there is an error among the diagnostics.
    pub document: Option<Document>,
    /// All findings in the order of the text, at most [`limits::DIAGNOSTICS_MAX`](crate::limits::DIAGNOSTICS_MAX)
    /// of each code.
    pub diagnostics: Vec<Diagnostic>,
}

impl Checked {
    /// How many diagnostics there are of each severity, as far as they were kept.
    pub fn count(&self, severity: Severity) -> usize {
        self.diagnostics.iter().filter(|diagnostic| diagnostic.code.severity() == severity).count()
    }
}

/// How many findings there were, also beyond those that are kept.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Findings for which a document is refused; 0 for one that was accepted.
    pub errors: usize,
    /// Findings that its author probably did not mean.
    pub warnings: usize,
    /// Findings worth knowing.
    pub notes: usize,
}

/// A whole document: `{section: {flag: entry}}`, in the order of the text.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Document {
    /// What the document says of itself, in `$tidegate`; absent where that is.
    pub header: Option<Header>,
    /// The sections, each with a name of its own.
    pub sections: Vec<Section>,
}

/// What a document says of itself. It has no effect on any flag; who takes signed documents only, judges by it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Header {
    /// The environment that the document is for.
    pub environment: Option<Box<str>>,
    /// Which of two documents is the newer one: at most 2^53 - 1.
    pub version: Option<u64>,
    /// When the document was made.
    pub issued: Option<Micros>,
    /// The instant from which on it should have been replaced by a newer one.
    pub expires: Option<Micros>,
}

/// One section of a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Section {
    /// The first of the two names that identify a flag.
    pub name: Box<str>,
    /// The flags, each with a name of its own.
    pub flags: Vec<Flag>,
}

/// What the document says of one flag: its entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Flag {
    /// The second of the two names that identify a flag.
    pub name: Box<str>,
    /// The value of everyone who is not on `new`.
    pub stable: Value,
    /// The value that the ramp moves people to; absent: everyone has `stable`.
    pub new: Option<Value>,
    /// How the share on `new` moves over time.
    pub schedule: Schedule,
    /// Keys that have `new` at once.
    pub early_adopters: Vec<Adopter>,
    /// Whether everyone gets the number between the two values that the share says.
    pub interpolate: bool,
    /// The way back.
    pub rollback: Option<Rollback>,
    /// Everyone has this variant, whatever the ramp says.
    pub lock: Option<Variant>,
    /// How long the ramp may go on without fresh word from the source; absent: for ever.
    pub lease: Option<Span>,
    /// The algorithm of the position; absent: `sha1` without a salt, `xxh3` with one.
    pub hash: Option<HashAlgorithm>,
    /// What sets this flag's positions apart from those of others.
    pub salt: Option<Box<str>>,
    /// `false`: the flag answers the caller's default.
    pub enabled: bool,
    /// What people should know; no effect. Boxed, because most flags carry none.
    pub details: Option<Box<Details>>,
}

/// How the share on `new` moves over time, before any rollback.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Schedule {
    /// No window at all: the share is 0.
    None,
    /// From `from` at `start` to `to` at `end`; 0 before, `to` after.
    Window {
        /// The instant at which the share jumps to `from`.
        start: Micros,
        /// The instant from which the share is `to`; not before `start`.
        end: Micros,
        /// The share at the start.
        from: Share,
        /// The share at the end; not below `from`.
        to: Share,
        /// The way between them.
        curve: Curve,
    },
    /// Step after step from `start`; the share of the last one stays.
    Steps {
        /// The instant at which the first step begins.
        start: Micros,
        /// At least one; their shares do not fall.
        steps: Vec<Step>,
    },
}

/// The way of a window from its first share to its last.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Curve {
    /// Equal gains in equal times.
    #[default]
    Linear,
    /// Doublings in equal times, linear between them; begins above 0.
    Exponential,
}

/// One step of a schedule: reach `share` in `over`, then keep it for `hold`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Step {
    /// The share that the step reaches.
    pub share: Share,
    /// The time that the way there takes; zero: at once.
    pub over: Span,
    /// The time for which the share is then kept.
    pub hold: Span,
}

/// Keys that have `new` at once.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Adopter {
    /// This key exactly.
    Key(Box<str>),
    /// Every key in which the regular expression matches somewhere; its source text, known to compile
    /// within the limit of its flag.
    Pattern(Box<str>),
}

/// The way back: from the share in force at `start` down to `to` in `over`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rollback {
    /// The instant at which the share begins to fall.
    pub start: Micros,
    /// The time that the way down takes; zero: at once.
    pub over: Span,
    /// The share at the end; where the share is already lower, it stays as it is.
    pub to: Share,
}

/// What people should know of a flag; none of it has an effect.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Details {
    /// What the flag is for.
    pub description: Option<Box<str>>,
    /// Who answers for it.
    pub owner: Option<Box<str>>,
    /// Words to find it by.
    pub tags: Vec<Box<str>>,
    /// Names and scalar values, in the order of the text.
    pub metadata: Vec<(Box<str>, Value)>,
}

/// Any JSON, as compact text: white space between tokens removed, everything else as it was written.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Value(Box<str>);

impl Value {
    /// A value from compact JSON text that was checked before.
    pub(crate) fn from_checked(text: Box<str>) -> Self {
        Self(text)
    }

    /// The compact JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
