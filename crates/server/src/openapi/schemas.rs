//! The JSON of answers that types of the library and the engine write, which have no schema of their own. Tests hold every answer
//! against it, so that it cannot drift.

mod cluster;
mod decision;
mod forecast;
mod status;

use utoipa::ToSchema;

pub(crate) use cluster::{Cluster, Node, RedisReceipt};
pub(crate) use decision::Decision;
pub(crate) use forecast::{AttributesObject, DocumentOrText, EntryObject, Plan, Simulation};
pub(crate) use status::Report;

/// A name of a section or a flag: 1 to 256 bytes without control characters and characters that cannot be seen or turn the text
/// around, and not `.` or `..`, which a URL cannot hold.
#[derive(Debug, ToSchema)]
#[schema(
    min_length = 1,
    max_length = 256,
    pattern = "^[^\\u0000-\\u001f\\u007f-\\u009f\\u00ad\\u061c\\u115f\\u1160\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\u3164\\ufeff\\uffa0\\ufff9-\\ufffb]*$"
)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Name(String);

/// A diagnostic, as `tidegate check` has it.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Diagnostic {
    /// The stable code, such as `E012`; the reference of diagnostics has a page for each.
    code: String,
    /// `error`, `warning` or `note`.
    severity: String,
    /// The place in the document, such as `features.x.duration`.
    path: String,
    /// The line, from 1.
    #[schema(required)]
    line: Option<u64>,
    /// The column, from 1.
    #[schema(required)]
    column: Option<u64>,
    /// What is wrong.
    message: String,
    /// What to do.
    #[schema(required)]
    help: Option<String>,
}

/// A request that failed, as RFC 9457 says it.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct Problem {
    /// What kind of problem it is; see the table of problems.
    r#type: String,
    /// The same for people.
    title: String,
    /// The HTTP status.
    status: u16,
    /// What is wrong with this request.
    detail: String,
    /// What to do; it suggests a request.
    help: String,
    /// The invalid field of the body, parameter or header.
    field: Option<String>,
    /// The line of the body, from 1.
    line: Option<u64>,
    /// The column of the body, from 1.
    column: Option<u64>,
    /// What is wrong with the definition.
    diagnostics: Option<Vec<Diagnostic>>,
    /// The flag that was probably meant.
    meant: Option<String>,
}
