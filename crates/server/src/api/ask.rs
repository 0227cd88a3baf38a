//! What a request says: the flag in its path, its query, its body, and who asks. Whatever is unknown or said twice is a
//! mistake that its sender should hear of.

use std::fmt;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, Method, Uri, header};
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use tidegate::{Change, ChangeSet, FlagKey, Level};
use tidegate_engine::JsonAttributes;
use tidegate_engine::document::parse_duration;

use super::Api;
use super::budget::{Budget, Held, Reserved};
use super::problem::Problem;
use crate::limits;

/// The two names of a flag, percent-decoded.
pub(super) type FlagPath = Result<Path<(String, String)>, PathRejection>;

pub(super) fn flag_of(path: FlagPath) -> Result<FlagKey, Problem> {
    let Path((section, flag)) = path.map_err(|_| {
        Problem::invalid("flag", "the path is not UTF-8", "percent-encode the names of the flag as UTF-8")
    })?;
    checked(FlagKey::new(section, flag))
}

pub(super) fn checked(flag: FlagKey) -> Result<FlagKey, Problem> {
    flag.check().map_err(Problem::name)?;
    Ok(flag)
}

/// The same for a flag that the request may make. A document may have such a name, because documents of slowroll may; a caller that makes a
/// flag here can choose another name.
pub(super) fn new_flag_of(path: FlagPath) -> Result<FlagKey, Problem> {
    new_flag(flag_of(path)?)
}

/// The same for a flag that is named in a body.
pub(super) fn new_flag(flag: FlagKey) -> Result<FlagKey, Problem> {
    if [flag.section(), flag.flag()].into_iter().any(|name| name.contains(['?', '#'])) {
        let detail = "the name holds `?` or `#`, which some clients of OpenFeature cannot ask for";
        return Err(Problem::invalid("flag", detail, "choose a name without them"));
    }
    Ok(flag)
}

/// The parameters of a query.
#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the query, which may have these parameters and no others, each once.
    pub(super) fn read(uri: &Uri, known: &[&str]) -> Result<Self, Problem> {
        let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let mut found = Self(Vec::new());
        for pair in pairs {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let not_utf8 = || Problem::invalid("query", "the query is not UTF-8", "percent-encode it as UTF-8");
            let name = decode(name).ok_or_else(not_utf8)?;
            let value = decode(value).ok_or_else(not_utf8)?;
            if !known.contains(&&*name) {
                return Err(unknown("parameter", &name, known));
            }
            if found.get(&name).is_some() {
                return Err(twice("parameter", &name));
            }
            found.0.push((name, value));
        }
        Ok(found)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(found, _)| found == name).map(|(_, value)| &**value)
    }

    /// A parameter as what it stands for.
    pub(super) fn parse<T>(
        &self,
        name: &str,
        parse: impl FnOnce(&str) -> Option<T>,
        help: &str,
    ) -> Result<Option<T>, Problem> {
        let Some(text) = self.get(name) else { return Ok(None) };
        let wrong = || Problem::invalid(name, format!("`{name}` is `{}`", shown(text)), help);
        parse(text).map(Some).ok_or_else(wrong)
    }

    /// The attributes of the subject; none where they are not given.
    pub(super) fn attributes(&self) -> Result<JsonAttributes, Problem> {
        let help = "percent-encode a JSON object, such as `{\"plan\": \"premium\"}`";
        let attributes = self.parse("attributes", |text| JsonAttributes::parse(text).ok(), help)?;
        Ok(attributes.unwrap_or_default())
    }

    /// How long an acknowledgement is waited for, if that is said.
    pub(super) fn timeout(&self) -> Result<Option<Duration>, Problem> {
        let span = |text: &str| parse_duration(text).ok().map(|span| Duration::from_micros(span.get()));
        let timeout = |text: &str| span(text).filter(|timeout| *timeout <= limits::ACK_TIMEOUT_MAX);
        self.parse("timeout", timeout, "say a duration up to a minute, such as `500ms`")
    }

    /// Gives a change the level and the patience that are asked for.
    pub(super) fn apply(&self, change: Change) -> Result<Change, Problem> {
        let level = self.parse("ack", |text| text.parse::<Level>().ok(), LEVELS)?;
        let timeout = self.timeout()?;
        let change = level.map_or(change.clone(), |level| change.ack(level));
        Ok(timeout.map_or(change.clone(), |timeout| change.timeout(timeout)))
    }

    /// The same for changes that are made as one.
    pub(super) fn apply_to_set(&self, set: ChangeSet) -> Result<ChangeSet, Problem> {
        let set = match self.parse("ack", |text| text.parse::<Level>().ok(), LEVELS)? {
            Some(level) => set.ack(level),
            None => set,
        };
        Ok(match self.timeout()? {
            Some(timeout) => set.timeout(timeout),
            None => set,
        })
    }

    /// Says which flags an activation may be set for: one that this node knows, unless `create` or `elsewhere` is `true`.
    pub(super) fn apply_target(&self, change: Change) -> Result<Change, Problem> {
        let switch = |name| self.parse(name, |text| text.parse().ok(), "say `true` or `false`");
        target(change, switch("create")?.unwrap_or(false), switch("elsewhere")?.unwrap_or(false))
    }
}

