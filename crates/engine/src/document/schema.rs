//! The JSON Schema of a document, for completion and simple checks in editors.
//!
//! It accepts every document that the reader accepts, and some more: checks that need two fields or a calendar are left to
//! [`check`](super::check).

use serde_json::{Map, Value, json};

use super::fields::{self, Field};
use crate::limits;

/// The JSON Schema of documents as JSON text, draft 2020-12.
pub fn schema() -> String {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Tidegate document",
        "description": "Says how flags behave: sections, in them flags, in them fields.",
        "type": "object",
        "properties": {
            "$schema": {"description": "where this schema is; for editors"},
            "$tidegate": {"$ref": "#/$defs/header"},
        },
        "additionalProperties": {"$ref": "#/$defs/section"},
        "$defs": {
            "section": {
                "type": "object",
                "propertyNames": {"maxLength": limits::NAME_BYTES_MAX},
                "additionalProperties": {"$ref": "#/$defs/entry"},
            },
            "entry": entry(),
            "step": object(fields::STEP, &["pct"]),
            "rule": object(fields::RULE, &["name", "when", "serve"]),
            "serve": serve(),
            "choice": {"anyOf": [{"type": "string"}, {"type": "object", "required": ["split"], "properties": {"split": {"$ref": "#/$defs/serve/properties/split"}}}]},
            "ramp": object(fields::RAMP, &[]),
            "condition": object(fields::CONDITION, &[]),
            "adopter": object(fields::ADOPTER, &["regex"]),
            "rollback": object(fields::ROLLBACK, &["start_time"]),
            "header": object(fields::HEADER, &[]),
            "time": {"type": "string", "pattern": TIME},
            "duration": {"type": "string", "pattern": DURATION},
            "percent": {"type": "number", "minimum": 0, "maximum": 100},
        },
    });
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

fn entry() -> Value {
    let mut entry = object(fields::ENTRY, &["stable"]);
    if let Some(members) = entry.as_object_mut() {
        members.insert("if".to_owned(), json!({"required": ["steps"]}));
        members.insert(
            "then".to_owned(),
            json!({
                "anyOf": [{"required": ["start_time"]}, {"required": ["end_time"]}],
                "properties": {"duration": false, "start_pct": false, "end_pct": false, "curve": false},
            }),
        );
        let choice = json!({"$ref": "#/$defs/choice"});
        let sides = json!({"properties": {"stable": choice, "new": choice}});
        members.insert("dependentSchemas".to_owned(), json!({"variants": sides}));
    }
    entry
}

fn serve() -> Value {
    let mut serve = object(fields::SERVE, &[]);
    if let Some(members) = serve.as_object_mut() {
        members.insert("oneOf".to_owned(), json!([{"required": ["ramp"]}, {"required": ["split"]}]));
    }
    serve
}

/// The schema of an object with these fields. Others are allowed: a later version may know them.
fn object(fields: &[Field], required: &[&str]) -> Value {
    let properties = fields.iter().map(|field| (field.name.to_owned(), property(field))).collect::<Map<_, _>>();
    json!({"type": "object", "required": required, "properties": properties})
}

fn property(field: &Field) -> Value {
    let description = format!("{}. Default: {}.", field.meaning, field.default);
    let mut property = Map::new();
    property.insert("description".to_owned(), Value::from(description));
    if let Ok(Value::Object(schema)) = serde_json::from_str(field.schema) {
        property.extend(schema);
    }
    if let Ok(example) = serde_json::from_str::<Value>(field.example) {
        property.insert("examples".to_owned(), Value::Array(vec![example]));
    }
    Value::Object(property)
}

/// Any of the forms of a time, without its calendar.
const TIME: &str = r"^[0-9]{4}-[0-9]{1,2}- ?[0-9]{1,2}([Tt]|\s+)[0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}(\.[0-9]+)?)?([Zz]|[+-][0-9]{2}:[0-9]{2})$";
/// Numbers with units.
const DURATION: &str = r"^\s*([0-9.]+\s*(ms|w|d|h|m|s)\s*)+$";
