//! The nodes that agree, and what only an operator may do to them.

use axum::extract::{Request, State};
use axum::http::StatusCode;

use super::ask::{self, Fields, Query, Wanted};
use super::problem::Problem;
use super::{Answer, Api, Kind, Shared, answer};

/// `GET`: this node, its peers, its members, and what is wrong.
pub(super) async fn status(State(api): Shared, request: Request) -> Answer {
    Query::read(request.uri(), &[])?;
    let cluster = api.cluster()?;
    let status = api.blocking(Kind::Read, move || cluster.status()).await??;
    answer::json(StatusCode::OK, &status)
}

/// `POST`: `{"node": "...", "reason": "..."}` takes a node out that will not come back; with `?force=true` also one that is
/// reachable.
pub(super) async fn forget(State(api): Shared, request: Request) -> Answer {
    let query = Query::read(request.uri(), &["force"])?;
    let forces = query.parse("force", |text| text.parse::<bool>().ok(), "say `true` or `false`")?.unwrap_or(false);
    let (fields, actor) = read_body(&api, request, &["node", "reason"]).await?;
    let missing = || Problem::invalid("node", "`node` is missing", "name a member by its id or its name");
    let node = fields.text("node")?.ok_or_else(missing)?;
    let reason = reason(&fields)?;
    let cluster = api.cluster()?;
    let forget = move || {
        if forces { cluster.forget_reachable(&node, &actor, &reason) } else { cluster.forget(&node, &actor, &reason) }
    };
    let forgotten = api.blocking(Kind::Operation, forget).await??;
    answer::cluster_receipt(&forgotten.receipt, Some(&forgotten.node))
}

/// `POST`: `{"reason": "..."}` raises the epoch, so that later changes outrank all earlier ones.
pub(super) async fn repair_clock(State(api): Shared, request: Request) -> Answer {
    let (fields, actor) = read(&api, request, &["reason"]).await?;
    let reason = reason(&fields)?;
    let cluster = api.cluster()?;
    let repair = move || cluster.repair_clock(&actor, &reason);
    answer::cluster_receipt(&api.blocking(Kind::Operation, repair).await??, None)
}

/// The fields of the body, and who asks.
pub(super) async fn read(api: &Api, request: Request, known: &[&str]) -> Result<(Fields, String), Problem> {
    Query::read(request.uri(), &[])?;
    read_body(api, request, known).await
}

async fn read_body(api: &Api, request: Request, known: &[&str]) -> Result<(Fields, String), Problem> {
    let (parts, body) = request.into_parts();
    let actor = ask::actor(&parts.headers)?;
    let body = ask::body(api, &parts.headers, body, &Wanted::json(api)).await?;
    Ok((Fields::read(&body, known)?, actor))
}

pub(super) fn reason(fields: &Fields) -> Result<String, Problem> {
    let reason = fields.text("reason")?.unwrap_or_default();
    ask::check_text("reason", &reason)?;
    Ok(reason)
}
