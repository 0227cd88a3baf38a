//! The contract of OFREP's paths, which [`Target`](super::path::Target) reads. The functions are never called: each stands for an
//! endpoint, below the root and below a section.
#![expect(dead_code, reason = "only the annotations are used")]

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::openapi::{OpenApi, RefOr};
use utoipa::{IntoParams, OpenApi as _, ToSchema};

/// Evaluate one flag
///
/// One flag for one context.
#[utoipa::path(
    post, path = "/ofrep/v1/evaluate/flags/{key}", tag = "ofrep", operation_id = "evaluateFlag", params(Key),
    request_body(content = EvaluationRequest, example = json!({"context": {"targetingKey": "ann", "plan": "premium"}})),
    responses(
        (status = 200, description = "the value", body = Evaluation),
        (status = 400, description = "`PARSE_ERROR`, `INVALID_CONTEXT`, `TARGETING_KEY_MISSING` or `GENERAL`", body = Failure),
        (status = 404, description = "`FLAG_NOT_FOUND`", body = Failure),
        (status = 408, description = "`GENERAL`", body = Failure),
        (status = 413, description = "`GENERAL`", body = Failure),
        (status = 415, description = "`PARSE_ERROR`", body = Failure),
        (status = 429, description = "`GENERAL`", body = Failure, headers(("Retry-After" = u32))),
        (status = 500, description = "`GENERAL`", body = Failure),
    ),
)]
fn evaluate_flag() {}

/// Evaluate all flags
///
/// All flags for one context, with an `ETag`; 304 where `If-None-Match` has it.
#[utoipa::path(
    post, path = "/ofrep/v1/evaluate/flags", tag = "ofrep", operation_id = "evaluateFlags", params(Tag, Notified),
    request_body(content = EvaluationRequest, example = json!({"context": {"targetingKey": "ann", "plan": "premium"}})),
    responses(
        (status = 200, description = "the values", body = Evaluations, headers(("ETag" = String))),
        (status = 304, description = "the answer would be the one that has this tag", headers(("ETag" = String))),
        (status = 400, description = "`PARSE_ERROR` or `INVALID_CONTEXT`", body = Failure),
        (status = 408, description = "`GENERAL`", body = Failure),
        (status = 413, description = "`GENERAL`", body = Failure),
        (status = 415, description = "`PARSE_ERROR`", body = Failure),
        (status = 429, description = "`GENERAL`", body = Failure, headers(("Retry-After" = u32))),
        (status = 500, description = "`GENERAL`", body = Failure),
    ),
)]
fn evaluate_flags() {}

/// Be told when to evaluate again
///
/// A stream of server-sent events.
#[utoipa::path(
    get, path = "/ofrep/v1/events", tag = "ofrep", operation_id = "watchEvaluations", params(LastEvent),
    responses(
        (status = 200, description = "the events", body = String, content_type = "text/event-stream"),
        (status = 429, description = "`GENERAL`", body = Failure, headers(("Retry-After" = u32))),
        (status = 500, description = "`GENERAL`", body = Failure),
    ),
)]
fn events() {}

#[derive(utoipa::OpenApi)]
#[openapi(paths(evaluate_flag, evaluate_flags, events))]
struct Contract;

/// The contract of OFREP: each endpoint below the root, and below a section.
pub(crate) fn contract() -> OpenApi {
    let mut contract = Contract::openapi();
    for (path, mut item) in contract.paths.paths.clone() {
        for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
            let id = operation.operation_id.take().unwrap_or_default();
            operation.operation_id = Some(format!("{id}OfSection"));
            operation.summary = operation.summary.take().map(|summary| format!("{summary} of a section"));
            let parameters = operation.parameters.get_or_insert_default();
            parameters.extend(Section::into_params(|| None).into_iter().map(RefOr::T));
        }
        contract.paths.paths.insert(format!("/sections/{{section}}{path}"), item);
    }
    contract
}

/// The flag.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
struct Key {
    /// The name of a flag of the section `flags`, or `section/flag`, raw or percent-encoded.
    #[param(example = "banner")]
    key: String,
}

/// The section.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Path)]
struct Section {
    /// The section, percent-encoded. All flags go by their names.
    #[param(example = "flags")]
    section: String,
}

/// The answer that the client has.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
struct Tag {
    /// The `ETag` of the last answer.
    #[param(rename = "If-None-Match")]
    if_none_match: Option<String>,
}

/// The event after which a client evaluates again. The server does not need them.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[into_params(rename_all = "camelCase")]
struct Notified {
    /// The `etag` of the event.
    flag_config_etag: Option<String>,
    /// The `lastModified` of the event.
    flag_config_last_modified: Option<String>,
}

/// The last event that the client has.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
struct LastEvent {
    /// The `id` of the last event, to continue a stream.
    #[param(rename = "Last-Event-ID")]
    last_event_id: Option<String>,
}

/// Who asks.
#[derive(Debug, Serialize, ToSchema)]
struct EvaluationRequest {
    /// The context; without it there is no key.
    #[schema(required = false)]
    context: EvaluationContext,
}

/// The context of an evaluation: the key, and attributes beside it.
#[derive(Debug, Serialize, ToSchema)]
struct EvaluationContext {
    /// The key. Flags that everybody has alike need none.
    #[schema(rename = "targetingKey", required = false)]
    targeting_key: String,
}

/// The answer of a flag.
#[derive(Debug, Serialize, ToSchema)]
struct Evaluation {
    /// The flag.
    key: String,
    /// The value: a boolean, a number, a text or an object; absent where the client takes the default of its code.
    #[schema(required = false)]
    value: Option<Value>,
    /// `STATIC`, `TARGETING_MATCH`, `SPLIT` or `DISABLED`.
    reason: String,
    /// The variant.
    variant: String,
    /// The metadata of the entry.
    metadata: Option<BTreeMap<String, Scalar>>,
}

/// A value of metadata.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Scalar {
    /// A boolean.
    Boolean(bool),
    /// A number.
    Number(f64),
    /// A text.
    Text(String),
}

/// A flag that could not be evaluated.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EvaluationFailure, rename_all = "camelCase")]
struct Failure {
    /// The flag, where the request names one.
    key: Option<String>,
    /// The error code of OpenFeature.
    error_code: String,
    /// What is wrong, and what to do.
    error_details: String,
}

/// The answers of all flags.
#[derive(Debug, Serialize, ToSchema)]
#[schema(rename_all = "camelCase")]
struct Evaluations {
    /// The answers, in the order of the flags' keys.
    flags: Vec<Item>,
    /// Streams that tell when to evaluate again.
    event_streams: Vec<EventStream>,
    /// `flagSetId`, the section, where the path names one.
    metadata: Option<BTreeMap<String, Scalar>>,
}

/// A flag of a bulk answer.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
enum Item {
    /// Its answer.
    Answer(Evaluation),
    /// Why there is none.
    Failure(Failure),
}

/// A stream of events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(rename_all = "camelCase")]
struct EventStream {
    /// `sse`.
    r#type: String,
    /// Where it is.
    endpoint: Endpoint,
    /// Seconds without activity after which a client closes it.
    inactivity_delay_sec: u32,
}

/// Where a stream is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(rename_all = "camelCase")]
struct Endpoint {
    /// Its path.
    request_uri: String,
}
