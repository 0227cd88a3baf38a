//! What a change asks the driver for.

use std::sync::Arc;
use std::time::Duration;

use tidegate_engine::document::{parse_time, read_definition};
use tidegate_engine::{FlagKey, Micros, Share};
use tidegate_replica::limits::TEXT_BYTES_MAX;
use tidegate_replica::{Expected, Level};

use super::change_error::ChangeError;
use super::percentage::{InvalidPercentage, Percentage};
use super::value::{self, ChangeKind};

/// A change of one flag, as the driver makes it.
#[derive(Clone, Debug)]
pub(super) struct ChangeRequest {
    pub(super) flag: FlagKey,
    pub(super) operation: Operation,
    pub(super) target: Target,
    pub(super) actor: Arc<str>,
    pub(super) reason: Arc<str>,
    pub(super) until: Option<Micros>,
    pub(super) level: Level,
    pub(super) timeout: Duration,
    pub(super) expected: Expected,
    pub(super) if_match: Option<FlagTags>,
    pub(super) if_none_match: Option<FlagTags>,
}

/// What a change does to its flag.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// Sets the activation.
    Activate(Percentage),
    /// Removes the activation.
    Clear,
    /// Defines the flag.
    Define(Entry),
    /// Removes the definition.
    Remove,
    /// Writes a register of a backup again.
    Restore { kind: ChangeKind, value: Option<Arc<[u8]>> },
}

/// The entry that defines a flag.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// As the caller gave it.
    Text(String),
    /// The value of its register, which every node can read. The driver is given no other.
    Checked(Arc<[u8]>),
}

/// Tags of a flag: what [`FlagRecord::tag`](super::FlagRecord::tag) returned, for [`Change::if_match`](super::Change::if_match).
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FlagTags {
    /// Any, if the register that the change writes has a value.
    Any,
    /// One of these.
    OneOf(Vec<String>),
}

/// Which flags an activation may be set for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) enum Target {
    /// Any flag. One that this node does not know becomes a bare boolean flag.
    #[default]
    Create,
    /// A flag that this node knows.
    Existing,
    /// Any flag. Of one that this node does not know, other nodes have the definition.
    Elsewhere,
}
impl ChangeRequest {
    /// A change without a condition, without an actor.
    pub(super) fn new(flag: FlagKey, operation: Operation) -> Self {
        Self {
            flag,
            operation,
            target: Target::default(),
            actor: Arc::default(),
            reason: Arc::default(),
            until: None,
            level: Level::default(),
            timeout: ACK_TIMEOUT,
            expected: Expected::Anything,
            if_match: None,
            if_none_match: None,
        }
    }

    /// Checks all that can be checked without the driver, and makes the value of a definition.
    pub(super) fn check(&mut self, now: Micros) -> Result<(), ChangeError> {
        self.flag.check().map_err(|problem| ChangeError::Name { problem })?;
        for (what, text) in [("actor", &self.actor), ("reason", &self.reason)] {
            if text.len() > TEXT_BYTES_MAX {
                return Err(ChangeError::TextTooLong { what, bytes: text.len() });
            }
        }
        match &self.operation {
            Operation::Activate(percentage) => {
                share_of(percentage)?;
                if let Some(until) = self.until.filter(|until| *until <= now) {
                    return Err(ChangeError::Past { until, now });
                }
                if let Some(until) = self.until.filter(|until| parse_time(&until.to_string()) != Ok(*until)) {
                    return Err(ChangeError::Never { until });
                }
            }
            Operation::Define(Entry::Text(entry)) => {
                let (definition, _) = read_definition(&self.flag, entry)?;
                let value = value::write_definition(&self.flag, &definition.entry).map_err(|_| ChangeError::Entry)?;
                self.operation = Operation::Define(Entry::Checked(value));
            }
            Operation::Clear | Operation::Remove | Operation::Define(Entry::Checked(_)) | Operation::Restore { .. } => {
            }
        }
        Ok(())
    }
}

impl Operation {
    /// The register that it writes.
    pub(super) fn kind(&self) -> ChangeKind {
        match self {
            Self::Activate(_) | Self::Clear => ChangeKind::Activation,
            Self::Define(_) | Self::Remove => ChangeKind::Definition,
            Self::Restore { kind, .. } => *kind,
        }
    }
}
pub(super) fn share_of(percentage: &Percentage) -> Result<Share, ChangeError> {
    percentage.share().map_err(|InvalidPercentage { text, problem }| ChangeError::Percentage { text, problem })
}
/// How long an acknowledgement is waited for, unless told otherwise.
pub(super) const ACK_TIMEOUT: Duration = Duration::from_millis(500);
