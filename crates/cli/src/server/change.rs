//! A change of a flag, and the receipt of the server.

use std::time::Duration;

use clap::ValueEnum;
use reqwest::header::HeaderValue;
use reqwest::{Method, StatusCode};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use tidegate::RedisReceipt;
use tidegate_engine::{FlagKey, Micros, Share, Span};

use super::{Percentage, Reply, Request, Server};
use crate::exit::Failure;

/// What the change does.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// Set the activation to this share.
    Activate(Share, Target),
    /// Set the activation to the share that was read, if the flag still has this tag.
    Hold(Share, Option<HeaderValue>),
    /// Remove the activation.
    Clear,
    /// Define the flag: the name of the file, and the entry.
    Define(String, Vec<u8>),
    /// Remove the definition.
    Remove,
}

/// One change, with its actor, reason and acknowledgement level.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) flag: FlagKey,
    pub(crate) operation: Operation,
    pub(crate) until: Option<Micros>,
    pub(crate) actor: String,
    pub(crate) reason: Option<String>,
    pub(crate) ack: Option<Level>,
    pub(crate) timeout: Option<Span>,
}

/// Which flags a change may name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Target {
    /// Flags that the server knows.
    Existing,
    /// Any flag; one that the server does not know is created as a boolean flag.
    Create,
    /// Any flag; one that the server does not know is defined by documents of other nodes.
    Elsewhere,
}

impl Target {
    /// The query parameter for it.
    pub(crate) const fn parameter(self) -> Option<&'static str> {
        match self {
            Self::Existing => None,
            Self::Create => Some("create"),
            Self::Elsewhere => Some("elsewhere"),
        }
    }
}

/// How many members have to acknowledge a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum Level {
    Local,
    One,
    Majority,
    All,
}

impl Level {
    /// The word for it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::One => "one",
            Self::Majority => "majority",
            Self::All => "all",
        }
    }
}

/// The receipt of a change that was accepted.
#[derive(Debug, Deserialize)]
pub(crate) struct Receipt {
    /// The level that was requested.
    #[serde(default)]
    pub(crate) ack: String,
    /// Whether it was reached in time.
    pub(crate) reached: bool,
    /// The members that have acknowledged it.
    #[serde(default)]
    pub(crate) durable_on: Vec<String>,
    /// The members that have not acknowledged it yet.
    #[serde(default)]
    pub(crate) pending: Vec<String>,
    /// The members on which another change outranks it.
    #[serde(default)]
    pub(crate) outranked: Vec<Outranked>,
    /// The configured addresses of other nodes to which that node has no connection.
    #[serde(default)]
    pub(crate) unreached: Vec<Unreached>,
    /// What Redis has said of the change, where it is shared through one.
    #[serde(default)]
    pub(crate) redis: Option<RedisReceipt>,
    /// The share of keys with new on that node, before and after.
    #[serde(default)]
    pub(crate) effect: Option<Effect>,
    /// Whether the change created a boolean flag that the server did not know.
    #[serde(default)]
    pub(crate) created: bool,
}

/// A member on which another change outranks this one.
#[derive(Debug, Deserialize)]
pub(crate) struct Outranked {
    pub(crate) on: String,
    pub(crate) by: String,
    pub(crate) stamp: String,
    #[serde(default)]
    pub(crate) quarantined: bool,
}

/// A configured address without a connection.
#[derive(Debug, Deserialize)]
pub(crate) struct Unreached {
    pub(crate) address: String,
    #[serde(default)]
    pub(crate) problem: String,
}

/// What a change did; none where callers have their own defaults.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Effect {
    #[serde(default)]
    pub(crate) from: Option<Percentage>,
    #[serde(default)]
    pub(crate) to: Option<Percentage>,
}

impl Server {
    /// Sends a change. Returns the receipt, and its JSON as the server wrote it.
    pub(crate) fn change(&self, change: &Change) -> Result<(Receipt, Box<RawValue>), Failure> {
        self.ask_for_receipt(self.request_for(change)?)
    }

    /// Sends a request that is answered with a receipt. Returns it, and its JSON as the server wrote it.
    pub(crate) fn ask_for_receipt(&self, request: Request) -> Result<(Receipt, Box<RawValue>), Failure> {
        let reply = self.ask(request)?;
        let mut receipt: Receipt = self.read(&reply)?;
        receipt.reached = receipt.reached && reply.status != StatusCode::ACCEPTED;
        Ok((receipt, self.json_line(&reply)?))
    }

    /// The JSON of a response in one line.
    pub(crate) fn json_line(&self, reply: &Reply) -> Result<Box<RawValue>, Failure> {
        let json: Box<RawValue> = self.read(reply)?;
        if json.get().contains(['\n', '\r']) {
            let value: Value = self.read(reply)?;
            return RawValue::from_string(value.to_string()).map_err(|error| self.invalid_response(&error));
        }
        Ok(json)
    }

    fn request_for(&self, change: &Change) -> Result<Request, Failure> {
        let timeout = change.timeout.map(|timeout| timeout.to_string());
        let mut query = Vec::new();
        if let Some(ack) = change.ack {
            query.push(("ack", ack.as_str()));
        }
        if let Some(timeout) = &timeout {
            query.push(("timeout", timeout));
        }
        if matches!(change.operation, Operation::Clear | Operation::Remove | Operation::Define(..)) {
            // These requests have no body, or one that is the entry.
            query.extend(change.reason.as_deref().map(|reason| ("reason", reason)));
        }
        if let Operation::Activate(_, target) = &change.operation {
            query.extend(target.parameter().map(|parameter| (parameter, "true")));
        }
        let flag = &change.flag;
        let request = match &change.operation {
            Operation::Activate(share, _) => {
                self.flag_request(flag, Method::PUT, &["activation"], &query)?.json(&activation(change, *share))
            }
            Operation::Hold(share, seen) => self
                .flag_request(flag, Method::PUT, &["activation"], &query)?
                .json(&activation(change, *share))
                .if_match(seen.as_ref()),
            Operation::Clear => self.flag_request(flag, Method::DELETE, &["activation"], &query)?,
            Operation::Define(name, entry) => {
                self.flag_request(flag, Method::PUT, &[], &query)?.entry(name.clone(), entry.clone())
            }
            Operation::Remove => self.flag_request(flag, Method::DELETE, &[], &query)?,
        };
        let more = change.timeout.map_or(Duration::ZERO, |timeout| Duration::from_micros(timeout.get()));
        Ok(request.actor(&change.actor).with_extra_time(more))
    }
}

/// The body that sets an activation.
fn activation(change: &Change, share: Share) -> Value {
    let mut fields = Map::new();
    // A share as it is typed has at most six decimals, so that the number is exact as text.
    let percentage: Value = serde_json::from_str(&share.to_string()).unwrap_or_default();
    fields.insert("percentage".to_owned(), percentage);
    if let Some(reason) = &change.reason {
        fields.insert("reason".to_owned(), json!(reason));
    }
    if let Some(until) = change.until {
        fields.insert("until".to_owned(), json!(until.to_string()));
    }
    Value::Object(fields)
}
