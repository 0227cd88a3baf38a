//! The contract as a page of the reference.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::api::ProblemKind;

/// What is true of the whole API, each group of operations, the members of each schema, and problems, limits and configuration.
pub(super) fn render(contract: &Value) -> String {
    let mut page = HEAD.to_owned();
    let _ = writeln!(page, "{}\n", text(&contract["info"]["description"]));
    let _ = write!(page, "Reasons: {GENERAL_REASONS}.\n\n");
    for tag in contract["tags"].as_array().unwrap() {
        let name = text(&tag["name"]);
        let _ = write!(page, "## {}\n\n{}\n\n", title(name), text(&tag["description"]));
        if let Some((_, reasons)) = REASONS.iter().find(|(tag, _)| *tag == name) {
            let _ = write!(page, "Reasons: {reasons}.\n\n");
        }
        for (method, path, operation) in operations(contract).filter(|operation| operation.2["tags"][0] == name) {
            put_operation(&mut page, contract, method, path, operation);
        }
    }
    put_problems(&mut page);
    put_schemas(&mut page, contract);
    page.push_str(include_str!("limits_and_configuration.md"));
    page
}

/// All operations: method, path, and the rest.
fn operations(contract: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = contract["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, item)| {
        item.as_object().unwrap().iter().map(move |(method, operation)| (&**method, &**path, operation))
    })
}

fn put_operation(page: &mut String, contract: &Value, method: &str, path: &str, operation: &Value) {
    let _ = write!(page, "### `{} {path}`\n\n{}.", method.to_uppercase(), text(&operation["summary"]));
    if let Some(description) = operation["description"].as_str() {
        let _ = write!(page, " {description}");
    }
    page.push_str("\n\n");
    let parameters: Vec<&Value> = operation["parameters"].as_array().into_iter().flatten().collect();
    if !parameters.is_empty() {
        page.push_str("| parameter | in | is |\n| --- | --- | --- |\n");
        for parameter in parameters {
            let _ = writeln!(
                page,
                "| `{}` | {} | {} |",
                text(&parameter["name"]),
                text(&parameter["in"]),
                cell(text(&parameter["description"]))
            );
        }
        page.push('\n');
    }
    if let Some((kind, content)) = content(&operation["requestBody"]) {
        let _ = writeln!(page, "Body: {}.{}", shown(kind, &content["schema"]), example(&content["example"]));
        page.push('\n');
    }
    let (mut answers, mut problems) = (String::new(), Vec::new());
    for (status, response) in operation["responses"].as_object().unwrap() {
        let response = resolved(contract, response);
        let description = cell(text(&response["description"]));
        let body = match content(response) {
            Some(("application/problem+json", content)) => {
                problems.push(problems_of(status, &content["schema"]));
                continue;
            }
            Some((kind, content)) => format!(": {}", shown(kind, &content["schema"])),
            None => String::new(),
        };
        let headers = response["headers"].as_object().into_iter().flat_map(Map::keys);
        let headers: Vec<String> = headers.map(|name| format!("`{name}`")).collect();
        let headers = if headers.is_empty() { String::new() } else { format!("; with {}", headers.join(", ")) };
        let _ = writeln!(answers, "| {status} | {description}{body}{headers} |");
    }
    let _ = write!(page, "| status | answer |\n| --- | --- |\n{answers}\n");
    let _ = write!(page, "[Problems](#problems): {}.\n\n", problems.join("; "));
}

/// The problems of one status.
fn problems_of(status: &str, schema: &Value) -> String {
    let names = schema["properties"]["type"]["enum"].as_array().unwrap().iter();
    let names: Vec<String> = names.map(|name| format!("`{}`", text(name).rsplit(':').next().unwrap())).collect();
    format!("{status} {}", names.join(", "))
}

fn put_problems(page: &mut String) {
    page.push_str(PROBLEMS);
    let mut kinds: Vec<&ProblemKind> = ProblemKind::ALL.iter().filter(|kind| !is_of_ofrep(**kind)).collect();
    kinds.sort_by_key(|kind| kind.parts().2);
    for kind in kinds {
        let (name, _, status) = kind.parts();
        let _ = writeln!(page, "| {} | `{name}` | {} |", status.as_u16(), kind.when());
    }
    page.push('\n');
}

/// OFREP has a table of its own, by its error codes.
fn is_of_ofrep(kind: ProblemKind) -> bool {
    matches!(kind, ProblemKind::KeyMissing | ProblemKind::InvalidContext | ProblemKind::NotInOfrep)
}

