//! The shares of the flags of a document over time.

use axum::extract::{Request, State};
use serde_json::Value;
use tidegate_engine::forecast::{Curve, Forecast};
use utoipa::ToSchema;

use super::ask;
use super::given::{self, Given, instant};
use super::problem::Problem;
use super::{Answer, Kind, Shared};
use crate::limits;
use crate::openapi::schemas;

/// Plan the flags of a document
///
/// What `tidegate plan --format json` prints for the document: the shares of its flags over time, the changes that come, and ramps
/// that overlap. The plan is for a whole fleet: locks, activations and leases have no part in it. Nothing is stored.
#[utoipa::path(
    post, path = "/api/v1/plan", tag = "decisions", operation_id = "planDocument",
    request_body(content = PlanRequest, example = json!({
        "document": {"shop": {"banner": {"stable": "blue", "new": "green", "start_time": "2040-01-01 00:00Z", "duration": "14d"}}},
        "section": "shop",
    })),
    responses((status = 200, description = "the plan", body = schemas::Plan)),
    extensions(("x-problems" = json!("busy ended refused unknown-flag work-timeout"))),
)]
pub(super) async fn plan(State(api): Shared, request: Request) -> Answer {
    let now = api.tide.view().now();
    let known = &["document", "entry", "flag", "section", "from", "to", "now"];
    given::answer(&api, request, Kind::Forecast, known, move |fields, ends, output| {
        let (from, to) = (instant(fields, "from")?, instant(fields, "to")?);
        let now = instant(fields, "now")?.unwrap_or(now);
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            return Err(Problem::invalid("from", "`from` is not before `to`", "swap the two"));
        }
        let given = Given::read(fields)?;
        let section = fields.text("section")?;
        let one = given.flag.as_ref().map(|key| given.find(key)).transpose()?;
        let chosen = given.snapshot.flags().filter(|flag| one.is_none_or(|one| one.index() == flag.index()));
        let chosen = chosen.filter(|flag| section.as_deref().is_none_or(|section| flag.section() == section));
        let (mut curves, mut points) = (Vec::new(), 0_usize);
        for flag in chosen {
            ends.check()?;
            for curve in Curve::all(flag) {
                points = points.saturating_add(curve.changes.len()).saturating_add(1);
                if points > limits::PLAN_POINTS_MAX {
                    return Err(too_many_points());
                }
                curves.push(curve);
            }
        }
        if let Some(section) = section.filter(|_| curves.is_empty()) {
            let detail = format!("the document has no section `{}`", ask::shown(&section));
            return Err(Problem::invalid("section", detail, "name a section of the document in the body"));
        }
        output.json(&Forecast::from_curves(curves, now, from, to))
    })
    .await
}

fn too_many_points() -> Problem {
    let detail = format!("the plan has more than {} flags and changes", limits::PLAN_POINTS_MAX);
    Problem::invalid("document", detail, "ask for one `section` or one `flag` at a time")
}

/// A document or an entry to be planned.
#[derive(Debug, ToSchema)]
#[schema(as = PlanRequest)]
#[expect(dead_code, reason = "only its schema is used")]
struct PlanRequest {
    /// The document: an object, or a string with its text, which may have comments.
    #[schema(value_type = Option<schemas::DocumentOrText>)]
    document: Option<Value>,
    /// Instead of a document: the entry of the flag `flag`, as a definition has it.
    #[schema(value_type = Option<schemas::EntryObject>)]
    entry: Option<Value>,
    /// The flag key, `section/flag`: of the entry, or of the only flag of the document to be planned.
    flag: Option<String>,
    /// Only the flags of this section.
    section: Option<String>,
    /// The first instant. Without `from` and `to` the plan covers the time from the first to the last change within 400 days of now.
    from: Option<String>,
    /// The last instant.
    to: Option<String>,
    /// The instant at which the changes that come begin; by default the clock of the server.
    now: Option<String>,
}
