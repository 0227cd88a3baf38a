//! What this node knows of the flag that a change is about, and whether the change may be made.

use tidegate_engine::{Answer, FlagKey, Share, Subject};

use super::Driver;
use crate::live::change_error::ChangeError;
use crate::live::change_request::{ChangeRequest, FlagTags, Target};
use crate::live::record::tag;
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
pub(super) struct Admitted {
    /// Whether the flag has a definition, here or elsewhere: where none is loaded, the answer is the caller's default.
    pub(super) defined: bool,
    /// Whether it makes a bare boolean flag that was not there.
    pub(super) is_created: bool,
}

impl Driver {
    /// Whether an activation of this flag may be set.
    pub(super) fn admit(&self, flag: &FlagKey, target: Target) -> Result<Admitted, ChangeError> {
        let known = self.known(flag);
        let is_known = known.is_defined || known.activation.is_some() || known.has_default;
        if target == Target::Existing && !is_known {
            let has_documents = self.registry.has_documents();
            return Err(ChangeError::UnknownFlag { flag: flag.clone(), meant: None, has_documents });
        }
        let had_definition = known.activation == Some(true);
        let defined = known.is_defined
            || match target {
                Target::Elsewhere => true,
                Target::Existing => had_definition,
                // With a document that has not been loaded, it is unknown whether the definition is gone.
                Target::Create => had_definition && !self.registry.are_documents_loaded(),
            };
        let is_created = !defined && !known.has_default && known.activation != Some(false);
        Ok(Admitted { defined, is_created })
    }

    /// Whether there is an activation to clear.
    pub(super) fn check_activation(&self, flag: &FlagKey) -> Result<(), ChangeError> {
        let known = self.known(flag);
        if self.value_of(ChangeKind::Activation, flag).is_some() {
            return Ok(());
        }
        if known.is_defined || known.has_default {
            return Err(ChangeError::NoActivation { flag: flag.clone() });
        }
        let has_documents = self.registry.has_documents();
        Err(ChangeError::UnknownFlag { flag: flag.clone(), meant: None, has_documents })
    }

    /// Whether there is a definition to remove.
    pub(super) fn check_definition(&self, flag: &FlagKey) -> Result<(), ChangeError> {
        if self.value_of(ChangeKind::Definition, flag).is_some() {
            return Ok(());
        }
        match self.registry.source_of(flag) {
            Some(source_name) => Err(ChangeError::DefinedByDocument { flag: flag.clone(), source_name }),
            None => Err(ChangeError::NoDefinition { flag: flag.clone() }),
        }
    }

    /// Whether the flag's tag on this node is one that the change accepts.
    pub(super) fn check_tags(&self, change: &ChangeRequest) -> Result<(), ChangeError> {
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

    fn known(&self, flag: &FlagKey) -> Known {
        let activation = self.value_of(ChangeKind::Activation, flag);
        Known {
            is_defined: self.registry.source_of(flag).is_some()
                || self.value_of(ChangeKind::Definition, flag).is_some(),
            // One that only a newer version can read is there all the same.
            activation: activation
                .map(|value| value::read_activation(value).is_ok_and(|activation| activation.defined)),
            has_default: self.registry.has_default(flag),
        }
    }

    fn value_of(&self, kind: ChangeKind, flag: &FlagKey) -> Option<&[u8]> {
        self.replica.get(&kind.key(flag))?.value.as_deref()
    }
}
