//! What this node knows of the flag that a change is about, and whether the change may be made.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_engine::{Answer, FlagKey, Share, Subject};
use tidegate_replica::Change as RegisterChange;

use super::Driver;
use super::store::SharedStore;
use crate::live::change_error::ChangeError;
use crate::live::change_request::{ChangeRequest, Entry, FlagTags, Operation, Target, share_of};
use crate::live::record::tag;
use crate::live::request::Refusal;
use crate::live::value::{self, ChangeKind};

/// What this node knows of a flag.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// A document or a live definition defines it.
    is_defined: bool,
    /// Its activation; whether the flag had a definition when that was set.
    activation: Option<bool>,
    /// The program has a default for it.
    has_default: bool,
}

/// What an activation that may be set is to remember.
#[derive(Clone, Copy, Debug)]
struct Admitted {
    /// Whether the flag has a definition, here or elsewhere: where none is loaded, the answer is the caller's default.
    defined: bool,
    /// Whether it makes a bare boolean flag that was not there.
    is_created: bool,
}

/// A change that may be made, and what it writes.
#[derive(Debug)]
pub(super) struct DraftedChange {
    pub(super) flag: FlagKey,
    pub(super) kind: ChangeKind,
    pub(super) write: RegisterChange,
    /// Whether it makes a bare boolean flag that was not there.
    pub(super) is_created: bool,
}

/// The changes of one request that may be made, up to one of them: later ones see what earlier ones write.
#[derive(Debug)]
struct Draft<'d> {
    driver: &'d Driver,
    /// What earlier changes write, by key; none: they remove it.
    written: BTreeMap<Arc<[u8]>, RegisterBytes>,
}

/// The value of a register; none: it is removed.
type RegisterBytes = Option<Arc<[u8]>>;

impl Driver {
    /// What changes write, if all of them may be made. A later one is checked as if the earlier ones had been made.
    pub(super) fn draft(&self, changes: Vec<ChangeRequest>) -> Result<Vec<DraftedChange>, Refusal> {
        if !self.committer.has_room() || self.store.as_ref().is_some_and(SharedStore::is_full) {
            return Err(ChangeError::Busy.into());
        }
        let mut draft = Draft { driver: self, written: BTreeMap::new() };
        let draft = |(index, change)| draft.add(change).map_err(|error| Refusal { index: Some(index), error });
        changes.into_iter().enumerate().map(draft).collect()
    }
}