fn target(change: Change, creates: bool, is_elsewhere: bool) -> Result<Change, Problem> {
    match (creates, is_elsewhere) {
        (false, false) => Ok(change.existing()),
        (true, false) => Ok(change),
        (false, true) => Ok(change.elsewhere()),
        (true, true) => {
            let help = "say `create` for a new boolean flag, `elsewhere` for a flag of other nodes' documents";
            Err(Problem::invalid("create", "`create` and `elsewhere` exclude each other", help))
        }
    }
}

/// Undoes the encoding of a query; none where that gives no UTF-8.
fn decode(text: &str) -> Option<String> {
    let (mut bytes, mut rest) = (Vec::with_capacity(text.len()), text.as_bytes());
    while let Some((first, after)) = rest.split_first() {
        let escape = after.get(..2).and_then(|digits| u8::from_str_radix(str::from_utf8(digits).ok()?, 16).ok());
        match (first, escape) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
                continue;
            }
            (b'+', _) => bytes.push(b' '),
            (byte, _) => bytes.push(*byte),
        }
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

/// The actor in the header; empty without the header.
pub(super) fn actor(headers: &HeaderMap) -> Result<String, Problem> {
    let Some(value) = headers.get(ACTOR) else { return Ok(String::new()) };
    let help = format!("send at most {} bytes of UTF-8 without control characters", limits::TEXT_BYTES_MAX);
    let text = str::from_utf8(value.as_bytes()).ok().filter(|text| !text.contains(char::is_control));
    let text = text.filter(|text| text.len() <= limits::TEXT_BYTES_MAX);
    text.map(|text| text.trim().to_owned()).ok_or_else(|| Problem::invalid(ACTOR, "the actor cannot be read", help))
}

/// Why a change is made, or who makes it.
pub(super) fn check_text(field: &str, text: &str) -> Result<(), Problem> {
    if text.len() <= limits::TEXT_BYTES_MAX {
        return Ok(());
    }
    let detail = format!("the {field} has {} bytes, more than the limit of {}", text.len(), limits::TEXT_BYTES_MAX);
    Err(Problem::invalid(field, detail, "shorten it"))
}

/// Which bodies are read.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) media_type: &'static str,
    pub(crate) bytes_max: usize,
    pub(crate) timeout: Duration,
    /// How often the body takes its size from the budget: once, and again for what is made from it.
    pub(crate) cost: usize,
}

impl Wanted {
    /// JSON, as every route reads it but for one.
    pub(crate) fn json(api: &Api) -> Self {
        Self { media_type: JSON, bytes_max: limits::BODY_BYTES_MAX, timeout: api.options.body_timeout, cost: 1 }
    }
}

/// Reads a body, up to a size and within a time.
pub(super) async fn body(api: &Api, headers: &HeaderMap, body: Body, wanted: &Wanted) -> Result<Held, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case(wanted.media_type) {
        return Err(Problem::wrong_media(wanted.media_type));
    }
    collect_body(api, body, wanted).await
}

/// The same, whatever type the body says it has.
pub(crate) async fn collect_body(api: &Api, body: impl Incoming, wanted: &Wanted) -> Result<Held, Problem> {
    let mut reading = pin!(collect(&api.budget, body, wanted));
    // Most bodies came with their heads, and need no timer.
    let read = poll_fn(|context| match reading.as_mut().poll(context) {
        Poll::Ready(read) => Poll::Ready(Some(read)),
        Poll::Pending => Poll::Ready(None),
    });
    if let Some(read) = read.await {
        return read;
    }
    match tokio::time::timeout(wanted.timeout, reading).await {
        Ok(read) => read,
        Err(_) => Err(Problem::request_timeout()),
    }
}

