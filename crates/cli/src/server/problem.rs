//! Why a server refused, as it says it (RFC 9457), for people.

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use tidegate_engine::{FlagKey, Severity};

use super::Address;
use crate::exit::{Exit, Failure};
use crate::report::{self, Found, Spot};
use crate::text::escape;

/// The body of an answer that is not a success.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
    /// The field or parameter that is wrong.
    field: Option<String>,
    help: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    diagnostics: Vec<DiagnosticBody>,
}

/// A diagnostic as a server tells it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct DiagnosticBody {
    code: String,
    severity: String,
    path: String,
    line: Option<u32>,
    column: Option<u32>,
    message: String,
    help: String,
}

/// What an answer with this status means for the command.
pub(super) fn failure(
    address: &Address,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
    flag: Option<&FlagKey>,
    text: Option<&(String, Vec<u8>)>,
) -> Failure {
    let server = address.to_string();
    let server = escape(&server);
    let kind = headers.get(CONTENT_TYPE).map_or(b"".as_slice(), HeaderValue::as_bytes);
    let problem = serde_json::from_slice::<Problem>(body).ok().filter(|_| kind.starts_with(PROBLEM));
    let Some(problem) = problem else {
        // Somebody else has answered: a gateway, or another program.
        return Failure::new(Exit::Unreachable, format_args!("the server at `{server}` answers {status}"))
            .help("is it a server of Tidegate? Name another with --server");
    };
    let detail = problem.detail.or(problem.title).unwrap_or_else(|| status.to_string());
    let message = match problem.field.filter(|field| !field.is_empty() && !detail.contains(&**field)) {
        Some(field) => format!("`{}`: {}", escape(&field), escape(&detail)),
        None => escape(&detail).into_owned(),
    };
    let exit = if status == StatusCode::NOT_FOUND && flag.is_some() { Exit::NoFlag } else { Exit::Refused };
    let mut help = command_help(&problem.kind).map_or_else(|| problem.help.unwrap_or_default(), str::to_owned);
    if help.is_empty() && exit == Exit::NoFlag {
        FLAGS.clone_into(&mut help);
    }
    let failure = Failure::new(exit, message).help(escape(&help));
    if problem.diagnostics.is_empty() {
        return failure;
    }
    let name = text.map_or_else(|| server.into_owned(), |(name, _)| name.clone());
    let found: Vec<Found<'_>> = problem.diagnostics.iter().map(DiagnosticBody::found).collect();
    failure.diagnostics(report::render_found(&found, &name, text.map(|(_, text)| text.as_slice())))
}

/// What to do about a problem, in terms of this program instead of requests.
fn command_help(kind: &str) -> Option<&'static str> {
    match kind.strip_prefix("urn:tidegate:problem:")? {
        "unknown-flag" => Some(FLAGS),
        "changed" => Some("somebody has changed the flag in between; look at `tidegate history`, and decide again"),
        "reachable-node" => Some("stop the node first, or say --force"),
        "ambiguous-node" => Some("`tidegate cluster status` shows the ids of the members"),
        "no-activation" => Some("nothing was changed: the flag follows its ramp already"),
        _ => None,
    }
}

impl DiagnosticBody {
    fn found(&self) -> Found<'_> {
        Found {
            severity: match &*self.severity {
                "warning" => Severity::Warning,
                "note" => Severity::Note,
                _ => Severity::Error,
            },
            code: escape(&self.code),
            path: escape(&self.path).into_owned(),
            place: self.line.zip(self.column).map(|(line, column)| Spot { line, column, span: None }),
            message: escape(&self.message),
            help: escape(&self.help),
        }
    }
}

/// Where to look for the name of a flag.
const FLAGS: &str = "`tidegate flags` lists the flags of a server";

/// The media type of RFC 9457.
const PROBLEM: &[u8] = b"application/problem+json";
