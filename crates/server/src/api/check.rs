//! Checks a document, or the entry of a flag, without storing it.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use serde::Serialize;
use tidegate::FlagKey;
use tidegate_engine::document::{DefinitionError, read_definition};
use tidegate_engine::{Diagnostic, Severity, check as check_document};
use utoipa::{IntoParams, ToSchema};

use super::ask::{self, JSON, Query, Wanted};
use super::problem::Problem;
use super::{Answer, Kind, Shared, answer};

/// What a check of a document has found; the line that `tidegate check --format json` prints begins with it.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckReport<'d> {
    /// Where the document comes from; `request` for a body.
    source: &'d str,
    /// What was found, in the order of its place.
    #[schema(value_type = Vec<crate::openapi::schemas::Diagnostic>)]
    diagnostics: &'d [Diagnostic],
    /// How many of them are errors; a document with errors is refused.
    errors: usize,
    /// How many are warnings.
    warnings: usize,
    /// How many are notes.
    notes: usize,
}

impl<'d> CheckReport<'d> {
    /// The report of what was found in a document of this source.
    pub fn new(source: &'d str, diagnostics: &'d [Diagnostic]) -> Self {
        let count = |severity| diagnostics.iter().filter(|found| found.code.severity() == severity).count();
        Self {
            source,
            diagnostics,
            errors: count(Severity::Error),
            warnings: count(Severity::Warning),
            notes: count(Severity::Note),
        }
    }
}

/// Check a document
///
/// What `tidegate check --format json` prints for the document in the body, by the same code that loads documents. With `flag` the
/// body is the entry of that flag, as a definition has it. Nothing is stored.
#[utoipa::path(
    post, path = "/api/v1/check", tag = "decisions", operation_id = "checkDocument", params(Checked),
    request_body(
        content = Object, content_type = "application/json",
        example = json!({"stable": "blue", "new": "green", "duration": "14d"}),
    ),
    responses((status = 200, description = "what was found; a document without errors is accepted", body = CheckReport<'_>)),
    extensions(("x-problems" = json!("busy refused"))),
)]
pub(super) async fn check(State(api): Shared, request: Request) -> Answer {
    let (parts, body) = request.into_parts();
    let query = Query::read(&parts.uri, &["flag"])?;
    let flag = query.get("flag").map(|flag| ask::checked(FlagKey::parse(flag))).transpose()?;
    let (bytes_max, timeout) = (tidegate_engine::limits::DOCUMENT_BYTES_MAX, api.options.body_timeout);
    // What is read from it is about as large again.
    let wanted = Wanted { media_type: JSON, bytes_max, timeout, cost: 2 };
    let body = ask::body(&api, &parts.headers, body, &wanted).await?;
    // It may have large patterns, like a definition. What the engine spends on one document has a limit.
    let found = api.blocking(Kind::Definition, move || diagnostics(&body, flag.as_ref())).await??;
    answer::json(StatusCode::OK, &CheckReport::new("request", &found))
}

fn diagnostics(body: &[u8], flag: Option<&FlagKey>) -> Result<Vec<Diagnostic>, Problem> {
    let Some(flag) = flag else { return Ok(check_document(body).diagnostics) };
    let entry = str::from_utf8(body).map_err(|error| Problem::not_utf8(error.valid_up_to()))?;
    match read_definition(flag, entry) {
        Ok((_, diagnostics)) | Err(DefinitionError::Refused(diagnostics)) => Ok(diagnostics),
        Err(error) => Err(tidegate::ChangeError::from(error).into()),
    }
}

/// What the body is.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only its schema is used")]
struct Checked {
    /// The flag key, `section/flag`, if the body is the entry of a flag; without it the body is a document.
    #[param(example = "shop/banner")]
    flag: Option<String>,
}
