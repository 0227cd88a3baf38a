//! What a key has of a flag, and everything that led to it.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use tidegate::{Explanation, FlagKey, Micros, Rule, Subject, Tidegate, parse_time};
use tidegate_engine::JsonAttributes;
use utoipa::IntoParams;

use super::ask::{self, FlagPath, Query};
use super::problem::Problem;
use super::{Answer, Shared, answer};
use crate::openapi::parameters::{FlagNames, SubjectOf};
use crate::openapi::schemas;

/// The value of a flag for a subject, and why
///
/// Now, or at an instant by what is known now.
#[utoipa::path(
    get, path = "/api/v1/flags/{section}/{flag}/decision", tag = "decisions", operation_id = "decide",
    params(FlagNames, SubjectOf, At),
    responses((status = 200, description = "the decision", body = schemas::Decision)),
    extensions(("x-problems" = json!("unknown-flag"))),
)]
pub(super) async fn decide(State(api): Shared, path: FlagPath, request: Request) -> Answer {
    let flag = ask::flag_of(path)?;
    let query = Query::read(request.uri(), &["key", "attributes", "at"])?;
    let at = query.parse("at", |text| parse_time(text).ok(), "write an instant such as `2026-12-01T00:00:00Z`")?;
    let attributes = query.attributes()?;
    let explanation = explain(&api.tide, &flag, &subject(query.get("key"), &attributes), at);
    if explanation.rule == Rule::UnknownFlag {
        return Err(Problem::unknown_flag(&flag, api.tide.snapshot().nearest(&flag)));
    }
    answer::json(StatusCode::OK, &explanation)
}

/// When.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its schema is used")]
struct At {
    /// An instant, RFC 3339 or as documents write it; now by default.
    #[param(example = "2026-12-01T00:00:00Z", format = DateTime)]
    at: Option<String>,
}

/// The subject of a request.
pub(super) fn subject<'a>(key: Option<&'a str>, attributes: &'a JsonAttributes) -> Subject<'a> {
    Subject::from(key).with_attributes(attributes)
}

/// The decision now, or at another instant by what is known now.
pub(super) fn explain(tide: &Tidegate, flag: &FlagKey, subject: &Subject<'_>, at: Option<Micros>) -> Explanation {
    let view = tide.view();
    let view = at.map_or_else(|| view.clone(), |at| view.at(at));
    view.explain(flag.section(), flag.flag(), subject.clone())
}
