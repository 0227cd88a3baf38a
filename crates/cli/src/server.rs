//! A client of the HTTP API: sends one request, reads one response, and turns errors into messages for people.
//!
//! Time and the size of a response are limited. Redirects are not followed, because a change must reach the server that the
//! command line names, and no other.

mod address;
mod change;
mod data;
mod decision;
mod events;
mod flag;
mod problem;

use std::time::Duration;

use reqwest::header::{self, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tidegate_engine::FlagKey;
use tokio::runtime::Runtime;

use crate::exit::{Exit, Failure, chain};
use crate::text::escape;

pub(crate) use address::{Address, LOCAL};
pub(crate) use change::{Change, Effect, Level, Operation, Outranked, Receipt, Target};
pub(crate) use events::{Event, listen};
pub(crate) use flag::{FlagState, Percentage, Timestamp};

/// A server, and the HTTP client that talks to it.
pub(crate) struct Server {
    address: Address,
    /// The proxy that the environment names, if it names one.
    proxy: Option<String>,
    client: Client,
    /// None only while it is dropped.
    runtime: Option<Runtime>,
    timeout: Duration,
}

/// One request to a server.
pub(crate) struct Request {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
    /// The flag that the request is about: then status 404 means that there is no such flag.
    flag: Option<FlagKey>,
    /// The text that diagnostics of the response refer to, and its name.
    text: Option<(String, Vec<u8>)>,
    timeout: Duration,
}

/// A successful response.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Vec<u8>,
    /// The `ETag` of the state in the response.
    pub(crate) tag: Option<HeaderValue>,
}

