//! A document, or the entry of a flag, in the body of a request that asks about it.

use std::io;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::IntoResponse as _;
use serde::Serialize;
use tidegate::{FlagKey, Micros, parse_time};
use tidegate_engine::document::read_definition;
use tidegate_engine::{CompileOptions, Flag, Snapshot, compile, read};

use super::ask::{self, Fields, JSON, Query, Wanted};
use super::budget::{Budget, Held, Reserved};
use super::problem::Problem;
use super::work::Ends;
use super::{Answer, Api, Kind};
use crate::limits;

/// Reads the body, and answers with what `work` makes of its fields, as JSON. The work is done on a thread of this kind, and ends
/// when the client has gone or [`limits::FORECAST_TIMEOUT`] is over.
pub(super) async fn answer<W>(
    api: &Arc<Api>,
    request: Request,
    kind: Kind,
    known: &'static [&'static str],
    work: W,
) -> Answer
where
    W: FnOnce(&Fields, &Ends, Output) -> Result<Bytes, Problem> + Send + 'static,
{
    let (parts, body) = request.into_parts();
    Query::read(&parts.uri, &[])?;
    let bytes_max = tidegate_engine::limits::DOCUMENT_BYTES_MAX.saturating_add(limits::BODY_BYTES_MAX);
    let wanted = Wanted { media_type: JSON, bytes_max, timeout: api.options.body_timeout, cost: BODY_COST };
    let body = ask::body(api, &parts.headers, body, &wanted).await?;
    let output = Output::new(&api.budget)?;
    let done = api.blocking_until(kind, limits::FORECAST_TIMEOUT, move |ends| {
        // The body keeps its place in the budget as long as what is made of it.
        let body: Held = body;
        let fields = Fields::read(&body, known)?;
        check_rest(&body, &fields)?;
        work(&fields, ends, output)
    });
    let json = done.await??;
    let kind = HeaderValue::from_static(JSON);
    Ok((StatusCode::OK, [(header::CONTENT_TYPE, kind)], json).into_response())
}

/// All but the document is as large as any other body.
fn check_rest(body: &[u8], fields: &Fields) -> Result<(), Problem> {
    let document = fields.raw("document").map_or(0, str::len);
    if body.len().saturating_sub(document) > limits::BODY_BYTES_MAX {
        return Err(Problem::too_large(limits::BODY_BYTES_MAX));
    }
    Ok(())
}

/// What the body gives: a snapshot, and the flag that it names.
pub(super) struct Given {
    pub(super) snapshot: Snapshot,
    pub(super) flag: Option<FlagKey>,
}

impl Given {
    /// Reads `document` or `entry`, by the code that loads documents and definitions. Leases, locks and activations of this
    /// server have no part in it.
    pub(super) fn read(fields: &Fields) -> Result<Self, Problem> {
        let flag = fields.text("flag")?.map(|flag| ask::checked(FlagKey::parse(&flag))).transpose()?;
        let options = CompileOptions::default();
        let snapshot = match (fields.raw("document"), fields.raw("entry"), &flag) {
            (Some(document), None, _) => {
                let text = text_of(document)?;
                let (document, _) = read(text.as_bytes()).map_err(Problem::refused_document)?;
                compile(&document, &options)
            }
            (None, Some(entry), Some(flag)) => {
                let (definition, _) = read_definition(flag, entry).map_err(tidegate::ChangeError::from)?;
                compile(&definition.into_document(), &options)
            }
            (None, Some(_), None) => return Err(Problem::invalid("flag", "`flag` is missing", NAME_THE_FLAG)),
            (Some(_), Some(_), _) => {
                return Err(Problem::invalid("entry", "`document` and `entry` exclude each other", GIVE_ONE));
            }
            (None, None, _) => return Err(Problem::invalid("document", "`document` is missing", GIVE_ONE)),
        };
        Ok(Self { snapshot, flag })
    }

    /// The flag that the body has to name.
    pub(super) fn named(&self) -> Result<(&FlagKey, Flag<'_>), Problem> {
        let key = self.flag.as_ref().ok_or_else(|| Problem::invalid("flag", "`flag` is missing", NAME_THE_FLAG))?;
        Ok((key, self.find(key)?))
    }

    pub(super) fn find(&self, key: &FlagKey) -> Result<Flag<'_>, Problem> {
        let found = self.snapshot.find(key.section(), key.flag());
        found
            .map(|index| self.snapshot.flag(index))
            .ok_or_else(|| Problem::not_in_document(key, self.snapshot.nearest(key)))
    }
}

/// A document is an object, or a text: then it may have comments.
fn text_of(document: &str) -> Result<String, Problem> {
    if !document.starts_with('"') {
        return Ok(document.to_owned());
    }
    serde_json::from_str(document).map_err(|error| {
        Problem::invalid(
            "document",
            format!("`document` cannot be read: {error}"),
            "send a JSON object or a JSON string",
        )
    })
}

/// A field that is an instant.
pub(super) fn instant(fields: &Fields, name: &str) -> Result<Option<Micros>, Problem> {
    let help = "write an instant such as `2026-12-01T00:00:00Z`";
    let read =
        |text: String| parse_time(&text).map_err(|error| Problem::invalid(name, format!("`{name}` {error}"), help));
    fields.text(name)?.map(read).transpose()
}

/// An answer that is being made; it takes its bytes from the budget.
pub(super) struct Output {
    bytes: Vec<u8>,
    reserved: Reserved,
}

impl Output {
    fn new(budget: &Budget) -> Result<Self, Problem> {
        Ok(Self { bytes: Vec::new(), reserved: budget.reserve(0)? })
    }

    /// Writes a value on one line.
    pub(super) fn json(mut self, value: &impl Serialize) -> Result<Bytes, Problem> {
        serde_json::to_writer(&mut self, value)
            .map_err(|error| if error.is_io() { Problem::no_memory() } else { Problem::internal(&error) })?;
        self.bytes.push(b'\n');
        Ok(Bytes::from_owner(Held::new(self.bytes, self.reserved)))
    }
}

impl io::Write for Output {
    fn write(&mut self, written: &[u8]) -> io::Result<usize> {
        let length = self.bytes.len().saturating_add(written.len());
        if length > limits::SMALL_BYTES && length > self.bytes.capacity() {
            let capacity = self.bytes.capacity().saturating_mul(2).max(length);
            self.reserved.grow_to(capacity).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
            self.bytes.reserve_exact(capacity.saturating_sub(self.bytes.len()));
        }
        self.bytes.extend_from_slice(written);
        Ok(written.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The body, its fields, the text of the document, the document and the snapshot are each about as large.
const BODY_COST: usize = 5;

const NAME_THE_FLAG: &str = "name the flag, such as `shop/banner`";
const GIVE_ONE: &str = "send a document as `document`, or the entry of `flag` as `entry`";
