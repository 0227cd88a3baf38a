//! Answers against the contract, and the example of each operation.

use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use tidegate_server::Options;

use crate::support::{Reply, Server, builder};

/// The contract as it is committed.
pub(crate) static CONTRACT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../../../docs/reference/openapi.json")).unwrap());

/// Fails where the contract has the operation and not this answer.
pub(crate) fn check(method: &str, path: &str, reply: &Reply) {
    let Some(item) = item(path) else { return };
    let Some(operation) = item.get(&method.to_lowercase()) else {
        assert!(
            method == "HEAD" || reply.status == 405 || reply.status == 204,
            "{method} {path} is not in the contract"
        );
        return;
    };
    let status = reply.status.to_string();
    let response = resolve(&operation["responses"][&status]);
    assert!(response.is_object(), "the contract has no status {status} for {method} {path}: {}", reply.text());
    let kind = reply.header("content-type");
    let Some(contents) = response["content"].as_object() else {
        assert_eq!((kind, reply.text()), ("", ""), "{method} {path}: {status}");
        return;
    };
    let content = contents.get(kind).unwrap_or_else(|| panic!("{method} {path}: {status} has no `{kind}`"));
    if kind != "application/x-ndjson" && kind.ends_with("json") {
        let errors = errors(&content["schema"], &reply.json(), "");
        assert!(errors.is_empty(), "{method} {path}: {status} {}: {errors:#?}", reply.text());
    }
    for name in response["headers"].as_object().into_iter().flat_map(Map::keys) {
        assert!(reply.headers.contains_key(name) || name == "Retry-After", "{method} {path}: {status} has no `{name}`");
    }
}

/// The operations of a path. A path that the contract names as it is comes before a template.
fn item(path: &str) -> Option<&'static Map<String, Value>> {
    let paths = CONTRACT["paths"].as_object().unwrap();
    let matches = |template: &str| {
        let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
        template.len() == path.len()
            && template.iter().zip(path).all(|(wanted, found)| *wanted == found || wanted.starts_with('{'))
    };
    paths.get(path).or_else(|| paths.iter().find(|(template, _)| matches(template)).map(|(_, item)| item))?.as_object()
}

fn resolve(value: &'static Value) -> &'static Value {
    match value["$ref"].as_str() {
        Some(place) => resolve(CONTRACT.pointer(place.trim_start_matches('#')).unwrap_or_else(|| panic!("no {place}"))),
        None => value,
    }
}

/// What of a value the schema does not allow. A member that the schema does not name is an error, so that each is described.
fn errors(schema: &'static Value, value: &Value, at: &str) -> Vec<String> {
    let schema = resolve(schema);
    let mut found = Vec::new();
    for part in schema["allOf"].as_array().into_iter().flatten() {
        found.extend(errors(part, value, at));
    }
    for name in ["oneOf", "anyOf"] {
        if let Some(parts) = schema[name].as_array() {
            let all: Vec<Vec<String>> = parts.iter().map(|part| errors(part, value, at)).collect();
            if all.iter().all(|errors| !errors.is_empty()) {
                found.extend(all.into_iter().flatten());
            }
        }
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is_of(value, kind)) {
        found.push(format!("{at}: {value} is no {kinds:?}"));
    }
    if schema["enum"].as_array().is_some_and(|values| !values.contains(value)) {
        found.push(format!("{at}: {value} is none of {}", schema["enum"]));
    }
    if schema["format"] == "date-time" && value.is_string() && tidegate::parse_time(value.as_str().unwrap()).is_err() {
        found.push(format!("{at}: {value} is no instant"));
    }
    for (number, item) in value.as_array().into_iter().flatten().enumerate() {
        found.extend(errors(&schema["items"], item, &format!("{at}/{number}")));
    }
    let Some(members) = value.as_object() else { return found };
    for name in schema["required"].as_array().into_iter().flatten() {
        if !members.contains_key(name.as_str().unwrap()) {
            found.push(format!("{at}: {name} is missing"));
        }
    }
    for (name, member) in members {
        let at = format!("{at}/{name}");
        match (schema["properties"].get(name), &schema["additionalProperties"]) {
            (Some(schema), _) | (None, schema @ Value::Object(_)) => found.extend(errors(schema, member, &at)),
            (None, _) if schema["properties"].is_object() && schema["allOf"].is_null() => {
                found.push(format!("{at} is not in the contract"));
            }
            _ => {}
        }
    }
    found
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    }
}

/// An operation, and its example: the example of each parameter that has one, and that of the body.
struct Example {
    method: String,
    template: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Option<(&'static str, Vec<u8>)>,
}

impl Example {
    fn new(method: &str, template: &'static str, operation: &'static Value) -> Self {
        let (mut path, mut query, mut headers) = (template.to_owned(), Vec::new(), Vec::new());
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let name = parameter["name"].as_str().unwrap();
            let example = match &parameter["example"] {
                Value::Null => {
                    assert_ne!(parameter["required"], true, "{method} {template}: `{name}` has no example");
                    continue;
                }
                Value::String(text) => text.clone(),
                example => example.to_string(),
            };
            match parameter["in"].as_str().unwrap() {
                "path" => path = path.replace(&format!("{{{name}}}"), &encode(&example)),
                "query" => query.push(format!("{name}={}", encode(&example))),
                _ => headers.push((name, example)),
            }
        }
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        let body = operation["requestBody"]["content"].as_object().map(|content| {
            let (kind, content) = content.iter().next().unwrap();
            let body = match &content["example"] {
                Value::Null => panic!("{method} {template}: the body has no example"),
                Value::String(text) => text.clone(),
                example => example.to_string(),
            };
            (&**kind, body.into_bytes())
        });
        Self { method: method.to_uppercase(), template, path, headers, body }
    }