/// The members of each schema but for those of documents, which have a page of their own.
fn put_schemas(page: &mut String, contract: &Value) {
    page.push_str("## Schemas\n\nMembers that may be absent are marked. Later versions may add members.\n\n");
    for (name, schema) in contract["components"]["schemas"].as_object().unwrap() {
        let Some(members) = schema["properties"].as_object().filter(|_| !name.starts_with("Entry")) else { continue };
        let _ = write!(page, "### {name}\n\n");
        if let Some(description) = schema["description"].as_str() {
            let _ = write!(page, "{}\n\n", sentence(description));
        }
        page.push_str("| member | type | is |\n| --- | --- | --- |\n");
        let required: Vec<&Value> = schema["required"].as_array().into_iter().flatten().collect();
        for (member, schema) in members {
            let absent = if required.iter().any(|name| **name == *member) { "" } else { "; may be absent" };
            let description = cell(schema["description"].as_str().unwrap_or_default());
            let _ = writeln!(page, "| `{member}` | {}{absent} | {description} |", type_of(schema));
        }
        page.push('\n');
    }
}

/// The type of a value, in words.
fn type_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str() {
        return link(name);
    }
    for combined in ["oneOf", "anyOf", "allOf"] {
        if let Some(parts) = schema[combined].as_array() {
            return parts.iter().map(type_of).collect::<Vec<_>>().join(" or ");
        }
    }
    match &schema["type"] {
        Value::String(kind) if kind == "array" => format!("list of {}", type_of(&schema["items"])),
        Value::String(kind) if kind == "object" && schema["additionalProperties"].is_object() => {
            format!("object of {}", type_of(&schema["additionalProperties"]))
        }
        Value::String(kind) if schema["format"] == "date-time" => kind.replace("string", "instant"),
        Value::String(kind) => kind.clone(),
        Value::Array(kinds) => {
            let plain = |kind: &Value| {
                let mut schema = schema.clone();
                schema["type"] = kind.clone();
                type_of(&schema)
            };
            kinds.iter().map(plain).collect::<Vec<_>>().join(" or ")
        }
        _ => "any JSON".to_owned(),
    }
}

fn link(reference: &str) -> String {
    let name = reference.rsplit('/').next().unwrap();
    match name {
        "Entry" => "[entry of a document](document.md)".to_owned(),
        name => format!("[{name}](#{})", name.to_lowercase()),
    }
}

fn shown(kind: &str, schema: &Value) -> String {
    if kind == "application/json" { type_of(schema) } else { format!("`{kind}`") }
}

fn example(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => format!(" For example:\n\n```text\n{}\n```", text.trim_end()),
        value => format!(" For example `{value}`."),
    }
}

fn resolved<'c>(contract: &'c Value, response: &'c Value) -> &'c Value {
    response["$ref"]
        .as_str()
        .map_or(response, |name| &contract["components"]["responses"][name.rsplit('/').next().unwrap()])
}

fn content(of: &Value) -> Option<(&str, &Value)> {
    of["content"].as_object()?.iter().next().map(|(kind, content)| (&**kind, content))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A text of several lines in a cell of a table.
fn cell(text: &str) -> String {
    text.replace('\n', " ").replace('|', "\\|")
}

fn sentence(text: &str) -> String {
    let text = cell(text);
    if text.ends_with(['.', ':']) { text } else { format!("{text}.") }
}

fn title(tag: &str) -> String {
    match tag {
        "ofrep" => "OFREP".to_owned(),
        "cluster" => "The cluster".to_owned(),
        tag => tag[..1].to_uppercase() + &tag[1..],
    }
}

const HEAD: &str = "\
# The HTTP API

Generated from the annotations of the handlers in `crates/server/src`; refresh with `UPDATE=1 cargo xtask generate`. The same contract as
OpenAPI 3.1 is [openapi.json](openapi.json); a server answers it at `/openapi.json`, and shows it to people at `/docs`.

";

const PROBLEMS: &str = "\
## Problems

A request that fails is answered with `application/problem+json` (RFC 9457): `type`, `title`, `status`, `detail`, `help`, and where they apply
`field` (the invalid field, parameter or header), `line` and `column` of the body, and `diagnostics`, which are those of `tidegate check`:
`code`, `severity`, `path`, `line`, `column`, `message`, `help`. `help` suggests a request. A 4xx has changed nothing. With 503 and 507
`Retry-After` says when to try again.

| status | `urn:tidegate:problem:` | when |
| --- | --- | --- |
";

/// Decisions behind the whole API.
const GENERAL_REASONS: &str = "\
[0035](../decisions/0035-one-file-chooses-every-http-status.md), [0037](../decisions/0037-listen-on-loopback-by-default.md), \
[0060](../decisions/0060-check-the-host-of-every-request.md)";

/// Decisions behind the operations of a group.
const REASONS: &[(&str, &str)] = &[
    (
        "changes",
        "[0036](../decisions/0036-a-flags-etag-names-its-stamps.md), \
         [0049](../decisions/0049-a-change-names-a-known-flag.md)",
    ),
    (
        "ofrep",
        "[0132](../decisions/0132-how-ofrep-says-a-decision.md), [0133](../decisions/0133-every-page-may-evaluate.md), \
         [0134](../decisions/0134-event-streams-tell-of-whole-per-cents.md)",
    ),
    ("contract", "[0161](../decisions/0161-utoipa-registers-routes-with-their-contract.md)"),
];
