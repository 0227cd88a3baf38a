//! Commands against a server that answers from a script: unreachable, silent, nonsense, refusals.

mod changes;
pub(crate) mod cluster;
mod connections;
mod reads;

use tidegate_origin::Reply;

const RECEIPT: &str = r#"{"flag":"flags/x","stamp":"00","at":"2026-01-01T00:00:00.000000Z","ack":"majority","reached":true,"durable_on":["a","b"],"pending":[],"effect":{"from":null,"to":100},"created":true}"#;

fn json_reply(body: &str) -> Reply {
    Reply::ok(body).header("Content-Type", "application/json")
}

fn problem(status: u16, body: &serde_json::Value) -> Reply {
    Reply::ok(body.to_string()).with_status(status).header("Content-Type", "application/problem+json")
}
