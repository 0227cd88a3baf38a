//! Changes in quarantine: seen, accepted, dropped.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use tidegate::{ChangeKind, QuarantineEntry, Verdict};
use utoipa::ToSchema;

use super::answer::ReceiptJson;
use super::ask::Query;
use super::cluster::{read, reason};
use super::problem::Problem;
use super::{Answer, Kind, Shared, answer};
use crate::openapi::CHANGE_PROBLEMS;
use crate::openapi::parameters::Actor;

/// The quarantined changes
///
/// The changes that are quarantined on this node, in the order of their flags.
#[utoipa::path(
    get, path = "/api/v1/cluster/quarantine", tag = "cluster", operation_id = "listQuarantined",
    responses((status = 200, description = "the changes", body = Quarantine)),
    extensions(("x-problems" = json!("not-live follower busy"))),
)]
pub(super) async fn list(State(api): Shared, request: Request) -> Answer {
    Query::read(request.uri(), &[])?;
    let cluster = api.cluster()?;
    let held = api.blocking(Kind::Read, move || cluster.quarantine()).await??;
    answer::json(StatusCode::OK, &json!({"changes": held.iter().map(shown).collect::<Vec<_>>()}))
}

/// Accept a quarantined change
///
/// Makes it active on all nodes.
#[utoipa::path(
    post, path = "/api/v1/cluster/quarantine/accept", tag = "cluster", operation_id = "acceptQuarantined", params(Actor),
    request_body(content = Verdicts, example = json!({"flag": "shop/banner", "kind": "activation", "reason": "it is right"})),
    responses(
        (status = 200, description = "the level was reached", body = ReceiptJson<'_>),
        (status = 202, description = "the level was not reached in time; the change is kept", body = ReceiptJson<'_>),
    ),
    extensions(("x-problems" = json!([CHANGE_PROBLEMS, "not-quarantined"]))),
)]
pub(super) async fn accept(state: Shared, request: Request) -> Answer {
    resolve(state, request, Verdict::Accept).await
}

/// Drop a quarantined change
///
/// Drops it on all nodes: it never becomes active.
#[utoipa::path(
    post, path = "/api/v1/cluster/quarantine/drop", tag = "cluster", operation_id = "dropQuarantined", params(Actor),
    request_body(content = Verdicts, example = json!({"flag": "shop/banner", "kind": "activation", "reason": "it is wrong"})),
    responses(
        (status = 200, description = "the level was reached", body = ReceiptJson<'_>),
        (status = 202, description = "the level was not reached in time; the change is kept", body = ReceiptJson<'_>),
    ),
    extensions(("x-problems" = json!([CHANGE_PROBLEMS, "not-quarantined"]))),
)]
pub(super) async fn drop(state: Shared, request: Request) -> Answer {
    resolve(state, request, Verdict::Drop).await
}

async fn resolve(State(api): Shared, request: Request, verdict: Verdict) -> Answer {
    let (fields, actor) = read(&api, request, &["flag", "kind", "reason"]).await?;
    let missing = || Problem::invalid("flag", "`flag` is missing", "name the flag, as GET shows it");
    let flag = fields.text("flag")?.ok_or_else(missing)?;
    let wrong = |error| Problem::invalid("kind", format!("`kind` {error}"), "say `activation` or `definition`");
    let kind = fields.text("kind")?.map(|kind| kind.parse::<ChangeKind>()).transpose().map_err(wrong)?;
    let reason = reason(&fields)?;
    let cluster = api.cluster()?;
    let resolve = move || cluster.resolve_quarantined(&flag, kind, verdict, &actor, &reason);
    answer::receipt(&api.blocking(Kind::Operation, resolve).await??)
}

/// A quarantined change that is meant.
#[derive(Debug, ToSchema)]
#[schema(as = QuarantineRequest)]
#[expect(dead_code, reason = "only its schema is used")]
struct Verdicts {
    /// The flag key.
    flag: String,
    /// `activation` or `definition`, where two changes of the flag are quarantined.
    #[schema(inline, value_type = Option<Kinds>)]
    kind: Option<String>,
    /// Why, for the history.
    #[schema(max_length = 1024)]
    reason: Option<String>,
}

/// What a change is about.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
enum Kinds {
    Activation,
    Definition,
}

/// The quarantined changes.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct Quarantine {
    /// The changes.
    changes: Vec<Held>,
}

/// A quarantined change.
#[derive(Debug, ToSchema)]
#[schema(as = Quarantined)]
#[expect(dead_code, reason = "only its schema is used")]
struct Held {
    /// The flag key.
    flag: String,
    /// `activation` or `definition`.
    kind: String,
    /// Its stamp.
    stamp: String,
    /// The instant that the stamp names.
    #[schema(format = DateTime)]
    at: String,
    /// The node that made it.
    node: String,
    /// The node that sent it here.
    from: String,
    /// Since when it is quarantined.
    #[schema(required, format = DateTime)]
    since: Option<String>,
    /// The activation or the entry; null for a removal.
    value: Value,
    /// Who made it.
    actor: String,
    /// Why.
    reason: String,
}

fn shown(entry: &QuarantineEntry) -> Value {
    json!({
        "flag": entry.flag.to_string(),
        "kind": entry.kind,
        "stamp": entry.stamp.to_string(),
        "at": entry.at,
        "node": answer::name(&entry.node),
        "from": answer::name(&entry.from),
        "since": entry.since,
        "value": entry.value,
        "actor": entry.actor,
        "reason": entry.reason,
    })
}
