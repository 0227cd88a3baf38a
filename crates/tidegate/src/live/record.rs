//! What stands in the registers of a flag: its activation and its definition, with who wrote them and why.

use std::collections::BTreeMap;

use serde::Serialize;
use tidegate_engine::{FlagKey, Micros};
use tidegate_replica::{NodeId, Register, Stamp};

use super::driver_view::DriverView;
use super::names::{NodeName, instant_of};
use super::text;
use super::value::{ChangeKind, RegisterValue};

/// The registers of one flag on this node; made by [`Cluster::flag`](super::Cluster::flag). Both are none for a flag of
/// which no live change was ever made.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct FlagRecord {
    /// The flag.
    #[serde(serialize_with = "text::serialize")]
    pub flag: FlagKey,
    /// Its activation.
    pub activation: Option<Record>,
    /// Its definition apart from any document.
    pub definition: Option<Record>,
    /// Where the document comes from that defines it. Then a definition has no effect here.
    pub document: Option<String>,
}

/// What stands in a register.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct Record {
    /// When and by which node it was written: for [`Change::if_stamp`](super::Change::if_stamp).
    #[serde(serialize_with = "text::serialize")]
    pub stamp: Stamp,
    /// The same instant for people.
    pub at: Micros,
    /// What it says; none: it was cleared or removed, or only a newer version can read it.
    pub value: Option<RegisterValue>,
    /// Who wrote it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// On which node.
    pub node: NodeName,
}

impl FlagRecord {
    /// Names what stands in both registers: it changes with each change of either, and is the same on all nodes that have the same.
    /// For [`Change::if_match`](super::Change::if_match).
    pub fn tag(&self) -> String {
        let stamp = |record: &Option<Record>| record.as_ref().map(|record| record.stamp);
        tag(stamp(&self.definition), stamp(&self.activation))
    }

    /// The activation, if there is one that has not expired at this instant.
    pub fn activation_at(&self, now: Micros) -> Option<&Record> {
        let register = self.activation.as_ref()?;
        let activation = register.value.as_ref()?.as_activation()?;
        activation.until.is_none_or(|until| now < until).then_some(register)
    }

    /// Whether one of the registers has a value: it was neither cleared nor removed.
    pub(super) fn has_value(&self) -> bool {
        [&self.activation, &self.definition].into_iter().flatten().any(|register| register.value.is_some())
    }

    /// That of a flag of which nothing was written.
    pub(crate) fn empty(flag: FlagKey) -> Self {
        Self { flag, activation: None, definition: None, document: None }
    }

    pub(super) fn from_view(flag: FlagKey, view: &DriverView<'_>) -> Self {
        Self::from_registers(flag, view.names, |key| view.replica.get(key))
    }

    /// The record of a flag, from wherever its registers are.
    pub(crate) fn from_registers<'r>(
        flag: FlagKey,
        names: &BTreeMap<NodeId, String>,
        get: impl Fn(&[u8]) -> Option<&'r Register>,
    ) -> Self {
        let mut record = Self::empty(flag);
        for kind in [ChangeKind::Activation, ChangeKind::Definition] {
            if let Some(register) = get(&kind.key(&record.flag)) {
                record.put(kind, register, names);
            }
        }
        record
    }

    pub(super) fn put(&mut self, kind: ChangeKind, register: &Register, names: &BTreeMap<NodeId, String>) {
        let record = Some(Record {
            stamp: register.stamp,
            at: instant_of(register.stamp),
            value: register.value.as_deref().and_then(|value| RegisterValue::from_bytes(kind, value)),
            actor: register.actor.to_string(),
            reason: register.reason.to_string(),
            node: NodeName::new(register.stamp.node(), names),
        });
        match kind {
            ChangeKind::Activation => self.activation = record,
            ChangeKind::Definition => self.definition = record,
        }
    }
}

/// The tag of a flag whose registers have these stamps.
pub(super) fn tag(definition: Option<Stamp>, activation: Option<Stamp>) -> String {
    let text = |stamp: Option<Stamp>| stamp.map_or_else(|| "0".to_owned(), |stamp| stamp.to_string());
    format!("{}.{}", text(definition), text(activation))
}
