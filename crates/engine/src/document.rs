//! What a user writes: the document, as typed and checked data.
//!
//! A [`Document`] holds only what passed every check; diagnostics describe text that did not. Names, values and numbers are
//! kept exactly as written: a value keeps the spelling of its numbers, so that nothing is rounded.

mod adopters;
mod condition;
mod cursor;
mod definition;
mod duration;
mod entry;
pub mod fields;
mod findings;
mod flag_patterns;
mod header;
mod members;
pub(crate) mod names;
mod never;
pub(crate) mod patterns;
mod percent;
mod places;
mod read_variants;
mod reader;
mod rule;
mod rules;
mod scan;
mod schedule;
mod schema;
mod seen;
mod string_end;
mod syntax;
mod targets;
pub(crate) mod time;
mod uses;
mod value;
mod variants;
mod write;
mod write_rule;
mod write_schedule;

use std::borrow::Cow;

use findings::{Findings, Keep};

use crate::diagnostic::{Diagnostic, Severity};
use crate::{HashAlgorithm, Micros, Share, Span, Variant};

pub use definition::{Definition, DefinitionError, read_definition};
pub use duration::{DurationError, parse_duration};
pub use percent::{PercentError, parse_percent};
pub use read_variants::parse_split;
pub use rule::{Comparison, Condition, Order, Segment, Serve, Targeting, TargetingRule, Test};
pub use schema::schema;
pub use time::{TimeError, parse_time};
pub use variants::{Choice, NamedVariant, Portion, Variants, Weight};
pub use write::write;
pub(crate) use write_rule::{condition as condition_text, targeting as targeting_text, variants as variants_text};

/// Reads a document and reports all errors, warnings and notes, each with its place in the text.
///
/// [`read`], which loads a document, is the same code; it keeps fewer of the findings.
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

/// Reads a document to use it: the document, and the numbers of warnings and notes.
///
/// ```
/// use tidegate_engine::read;
///
/// let (document, tally) = read(br#"{"shop": {"dark": {"stable": false, "new": true}}}"#).unwrap();
/// assert_eq!((document.sections[0].flags.len(), tally.warnings), (1, 0));
/// assert!(read(b"[]").is_err());
/// ```
///
/// # Errors
///
/// If the document is refused: the findings of [`check`], that is errors, warnings and notes.
pub fn read(text: &[u8]) -> Result<(Document, Tally), Vec<Diagnostic>> {
    let mut findings = Findings::new(Keep::Counts);
    let document = reader::read(text, &mut findings);
    if !findings.has_errors() {
        return Ok((document, findings.tally()));
    }
    // Read again for the messages; the verdicts on its patterns are kept.
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

/// The numbers of findings, including those that are not kept.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Errors; 0 for a document that was accepted.
    pub errors: usize,
    /// Warnings: what the author probably did not mean.
    pub warnings: usize,
    /// Notes.
    pub notes: usize,
}

/// A whole document: `{section: {flag: entry}}`, in the order of the text.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Document {
    /// The header `$tidegate`; `None` if the document has none.
    pub header: Option<Header>,
    /// The segments of the header, each with a name of its own.
    pub segments: Vec<Segment>,
    /// The sections, each with a name of its own.
    pub sections: Vec<Section>,
}

/// The header of a document, without its segments, which stand in [`Document::segments`]. It has no effect on flags; programs that accept signed documents only check it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Header {
    /// The environment that the document is for.
    pub environment: Option<Box<str>>,
    /// Which of two documents is the newer one: at most 2^53 - 1.
    pub version: Option<u64>,
    /// When the document was made.
    pub issued: Option<Micros>,
    /// The instant by which a newer document should have replaced it.
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

/// The entry of one flag.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Flag {
    /// The second of the two names that identify a flag.
    pub name: Box<str>,
    /// The value of keys that do not have `new`. Beside `variants` it is the text of the field, which [`Variants::stable`] reads.
    pub stable: Value,
    /// The value that the ramp moves people to; absent: everyone has `stable`. Beside `variants` it is the text of the field.
    pub new: Option<Value>,
    /// The named variants that the two are chosen from. Boxed, because most flags have none.
    pub variants: Option<Box<Variants>>,
    /// How the share on `new` moves over time.
    pub schedule: Schedule,
    /// Keys that have `new` at once.
    pub early_adopters: Vec<Adopter>,
    /// Rules on attributes, and what positions are made of. Boxed, because most flags have neither.
    pub targeting: Option<Box<Targeting>>,
    /// Whether every key gets the number between the two values, at the share's fraction of the way.
    pub interpolate: bool,
    /// How the share falls again.
    pub rollback: Option<Rollback>,
    /// Every key has this variant, regardless of the ramp.
    pub lock: Option<Variant>,
    /// How long the ramp may rise after the last successful poll of the source; absent: without limit.
    pub lease: Option<Span>,
    /// The algorithm of the position; absent: `sha1` without a salt, `xxh3` with one.
    pub hash: Option<HashAlgorithm>,
    /// Makes this flag's positions independent of those of flags with another salt.
    pub salt: Option<Box<str>>,
    /// `false`: the flag answers the caller's default.
    pub enabled: bool,
    /// Information for people; no effect. Boxed, because most flags have none.
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

/// A rollback: from the share that is active at `start` down to `to` in `over`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rollback {
    /// The instant at which the share begins to fall.
    pub start: Micros,
    /// The time that the way down takes; zero: at once.
    pub over: Span,
    /// The share at the end; where the share is already lower, it stays as it is.
    pub to: Share,
}

/// Information about a flag for people; none of it has an effect.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Details {
    /// What the flag is for.
    pub description: Option<Box<str>>,
    /// Who is responsible for it.
    pub owner: Option<Box<str>>,
    /// Words to find it by.
    pub tags: Vec<Box<str>>,
    /// Names and scalar values, in the order of the text.
    pub metadata: Vec<(Box<str>, Value)>,
    /// Which programs should see the flag.
    pub visibility: Visibility,
}

/// Which programs should see a flag. It has no part in decisions: a server leaves flags that only servers should see out of lists for
/// browsers and apps.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum Visibility {
    /// Everyone, browsers and apps included.
    #[default]
    Client,
    /// Servers only.
    Server,
}

impl Visibility {
    /// The word in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// Any JSON, as compact text: white space between tokens removed, everything else as it was written.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Value(Cow<'static, str>);

impl Value {
    /// A value from compact JSON text that was checked before.
    pub(crate) fn from_checked(text: Cow<'static, str>) -> Self {
        Self(text)
    }

    /// The compact JSON text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