/// The body of a request.
pub(crate) trait Incoming: HttpBody<Data = Bytes, Error: fmt::Display> + Send + Unpin {}

impl<B: HttpBody<Data = Bytes, Error: fmt::Display> + Send + Unpin> Incoming for B {}

/// The whole body, or why not: then the rest of it is read and thrown away, up to a limit.
async fn collect(budget: &Budget, mut body: impl Incoming, wanted: &Wanted) -> Result<Held, Problem> {
    let (mut bytes, mut reserved, mut count) = (Vec::new(), budget.reserve(0)?, 0_usize);
    let mut refused = None;
    // No more is allocated than will come, where that is said.
    let coming = body.size_hint().upper().and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX);
    let capacity_max = coming.min(wanted.bytes_max);
    loop {
        let frame = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
        let Some(frame) = frame else { break };
        let frame = frame.map_err(|error| Problem::broken_body(&error))?;
        let Ok(data) = frame.into_data() else { continue };
        count = count.saturating_add(data.len());
        if count > wanted.bytes_max {
            refused.get_or_insert_with(|| Problem::too_large(wanted.bytes_max));
        }
        if refused.is_none() {
            refused = hold(&mut bytes, &mut reserved, &data, capacity_max, wanted.cost).err();
        }
        if refused.is_some() {
            (bytes, reserved) = (Vec::new(), budget.reserve(0)?);
            if count > wanted.bytes_max.saturating_add(limits::REFUSED_BYTES_MAX) {
                break;
            }
        }
    }
    match refused {
        Some(problem) => Err(problem),
        None => Ok(Held::new(bytes, reserved)),
    }
}

/// Appends, when there is memory for it. What is allocated counts, not what is used of it.
fn hold(
    bytes: &mut Vec<u8>,
    reserved: &mut Reserved,
    data: &[u8],
    capacity_max: usize,
    cost: usize,
) -> Result<(), Problem> {
    let length = bytes.len().saturating_add(data.len());
    if length > bytes.capacity() {
        let capacity = bytes.capacity().saturating_mul(2).min(capacity_max).max(length);
        if capacity > limits::SMALL_BYTES {
            reserved.grow_to(capacity.saturating_mul(cost))?;
        }
        bytes.reserve_exact(capacity - bytes.len());
    }
    bytes.extend_from_slice(data);
    Ok(())
}

/// The fields of a body that is a JSON object, with their values as they are written: no number goes through a float.
#[derive(Debug)]
pub(super) struct Fields(Vec<(String, Box<RawValue>)>);

impl Fields {
    /// Reads an object that may have these fields and no others, each once.
    pub(super) fn read(body: &[u8], known: &[&str]) -> Result<Self, Problem> {
        let text = str::from_utf8(body).map_err(|error| Problem::not_utf8(error.valid_up_to()))?;
        Self::read_text(text, known, |error, expected| Problem::malformed(&error, &expected))
    }

    /// The same of an object inside a body, which is JSON: it can only be no object.
    pub(super) fn read_part(text: &str, known: &[&str]) -> Result<Self, Problem> {
        Self::read_text(text, known, |error, expected| {
            Problem::new_invalid(format!("it cannot be read: {error}"), expected)
        })
    }

    fn read_text(
        text: &str,
        known: &[&str],
        malformed: impl FnOnce(serde_json::Error, String) -> Problem,
    ) -> Result<Self, Problem> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let names: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
        let expected = format!("send one JSON object; its fields are {}", names.join(", "));
        let fields = Object.deserialize(&mut reader).and_then(|fields| reader.end().map(|()| fields));
        let fields = fields.map_err(|error| malformed(error, expected))?;
        for (number, (name, _)) in fields.iter().enumerate() {
            if !known.contains(&&**name) {
                return Err(unknown("field", name, known));
            }
            if fields.iter().take(number).any(|(earlier, _)| earlier == name) {
                return Err(twice("field", name));
            }
        }
        Ok(Self(fields))
    }

    /// A field as it is written; none for one that is absent or `null`.
    pub(super) fn raw(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(found, _)| found == name).map(|(_, value)| value.get());
        found.filter(|text| *text != "null")
    }

    /// The names of the fields, but for those that are `null`.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter(|(_, value)| value.get() != "null").map(|(name, _)| &**name)
    }

    /// Whether a field is `true`; `false` where it is absent.
    pub(super) fn is_true(&self, name: &str) -> Result<bool, Problem> {
        let wrong =
            |_| Problem::invalid(name, format!("`{name}` is neither `true` nor `false`"), "send a JSON boolean");
        self.raw(name).map_or(Ok(false), |text| serde_json::from_str(text).map_err(wrong))
    }

    /// Says which flags an activation may be set for: one that this node knows, unless `create` or `elsewhere` is `true`.
    pub(super) fn apply_target(&self, change: Change) -> Result<Change, Problem> {
        target(change, self.is_true("create")?, self.is_true("elsewhere")?)
    }

    /// A field that is a text.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Problem> {
        let wrong = |_| Problem::invalid(name, format!("`{name}` is not a text"), "send a JSON string");
        self.raw(name).map(serde_json::from_str).transpose().map_err(wrong)
    }
}

