//! Changes in quarantine: seen, accepted, dropped.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use tidegate::{ChangeKind, QuarantineEntry, Verdict};

use super::ask::Query;
use super::cluster::{read, reason};
use super::problem::Problem;
use super::{Answer, Kind, Shared, answer};

/// `GET`: all of them, in the order of their flags.
pub(super) async fn list(State(api): Shared, request: Request) -> Answer {
    Query::read(request.uri(), &[])?;
    let cluster = api.cluster()?;
    let held = api.blocking(Kind::Read, move || cluster.quarantine()).await??;
    answer::json(StatusCode::OK, &json!({"changes": held.iter().map(shown).collect::<Vec<_>>()}))
}

/// `POST`: `{"flag": "section/flag", "kind": "activation", "reason": "..."}` makes the change active.
pub(super) async fn accept(state: Shared, request: Request) -> Answer {
    resolve(state, request, Verdict::Accept).await
}

/// `POST` of the same: the change never becomes active.
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
