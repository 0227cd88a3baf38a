//! Problems as answers (RFC 9457), and the only place that chooses HTTP statuses.
//!
//! Each problem says what is wrong and suggests a request. A 4xx has changed nothing, and neither has a 5xx unless its text says
//! so. Details for the operator go to the log.

mod library;

use std::fmt::{Display, Write as _};
use std::time::Duration;

use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use tidegate::FlagKey;
use tidegate_engine::{Diagnostic, FlagKeyError};

/// The reason why a request failed, and the answer to it. It is boxed because almost every function may return one.
#[derive(Debug)]
pub(crate) struct Problem(Box<Parts>);

#[derive(Debug)]
struct Parts {
    kind: Kind,
    detail: String,
    field: Option<String>,
    help: String,
    place: Option<(usize, usize)>,
    diagnostics: Vec<Diagnostic>,
    /// The flag that was probably meant.
    meant: Option<FlagKey>,
    /// Seconds after which it may be worth a try.
    retry_after: Option<u32>,
}

/// Makes [`Kind`] and what is said of each kind from one table.
macro_rules! kinds {
    ($($kind:ident = $name:literal, $title:literal, $status:ident, $when:literal;)+) => {
        /// What kind of problem it is: its type, its title, its status, and when it occurs.
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub(crate) enum Kind {
            $(#[doc = $when] $kind,)+
        }

        impl Kind {
            /// All kinds, for the contract.
            #[cfg(test)]
            pub(crate) const ALL: &[Self] = &[$(Self::$kind),+];

            /// The end of the type's URI, the title, and the status.
            pub(crate) const fn parts(self) -> (&'static str, &'static str, StatusCode) {
                match self {
                    $(Self::$kind => ($name, $title, StatusCode::$status),)+
                }
            }

            /// When it occurs, as the reference says it.
            #[cfg(test)]
            pub(crate) const fn when(self) -> &'static str {
                match self {
                    $(Self::$kind => $when,)+
                }
            }
        }
    };
}

