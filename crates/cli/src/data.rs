//! Where a document came from and how old it is, as text and as JSON.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use tidegate::{Health, Status};
use tidegate_engine::{Micros, Span};

use crate::json::instant;
use crate::relative::rough;
use crate::text::escape;

/// Where a document came from and how old it is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Data {
    /// The server that answered, if one did; the other fields are about its source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) server: Option<String>,
    /// The source, without secrets.
    pub(crate) source: String,
    /// How the source is doing: `fresh`, `stale`, `refused`, `offline`.
    pub(crate) health: Cow<'static, str>,
    /// Why it is not fresh.
    pub(crate) why: Option<String>,
    /// Seconds since the source last answered with its document, or that it is unchanged.
    pub(crate) age_seconds: Option<f64>,
    /// When the document was fetched.
    pub(crate) fetched_at: Option<String>,
    /// A hash of the flags: equal on all hosts that have the same flags.
    pub(crate) digest: Option<String>,
    #[serde(skip)]
    age: Option<Span>,
}

impl Data {
    pub(crate) fn new(status: &Status) -> Self {
        let why = match status.health {
            Health::Fresh => None,
            Health::Refused => status.refused.as_ref().map(|refusal| refusal.message.clone()),
            _ => status.last_error.as_ref().map(|trouble| trouble.message.clone()),
        };
        Self {
            server: None,
            source: status.source.clone(),
            health: status.health.as_str().into(),
            why,
            age_seconds: status.age.map(seconds),
            fetched_at: status.fetched_at.map(|at: Micros| instant(at)),
            digest: Some(status.digest.clone()),
            age: status.age,
        }
    }

    /// What a server reports of the source that a flag comes from.
    pub(crate) fn from_server(address: String, source: ServerSource, digest: Option<String>) -> Self {
        let age = source.age_seconds.map(span);
        let why = source.refused.or(source.last_error).map(|trouble| trouble.message);
        Self {
            server: Some(address),
            why: why.filter(|_| source.health != Health::Fresh.as_str()),
            source: source.source,
            health: source.health.into(),
            age_seconds: source.age_seconds,
            fetched_at: source.fetched_at,
            digest,
            age,
        }
    }

    /// A server whose status could not be read, and why.
    pub(crate) fn from_server_without_age(address: String, why: String) -> Self {
        Self {
            server: Some(address),
            source: "unknown".to_owned(),
            health: "unknown".into(),
            why: Some(why),
            age_seconds: None,
            fetched_at: None,
            digest: None,
            age: None,
        }
    }

    /// One line for people.
    pub(crate) fn describe(&self) -> String {
        let why = self.why.as_deref().map_or(String::new(), |why| format!(" ({})", escape(why)));
        let server = self.server.as_deref().map_or(String::new(), |server| format!("{}: ", escape(server)));
        if self.server.is_some() && self.health == Health::NoSource.as_str() {
            return format!("{server}no document, only live changes{why}");
        }
        let age = match self.age {
            None => "of unknown age".to_owned(),
            Some(age) if age < Span::SECOND => "just read".to_owned(),
            Some(age) => format!("{} old", rough(age)),
        };
        format!("{server}{}, {}{why}, {age}", escape(&self.source), escape(&self.health))
    }
}

/// A source in the status of a server.
#[derive(Debug, Deserialize)]
pub(crate) struct ServerSource {
    #[serde(default)]
    pub(crate) source: String,
    pub(crate) health: String,
    #[serde(default)]
    age_seconds: Option<f64>,
    #[serde(default)]
    fetched_at: Option<String>,
    #[serde(default)]
    last_error: Option<Trouble>,
    #[serde(default)]
    refused: Option<Trouble>,
}

/// What is wrong with a source of a server.
#[derive(Debug, Deserialize)]
struct Trouble {
    message: String,
}

/// Seconds from another host; a negative or absurd number saturates.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a conversion of floats saturates, and nothing is decided by it"
)]
fn span(seconds: f64) -> Span {
    Span::from_micros((seconds * 1e6) as u64)
}

#[expect(clippy::cast_precision_loss, reason = "an age for people and monitors; nothing is decided by it")]
fn seconds(span: Span) -> f64 {
    span.get() as f64 / 1e6
}
