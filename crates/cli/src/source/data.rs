//! How old a document is and where it came from, for people and programs.

use serde::Serialize;
use tidegate::{Health, Status};
use tidegate_engine::{Micros, Span};

use crate::json::instant;
use crate::relative::rough;
use crate::text::escape;

/// Where a document came from and how old it is.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Data {
    /// The source, without secrets.
    pub(crate) source: String,
    /// How the source is doing: `fresh`, `stale`, `refused`, `offline`.
    pub(crate) health: &'static str,
    /// Why it is not fresh.
    pub(crate) why: Option<String>,
    /// Seconds since the source last said what its document is, or that it is unchanged.
    pub(crate) age_seconds: Option<f64>,
    /// When the document was fetched.
    pub(crate) fetched_at: Option<String>,
    /// What the flags say, as one number: equal on all hosts that have the same flags.
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
            source: status.source.clone(),
            health: status.health.as_str(),
            why,
            age_seconds: status.age.map(seconds),
            fetched_at: status.fetched_at.map(|at: Micros| instant(at)),
            digest: Some(status.digest.clone()),
            age: status.age,
        }
    }

    /// A server that has just answered; how old its own data is only the server knows.
    pub(crate) fn of_server(address: String) -> Self {
        Self {
            source: address,
            health: Health::Fresh.as_str(),
            why: None,
            age_seconds: Some(0.0),
            fetched_at: None,
            digest: None,
            age: Some(Span::ZERO),
        }
    }

    /// One line for people.
    pub(crate) fn in_words(&self) -> String {
        let why = self.why.as_deref().map_or(String::new(), |why| format!(" ({})", escape(why)));
        let age = match self.age {
            None => "of unknown age".to_owned(),
            Some(age) if age < Span::SECOND => "just read".to_owned(),
            Some(age) => format!("{} old", rough(age)),
        };
        format!("{}, {}{why}, {age}", escape(&self.source), self.health)
    }
}

#[expect(clippy::cast_precision_loss, reason = "an age for people and monitors; nothing is decided by it")]
fn seconds(span: Span) -> f64 {
    span.get() as f64 / 1e6
}