kinds! {
    Invalid = "invalid", "Invalid request", BAD_REQUEST, "a name, field, parameter or header is invalid, unknown, or occurs twice";
    Malformed = "malformed", "The body cannot be read", BAD_REQUEST, "the body is not the JSON, or not the backup, that is expected";
    CrossOrigin = "cross-origin", "Cross-origin request", FORBIDDEN, "a page of another origin asks for a change";
    UnknownHost = "unknown-host", "The server does not answer under this host name", MISDIRECTED_REQUEST, "`Host` is not a name of this server; `hosts` of its configuration allows more";
    UnknownPath = "unknown-path", "Unknown path", NOT_FOUND, "there is no such path";
    UnknownFlag = "unknown-flag", "Unknown flag", NOT_FOUND, "there is no such flag";
    KeyMissing = "targeting-key-missing", "The targeting key is missing", BAD_REQUEST, "the answer depends on a key and there is none";
    InvalidContext = "invalid-context", "Invalid evaluation context", BAD_REQUEST, "the body or the context is not an object, or the key is not a string";
    NotInOfrep = "not-in-ofrep", "OFREP cannot carry the value", BAD_REQUEST, "the value is a list or `null`, which OFREP cannot say";
    NoActivation = "no-activation", "The flag has no activation", NOT_FOUND, "the flag has no activation that could be removed";
    NoDefinition = "no-definition", "The flag has no definition", NOT_FOUND, "the flag has no definition that could be removed";
    NotQuarantined = "not-quarantined", "The change is not quarantined", NOT_FOUND, "no change of the flag is quarantined";
    UnknownNode = "unknown-node", "Unknown node", NOT_FOUND, "there is no such node";
    WrongMethod = "wrong-method", "Method not allowed", METHOD_NOT_ALLOWED, "the path does not support the method; `Allow` lists the right ones";
    RequestTimeout = "request-timeout", "Request timeout", REQUEST_TIMEOUT, "the body did not arrive in time";
    Conflict = "conflict", "Conflict", CONFLICT, "a document defines the flag; the backup is of another cluster";
    AmbiguousNode = "ambiguous-node", "Ambiguous node name", CONFLICT, "several members have the name: use an id";
    ReachableNode = "reachable-node", "The member is reachable", CONFLICT, "the member is reachable: `force=true`";
    OwnNode = "own-node", "A node cannot forget itself", CONFLICT, "the node that answers was to remove itself: ask another one";
    Changed = "changed", "Precondition failed", PRECONDITION_FAILED, "the flag has changed since the given `ETag`";
    TooLarge = "too-large", "The body is too large", PAYLOAD_TOO_LARGE, "the body is too large";
    WrongMedia = "wrong-media", "Unsupported media type", UNSUPPORTED_MEDIA_TYPE, "the path does not read a body of this type";
    Refused = "refused", "The definition has errors", UNPROCESSABLE_ENTITY, "the definition, or the document of the body, has errors";
    Internal = "internal", "Internal error", INTERNAL_SERVER_ERROR, "an internal error of the server; its log says more";
    NotLive = "not-live", "Live changes are not enabled", NOT_IMPLEMENTED, "the server takes no changes";
    Follower = "follower", "This server is a follower", NOT_IMPLEMENTED, "the server follows another one, which `help` names";
    SnapshotNeeded = "snapshot-needed", "The follower needs a snapshot", GONE, "no changes lead from what the follower has to the present";
    FollowLoop = "follow-loop", "The servers would follow each other", LOOP_DETECTED, "the server has what it has from the process that asks, or by way of too many others";
    NoFollowers = "no-followers", "The server takes no followers", NOT_IMPLEMENTED, "the process takes no followers";
    Busy = "busy", "Too many requests of this kind", SERVICE_UNAVAILABLE, "too many requests of this kind are in progress";
    WorkTimeout = "work-timeout", "The work took too long", SERVICE_UNAVAILABLE, "a plan or a simulation was not finished in time";
    Clock = "clock", "The clock of this node is wrong", SERVICE_UNAVAILABLE, "the clock of this node is wrong, so that changes are refused";
    DuplicateNode = "duplicate-node", "Another process has this node's id", SERVICE_UNAVAILABLE, "another process has the id of this node";
    Ended = "ended", "The server is stopping", SERVICE_UNAVAILABLE, "the server stops";
    NotReady = "not-ready", "Not ready", SERVICE_UNAVAILABLE, "the node starts, or has no document yet";
    ChangesRefused = "changes-refused", "This node accepts no changes", SERVICE_UNAVAILABLE, "this node accepts no changes; `detail` says why";
    TooManyStreams = "too-many-streams", "Too many event streams", SERVICE_UNAVAILABLE, "the greatest number of event streams is open";
    Memory = "memory", "Memory limit reached", SERVICE_UNAVAILABLE, "the memory for bodies and answers is used up";
    Disk = "disk", "The disk is not writable", INSUFFICIENT_STORAGE, "the disk is not writable; nothing was changed";
}

impl Kind {
    /// OFREP's error code, and the status that its clients understand: a limit is 429, after which they wait.
    pub(crate) const fn ofrep(self) -> (&'static str, StatusCode) {
        let (_, _, status) = self.parts();
        match self {
            Self::Malformed | Self::WrongMedia => ("PARSE_ERROR", status),
            Self::UnknownFlag => ("FLAG_NOT_FOUND", status),
            Self::KeyMissing => ("TARGETING_KEY_MISSING", status),
            Self::InvalidContext => ("INVALID_CONTEXT", status),
            Self::Busy | Self::Memory | Self::TooManyStreams => ("GENERAL", StatusCode::TOO_MANY_REQUESTS),
            _ => ("GENERAL", status),
        }
    }
}