/// Collects the members of an object in their order.
struct Object;

impl<'de> DeserializeSeed<'de> for Object {
    type Value = Vec<(String, Box<RawValue>)>;

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Object {
    type Value = Vec<(String, Box<RawValue>)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            if fields.len() >= FIELDS_MAX {
                return Err(A::Error::custom("there are too many fields"));
            }
            fields.push(field);
        }
        Ok(fields)
    }
}

/// A page of another origin may not change anything: its visitor would not know.
pub(super) fn check_origin(request: &Request) -> Result<(), Problem> {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    foreign_origin(request.headers()).map_or(Ok(()), |origin| Err(Problem::cross_origin(&shown(origin))))
}

/// The origin of the page that sends the request, if it is not a page of this server.
pub(crate) fn foreign_origin(headers: &HeaderMap) -> Option<&str> {
    let origin = headers.get(header::ORIGIN)?.to_str().unwrap_or("?");
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let is_own = origin.split_once("://").is_some_and(|(_, authority)| Some(authority) == host);
    (!is_own).then_some(origin)
}

fn unknown(what: &str, name: &str, known: &[&str]) -> Problem {
    let known: Vec<_> = known.iter().map(|name| format!("`{name}`")).collect();
    let help = if known.is_empty() { "leave it out".to_owned() } else { format!("known here: {}", known.join(", ")) };
    let name = shown(name);
    Problem::invalid(&name, format!("there is no {what} `{name}`"), help)
}

fn twice(what: &str, name: &str) -> Problem {
    Problem::invalid(name, format!("the {what} `{name}` occurs twice"), "send it once")
}

/// Text of others, shortened and without control characters.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(CHARS_SHOWN).flat_map(char::escape_debug).collect()
}

const LEVELS: &str = "say `local`, `one`, `majority` or `all`";

/// The media type of JSON.
pub(crate) const JSON: &str = "application/json";

/// Says who makes a change.
pub(super) const ACTOR: &str = "x-tidegate-actor";

/// No body that is read here has more than three fields.
const FIELDS_MAX: usize = 1_000;

/// Longer texts are shortened.
const CHARS_SHOWN: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries() {
        let read = |query: &str| Query::read(&format!("/x?{query}").parse().unwrap(), &["key", "at"]);
        let query = read("key=a%2Fb+c%25&at=").unwrap();
        assert_eq!((query.get("key"), query.get("at")), (Some("a/b c%"), Some("")));
        assert_eq!(read("key=50%&&").unwrap().get("key"), Some("50%"));
        for query in ["kex=1", "key=1&key=2", "key=%ff", "%66%ff=1", "key=1&Key=2"] {
            assert!(read(query).is_err(), "{query}");
        }
    }

    #[test]
    fn objects() {
        let read = |body: &[u8]| Fields::read(body, &["a", "b"]);
        let fields = read(br#" {"a": 1.50, "b": "x\ny"} "#).unwrap();
        assert_eq!((fields.raw("a"), fields.text("b").unwrap().as_deref()), (Some("1.50"), Some("x\ny")));
        assert!(fields.text("a").is_err());
        assert_eq!(read(br#"{"a": null}"#).unwrap().raw("a"), None);
        let bad: [&[u8]; 9] =
            [b"", b"[]", b"1", b"{", b"{} {}", br#"{"a":1,"a":2}"#, br#"{"c":1}"#, b"\xff", br#"{"a":01}"#];
        for body in bad {
            assert!(read(body).is_err(), "{body:?}");
        }
    }
}
