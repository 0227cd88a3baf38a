//! All flags, in the order of their keys, a part at a time.
//!
//! One view is held for all parts, so what the list says of documents, values and shares is of one instant. What live changes
//! say of a flag is of the moment when its part was made.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse as _;
use serde::Serialize;
use tidegate::{Cluster, FlagKey, Tidegate, View};
use tidegate_engine::FlagIndex;
use utoipa::ToSchema;

use super::ask::{self, Query};
use super::budget::Reserved;
use super::flag::FlagJson;
use super::parts::parts;
use super::problem::Problem;
use super::{Answer, Api, Kind, Shared, answer};
use crate::limits;

/// All flags
///
/// In the order of their keys. A long list is streamed: documents, values and shares are those of one instant; the activation and
/// definition of each flag are those of the moment when it is sent.
#[utoipa::path(
    get, path = "/api/v1/flags", tag = "flags", operation_id = "listFlags",
    responses((status = 200, description = "the flags", body = Flags, headers(("ETag" = String)))),
    extensions(("x-problems" = json!("busy"))),
)]
pub(super) async fn list(State(api): Shared, request: Request) -> Answer {
    Query::read(request.uri(), &[])?;
    let tide = api.tide.clone();
    let reserved = api.budget.reserve(limits::PARTS_MAX * limits::PART_BYTES + Listing::bytes(&tide.view()))?;
    let open = move || {
        let mut listing = Listing::open(tide)?;
        listing.next_part().map(|part| (part, listing))
    };
    let (first, listing) = api.blocking(Kind::List, open).await??;
    let tag = listing.digest();
    let kind = HeaderValue::from_static(ask::JSON);
    let body = if listing.is_ended() { Body::from(first) } else { send(&api, reserved, first, listing) };
    Ok(answer::with_tag((StatusCode::OK, [(header::CONTENT_TYPE, kind)], body).into_response(), &tag))
}

/// The list as it is written.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it is written in parts; only its schema is used")]
struct Flags {
    /// The flags.
    flags: Vec<FlagJson>,
    /// What the list is of: it changes with the documents and with each live change.
    digest: String,
}

/// Sends the list as the client takes it.
fn send(api: &Arc<Api>, reserved: Reserved, first: Vec<u8>, mut listing: Listing) -> Body {
    let (parts, ready) = parts(reserved, limits::ANSWER_TIMEOUT);
    let (api, tasks) = (Arc::clone(api), &api.tasks);
    tasks.spawn(async move {
        let mut part = first;
        while parts.send(part).await.is_ok() && !listing.is_ended() {
            let work = move || listing.next_part().map(|part| (part, listing));
            match api.blocking(Kind::Read, work).await.and_then(|made| made) {
                Ok(made) => (part, listing) = made,
                Err(problem) => return parts.fail(format!("{problem:?}").into()).await,
            }
        }
    });
    ready.body()
}

/// A list that is being sent.
#[derive(Debug)]
pub(super) struct Listing {
    tide: Tidegate,
    digest: String,
    view: View,
    /// The flags of the view that come yet, the last one first.
    known: Vec<FlagIndex>,
    /// Flags of which something stands in a register and nothing is active here, the last one first.
    strange: Vec<FlagKey>,
    is_begun: bool,
    is_ended: bool,
}

impl Listing {
    /// How many bytes it needs at most, besides its parts.
    pub(super) fn bytes(view: &View) -> usize {
        view.snapshot().len().saturating_mul(size_of::<FlagIndex>())
    }

    pub(super) fn open(tide: Tidegate) -> Result<Self, Problem> {
        let cluster = tide.cluster();
        // Before anything is looked at: what changes meanwhile is in the list, and the tag after it is another one.
        let follower = tide.follower();
        let changes = cluster.as_ref().map(Cluster::digest).transpose()?;
        let changes =
            changes.map(|digest| format!("{digest:016x}")).or_else(|| Some(follower.as_ref()?.status().digest));
        let view = tide.view();
        let snapshot = view.snapshot();
        let is_strange = |key: &FlagKey| snapshot.find(key.section(), key.flag()).is_none();
        let mut strange = match (&cluster, &follower) {
            (Some(cluster), _) => cluster.changed_flags(is_strange)?,
            (None, Some(follower)) => follower.changed_flags(is_strange),
            (None, None) => Vec::new(),
        };
        strange.reverse();
        let mut known: Vec<FlagIndex> = snapshot.flags().map(|flag| flag.index()).collect();
        let key = |index: &FlagIndex| {
            let flag = snapshot.flag(*index);
            (flag.section(), flag.name())
        };
        known.sort_unstable_by(|one, other| key(other).cmp(&key(one)));
        let digest = match changes {
            Some(changes) => format!("{}.{changes}", snapshot.digest()),
            None => snapshot.digest().to_string(),
        };
        Ok(Self { tide, digest, view, known, strange, is_begun: false, is_ended: false })
    }

    /// What the list is of: the documents and definitions, and all live changes.
    pub(super) fn digest(&self) -> String {
        self.digest.clone()
    }

    /// Whether all parts were made.
    pub(super) fn is_ended(&self) -> bool {
        self.is_ended
    }

    /// The next part of the JSON.
    pub(super) fn next_part(&mut self) -> Result<Vec<u8>, Problem> {
        let mut part = Vec::new();
        while part.len() < limits::PART_BYTES && !self.is_ended {
            let keys: Vec<FlagKey> = std::iter::from_fn(|| self.next_key()).take(FLAGS_AT_ONCE).collect();
            for shown in self.show(&keys)? {
                part.extend_from_slice(if self.is_begun { b"," } else { br#"{"flags":["# });
                self.is_begun = true;
                put(&mut part, &shown)?;
            }
            if keys.is_empty() {
                part.extend_from_slice(if self.is_begun { br#"],"digest":"# } else { br#"{"flags":[],"digest":"# });
                put(&mut part, &self.digest())?;
                part.extend_from_slice(b"}\n");
                self.is_ended = true;
            }
        }
        Ok(part)
    }

    fn next_key(&mut self) -> Option<FlagKey> {
        let known = self.known.last().map(|index| self.view.snapshot().flag(*index));
        let is_known_first = match (known, self.strange.last()) {
            (Some(known), Some(strange)) => (known.section(), known.name()) <= (strange.section(), strange.flag()),
            (known, _) => known.is_some(),
        };
        if !is_known_first {
            return self.strange.pop();
        }
        self.known.pop().map(|index| self.view.snapshot().flag(index).key())
    }

    /// The flags as they are shown, without those that are gone by now.
    fn show(&self, keys: &[FlagKey]) -> Result<Vec<FlagJson>, Problem> {
        Ok(self.tide.flag_states(&self.view, keys)?.into_iter().map(FlagJson::new).collect())
    }
}

fn put(part: &mut Vec<u8>, value: &impl Serialize) -> Result<(), Problem> {
    serde_json::to_writer(part, value).map_err(|error| Problem::internal(&error))
}

/// Flags that are looked up together. A flag has a few hundred bytes usually, and some 200 KiB at most.
const FLAGS_AT_ONCE: usize = 32;
