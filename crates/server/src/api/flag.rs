//! A flag as the API shows it: the state that the library says, as JSON.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use tidegate::engine::Change;
use tidegate::{FlagState, Micros, Record, Share, Variant};

use super::ask::{self, FlagPath, Query};
use super::problem::Problem;
use super::{Answer, Kind, Shared, answer};

/// A flag as it is written.
#[derive(Debug, Serialize)]
pub(super) struct FlagJson {
    flag: String,
    source: String,
    definition: Option<Box<RawValue>>,
    activation: Option<ActivationJson>,
    stable: Option<Box<RawValue>>,
    new: Option<Box<RawValue>>,
    share: Share,
    next_change: Option<ChangeJson>,
    enabled: bool,
    lock: Option<&'static str>,
    digest: String,
}

/// The flag's activation, while it is active.
#[derive(Debug, Serialize)]
struct ActivationJson {
    percentage: Share,
    until: Option<Micros>,
    actor: String,
    reason: String,
    stamp: String,
    at: Micros,
    node: String,
}

/// The next change in how the share moves.
#[derive(Debug, Serialize)]
struct ChangeJson {
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
        let state = tide.flag_state(&flag.to_string())?;
        state.map(FlagJson::new).ok_or_else(|| Problem::unknown_flag(&flag, tide.snapshot().nearest(&flag)))
    });
    let flag = answer.await??;
    let tag = flag.digest.clone();
    answer::json(StatusCode::OK, &flag).map(|response| answer::with_tag(response, &tag))
}

impl FlagJson {
    pub(super) fn new(state: FlagState) -> Self {
        let raw = |text: Option<String>| text.and_then(|text| RawValue::from_string(text).ok());
        Self {
            flag: state.flag.to_string(),
            source: state.source.to_string(),
            definition: raw(state.definition),
            activation: state.activation.as_ref().and_then(ActivationJson::new),
            stable: raw(state.stable),
            new: raw(state.new),
            share: state.share,
            next_change: state.next_change.map(ChangeJson::new),
            enabled: state.is_enabled,
            lock: state.lock.map(Variant::as_str),
            digest: state.tag,
        }
    }
}

impl ActivationJson {
    fn new(record: &Record) -> Option<Self> {
        let activation = record.value.as_ref()?.as_activation()?;
        Some(Self {
            percentage: activation.share,
            until: activation.until,
            actor: record.actor.clone(),
            reason: record.reason.clone(),
            stamp: record.stamp.to_string(),
            at: record.at,
            node: answer::name(&record.node),
        })
    }
}

impl ChangeJson {
    fn new(change: Change) -> Self {
        Self { at: change.at, what: change.kind.as_str(), share: change.share }
    }
}