    fn request(&self, server: &Server) -> reqwest::RequestBuilder {
        let mut request = server.request(&self.method, &self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        match &self.body {
            Some((kind, body)) => request.header("content-type", *kind).body(body.clone()),
            None => request,
        }
    }
}

fn encode(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// All of them. A stream ends after its first bytes; an example about a member or a change that this node does not have is answered
/// with the problem that says so.
#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_each_operation_is_answered_as_the_contract_says() {
    let mut count = 0;
    for (template, item) in CONTRACT["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let example = Example::new(method, template, operation);
            let document = r#"{"flags": {"banner": {"stable": "blue", "metadata": {"team": "web"}}}}"#;
            let server = Server::with(builder().text(document), Options::default()).await;
            server.put("/api/v1/flags/shop/banner", r#"{"stable": "blue", "new": "green"}"#).await.good();
            server.put("/api/v1/flags/shop/banner/activation", r#"{"percentage": 10}"#).await.good();
            let is_stream =
                operation["responses"]["200"]["content"]["text/event-stream"].is_object() && template != FOLLOW;
            if is_stream {
                let response = example.request(&server).send().await.unwrap();
                let kind = response.headers().get("content-type").unwrap();
                assert_eq!(
                    (response.status().as_u16(), kind.to_str().unwrap()),
                    (200, "text/event-stream"),
                    "{}",
                    example.path
                );
            } else {
                let reply = Reply::from_request(example.request(&server)).await;
                let expected = match example.template {
                    "/api/v1/cluster/forget"
                    | "/api/v1/cluster/quarantine/accept"
                    | "/api/v1/cluster/quarantine/drop" => 404,
                    FOLLOW => 410,
                    _ => 200,
                };
                assert_eq!(reply.status, expected, "{} {}: {}", example.method, example.path, reply.text());
            }
            count += 1;
        }
    }
    assert!(count > 25, "{count}");
}

/// Its example has the digest of another content.
const FOLLOW: &str = "/api/v1/follow/changes";

#[tokio::test(flavor = "multi_thread")]
async fn the_server_answers_its_contract() {
    let server = Server::start().await;
    assert_eq!(server.get("/openapi.json").await.good(), *CONTRACT);
    assert_eq!(CONTRACT["openapi"], "3.1.0");
}

/// The page, its script and its style name no other server, and the policy allows none.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_the_contract_needs_nothing_from_elsewhere() {
    let server = Server::start().await;
    let page = server.get("/docs").await;
    for name in ["docs/script.js", "docs/style.css"] {
        assert!(page.text().contains(&format!("\"{name}\"")), "{name}");
    }
    assert!(!page.text().contains("<style") && !page.text().contains("style=") && !page.text().contains("<script>"));
    for path in ["/docs", "/docs/script.js", "/docs/style.css"] {
        let reply = server.get(path).await;
        assert_eq!(reply.status, 200, "{path}");
        let policy = reply.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        for elsewhere in ["src=\"http", "src=\"//", "href=\"http", "import ", "@import", "url("] {
            assert!(!reply.text().contains(elsewhere), "{path} has `{elsewhere}`");
        }
    }
}

/// Each operation is described, and has an id of its own.
#[test]
fn each_operation_says_what_it_is() {
    let mut ids = Vec::new();
    for (path, item) in CONTRACT["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            for member in ["summary", "operationId"] {
                assert!(operation[member].as_str().is_some_and(|text| !text.is_empty()), "{method} {path}: {member}");
            }
            ids.push(operation["operationId"].as_str().unwrap());
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].is_string(), "{method} {path}: {parameter}");
            }
        }
    }
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn each_reference_is_to_something() {
    fn collect(value: &'static Value, into: &mut Vec<&'static str>) {
        match value {
            Value::Object(members) => {
                into.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| collect(member, into));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(item, into)),
            _ => {}
        }
    }
    let mut references = Vec::new();
    collect(&CONTRACT, &mut references);
    assert!(references.len() > 100, "{}", references.len());
    for reference in references {
        assert!(CONTRACT.pointer(reference.trim_start_matches('#')).is_some(), "{reference}");
    }
}

/// What the check itself finds.
#[test]
fn an_answer_that_is_not_in_the_contract_is_found() {
    let flag = || CONTRACT.pointer("/components/schemas/Activation").unwrap();
    let good = json!({
        "percentage": 1.5, "until": null, "actor": "", "reason": "", "stamp": "", "at": "2026-01-01T00:00:00Z", "node": "a",
    });
    assert_eq!(errors(flag(), &good, ""), Vec::<String>::new());
    for (member, value) in
        [("percentage", json!("1")), ("other", json!(1)), ("at", json!("noon")), ("actor", Value::Null)]
    {
        let mut bad = good.clone();
        bad[member] = value;
        assert_eq!(errors(flag(), &bad, "").len(), 1, "{bad}");
    }
    let mut bad = good;
    bad.as_object_mut().unwrap().remove("node");
    assert_eq!(errors(flag(), &bad, ""), [": \"node\" is missing"]);
}
