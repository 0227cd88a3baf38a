//! What a subject has of a flag of a document in the body, and why.

use axum::extract::{Request, State};
use serde_json::Value;
use tidegate_engine::lease::Clocks;
use tidegate_engine::{JsonAttributes, Moment};
use utoipa::ToSchema;

use super::decision::subject;
use super::given::{self, Given, instant};
use super::problem::Problem;
use super::{Answer, Kind, Shared};
use crate::openapi::schemas;

/// Explain a flag of a document
///
/// The value of the flag for a subject, and why, by the document or the entry in the body. Locks, activations and leases have no part
/// in it. Nothing is stored.
#[utoipa::path(
    post, path = "/api/v1/explain", tag = "decisions", operation_id = "explainDocument",
    request_body(content = ExplainRequest, example = json!({
        "entry": {"stable": "blue", "new": "green", "start_time": "2040-01-01 00:00Z", "duration": "14d"},
        "flag": "shop/banner", "key": "ann", "at": "2040-01-08T00:00:00Z",
    })),
    responses((status = 200, description = "the decision", body = schemas::Decision)),
    extensions(("x-problems" = json!("busy ended refused unknown-flag work-timeout"))),
)]
pub(super) async fn explain(State(api): Shared, request: Request) -> Answer {
    let now = api.tide.view().now();
    let known = &["document", "entry", "flag", "key", "attributes", "at"];
    given::answer(&api, request, Kind::Definition, known, move |fields, _, output| {
        let now = instant(fields, "at")?.unwrap_or(now);
        let key = fields.text("key")?;
        let attributes = fields.raw("attributes").map(JsonAttributes::parse).transpose();
        let help = "send a JSON object, such as `{\"plan\": \"premium\"}`";
        let attributes = attributes.map_err(|error| Problem::invalid("attributes", error.to_string(), help))?;
        let given = Given::read(fields)?;
        let (flag, _) = given.named()?;
        let moment = Moment { now, leases: &Clocks::synced() };
        let attributes = attributes.unwrap_or_default();
        let subject = subject(key.as_deref(), &attributes);
        output.json(&given.snapshot.explain(flag.section(), flag.flag(), &subject, &moment))
    })
    .await
}

/// A decision to be explained.
#[derive(Debug, ToSchema)]
#[schema(as = ExplainRequest)]
#[expect(dead_code, reason = "only its schema is used")]
struct ExplainRequest {
    /// The document: an object, or a string with its text, which may have comments.
    #[schema(value_type = Option<schemas::DocumentOrText>)]
    document: Option<Value>,
    /// Instead of a document: the entry of the flag, as a definition has it.
    #[schema(value_type = Option<schemas::EntryObject>)]
    entry: Option<Value>,
    /// The flag key, `section/flag`.
    flag: String,
    /// The key of the subject, such as a user id or a host name.
    key: Option<String>,
    /// The attributes of the subject.
    #[schema(value_type = Option<schemas::AttributesObject>)]
    attributes: Option<Value>,
    /// An instant; by default the clock of the server.
    at: Option<String>,
}