impl Problem {
    fn new(kind: Kind, detail: impl Into<String>, help: impl Into<String>) -> Self {
        let (detail, help) = (detail.into(), help.into());
        let (field, place, diagnostics, meant, retry_after) = (None, None, Vec::new(), None, None);
        Self(Box::new(Parts { kind, detail, field, help, place, diagnostics, meant, retry_after }))
    }

    fn at_field(mut self, field: &str) -> Self {
        self.0.field = Some(field.to_owned());
        self
    }

    fn retry_after(mut self, seconds: u32) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    /// A field of the body, a parameter or a header is wrong.
    pub(crate) fn invalid(field: &str, detail: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, detail, help).at_field(field)
    }

    /// A part of the body is invalid; its place is added by the caller.
    pub(crate) fn new_invalid(detail: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, detail, help)
    }

    /// The problem is that of one change among several in a body.
    pub(crate) fn of_change(mut self, index: usize) -> Self {
        let parts = &mut self.0;
        parts.field = Some(match &parts.field {
            // A precondition is a header of a single change.
            Some(field) => format!("changes[{index}].{}", field.replace('-', "_")),
            None => format!("changes[{index}]"),
        });
        if parts.kind == Kind::UnknownFlag {
            "say `\"create\": true` in the change to create a boolean flag, or `\"elsewhere\": true` to change a flag that other nodes' \
             documents define"
                .clone_into(&mut parts.help);
        }
        self
    }

    /// A flag cannot be named so.
    pub(crate) fn name(problem: FlagKeyError) -> Self {
        Self::invalid("flag", problem.to_string(), "a flag is `section/flag`, each name 1 to 256 bytes of visible text")
    }

    /// The body is no JSON, or not of the shape that is expected.
    pub(crate) fn malformed(error: &serde_json::Error, expected: &str) -> Self {
        let mut problem = Self::new(Kind::Malformed, format!("the body cannot be read: {error}"), expected);
        problem.0.place = Some((error.line(), error.column())).filter(|(line, _)| *line > 0);
        problem
    }

    /// The body is not UTF-8.
    pub(crate) fn not_utf8(at: usize) -> Self {
        Self::new(Kind::Malformed, format!("the body is not UTF-8 at byte {at}"), "send JSON in UTF-8")
    }

    /// The connection broke while the body was read.
    pub(crate) fn broken_body(error: &dyn Display) -> Self {
        Self::new(Kind::Malformed, format!("the body is incomplete: {error}"), "send the request again")
    }

    pub(crate) fn cross_origin(origin: &str) -> Self {
        let detail =
            format!("a page of `{}` requests a change, and this server has another origin", origin.escape_debug());
        Self::new(
            Kind::CrossOrigin,
            detail,
            "send the request from the server's own pages, or without an `Origin` header",
        )
        .at_field("origin")
    }

    /// The server is asked under a name that is not its own.
    pub(crate) fn unknown_host(name: &str) -> Self {
        let detail = format!("the request is for the host `{name}`, which is not a name of this server");
        let help = format!(
            "send the request to `localhost` or to the address that the server listens on, or add the name to the server's \
             configuration: `hosts = [\"{name}\"]`"
        );
        Self::new(Kind::UnknownHost, detail, help).at_field("host")
    }

    pub(crate) fn unknown_path(path: &str) -> Self {
        let detail = format!("there is no resource at `{}`", path.escape_debug());
        Self::new(
            Kind::UnknownPath,
            detail,
            "send GET `/api/v1/flags/{section}/{flag}` for a flag, or GET `/api/v1/cluster` for the cluster",
        )
    }

    /// There is no such flag, and perhaps one with a similar name.
    pub(crate) fn unknown_flag(flag: &FlagKey, meant: Option<FlagKey>) -> Self {
        let mut detail = format!("there is no flag `{}`", flag.to_string().escape_debug());
        if let Some(meant) = &meant {
            let _ = write!(detail, "; did you mean `{}`?", meant.to_string().escape_debug());
        }
        let mut problem = Self::new(Kind::UnknownFlag, detail, LIST_FLAGS);
        problem.0.meant = meant;
        problem
    }

    /// OFREP: the answer of the flag depends on a key, and the context has none.
    pub(crate) fn key_missing() -> Self {
        let detail = "the answer depends on a key, and the context has no `targetingKey`";
        Self::new(Kind::KeyMissing, detail, "set the targeting key of the evaluation context")
    }

    /// OFREP: the context is not of the shape that it should have.
    pub(crate) fn invalid_context(field: &str, detail: impl Into<String>, help: impl Into<String>) -> Self {
        Self::new(Kind::InvalidContext, detail, help).at_field(field)
    }

    /// OFREP: the value is one that the protocol has no way to say.
    pub(crate) fn not_in_ofrep(detail: impl Into<String>) -> Self {
        Self::new(Kind::NotInOfrep, detail, "put the value into an object, or read it through the HTTP API")
    }

    /// OFREP: there is no such flag, by the name that its client knows.
    pub(crate) fn unknown_ofrep_flag(name: &str, meant: Option<&str>) -> Self {
        let mut detail = format!("there is no flag `{}`", name.escape_debug());
        if let Some(meant) = meant {
            let _ = write!(detail, "; did you mean `{}`?", meant.escape_debug());
        }
        Self::new(
            Kind::UnknownFlag,
            detail,
            "OFREP names a flag `section/flag`, and one of the section `flags` by its name alone",
        )
    }

    /// The document of the body has no such flag.
    pub(crate) fn not_in_document(flag: &FlagKey, meant: Option<FlagKey>) -> Self {
        let mut problem = Self::unknown_flag(flag, meant);
        "name a flag of the document in the body".clone_into(&mut problem.0.help);
        problem
    }

    /// The document of the body has errors.
    pub(crate) fn refused_document(diagnostics: Vec<Diagnostic>) -> Self {
        let help = "fix the errors in `diagnostics`, whose lines are those of the document, and send it again";
        let mut problem = Self::new(Kind::Refused, "the document has errors", help);
        problem.0.diagnostics = diagnostics;
        problem
    }

    /// The same problem of a request that cannot create a flag.
    pub(crate) fn without_creation(mut self) -> Self {
        if self.0.kind == Kind::UnknownFlag {
            LIST_FLAGS.clone_into(&mut self.0.help);
        }
        self
    }

    /// A change of a flag that this node does not know.
    fn unknown_target(detail: &str, meant: Option<FlagKey>) -> Self {
        let help = "send `create=true` to create a boolean flag, or `elsewhere=true` to change a flag that other nodes' documents define";
        let mut problem = Self::new(Kind::UnknownFlag, detail, help);
        problem.0.meant = meant;
        problem
    }

    pub(crate) fn wrong_method(method: &Method) -> Self {
        let detail = format!("the path does not support `{}`", method.as_str().escape_debug());
        Self::new(Kind::WrongMethod, detail, "use a method of the header `Allow`")
    }

    pub(crate) fn request_timeout() -> Self {
        Self::new(
            Kind::RequestTimeout,
            "the body did not arrive in time",
            "send the whole body at once, or over a faster connection",
        )
    }

    pub(crate) fn too_large(bytes_max: usize) -> Self {
        let detail = format!("the body has more than {bytes_max} bytes");
        Self::new(Kind::TooLarge, detail, "send a smaller body; values of flags should be small")
    }

    pub(crate) fn wrong_media(expected: &str) -> Self {
        let help = format!("send `Content-Type: {expected}`");
        Self::new(Kind::WrongMedia, "this path does not read a body of this type", help).at_field("content-type")
    }

    /// What stands there is not what the caller had seen.
    pub(crate) fn changed(header: &str, detail: &str) -> Self {
        Self::new(Kind::Changed, detail, "send GET for the flag, and decide again with its current `ETag`")
            .at_field(header)
    }

    /// A source has not answered yet, and no document is active.
    pub(crate) fn not_ready(detail: impl Into<String>) -> Self {
        Self::new(Kind::NotReady, detail, "wait, and send the request again; GET `/api/v1/status` shows the sources")
            .retry_after(1)
    }

    /// The node starts: its instance is not connected yet.
    pub(crate) fn starting(since: Duration) -> Self {
        let detail = format!(
            "the server has been starting for {} s; it waits for the first poll of its documents and for a first comparison \
             with a member of its cluster",
            since.as_secs()
        );
        Self::new(Kind::NotReady, detail, "send the request again; `startup_wait` bounds the start").retry_after(1)
    }

    /// Changes are refused, for a reason that says what to do.
    pub(crate) fn changes_refused(detail: impl Into<String>) -> Self {
        Self::new(
            Kind::ChangesRefused,
            detail,
            "send the change to another node; GET `/api/v1/cluster` lists the problems",
        )
        .retry_after(10)
    }

    pub(crate) fn too_many_streams(watchers_max: usize) -> Self {
        let detail = format!("{watchers_max} event streams are open already");
        Self::new(Kind::TooManyStreams, detail, "send the request to another node, or poll the decision").retry_after(5)
    }

    pub(crate) fn too_many_followers(followers_max: usize) -> Self {
        let detail = format!("{followers_max} followers are connected already");
        Self::new(Kind::TooManyStreams, detail, "follow another server of the cluster, or one that follows it")
            .retry_after(5)
    }

    pub(crate) fn too_many_snapshots() -> Self {
        let detail = "too many snapshots are being sent; nothing was started";
        Self::new(Kind::Busy, detail, "send the request again in a moment, or to another node").retry_after(2)
    }

    pub(crate) fn no_followers() -> Self {
        Self::new(Kind::NoFollowers, "this process hands nothing on", "follow a process that runs `tidegate serve`")
    }

    pub(crate) fn follow_loop() -> Self {
        let detail = "this server has what it has from the process that asks";
        Self::new(Kind::FollowLoop, detail, "let one of the two follow a member of the cluster instead")
    }

    pub(crate) fn follow_depth() -> Self {
        let detail = "there are too many servers between the members of the cluster and this one";
        Self::new(Kind::FollowLoop, detail, "follow a server that is nearer to the members")
    }

    pub(crate) fn snapshot_needed() -> Self {
        let detail = "no changes lead from this digest to what the server has now";
        Self::new(Kind::SnapshotNeeded, detail, "send GET `/api/v1/follow/snapshot`, then ask for the changes after it")
    }

    /// Its turn did not come in time. Nothing was begun.
    pub(crate) fn busy() -> Self {
        let detail = "too many requests of this kind are in progress; nothing was started";
        Self::new(Kind::Busy, detail, "send the request again in a moment, or to another node").retry_after(1)
    }

    /// It was begun, and ended because it took too long.
    pub(crate) fn work_timeout() -> Self {
        let detail = format!("the work was not finished in {} s", crate::limits::FORECAST_TIMEOUT.as_secs());
        Self::new(Kind::WorkTimeout, detail, "ask for fewer keys, fewer instants or one section").retry_after(5)
    }

    /// There is no memory left for a body or an answer. Nothing was begun.
    pub(crate) fn no_memory() -> Self {
        let detail = "other bodies and answers use the whole memory budget; nothing was started";
        Self::new(Kind::Memory, detail, "send the request again in a moment, or to another node").retry_after(2)
    }

    /// The server stops while a request that reads waits for its answer.
    pub(crate) fn stopping() -> Self {
        let detail = "this server is stopping, and the request was not finished in time";
        Self::new(Kind::Ended, detail, "send the request to another node, or to this one after its restart")
            .retry_after(5)
    }

    /// The server stops while a change that was begun waits for its acknowledgement.
    pub(crate) fn stopped_waiting() -> Self {
        let detail = "the change was made; this server is stopping before other nodes have acknowledged it";
        Self::new(Kind::Ended, detail, "send GET `/api/v1/flags/{section}/{flag}/history` to another node")
            .retry_after(5)
    }

    /// The disk takes nothing, so that nothing was tried.
    pub(crate) fn disk(detail: &str) -> Self {
        Self::new(
            Kind::Disk,
            format!("changes cannot be written to the disk: {detail}"),
            "look at the disk of the data folder; GET `/api/v1/cluster` says whether changes are accepted",
        )
        .retry_after(10)
    }

    /// A bug of this server.
    pub(crate) fn internal(error: &dyn Display) -> Self {
        tracing::error!("a request failed with an internal error; please report it: {error}");
        Self::new(
            Kind::Internal,
            "the request failed with an internal error; the log of the server has the details",
            "report the log lines",
        )
    }
}

