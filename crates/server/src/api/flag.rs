//! A flag as the API shows it: the state that the library says, as JSON.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::value::RawValue;
use tidegate::engine::Change;
use tidegate::{FlagState, Micros, Record, Share, Variant};
use utoipa::ToSchema;

use super::ask::{self, FlagPath, Query};
use super::problem::Problem;
use super::{Answer, Kind, Shared, answer};
use crate::openapi::parameters::FlagNames;

/// A flag.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Flag)]
pub(super) struct FlagJson {
    /// Its flag key, `section/flag`.
    flag: String,
    /// `document <place>`, `api` for a definition that was made here, `activation` where there is only an activation, `default`, or
    /// `lock` where only a lock of this host knows it.
    source: String,
    /// The entry that was made here, or null.
    #[schema(value_type = Value)]
    definition: Option<Box<RawValue>>,
    /// The active activation, or null.
    #[schema(required)]
    activation: Option<ActivationJson>,
    /// The value `stable`, as it is written.
    #[schema(value_type = Value)]
    stable: Option<Box<RawValue>>,
    /// The value `new`, as it is written.
    #[schema(value_type = Value)]
    new: Option<Box<RawValue>>,
    /// How many percent of the keys have `new` now.
    #[schema(value_type = f64)]
    share: Share,
    /// The next turn of the share, or null.
    #[schema(required)]
    next_change: Option<ChangeJson>,
    /// `enabled` of its entry.
    enabled: bool,
    /// `lock` of its entry.
    #[schema(required)]
    lock: Option<&'static str>,
    /// The content of the `ETag`.
    digest: String,
}

/// The flag's activation, while it is active.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Activation)]
struct ActivationJson {
    /// How many percent of the keys have `new`.
    #[schema(value_type = f64)]
    percentage: Share,
    /// When it ends; null: when it is removed.
    #[schema(required, value_type = Option<String>, format = DateTime)]
    until: Option<Micros>,
    /// Who set it.
    actor: String,
    /// Why.
    reason: String,
    /// The stamp of the change.
    stamp: String,
    /// The instant that the stamp names.
    #[schema(value_type = String, format = DateTime)]
    at: Micros,
    /// The node that made the change.
    node: String,
}

/// The next change in how the share moves.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NextChange)]
struct ChangeJson {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    at: Micros,
    /// `rises`, `holds`, `ends`, `falls` or `expires`.
    what: &'static str,
    /// The share then, in percent.
    #[schema(value_type = f64)]
    share: Share,
}

/// One flag
///
/// Its state on this node. The `ETag` changes with every change of the activation or of the definition and not with the ramp, so it
/// is not used to answer 304; a change takes it as `If-Match`.
#[utoipa::path(
    get, path = "/api/v1/flags/{section}/{flag}", tag = "flags", operation_id = "getFlag", params(FlagNames),
    responses((status = 200, description = "the flag", body = FlagJson, headers(("ETag" = String)))),
    extensions(("x-problems" = json!("unknown-flag busy"))),
)]
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
