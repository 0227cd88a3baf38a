//! Turns the problem of a server (RFC 9457) into an error of this program, with commands instead of requests as remedies.

use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::Deserialize;
use tidegate_engine::{FlagKey, Severity};

use super::Address;
use crate::exit::{Exit, Failure};
use crate::report::{self, Found, Spot};
use crate::text::escape;

/// The body of a response that is not a success.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Problem {
    title: Option<String>,
    detail: Option<String>,
    /// The field or parameter that is wrong.
    field: Option<String>,
    #[serde(rename = "type")]
    kind: String,
    diagnostics: Vec<DiagnosticBody>,
}

/// A diagnostic in a problem.
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

/// The error for a response with this status.
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
        // Something else has answered: a gateway, or another program.
        return Failure::new(Exit::Unreachable, format_args!("the server at `{server}` answers {status}"))
            .help("is it a Tidegate server? Name another one with --server");
    };
    let detail = problem.detail.or(problem.title).unwrap_or_else(|| status.to_string());
    let help = remedy(&problem.kind, problem.field.as_deref().unwrap_or_default(), flag.is_some());
    // A member is named by the argument of the command, not by a field.
    let has_field =
        |field: &String| !field.is_empty() && !detail.contains(&**field) && !problem.kind.ends_with("-node");
    let message = match problem.field.clone().filter(has_field) {
        Some(field) => format!("`{}`: {}", escape(&field), escape(&detail)),
        None => escape(&detail).into_owned(),
    };
    let exit = if status == StatusCode::NOT_FOUND && flag.is_some() { Exit::NoFlag } else { Exit::Refused };
    let help = if help.is_empty() && exit == Exit::NoFlag { FLAGS } else { help };
    let failure = Failure::new(exit, message).help(help);
    if problem.diagnostics.is_empty() {
        return failure;
    }
    let name = text.map_or_else(|| server.into_owned(), |(name, _)| name.clone());
    let found: Vec<Found<'_>> = problem.diagnostics.iter().map(DiagnosticBody::found).collect();
    failure.diagnostics(report::render_found(&found, &name, text.map(|(_, text)| text.as_slice())))
}

/// What to do about a problem, as a command or an option of this program; empty where there is nothing to suggest. The remedy in
/// the problem itself is for clients of the API, and is not shown.
fn remedy(kind: &str, field: &str, is_about_flag: bool) -> &'static str {
    match kind.strip_prefix("urn:tidegate:problem:").unwrap_or_default() {
        "unknown-flag" => FLAGS,
        "no-activation" => "nothing was changed: the flag follows its ramp already",
        "no-definition" => "nothing was changed; `tidegate flags` lists the flags, and which are defined by API",
        "not-quarantined" => "`tidegate cluster quarantine list` lists the quarantined changes of a node",
        "changed" => "the flag was changed meanwhile; check `tidegate history`, and decide again",
        "unknown-node" | "ambiguous-node" => "`tidegate cluster status` lists the members with their ids",
        "reachable-node" => "stop the node first, or add --force",
        "follower" => "name a member of the cluster with --server; a follower takes no changes",
        "own-node" => "stop this node, and name another one with --server",
        "conflict" if is_about_flag => "change the document, or set the activation with `tidegate percentage`",
        "conflict" => "restore a backup of this cluster, or start the server with the other --cluster",
        "clock" => {
            "correct the clocks of all hosts, then run `tidegate cluster repair-clock`; meanwhile name another node with --server"
        }
        "disk" => "look at the disk of the server's data folder, or name another node with --server",
        "not-live" => "start the server with `tidegate serve --data-dir DIR`",
        "unknown-host" => {
            "name the server by an address that it listens on, or start it with `tidegate serve --host NAME`"
        }
        "unknown-path" | "wrong-method" | "wrong-media" => "is the server older than this program?",
        "changes-refused" => "`tidegate cluster status` shows why; name another node with --server",
        "duplicate-node" | "ended" | "too-many-streams" => "name another node with --server",
        "busy" | "memory" | "not-ready" | "request-timeout" | "work-timeout" => {
            "try again later, or name another node with --server"
        }
        "too-large" => "make the values smaller",
        "internal" => "the log of the server has the error; please report it",
        "refused" if field == "lease" => "remove `lease` from the entry",
        "refused" => "fix the entry; it is the JSON that follows the flag's name in a document",
        "invalid" => match field {
            "until" => "give a later time with --until, or remove the activation with `tidegate clear`",
            "kind" => "choose one with --kind",
            "reason" | "actor" | "x-tidegate-actor" => "shorten the text",
            "flag" => "a flag is `section/flag`, each name 1 to 256 bytes of visible text",
            _ => "",
        },
        _ => "",
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

/// Where to find the name of a flag.
const FLAGS: &str = "`tidegate flags` lists the flags of the server";

/// The media type of RFC 9457.
const PROBLEM: &[u8] = b"application/problem+json";

#[cfg(test)]
mod tests {
    use super::*;

    /// The kinds are read from the source of the server, which has them in one table.
    #[test]
    fn every_kind_of_problem_has_a_remedy_of_the_command_line() {
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../server/src/api/problem.rs");
        let source = std::fs::read_to_string(source).unwrap();
        let table = source.split_once("\nkinds! {\n").unwrap().1.split_once("\n}\n").unwrap().0;
        let kinds: Vec<&str> = table.lines().filter_map(|row| row.split('"').nth(1)).collect();
        assert!(kinds.len() > 20 && kinds.contains(&"unknown-flag"), "{kinds:?}");
        for kind in kinds {
            let problem = format!("urn:tidegate:problem:{kind}");
            let texts = [("", false), ("", true), ("until", true), ("lease", true)];
            let texts = texts.map(|(field, is_about_flag)| remedy(&problem, field, is_about_flag));
            // This module sends no page of another origin, no body that is not JSON, and no request of OFREP or of a follower.
            let others = ["targeting-key-missing", "invalid-context", "not-in-ofrep"];
            let followers = ["snapshot-needed", "follow-loop", "no-followers"];
            let is_expected = !["cross-origin", "malformed", "invalid"].contains(&kind)
                && !others.contains(&kind)
                && !followers.contains(&kind);
            assert!(!is_expected || texts.iter().all(|text| !text.is_empty()), "{kind} has no remedy");
            for text in texts {
                let is_request =
                    ["GET ", "PUT ", "POST ", "DELETE ", "/api/", "send "].iter().any(|word| text.contains(word));
                assert!(!is_request, "the remedy of {kind} is a request: {text}");
            }
        }
    }
}