impl Problem {
    /// A number is no percentage.
    pub(crate) fn percentage(text: &str, problem: tidegate_engine::document::PercentError) -> Self {
        let shown: String = text.chars().take(PERCENTAGE_CHARS_SHOWN).flat_map(char::escape_debug).collect();
        Self::invalid("percentage", format!("the percentage `{shown}` {problem}"), problem.help())
    }
}

impl Problem {
    /// The problem as an OFREP failure: an item of a bulk answer, or the body of [`Problem::into_ofrep_response`].
    pub(crate) fn to_ofrep_json(&self, key: Option<&str>) -> Vec<u8> {
        #[derive(Serialize)]
        #[serde(rename_all = "camelCase")]
        struct Failure<'p> {
            #[serde(skip_serializing_if = "Option::is_none")]
            key: Option<&'p str>,
            error_code: &'static str,
            error_details: String,
        }
        let (error_code, _) = self.0.kind.ofrep();
        let error_details = format!("{}; {}", self.0.detail, self.0.help);
        // Texts alone: writing them cannot fail.
        serde_json::to_vec(&Failure { key, error_code, error_details }).unwrap_or_default()
    }

    /// The problem as OFREP answers it; `key` is the flag that a single evaluation names.
    pub(crate) fn into_ofrep_response(self, key: Option<&str>) -> Response {
        let (_, status) = self.0.kind.ofrep();
        let json = self.to_ofrep_json(key);
        self.respond(status, OFREP_MEDIA_TYPE, json)
    }

    fn respond(self, status: StatusCode, media_type: &'static str, json: Vec<u8>) -> Response {
        let mut response = (status, [(header::CONTENT_TYPE, media_type)], json).into_response();
        if let Some(seconds) = self.0.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let parts = &*self.0;
        let (name, title, status) = parts.kind.parts();
        let body = Body {
            kind: format!("urn:tidegate:problem:{name}"),
            title,
            status: status.as_u16(),
            detail: &parts.detail,
            field: parts.field.as_deref(),
            help: &parts.help,
            line: parts.place.map(|(line, _)| line),
            column: parts.place.map(|(_, column)| column),
            diagnostics: &parts.diagnostics,
            meant: parts.meant.as_ref().map(ToString::to_string),
        };
        // Texts and numbers alone: writing them cannot fail.
        let json = serde_json::to_vec(&body).unwrap_or_default();
        self.respond(status, MEDIA_TYPE, json)
    }
}

/// A problem as it is written.
#[derive(Debug, Serialize)]
struct Body<'p> {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'p str>,
    help: &'p str,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    diagnostics: &'p [Diagnostic],
    /// The flag that was probably meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    meant: Option<String>,
}

/// The media type of RFC 9457.
const MEDIA_TYPE: &str = "application/problem+json";

/// The media type of OFREP, also of its failures.
const OFREP_MEDIA_TYPE: &str = "application/json";

/// A number that is longer is shortened.
const PERCENTAGE_CHARS_SHOWN: usize = 40;

const LIST_FLAGS: &str = "send GET `/api/v1/flags` for the list of flags";
