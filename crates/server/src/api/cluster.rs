//! The nodes that agree, and what only an operator may do to them.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use utoipa::{IntoParams, ToSchema};

use super::answer::ClusterReceiptJson;
use super::ask::{self, Fields, Query, Wanted};
use super::problem::Problem;
use super::{Answer, Api, Kind, Shared, answer};
use crate::openapi::parameters::Actor;
use crate::openapi::{CHANGE_PROBLEMS, schemas};

/// The cluster
///
/// This node, its peers, its members, and all problems.
#[utoipa::path(
    get, path = "/api/v1/cluster", tag = "cluster", operation_id = "getCluster",
    responses((status = 200, description = "the cluster as this node sees it", body = schemas::Cluster)),
    extensions(("x-problems" = json!("not-live follower busy"))),
)]
pub(super) async fn status(State(api): Shared, request: Request) -> Answer {
    Query::read(request.uri(), &[])?;
    let cluster = api.cluster()?;
    let status = api.blocking(Kind::Read, move || cluster.status()).await??;
    answer::json(StatusCode::OK, &status)
}

/// Remove a member that will not return
///
/// The member is removed from the membership, so that majorities do not count it any more. The answering node does not remove
/// itself. 409 if several members have that name, and, without `force=true`, if it is reachable.
#[utoipa::path(
    post, path = "/api/v1/cluster/forget", tag = "cluster", operation_id = "forgetMember", params(Force, Actor),
    request_body(content = ForgetRequest, example = json!({"node": "node-c", "reason": "its disk is gone"})),
    responses(
        (status = 200, description = "the level was reached", body = ClusterReceiptJson<'_>),
        (status = 202, description = "the level was not reached in time; the change is kept", body = ClusterReceiptJson<'_>),
    ),
    extensions(("x-problems" = json!([CHANGE_PROBLEMS, "unknown-node ambiguous-node reachable-node own-node"]))),
)]
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

/// Repair the clock of the cluster
///
/// Raises the epoch, so that later changes outrank all earlier ones.
#[utoipa::path(
    post, path = "/api/v1/cluster/repair-clock", tag = "cluster", operation_id = "repairClock", params(Actor),
    request_body(content = RepairRequest, example = json!({"reason": "a clock was a year ahead"})),
    responses(
        (status = 200, description = "the level was reached", body = ClusterReceiptJson<'_>),
        (status = 202, description = "the level was not reached in time; the change is kept", body = ClusterReceiptJson<'_>),
    ),
    extensions(("x-problems" = json!([CHANGE_PROBLEMS]))),
)]
pub(super) async fn repair_clock(State(api): Shared, request: Request) -> Answer {
    let (fields, actor) = read(&api, request, &["reason"]).await?;
    let reason = reason(&fields)?;
    let cluster = api.cluster()?;
    let repair = move || cluster.repair_clock(&actor, &reason);
    answer::cluster_receipt(&api.blocking(Kind::Operation, repair).await??, None)
}

/// Whether a reachable member is removed as well.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its schema is used")]
struct Force {
    /// `true` removes a reachable member as well.
    force: Option<bool>,
}

/// A member to be removed.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct ForgetRequest {
    /// Its id or its name.
    node: String,
    /// Why, for the history.
    #[schema(max_length = 1024)]
    reason: Option<String>,
}

/// A repair of the clock.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
struct RepairRequest {
    /// Why, for the history.
    #[schema(max_length = 1024)]
    reason: Option<String>,
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