impl Draft<'_> {
    fn add(&mut self, change: ChangeRequest) -> Result<DraftedChange, ChangeError> {
        let (value, is_created) = self.value_to_write(&change)?;
        let ChangeRequest { flag, operation, actor, reason, expected, .. } = change;
        let kind = operation.kind();
        let key = kind.key(&flag);
        if self.written.insert(Arc::clone(&key), value.clone()).is_some() {
            return Err(ChangeError::Repeated { flag, kind });
        }
        Ok(DraftedChange { flag, kind, write: RegisterChange { key, value, actor, reason, expected }, is_created })
    }

    /// What a change writes into its register, if it may be made; and whether that makes a bare boolean flag.
    fn value_to_write(&self, change: &ChangeRequest) -> Result<(RegisterBytes, bool), ChangeError> {
        self.driver.check_tags(change)?;
        let flag = &change.flag;
        Ok(match &change.operation {
            Operation::Activate(percentage) => {
                let share = share_of(percentage)?;
                let Admitted { defined, is_created } = self.admit(flag, change.target)?;
                let activation = tidegate_engine::Activation { share, until: change.until, defined };
                (Some(value::write_activation(&activation)), is_created)
            }
            Operation::Clear => {
                self.check_activation(flag)?;
                (None, false)
            }
            Operation::Define(Entry::Text(_)) => return Err(ChangeError::Entry),
            Operation::Define(Entry::Checked(value)) => {
                if let Some(source_name) = self.driver.registry.source_of(flag) {
                    return Err(ChangeError::DefinedByDocument { flag: flag.clone(), source_name });
                }
                (Some(Arc::clone(value)), false)
            }
            Operation::Remove => {
                self.check_definition(flag)?;
                (None, false)
            }
            Operation::Restore { value, .. } => (value.clone(), false),
        })
    }

    /// Whether an activation of this flag may be set.
    fn admit(&self, flag: &FlagKey, target: Target) -> Result<Admitted, ChangeError> {
        let known = self.known(flag);
        let is_known = known.is_defined || known.activation.is_some() || known.has_default;
        if target == Target::Existing && !is_known {
            let has_documents = self.driver.registry.has_documents();
            return Err(ChangeError::UnknownFlag { flag: flag.clone(), meant: None, has_documents });
        }
        let had_definition = known.activation == Some(true);
        let defined = known.is_defined
            || match target {
                Target::Elsewhere => true,
                Target::Existing => had_definition,
                // With a document that has not been loaded, it is unknown whether the definition is gone.
                Target::Create => had_definition && !self.driver.registry.are_documents_loaded(),
            };
        let is_created = !defined && !known.has_default && known.activation != Some(false);
        Ok(Admitted { defined, is_created })
    }

    /// Whether there is an activation to clear.
    fn check_activation(&self, flag: &FlagKey) -> Result<(), ChangeError> {
        let known = self.known(flag);
        if self.value_of(ChangeKind::Activation, flag).is_some() {
            return Ok(());
        }
        if known.is_defined || known.has_default {
            return Err(ChangeError::NoActivation { flag: flag.clone() });
        }
        let has_documents = self.driver.registry.has_documents();
        Err(ChangeError::UnknownFlag { flag: flag.clone(), meant: None, has_documents })
    }

    /// Whether there is a definition to remove.
    fn check_definition(&self, flag: &FlagKey) -> Result<(), ChangeError> {
        if self.value_of(ChangeKind::Definition, flag).is_some() {
            return Ok(());
        }
        match self.driver.registry.source_of(flag) {
            Some(source_name) => Err(ChangeError::DefinedByDocument { flag: flag.clone(), source_name }),
            None => Err(ChangeError::NoDefinition { flag: flag.clone() }),
        }
    }

    fn known(&self, flag: &FlagKey) -> Known {
        let activation = self.value_of(ChangeKind::Activation, flag);
        Known {
            is_defined: self.driver.registry.source_of(flag).is_some()
                || self.value_of(ChangeKind::Definition, flag).is_some(),
            // One that only a newer version can read is there all the same.
            activation: activation
                .map(|value| value::read_activation(value).is_ok_and(|activation| activation.defined)),
            has_default: self.driver.registry.has_default(flag),
        }
    }

    fn value_of(&self, kind: ChangeKind, flag: &FlagKey) -> Option<&[u8]> {
        match self.written.get(&kind.key(flag)) {
            Some(written) => written.as_deref(),
            None => self.driver.value_of(kind, flag),
        }
    }
}

impl Driver {
    /// Whether the flag's tag on this node is one that the change accepts.
    fn check_tags(&self, change: &ChangeRequest) -> Result<(), ChangeError> {
        let flag = &change.flag;
        let is_among = |tags: &FlagTags| match tags {
            FlagTags::Any => self.value_of(change.operation.kind(), flag).is_some(),
            FlagTags::OneOf(tags) => tags.contains(&self.tag_of(flag)),
        };
        if change.if_match.as_ref().is_some_and(|tags| !is_among(tags)) {
            return Err(ChangeError::NoMatch { flag: flag.clone() });
        }
        if change.if_none_match.as_ref().is_some_and(is_among) {
            return Err(ChangeError::Match { flag: flag.clone() });
        }
        Ok(())
    }

    fn tag_of(&self, flag: &FlagKey) -> String {
        let stamp = |kind: ChangeKind| self.replica.get(&kind.key(flag)).map(|register| register.stamp);
        tag(stamp(ChangeKind::Definition), stamp(ChangeKind::Activation))
    }

    /// The share of keys with `new` by what is active now; none where each caller has its own default.
    pub(super) fn share_of(&self, flag: &FlagKey) -> Option<Share> {
        let published = self.registry.instance().board.load();
        let index = published.snapshot.find(flag.section(), flag.flag())?;
        let moment = published.moment(self.clock.now());
        let decision = published.snapshot.evaluate(Some(index), &Subject::from(None), &moment);
        let is_answered = !matches!(decision.answer, Answer::CallerDefault);
        is_answered.then(|| published.snapshot.flag(index).share_at(&moment))
    }

    fn value_of(&self, kind: ChangeKind, flag: &FlagKey) -> Option<&[u8]> {
        self.replica.get(&kind.key(flag))?.value.as_deref()
    }
}
