//! The definition of a flag apart from any document: made, or taken away.

use super::activation::check_disk;
use super::answer::ReceiptJson;
use super::ask::{self, FlagPath, Query, Wanted};
use super::precondition::Precondition;
use super::problem::Problem;
use super::{Answer, Shared, answer};
use crate::openapi::CHANGE_PROBLEMS;
use crate::openapi::parameters::{Acknowledgement, Actor, FlagNames, Preconditions, Reason};
use axum::extract::{Request, State};

/// Define a flag
///
/// The body is the entry, as it would stand in a document. A flag that a document defines cannot be defined here, too.
#[utoipa::path(
    put, path = "/api/v1/flags/{section}/{flag}", tag = "changes", operation_id = "defineFlag",
    params(FlagNames, Acknowledgement, Reason, Actor, Preconditions),
    request_body(content = ref("#/components/schemas/Entry"), content_type = "application/json", example = json!({"stable": "blue", "new": "green"})),
    responses(
        (status = 200, description = "the level was reached", body = ReceiptJson<'_>),
        (status = 202, description = "the level was not reached in time; the change is kept", body = ReceiptJson<'_>),
    ),
    extensions(("x-problems" = json!([CHANGE_PROBLEMS, "refused"]))),
)]
pub(super) async fn define(State(api): Shared, path: FlagPath, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let flag = ask::new_flag_of(path)?;
    let query = Query::read(&parts.uri, &["ack", "timeout", "reason"])?;
    let (actor, precondition) = (ask::actor(&parts.headers)?, Precondition::read(&parts.headers)?);
    let body = ask::body(&api, &parts.headers, body, &Wanted::json(&api)).await?;
    let entry = str::from_utf8(&body).map_err(|error| Problem::not_utf8(error.valid_up_to()))?;
    let change = api.tide.define(&flag.to_string(), entry).actor(actor);
    let change = query.apply(change.reason(query.get("reason").unwrap_or_default()))?;
    let change = precondition.bind(change);
    check_disk(&api)?;
    // Reading the entry may take a while: it may have large patterns.
    answer::receipt(&api.send_definition(change, &query).await?)
}

/// Remove a definition
///
/// Removes the definition that was made here; the activation stays.
#[utoipa::path(
    delete, path = "/api/v1/flags/{section}/{flag}", tag = "changes", operation_id = "removeFlag",
    params(FlagNames, Acknowledgement, Reason, Actor, Preconditions),
    responses(
        (status = 200, description = "the level was reached", body = ReceiptJson<'_>),
        (status = 202, description = "the level was not reached in time; the change is kept", body = ReceiptJson<'_>),
    ),
    extensions(("x-problems" = json!([CHANGE_PROBLEMS, "no-definition"]))),
)]
pub(super) async fn remove(State(api): Shared, path: FlagPath, request: Request) -> Answer {
    let (parts, _) = request.into_parts();
    let flag = ask::flag_of(path)?;
    let query = Query::read(&parts.uri, &["ack", "timeout", "reason"])?;
    let (actor, precondition) = (ask::actor(&parts.headers)?, Precondition::read(&parts.headers)?);
    let change = api.tide.remove(&flag.to_string()).actor(actor).reason(query.get("reason").unwrap_or_default());
    let change = query.apply(change)?;
    let change = precondition.bind(change);
    check_disk(&api)?;
    answer::receipt(&api.send(change, &query).await?)
}
