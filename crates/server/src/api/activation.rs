//! Sets and clears the activation of a flag.

use axum::extract::{Request, State};
use tidegate::{Percentage, parse_time};

use super::ask::{self, Fields, FlagPath, Query, Wanted};
use super::precondition::Precondition;
use super::problem::Problem;
use super::{Answer, Api, Shared, answer};

/// `PUT`: `{"percentage": 20, "reason": "...", "until": "..."}`.
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

/// `DELETE`: the flag returns to its ramp.
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

/// The percentage exactly as it is written.
fn percentage(fields: &Fields) -> Result<Percentage, Problem> {
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
