//! Sets and clears the activation of a flag.

use axum::extract::{Request, State};
use tidegate::{Percentage, parse_time};
use utoipa::{IntoParams, ToSchema};

use super::answer::ReceiptJson;
use super::ask::{self, Fields, FlagPath, Query, Wanted};
use super::precondition::Precondition;
use super::problem::Problem;
use super::{Answer, Api, Shared, answer};
use crate::openapi::CHANGE_PROBLEMS;
use crate::openapi::parameters::{Acknowledgement, Actor, FlagNames, Preconditions, Reason};

/// Set the activation of a flag
///
/// An activation is set only for a flag that this node knows: a document, a definition, an activation or a default names it. A
/// misspelt name is answered with 404, and `meant` is the flag that was probably meant.
#[utoipa::path(
    put, path = "/api/v1/flags/{section}/{flag}/activation", tag = "changes", operation_id = "setActivation",
    params(FlagNames, Acknowledgement, Target, Actor, Preconditions),
    request_body(content = NewActivation, example = json!({"percentage": 20, "reason": "canaries are fine"})),
    responses(
        (status = 200, description = "the level was reached", body = ReceiptJson<'_>),
        (status = 202, description = "the level was not reached in time; the change is kept", body = ReceiptJson<'_>),
    ),
    extensions(("x-problems" = json!([CHANGE_PROBLEMS, "unknown-flag"]))),
)]
pub(super) async fn set(State(api): Shared, path: FlagPath, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let query = Query::read(&parts.uri, &["ack", "timeout", "create", "elsewhere"])?;
    let flag = if query.get("create") == Some("true") { ask::new_flag_of(path)? } else { ask::flag_of(path)? };
    let (actor, precondition) = (ask::actor(&parts.headers)?, Precondition::read(&parts.headers)?);
    let body = ask::body(&api, &parts.headers, body, &Wanted::json(&api)).await?;
    let fields = Fields::read(&body, &["percentage", "reason", "until"])?;
    let mut change = api.tide.activate_percentage(&flag.to_string(), percentage(&fields)?).actor(actor);
    if let Some(reason) = fields.text("reason")? {
        change = change.reason(reason);
    }
    if let Some(until) = fields.text("until")? {
        let wrong = |error| {
            Problem::invalid("until", format!("`until` {error}"), "write an instant such as `2026-12-01T00:00:00Z`")
        };
        change = change.until(parse_time(&until).map_err(wrong)?);
    }
    let change = precondition.bind(query.apply_target(query.apply(change)?)?);
    check_disk(&api)?;
    answer::receipt(&api.send(change, &query).await?)
}

/// Remove the activation of a flag
///
/// The flag follows its ramp again.
#[utoipa::path(
    delete, path = "/api/v1/flags/{section}/{flag}/activation", tag = "changes", operation_id = "removeActivation",
    params(FlagNames, Acknowledgement, Reason, Actor, Preconditions),
    responses(
        (status = 200, description = "the level was reached", body = ReceiptJson<'_>),
        (status = 202, description = "the level was not reached in time; the change is kept", body = ReceiptJson<'_>),
    ),
    extensions(("x-problems" = json!([CHANGE_PROBLEMS, "no-activation unknown-flag"]))),
)]
pub(super) async fn clear(State(api): Shared, path: FlagPath, request: Request) -> Answer {
    let (parts, _) = request.into_parts();
    let flag = ask::flag_of(path)?;
    let query = Query::read(&parts.uri, &["ack", "timeout", "reason"])?;
    let (actor, precondition) = (ask::actor(&parts.headers)?, Precondition::read(&parts.headers)?);
    let change = api.tide.clear(&flag.to_string()).actor(actor).reason(query.get("reason").unwrap_or_default());
    let change = precondition.bind(query.apply(change)?);
    check_disk(&api)?;
    answer::receipt(&api.send(change, &query).await.map_err(Problem::without_creation)?)
}

/// Which flags an activation may be set for.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its schema is used")]
struct Target {
    /// `true` creates a bare boolean flag (`false`/`true`) where this node knows none.
    create: Option<bool>,
    /// `true` changes a flag that documents of other nodes define. On nodes without such a document each caller gets its own
    /// default, never a guessed boolean.
    elsewhere: Option<bool>,
}

/// An activation to be set.
#[derive(Debug, ToSchema)]
#[schema(as = ActivationRequest)]
#[expect(dead_code, reason = "only its schema is used")]
struct NewActivation {
    /// How many percent of the keys have `new`, with at most six decimals, read exactly.
    #[schema(minimum = 0, maximum = 100)]
    percentage: f64,
    /// Why, for the history.
    #[schema(max_length = 1024)]
    reason: Option<String>,
    /// When it ends: an instant that is not past. Without it, when it is removed.
    until: Option<String>,
}

/// The percentage exactly as it is written.
pub(super) fn percentage(fields: &Fields) -> Result<Percentage, Problem> {
    let help = "send a number from 0 to 100, such as `12.5`";
    let text =
        fields.raw("percentage").ok_or_else(|| Problem::invalid("percentage", "`percentage` is missing", help))?;
    let percentage = Percentage::from(text);
    percentage.share().map_err(|error| Problem::percentage(text, error.problem))?;
    Ok(percentage)
}

/// Refuses a change while the disk takes nothing.
pub(super) fn check_disk(api: &Api) -> Result<(), Problem> {
    api.cluster()?.disk_trouble().map_or(Ok(()), |trouble| Err(Problem::disk(&trouble)))
}