impl Server {
    /// Prepares the client. Nothing is sent yet.
    pub(crate) fn new(address: Address) -> Result<Self, Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::new(Exit::Failed, format_args!("cannot prepare a connection: {error}"))
        };
        // The certificate authorities of this machine are read at the first handshake: it may have none.
        let tls =
            tidegate::client_config(address.extra_roots()).map_err(|error| Failure::usage(escape(&chain(&error))))?;
        let proxy = address.proxy().map_err(|error| Failure::usage(escape(&chain(&error))))?;
        let builder = Client::builder()
            .tls_backend_preconfigured(tls)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .user_agent(concat!("tidegate/", env!("CARGO_PKG_VERSION")));
        let builder = if address.is_local() { builder.no_proxy() } else { builder };
        let client = builder.build().map_err(|error| failed(&error.without_url()))?;
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| failed(&error))?;
        Ok(Self { address, proxy, client, runtime: Some(runtime), timeout: ANSWER_TIMEOUT })
    }

    /// The same server, with this limit for each response.
    #[must_use]
    pub(crate) fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// A request for the API path with these segments.
    pub(crate) fn request(&self, method: Method, segments: &[&str], query: &[(&str, &str)]) -> Request {
        Request::new(method, self.address.url(segments, query), None, self.timeout)
    }

    /// A request about a flag. A name that is not a legal flag name is not sent: URL parsers on the way could turn it into the
    /// name of another flag.
    pub(crate) fn flag_request(
        &self,
        flag: &FlagKey,
        method: Method,
        rest: &[&str],
        query: &[(&str, &str)],
    ) -> Result<Request, Failure> {
        flag.check().map_err(|problem| {
            Failure::usage(format_args!("`{}` is not a flag: {problem}", escape(&flag.to_string())))
        })?;
        Ok(Request::new(method, self.address.flag_url(flag, rest, query), Some(flag.clone()), self.timeout))
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is taken only when the server is dropped")
    }

    /// Sends a request and waits for the whole response. A response other than success is an error that says why.
    pub(crate) fn ask(&self, request: Request) -> Result<Reply, Failure> {
        let timeout = request.timeout;
        let (flag, text) = (request.flag.clone(), request.text.clone());
        let is_change = request.method != Method::GET;
        let asked = self.runtime().block_on(async {
            let exchange = Box::pin(async {
                let response = self.send(request).await?;
                let status = response.status();
                let headers = response.headers().clone();
                Ok((status, headers, self.body(response).await?))
            });
            tokio::time::timeout(timeout, exchange).await
        });
        let (status, headers, body) = asked.map_err(|_| self.timed_out(timeout, is_change))??;
        if status.is_success() {
            let reply = Reply { status, body, tag: headers.get(header::ETAG).cloned() };
            return match flag.and_then(|flag| self.check_flag(&reply, &flag, is_change)) {
                Some(failure) => Err(failure),
                None => Ok(reply),
            };
        }
        Err(problem::failure(&self.address, status, &headers, &body, flag.as_ref(), text.as_ref()))
    }

    /// Sends a request and parses the response as JSON.
    pub(crate) fn ask_for<T: DeserializeOwned>(&self, request: Request) -> Result<T, Failure> {
        let reply = self.ask(request)?;
        self.read(&reply)
    }

    /// Parses a response as JSON.
    pub(crate) fn read<T: DeserializeOwned>(&self, reply: &Reply) -> Result<T, Failure> {
        serde_json::from_slice(&reply.body).map_err(|error| self.invalid_response(&error))
    }

    /// The error if a response is about another flag than the request: something between here and the server has changed the
    /// path.
    fn check_flag(&self, reply: &Reply, asked: &FlagKey, is_change: bool) -> Option<Failure> {
        #[derive(serde::Deserialize)]
        struct About {
            flag: String,
        }
        // Not every response names its flag.
        let about: About = serde_json::from_slice(&reply.body).ok()?;
        if FlagKey::parse(&about.flag) == *asked {
            return None;
        }
        let (asked, found) = (asked.to_string(), about.flag);
        let failure =
            self.invalid_response(&format_args!("the request was about `{asked}`, the response is about `{found}`"));
        Some(if is_change {
            failure.help("check both with `tidegate history`: the wrong one may have been changed")
        } else {
            failure
        })
    }

    /// Sends a request and waits for the head of the response.
    async fn send(&self, request: Request) -> Result<Response, Failure> {
        let mut builder = self.client.request(request.method, request.url).headers(request.headers);
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        builder.send().await.map_err(|error| self.unreachable(error))
    }

    async fn body(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            if body.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(self.invalid_response(&format_args!("it has more than {ANSWER_BYTES_MAX} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }

    /// The error for a server that cannot be reached.
    fn unreachable(&self, error: reqwest::Error) -> Failure {
        let address = self.displayed_address();
        if let Some(proxy) = &self.proxy {
            return self.unreachable_through(proxy, error);
        }
        if error.is_connect() && is_refused(&error) {
            return Failure::new(Exit::Unreachable, format_args!("no server is listening at `{address}`"))
                .help("start one with `tidegate serve`, or name another one with --server");
        }
        if error.is_timeout() {
            return self.timed_out(CONNECT_TIMEOUT, false);
        }
        let error = error.without_url();
        let why = chain(&error);
        Failure::new(Exit::Unreachable, format_args!("cannot reach the server at `{address}`: {}", escape(&why)))
            .help("name another one with --server")
    }

    /// The error for a server that cannot be reached through a proxy.
    fn unreachable_through(&self, proxy: &str, error: reqwest::Error) -> Failure {
        let (address, is_timeout) = (self.displayed_address(), error.is_timeout());
        let why = chain(&error.without_url());
        let why = if is_timeout { "it did not answer in time" } else { &*why };
        let message =
            format!("cannot reach the server at `{address}` through the proxy `{}`: {}", escape(proxy), escape(why));
        Failure::new(Exit::Unreachable, message)
            .help("HTTP_PROXY, HTTPS_PROXY or ALL_PROXY names the proxy; NO_PROXY lists hosts that need none")
    }

    /// The error for a server that took too long. It may have made the change.
    fn timed_out(&self, timeout: Duration, is_change: bool) -> Failure {
        let (server, seconds) = (self.displayed_address(), timeout.as_secs_f64());
        let failure =
            Failure::new(Exit::Unreachable, format_args!("the server at `{server}` did not answer in {seconds} s"));
        if is_change {
            failure.help("the server may have made the change; `tidegate history` shows it")
        } else {
            failure
        }
    }

    /// The error for a response that a Tidegate server does not give.
    pub(crate) fn invalid_response(&self, why: &dyn std::fmt::Display) -> Failure {
        let why = why.to_string();
        Failure::new(
            Exit::Unreachable,
            format_args!("unexpected response from `{}`: {}", self.displayed_address(), escape(&why)),
        )
        .help("is it a Tidegate server, of this version or a newer one?")
    }

    fn displayed_address(&self) -> String {
        let address = self.address.to_string();
        escape(&address).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Do not wait for a name that is still being resolved.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Request {
    fn new(method: Method, url: Url, flag: Option<FlagKey>, timeout: Duration) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        Self { method, url, headers, body: None, flag, text: None, timeout }
    }

    /// The same request with a JSON body.
    #[must_use]
    pub(crate) fn json(self, body: &Value) -> Self {
        self.body(body.to_string().into_bytes(), "application/json")
    }

    /// The same request with a body.
    #[must_use]
    pub(crate) fn body(mut self, body: Vec<u8>, kind: &'static str) -> Self {
        self.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        self.body = Some(body);
        self
    }

    /// The same request, with a precondition: the resource still has this tag.
    #[must_use]
    pub(crate) fn if_match(mut self, tag: Option<&HeaderValue>) -> Self {
        if let Some(tag) = tag {
            self.headers.insert(header::IF_MATCH, tag.clone());
        }
        self
    }

    /// The same request with an entry from a file, so that diagnostics can show lines of it.
    #[must_use]
    pub(crate) fn entry(mut self, name: String, text: Vec<u8>) -> Self {
        self.text = Some((name, text.clone()));
        self.body(text, "application/json")
    }

    /// The same request, with the actor of the change.
    #[must_use]
    pub(crate) fn actor(mut self, actor: &str) -> Self {
        // Names of any language are sent as UTF-8. One with control characters cannot be in a header, and is left out.
        if let Ok(actor) = HeaderValue::from_bytes(actor.as_bytes()) {
            self.headers.insert(ACTOR, actor);
        }
        self
    }

    /// The same request for a stream of events, from the event on that comes after this one; empty: from now on.
    #[must_use]
    fn accept_event_stream(mut self, last_id: &str) -> Self {
        self.headers.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
        if let Some(last_id) = HeaderValue::from_str(last_id).ok().filter(|last_id| !last_id.is_empty()) {
            self.headers.insert(LAST_EVENT_ID, last_id);
        }
        self
    }

    /// The same request, with more time for the response.
    #[must_use]
    pub(crate) fn with_extra_time(mut self, more: Duration) -> Self {
        self.timeout += more;
        self
    }
}

/// Whether the connection was refused.
fn is_refused(error: &reqwest::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let refused = std::io::ErrorKind::ConnectionRefused;
        if error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == refused) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// The header by which a stream of events is resumed.
const LAST_EVENT_ID: &str = "last-event-id";
/// The header that names the actor of a change.
const ACTOR: &str = "x-tidegate-actor";
/// Enough for a connection to the other side of the world.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
/// Ten times what a server under load needs for its longest list.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// A backup of 100,000 flags is 50 MB.
const ANSWER_BYTES_MAX: usize = 512 * 1024 * 1024;
