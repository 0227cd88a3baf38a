//! A decision of the engine as OpenFeature says it: value, variant, reason and metadata, or an error.

use open_feature::provider::ResolutionDetails;
use open_feature::{EvaluationError, EvaluationErrorCode, EvaluationReason, EvaluationResult};
use tidegate::engine::Flag;
use tidegate::engine::document::Variants;
use tidegate::{Decision, ErrorCode, FlagKey, Reason, Snapshot, View};

use crate::value::{self, Typed};

/// What the decision of a flag says to a program that asks for a `T`.
pub(crate) fn resolution<T: Typed>(
    flag: &Flag<'_>,
    decision: Decision<'_>,
    view: &View,
) -> EvaluationResult<ResolutionDetails<T>> {
    match decision.error {
        None => {}
        Some(ErrorCode::FlagNotFound) => return Err(not_found(&flag.key(), view.snapshot())),
        Some(_) => return Err(key_missing(flag)),
    }
    let Some(json) = flag.typed_json(decision.answer) else { return Err(disabled(flag)) };
    let value = T::read(&json).ok_or_else(|| type_mismatch::<T>(flag, &json))?;
    let details = flag.details().filter(|details| !details.metadata.is_empty());
    Ok(ResolutionDetails {
        value,
        variant: Some(decision.variant_name().unwrap_or(LOCKED).to_owned()),
        reason: Some(reason(flag, &decision, view)),
        flag_metadata: details
            .map(|details| value::metadata(details.metadata.iter().map(|(name, value)| (&**name, value.as_str())))),
    })
}

/// OpenFeature tells a value by position (`SPLIT`) from one that is left where no targeting applies (`DEFAULT`). A flag with
/// rules or early adopters and without a ramp has nothing that a position could decide.
fn reason(flag: &Flag<'_>, decision: &Decision<'_>, view: &View) -> EvaluationReason {
    match decision.reason {
        Reason::Static => EvaluationReason::Static,
        Reason::TargetingMatch => EvaluationReason::TargetingMatch,
        Reason::Split
            if flag.points().is_empty()
                && flag.overridden_until(view.now()).is_none()
                && !flag.variants().is_some_and(Variants::has_split) =>
        {
            EvaluationReason::Default
        }
        Reason::Split => EvaluationReason::Split,
        Reason::Disabled => EvaluationReason::Disabled,
        Reason::Error => EvaluationReason::Error,
    }
}

/// No flag has this key. OpenFeature's scenarios look for the words `flag NAME not found`.
pub(crate) fn not_found(key: &FlagKey, snapshot: &Snapshot) -> EvaluationError {
    let meant = snapshot.nearest(key).map(|meant| format!("; did you mean `{}`?", meant.to_short()));
    let message = format!("flag {} not found{}", key.to_short(), meant.unwrap_or_default());
    error(EvaluationErrorCode::FlagNotFound, message)
}

/// The flag is unknown, and there may be documents that have not arrived yet.
pub(crate) fn not_ready(key: &FlagKey) -> EvaluationError {
    let message = format!(
        "flag {} not found yet: a source has not given its first document; the status of the instance says which, and why",
        key.to_short()
    );
    error(EvaluationErrorCode::ProviderNotReady, message)
}

fn key_missing(flag: &Flag<'_>) -> EvaluationError {
    let name = flag.key().to_short();
    let message = match flag.targeting().and_then(|targeting| targeting.bucket_by.as_deref()) {
        Some(attribute) => {
            format!("`{name}` depends on the attribute `{attribute}`; put it into the evaluation context as a text")
        }
        None => format!("`{name}` depends on a key; set the targeting key of the evaluation context"),
    };
    error(EvaluationErrorCode::TargetingKeyMissing, message)
}

fn type_mismatch<T: Typed>(flag: &Flag<'_>, json: &str) -> EvaluationError {
    let name = flag.key().to_short();
    let message = match value::kind(json) {
        (kind, Some(why_not)) => format!("the value of `{name}` is {kind}: {why_not}"),
        (kind, None) => format!("the value of `{name}` is {kind}, not {}; ask for {kind}", T::NAME),
    };
    error(EvaluationErrorCode::TypeMismatch, message)
}

/// The SDK has no way to say "take your own default" in a decision, so it is an error, and the program takes its default.
fn disabled(flag: &Flag<'_>) -> EvaluationError {
    let message = format!("`{}` is disabled, so the default of the caller applies", flag.key().to_short());
    error(EvaluationErrorCode::General(DISABLED.to_owned()), message)
}

fn error(code: EvaluationErrorCode, message: String) -> EvaluationError {
    EvaluationError { code, message: Some(message) }
}

/// The code of a disabled flag: the word that OpenFeature has for the reason.
const DISABLED: &str = "DISABLED";

/// The variant of a value that a lock of this host gives; OFREP says the same.
const LOCKED: &str = "locked";
