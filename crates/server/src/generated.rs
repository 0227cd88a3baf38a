//! Writes the contract, `docs/reference/openapi.json`, and the reference of the HTTP API from the annotations of the handlers, or
//! holds the committed files against them.

mod page;

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::api::ProblemKind;
use crate::{api, ofrep};

/// `UPDATE=1` in the environment writes the files instead.
#[test]
fn the_contract_and_its_reference_are_up_to_date() {
    let contract = contract();
    let json = serde_json::to_string_pretty(&contract).unwrap() + "\n";
    check_generated("docs/reference/openapi.json", &json);
    check_generated("docs/reference/http-api.md", &page::render(&contract));
}

/// A route that is added in another way has no contract.
#[test]
fn routes_are_added_with_their_contract() {
    let source = include_str!("api.rs");
    let health = [
        "(\"/healthz\", get(health::alive))",
        "(\"/readyz\", get(health::ready))",
        "(\"/readyz/changes\", get(health::changes))",
    ];
    for (number, rest) in source.split(".route(").skip(1).enumerate() {
        let call = format!("({rest}");
        assert!(
            health.iter().any(|known| call.starts_with(known)),
            "route {number} is not in the contract: {call:.60}"
        );
    }
    assert_eq!(
        contract()["paths"].as_object().unwrap().len(),
        source.matches(".routes(routes!(").count() + OFREP_PATHS
    );
}

/// The contract: what the annotations say, with what is true of every operation.
fn contract() -> Value {
    let mut contract = api::contract();
    contract.merge(ofrep::contract());
    let mut contract = serde_json::to_value(&contract).unwrap();
    add_entry_schemas(&mut contract["components"]["schemas"]);
    add_problem_schemas(&mut contract["components"]["schemas"]);
    // Unknown fields are refused, apart from those of contexts.
    for name in [
        "ActivationRequest",
        "ForgetRequest",
        "RepairRequest",
        "QuarantineRequest",
        "PlanRequest",
        "SimulateRequest",
        "ExplainRequest",
    ] {
        contract["components"]["schemas"][name]["additionalProperties"] = json!(false);
    }
    let mut shared = Map::new();
    for (path, item) in contract["paths"].as_object_mut().unwrap() {
        for (method, operation) in item.as_object_mut().unwrap() {
            complete(path, method, operation, &mut shared);
        }
    }
    shared.sort_keys();
    contract["components"]["responses"] = Value::Object(shared);
    contract
}

/// Adds the problems of an operation: those that its annotation names, and those that any request may have.
fn complete(path: &str, method: &str, operation: &mut Value, shared: &mut Map<String, Value>) {
    let listed = operation.as_object_mut().unwrap().remove("x-problems");
    let mut names: Vec<String> = Vec::new();
    let mut add = |words: &str| names.extend(words.split(' ').map(str::to_owned));
    match listed {
        None => {}
        Some(Value::String(words)) => add(&words),
        Some(lists) => lists.as_array().unwrap().iter().for_each(|words| add(words.as_str().unwrap())),
    }
    for parameter in operation.get_mut("parameters").and_then(Value::as_array_mut).into_iter().flatten() {
        // A parameter may be absent, and is never null.
        if let Some(kinds) = parameter["schema"]["type"].as_array() {
            parameter["schema"]["type"] = kinds[0].clone();
        }
        if let Some(parts) = parameter["schema"]["oneOf"].as_array() {
            parameter["schema"] = parts.iter().find(|part| part["type"] != "null").unwrap().clone();
        }
    }
    let is_probe = path == "/healthz";
    if path.contains("/ofrep/") && method == "post" {
        // The annotation has no way to say it: an absent body is an empty context.
        operation["requestBody"]["required"] = json!(false);
    }
    if !path.contains("/ofrep/") {
        add("internal memory");
        if operation.get("requestBody").is_some() {
            add("malformed request-timeout too-large wrong-media");
        }
        if method != "get" {
            add("cross-origin");
        }
        if path.starts_with("/api/") {
            add("invalid");
        }
    }
    add(if is_probe { "unknown-host" } else { "unknown-host not-ready" });
    let find = |name: &String| {
        let kind = ProblemKind::ALL.iter().find(|kind| kind.parts().0 == name);
        *kind.unwrap_or_else(|| panic!("{method} {path}: there is no problem `{name}`"))
    };
    let mut kinds: Vec<ProblemKind> = names.iter().map(find).collect();
    kinds.sort_by_key(|kind| (kind.parts().2, kind.parts().0));
    kinds.dedup();
    let responses = operation["responses"].as_object_mut().unwrap();
    for same in kinds.chunk_by(|one, other| one.parts().2 == other.parts().2) {
        let status = same[0].parts().2.as_str().to_owned();
        let types: Vec<String> = same.iter().map(|kind| format!("urn:tidegate:problem:{}", kind.parts().0)).collect();
        let descriptions: Vec<String> =
            same.iter().map(|kind| format!("`{}`: {}", kind.parts().0, kind.when())).collect();
        let schema =
            json!({"allOf": [{"$ref": "#/components/schemas/Problem"}], "properties": {"type": {"enum": types}}});
        let mut response = json!({
            "description": descriptions.join(". "),
            "content": {"application/problem+json": {"schema": schema}},
        });
        if ["503", "507"].contains(&&*status) {
            response["headers"] =
                json!({"Retry-After": {"description": "seconds", "schema": {"type": "integer", "minimum": 0}}});
        }
        let words: Vec<&str> = same.iter().map(|kind| kind.parts().0).collect();
        let name = format!("{status}-{}", words.join("-"));
        let reference = json!({"$ref": format!("#/components/responses/{name}")});
        shared.insert(name, response);
        assert!(responses.insert(status.clone(), reference).is_none(), "{method} {path} has {status} twice");
    }
    responses.sort_keys();
}

/// The schema of entries is that of documents, whose definitions become components.
fn add_entry_schemas(schemas: &mut Value) {
    let document: Value = serde_json::from_str(include_str!("../../../docs/reference/document.schema.json")).unwrap();
    for (name, definition) in document["$defs"].as_object().unwrap() {
        let text = definition.to_string().replace("\"#/$defs/", "\"#/components/schemas/Entry.");
        schemas[component(name)] = serde_json::from_str(&text.replace("Entry.entry\"", "Entry\"")).unwrap();
    }
    schemas.as_object_mut().unwrap().sort_keys();
}

fn component(definition: &str) -> String {
    if definition == "entry" { "Entry".to_owned() } else { format!("Entry.{definition}") }
}

/// The types of problems.
fn add_problem_schemas(schemas: &mut Value) {
    let all = ProblemKind::ALL.iter().map(|kind| kind.parts().0);
    let types: Vec<String> = all.map(|name| format!("urn:tidegate:problem:{name}")).collect();
    schemas["Problem"]["properties"]["type"]["enum"] = json!(types);
}

/// Compares a committed file with what the source says; with `UPDATE=1`, writes it.
fn check_generated(path: &str, expected: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE").is_some_and(|update| update == "1") {
        fs::write(&file, expected).unwrap();
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == expected, "`{path}` is out of date; run `UPDATE=1 cargo xtask generate`");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Each of the three endpoints below the root and below a section.
const OFREP_PATHS: usize = 6;
