//! A flag as the API shows it: where it is defined, its activation, its share now, and its next change.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use tidegate::{FlagKey, FlagRecord, Micros, RegisterValue, Tidegate, Variant, View};
use tidegate_engine::{Change, Flag, Share};

use super::ask::{self, FlagPath, Query};
use super::problem::Problem;
use super::{Answer, Kind, Shared, answer, precondition};

/// A flag as it is written.
#[derive(Debug, Serialize)]
pub(super) struct Shown {
    flag: String,
    /// `document <place>`, `api`, `activation`, `default`, or `lock` where only a lock of this host names it.
    source: String,
    definition: Option<Box<RawValue>>,
    activation: Option<ShownActivation>,
    stable: Option<Box<RawValue>>,
    new: Option<Box<RawValue>>,
    share: Share,
    next_change: Option<Next>,
    enabled: bool,
    lock: Option<&'static str>,
    digest: String,
}

/// The flag's activation, while it is active.
#[derive(Debug, Serialize)]
struct ShownActivation {
    percentage: Share,
    until: Option<Micros>,
    actor: String,
    reason: String,
    stamp: String,
    at: Micros,
    node: String,
}

/// The next turn of the share.
#[derive(Debug, Serialize)]
struct Next {
    at: Micros,
    what: &'static str,
    share: Share,
}

/// `GET` of one flag.
pub(super) async fn show(State(api): Shared, path: FlagPath, request: Request) -> Answer {
    let flag = ask::flag_of(path)?;
    Query::read(request.uri(), &[])?;
    let tide = api.tide.clone();
    let answer = api.blocking(Kind::Read, move || {
        let record = match tide.cluster() {
            Some(cluster) => Some(cluster.flag(&flag.to_string())?),
            None => None,
        };
        let view = tide.view();
        let found = view.snapshot().find(flag.section(), flag.flag()).map(|index| view.snapshot().flag(index));
        if found.is_none() && !record.as_ref().is_some_and(has_value) {
            return Err(Problem::unknown_flag(&flag, view.snapshot().nearest(&flag)));
        }
        Ok(shown(&tide, &view, &flag, found, record.as_ref()))
    });
    let flag = answer.await??;
    let tag = flag.digest.clone();
    answer::json(StatusCode::OK, &flag).map(|response| answer::with_tag(response, &tag))
}

pub(super) fn has_value(record: &FlagRecord) -> bool {
    [&record.activation, &record.definition].into_iter().flatten().any(|register| register.value.is_some())
}

pub(super) fn shown(
    tide: &Tidegate,
    view: &View,
    key: &FlagKey,
    flag: Option<Flag<'_>>,
    record: Option<&FlagRecord>,
) -> Shown {
    let moment = view.moment();
    let definition = record.and_then(|record| record.definition.as_ref()).and_then(|register| register.value.as_ref());
    let definition = definition.and_then(RegisterValue::as_definition).map(ToOwned::to_owned);
    let activation = record.and_then(|record| active(record, view.now()));
    let document = record.and_then(|record| record.document.clone());
    let is_defined = flag.is_some_and(|flag| flag.is_defined());
    let source = match (document, &definition) {
        (Some(place), _) => format!("document {place}"),
        (None, Some(_)) => "api".to_owned(),
        (None, None) if is_defined => format!("document {}", tide.status().source),
        (None, None) if activation.is_some() => "activation".to_owned(),
        (None, None) if flag.is_some_and(|flag| flag.host_lock().is_some()) => "lock".to_owned(),
        (None, None) => "default".to_owned(),
    };
    let raw = |text: Option<&str>| text.and_then(|text| RawValue::from_string(text.to_owned()).ok());
    // A flag without a definition is the boolean flag, unless it had a definition when its activation was set.
    let had_definition = flag.and_then(|flag| flag.activation().map(|activation| activation.defined));
    let is_bare = flag.is_some() && !is_defined && had_definition != Some(true);
    let value = |value: Option<&str>, bare: &'static str| raw(value.or(is_bare.then_some(bare)));
    Shown {
        flag: key.to_string(),
        source,
        definition,
        activation,
        stable: value(flag.and_then(|flag| flag.stable()), "false"),
        new: value(flag.and_then(|flag| flag.new_value()), "true").filter(|_| is_bare || is_defined),
        share: flag.map_or(Share::ZERO, |flag| flag.share_at(&moment)),
        next_change: flag.and_then(|flag| flag.next_change(&moment)).map(next),
        enabled: flag.is_none_or(|flag| flag.is_enabled()),
        lock: flag.and_then(|flag| flag.lock()).map(Variant::as_str),
        digest: precondition::tag(record),
    }
}

fn next(change: Change) -> Next {
    Next { at: change.at, what: change.kind.as_str(), share: change.share }
}

/// The activation, if there is one and it has not expired.
fn active(record: &FlagRecord, now: Micros) -> Option<ShownActivation> {
    let register = record.activation.as_ref()?;
    let activation = register.value.as_ref()?.as_activation()?;
    if activation.until.is_some_and(|until| until <= now) {
        return None;
    }
    Some(ShownActivation {
        percentage: activation.share,
        until: activation.until,
        actor: register.actor.clone(),
        reason: register.reason.clone(),
        stamp: register.stamp.to_string(),
        at: register.at,
        node: answer::name(&register.node),
    })
}
