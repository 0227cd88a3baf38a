//! A flag as one node has it at one instant: what documents, definitions, activations and locks make of it together.

use std::fmt;

use tidegate_engine::{Change, Flag, FlagKey, Share, Variant};

use super::record::{FlagRecord, Record};
use super::value::RegisterValue;
use crate::read::view::View;

/// A flag as this node has it at one instant; made by [`Tidegate::flag_state`](crate::Tidegate::flag_state).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FlagState {
    /// The flag.
    pub flag: FlagKey,
    /// Where it is defined, or why this node knows it otherwise.
    pub source: FlagSource,
    /// The entry that was defined live, as JSON text. It has no effect where a document defines the flag.
    pub definition: Option<String>,
    /// The activation, if there is one that has not expired. Its value is a [`RegisterValue::Activation`].
    pub activation: Option<Record>,
    /// The value `stable`, as JSON text. `false` for a bare flag; none where each caller has its own default.
    pub stable: Option<String>,
    /// The value `new`, as JSON text. `true` for a bare flag.
    pub new: Option<String>,
    /// The share of keys with `new`.
    pub share: Share,
    /// The next change in how the share moves.
    pub next_change: Option<Change>,
    /// Whether it answers at all; otherwise each caller has its own default.
    pub is_enabled: bool,
    /// The lock in its document.
    pub lock: Option<Variant>,
    /// What [`Change::if_match`](crate::Change::if_match) compares.
    pub tag: String,
}

/// Where a flag is defined, or why a node knows it otherwise.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FlagSource {
    /// A document defines it; this is where the document comes from.
    Document(String),
    /// It was defined live.
    Api,
    /// It has only an activation.
    Activation,
    /// Only a lock of this host names it.
    Lock,
    /// It has none of these, only a default of this program.
    Default,
}

impl fmt::Display for FlagSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Document(place) => return write!(formatter, "document {place}"),
            Self::Api => "api",
            Self::Activation => "activation",
            Self::Lock => "lock",
            Self::Default => "default",
        })
    }
}

impl FlagState {
    /// The state at the instant of the view; none for a flag that neither the view nor a register knows.
    pub(crate) fn new(view: &View, record: &FlagRecord) -> Option<Self> {
        let (snapshot, moment) = (view.snapshot(), view.moment());
        let key = &record.flag;
        let flag = snapshot.find(key.section(), key.flag()).map(|index| snapshot.flag(index));
        if flag.is_none() && !record.has_value() {
            return None;
        }
        let activation = record.activation_at(view.now());
        let definition = record.definition.as_ref().and_then(|register| register.value.as_ref());
        let definition = definition.and_then(RegisterValue::as_definition);
        let (stable, new) = values(flag);
        Some(Self {
            flag: key.clone(),
            source: source(record, flag, definition.is_some(), activation.is_some()),
            definition: definition.map(|entry| entry.get().to_owned()),
            activation: activation.cloned(),
            stable: stable.map(str::to_owned),
            new: new.map(str::to_owned),
            share: flag.map_or(Share::ZERO, |flag| flag.share_at(&moment)),
            next_change: flag.and_then(|flag| flag.next_change(&moment)),
            is_enabled: flag.is_none_or(|flag| flag.is_enabled()),
            lock: flag.and_then(|flag| flag.lock()),
            tag: record.tag(),
        })
    }
}

fn source(record: &FlagRecord, flag: Option<Flag<'_>>, has_definition: bool, has_activation: bool) -> FlagSource {
    match &record.document {
        Some(place) => FlagSource::Document(place.clone()),
        None if has_definition => FlagSource::Api,
        None if has_activation => FlagSource::Activation,
        None if flag.is_some_and(|flag| flag.host_lock().is_some()) => FlagSource::Lock,
        None => FlagSource::Default,
    }
}

/// The two values. A flag without a definition is the boolean flag, unless it had a definition when its activation was set.
fn values(flag: Option<Flag<'_>>) -> (Option<&str>, Option<&str>) {
    let Some(flag) = flag else { return (None, None) };
    let had_definition = flag.activation().is_some_and(|activation| activation.defined);
    match (flag.is_defined(), had_definition) {
        (true, _) => (flag.stable(), flag.new_value()),
        (false, false) => (Some("false"), Some("true")),
        (false, true) => (None, None),
    }
}
