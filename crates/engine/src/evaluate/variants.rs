//! Flags with named variants: the same decision between the two sides, and then the variant of the side.

use super::{Query, caller_default, key_missing, passed_switches, value_of};
use crate::bucket::SubjectKind;
use crate::snapshot::{Choice, Entry, Extra, NONE, Variants};
use crate::trace::Trace;
use crate::{Answer, Decision, ErrorCode, NamedValue, Reason, Rule, Share, Variant};

impl<'s> Query<'s, '_> {
    /// The decision about a flag with variants, without locks and activations.
    #[inline(never)]
    pub(super) fn by_variants(&self, entry: Entry<'s>, extra: &'s Extra, trace: &mut impl Trace) -> Decision<'s> {
        let decision = self.side(entry, extra, trace);
        self.with_variant(Some(entry), decision, trace)
    }

    /// Which of the two sides decides, or what a rule serves.
    fn side(&self, entry: Entry<'s>, extra: &'s Extra, trace: &mut impl Trace) -> Decision<'s> {
        if let Some(locked) = entry.record.lock {
            trace.rule(Rule::DocumentLock);
            return value_of(entry, locked == Variant::New, Reason::Static);
        }
        if !entry.record.enabled {
            trace.passed(Rule::DocumentLock, "there is none");
            trace.rule(Rule::Disabled);
            return caller_default(Reason::Disabled, None);
        }
        passed_switches(trace);
        if entry.record.new == NONE {
            return self.without_new(entry, extra.into(), Share::ZERO, trace);
        }
        self.by_ramp(entry, extra, trace)
    }

    /// What a flag without `new` answers: of one with variants, rules can serve others than `stable`.
    pub(super) fn without_new(
        &self,
        entry: Entry<'s>,
        extra: Option<&'s Extra>,
        share: Share,
        trace: &mut impl Trace,
    ) -> Decision<'s> {
        let decision = extra
            .filter(|extra| extra.variants.is_some())
            .and_then(|extra| self.by_rules(entry, extra, || share, extra.adopters_leave, trace));
        decision.unwrap_or_else(|| {
            trace.rule(Rule::NoNew);
            // Another subject may be in a rule.
            let is_targeted = extra.is_some_and(|extra| extra.variants.is_some() && extra.has_rules());
            value_of(entry, false, if is_targeted { Reason::Split } else { Reason::Static })
        })
    }

    /// The decision with the variant of the side that decided; any other as it is.
    #[cold]
    pub(super) fn with_variant(
        &self,
        entry: Option<Entry<'s>>,
        decision: Decision<'s>,
        trace: &mut impl Trace,
    ) -> Decision<'s> {
        let Some((entry, variants)) = entry.and_then(|entry| Some((entry, entry.extra()?.variants.as_deref()?))) else {
            return decision;
        };
        let choice = match decision.variant {
            Some(Variant::Stable) => &variants.stable,
            Some(Variant::New) => variants.new.as_ref().unwrap_or(&variants.stable),
            _ => return decision,
        };
        if let Some(error) = decision.error {
            // `stable` as a split has no value without a key.
            return match self.choose(entry, variants, choice) {
                Some(named) => Decision { answer: Answer::Named(named), ..decision },
                None => caller_default(Reason::Error, Some(error)),
            };
        }
        self.chosen(entry, variants, choice, decision, trace)
    }

    /// What a rule serves that is neither of the two sides.
    pub(super) fn served(
        &self,
        entry: Entry<'s>,
        extra: &'s Extra,
        choice: &Choice,
        trace: &mut impl Trace,
    ) -> Decision<'s> {
        let decision = value_of(entry, false, Reason::TargetingMatch);
        let Some(variants) = extra.variants.as_deref() else { return decision };
        self.chosen(entry, variants, choice, Decision { variant: Some(Variant::Named), ..decision }, trace)
    }

    /// The decision with the variant that a choice gives to the subject.
    fn chosen(
        &self,
        entry: Entry<'s>,
        variants: &'s Variants,
        choice: &Choice,
        decision: Decision<'s>,
        trace: &mut impl Trace,
    ) -> Decision<'s> {
        let Some(named) = self.choose(entry, variants, choice) else {
            let missing = key_missing(entry, trace);
            return match self.choose(entry, variants, &variants.stable) {
                Some(named) => Decision { answer: Answer::Named(named), ..missing },
                None => caller_default(Reason::Error, Some(ErrorCode::TargetingKeyMissing)),
            };
        };
        let mut reason = decision.reason;
        if choice.is_split() {
            trace.split(|| variants.to_source(choice));
            if reason == Reason::Static {
                reason = Reason::Split;
            }
        }
        Decision { answer: Answer::Named(named), reason, ..decision }
    }

    /// The variant that a choice gives to the subject; `None` where it is a split and the subject has nothing to hash.
    fn choose(&self, entry: Entry<'s>, variants: &'s Variants, choice: &Choice) -> Option<&'s NamedValue> {
        if !choice.is_split() {
            return variants.choose(choice, None);
        }
        match (self.subject.kind(), entry.bucket_by()) {
            (SubjectKind::Drawn(position), _) => variants.choose(choice, Some(&position.get().to_le_bytes())),
            (_, Some(bucket_by)) => {
                bucket_by.with_text(self.subject, |text| variants.choose(choice, Some(text.as_bytes()))).flatten()
            }
            (SubjectKind::Key(key), None) => variants.choose(choice, Some(key.as_bytes())),
            (SubjectKind::Absent, None) => None,
        }
    }
}
