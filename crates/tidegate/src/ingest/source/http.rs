//! A document at an HTTP(S) URL.
//!
//! One request asks "has it changed?"; a well-behaved origin answers 304 in a few hundred bytes on the
//! connection of the poll before. A misbehaving one can do no more than waste one bounded attempt: time,
//! bytes read, headers, redirects and what decompression yields are all limited, only the body of a 200 is
//! ever handed on, and everything else is an error that names its cause.

mod body;
mod cause;
mod head;
mod location;
mod proxy;
mod resolver;
mod tls;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Response, StatusCode, Url};

use self::cause::Context;
use self::proxy::Proxies;
use self::resolver::{Guard, Resolver};
use super::redirect::{self, REDIRECTS_MAX, RedirectError};
use super::{
    Answer, FetchError, FetchOptions, Fetched, Phase, SIGNATURE_BYTES_MAX, ServerDate, SourceError, Tag, changed,
};
pub(crate) use head::RETRY_AFTER_MAX;
pub(super) use location::Location;
pub use proxy::proxy_of;
pub use tls::client_config;

/// Asks one URL.
pub(super) struct HttpFetcher {
    client: Client,
    location: Location,
    own_headers: HeaderMap,
    options: FetchOptions,
    guard: Arc<Guard>,
    proxies: Proxies,
    /// Through which the last request was sent.
    proxy: Option<String>,
    /// A connection was left open that the origin may have closed since.
    may_be_stale: bool,
    /// When the last request was sent.
    asked: Instant,
}

impl HttpFetcher {
    pub(super) fn new(location: Location, options: FetchOptions) -> Result<Self, SourceError> {
        let own_headers = own_headers(&options.headers)?;
        let tls = client_config(options.extra_root_pem.as_deref())?;
        let guard = Arc::new(Guard::new(location.url()));
        let proxies = Proxies::new(options.has_proxies)?;
        let builder = Client::builder();
        let builder = if options.has_proxies { builder } else { builder.no_proxy() };
        let client = builder
            .tls_backend_preconfigured(tls)
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .connect_timeout(options.connect_timeout)
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(POOL_IDLE)
            .http1_max_headers(HEADERS_MAX)
            // An unreadable `ETag` is no tag; it is no reason to refuse the document.
            .http1_ignore_invalid_headers_in_responses(true)
            .dns_resolver(Resolver::new(Arc::clone(&guard), options.addresses.clone()))
            .user_agent(USER_AGENT)
            .build()
            .map_err(|error| {
                let source = error.without_url();
                SourceError::Client { reason: source.to_string(), source: source.into() }
            })?;
        Ok(Self {
            client,
            location,
            own_headers,
            options,
            guard,
            proxies,
            proxy: None,
            may_be_stale: false,
            asked: Instant::now(),
        })
    }

    pub(super) async fn fetch(&mut self, have: Option<&Tag>) -> Result<Answer, FetchError> {
        let (mut phase, after) = (Phase::WaitingForAnswer, self.options.timeout);
        // Boxed: the future holds a whole exchange, and callers hold many kinds of futures.
        let exchange = Box::pin(self.exchange(have, &mut phase));
        let outcome = match tokio::time::timeout(after, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(FetchError::TimedOut { phase, after }),
        };
        outcome.map_err(|error| match &self.proxy {
            Some(proxy) => proxy::name(error, proxy),
            None => error,
        })
    }

    /// Asks for something beside the document, whose answer is read as it comes. Only a 200 is one.
    #[cfg(feature = "cluster")]
    pub(super) async fn open(&mut self, url: Url) -> Result<Response, FetchError> {
        let (mut phase, after) = (Phase::WaitingForAnswer, self.options.timeout);
        let exchange = Box::pin(self.ask(url, None, &mut phase));
        let answer = tokio::time::timeout(after, exchange).await;
        let response = answer.unwrap_or(Err(FetchError::TimedOut { phase, after }))?;
        // It is not given back for another request.
        self.may_be_stale = false;
        if response.status() == StatusCode::OK { Ok(response) } else { Err(refused(response).await) }
    }

    /// What has broken an answer that is read as it comes.
    #[cfg(feature = "cluster")]
    pub(super) fn broken(&self, error: reqwest::Error) -> FetchError {
        self.context(self.location.url()).sort(error, Phase::ReadingBody)
    }

    #[cfg(feature = "cluster")]
    pub(super) fn url(&self) -> &Url {
        self.location.url()
    }

    /// Asks for the document, and if there is a new one for its signature, where one is wanted.
    async fn exchange(&mut self, have: Option<&Tag>, phase: &mut Phase) -> Result<Answer, FetchError> {
        let condition = have.and_then(Tag::condition);
        let url = self.location.url().clone();
        let response = self.ask(url, condition.as_ref(), phase).await?;
        let answer = self.answer(response, condition.is_some(), phase).await?;
        match answer {
            Answer { fetched: Fetched::Changed { body, tag }, server_date } if self.options.is_signed => {
                let signature = self.signature(phase).await;
                let signature = signature.map_err(|source| FetchError::Signature { source: Box::new(source) })?;
                Ok(Answer { fetched: changed(body, signature, tag), server_date })
            }
            answer => Ok(answer),
        }
    }

    /// The signature; none if the origin has none. One that is too large is no signature, and is handed on as
    /// such.
    async fn signature(&mut self, phase: &mut Phase) -> Result<Option<String>, FetchError> {
        let url = self.location.signature();
        let response = self.ask(url.clone(), None, phase).await?;
        match response.status() {
            StatusCode::OK => {
                *phase = Phase::ReadingBody;
                match body::read(response, SIGNATURE_BYTES_MAX)
                    .await
                    .map_err(|failure| failure.sort(&self.context(&url)))
                {
                    Ok(text) => Ok(Some(String::from_utf8_lossy(&text).into_owned())),
                    Err(FetchError::BodyTooBig { .. }) => Ok(Some(String::new())),
                    Err(error) => Err(error),
                }
            }
            StatusCode::NOT_FOUND | StatusCode::GONE => {
                body::settle(response).await;
                Ok(None)
            }
            _ => Err(refused(response).await),
        }
    }

    /// Asks, and follows redirects to the answer.
    async fn ask(
        &mut self,
        mut at: Url,
        condition: Option<&(HeaderName, HeaderValue)>,
        phase: &mut Phase,
    ) -> Result<Response, FetchError> {
        // Secrets go to the origin that the user named, and not again once a redirect has led away from it.
        let mut is_home = true;
        for _ in 0..=REDIRECTS_MAX {
            self.guard.watch((!is_home).then(|| at.host_str()).flatten());
            *phase = Phase::WaitingForAnswer;
            let response = self.send(&at, is_home, condition).await?;
            head::refuse_oversized(response.headers())?;
            if !is_redirect(response.status()) {
                return Ok(response);
            }
            let target = response.headers().get(header::LOCATION).map(HeaderValue::as_bytes);
            let next = redirect::follow(&at, target, self.guard.is_from_loopback())?;
            body::settle(response).await;
            is_home = is_home && next.origin() == self.location.url().origin();
            at = next;
        }
        Err(RedirectError::TooMany.into())
    }

    /// Sends one request. If it breaks on a connection of an earlier one, that may only mean that the origin
    /// has closed it meanwhile: then, and only then, it is sent once more.
    async fn send(
        &mut self,
        at: &Url,
        is_home: bool,
        condition: Option<&(HeaderName, HeaderValue)>,
    ) -> Result<Response, FetchError> {
        self.proxy = self.proxies.proxy_for(at);
        if let Some(proxy) = &self.proxy {
            proxy::refuse_unsupported(proxy)?;
        }
        let may_be_stale = std::mem::take(&mut self.may_be_stale);
        self.asked = Instant::now();
        let mut outcome = self.send_once(at, is_home, condition).await;
        if may_be_stale && matches!(outcome, Err(FetchError::Broken { .. })) {
            self.asked = Instant::now();
            outcome = self.send_once(at, is_home, condition).await;
        }
        self.may_be_stale = outcome.is_ok();
        outcome
    }

    async fn send_once(
        &self,
        at: &Url,
        is_home: bool,
        condition: Option<&(HeaderName, HeaderValue)>,
    ) -> Result<Response, FetchError> {
        let url = if is_home { self.location.with_credentials(at) } else { at.clone() };
        let mut request = self
            .client
            .get(url)
            .header(header::ACCEPT, ACCEPT)
            // Decompressed here rather than by the client, so that both sizes are bounded.
            .header(header::ACCEPT_ENCODING, "gzip");
        if is_home {
            request = request.headers(self.own_headers.clone());
        }
        if let Some((name, value)) = condition {
            request = request.header(name, value);
        }
        request.send().await.map_err(|error| self.context(at).sort(error, Phase::WaitingForAnswer))
    }

    /// Turns the last response of an exchange into an answer.
    async fn answer(&self, response: Response, was_conditional: bool, phase: &mut Phase) -> Result<Answer, FetchError> {
        let arrived = Instant::now();
        let trip = arrived.saturating_duration_since(self.asked);
        let date = head::server_date(response.headers());
        let date = date.map(|(date, cut)| ServerDate { date, arrived, slack: cut + trip });
        let fetched = match response.status() {
            StatusCode::OK => {
                *phase = Phase::ReadingBody;
                let tag = head::tag(response.headers());
                let at = response.url().clone();
                let body = body::read(response, self.options.body_bytes_max)
                    .await
                    .map_err(|failure| failure.sort(&self.context(&at)))?;
                Fetched::Changed { body, tag }
            }
            // A tag in a 304 is not kept: the body at hand came with another one.
            StatusCode::NOT_MODIFIED if was_conditional => Fetched::Unchanged,
            StatusCode::NOT_MODIFIED => return Err(FetchError::NotModifiedUnasked),
            _ => return Err(refused(response).await),
        };
        Ok(Answer { fetched, server_date: date })
    }

    fn context(&self, at: &Url) -> Context {
        Context { host: at.host_str().unwrap_or_default().to_owned(), connect_timeout: self.options.connect_timeout }
    }
}

/// What an answer means whose body is of no use.
async fn refused(response: Response) -> FetchError {
    let (status, retry_after) = (response.status().as_u16(), head::retry_after(response.headers()));
    body::settle(response).await;
    FetchError::Status { status, retry_after }
}

/// The user's headers, checked; marked so that nothing prints their values.
fn own_headers(headers: &[(String, String)]) -> Result<HeaderMap, SourceError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let refused = || SourceError::Header { name: name.escape_debug().take(HEADER_NAME_SHOWN).collect() };
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused())?;
        if RESERVED.contains(&header) {
            return Err(SourceError::ReservedHeader { name: name.clone() });
        }
        let mut value = HeaderValue::from_str(value).map_err(|_| refused())?;
        value.set_sensitive(true);
        map.append(header, value);
    }
    Ok(map)
}

fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

impl fmt::Debug for HttpFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpFetcher").field("location", &self.location.to_string()).finish_non_exhaustive()
    }
}

/// Headers accepted in an answer; an ordinary one has about ten.
const HEADERS_MAX: usize = 100;

/// How long an unused connection is kept: longer than the default poll interval with its jitter, so that each
/// poll finds the connection of the one before.
const POOL_IDLE: Duration = Duration::from_secs(90);

const ACCEPT: &str = "application/json, */*;q=0.8";
const USER_AGENT: &str = concat!("tidegate/", env!("CARGO_PKG_VERSION"));

/// Characters shown of an illegal header name.
const HEADER_NAME_SHOWN: usize = 60;

/// Headers that decide how the answer is to be read, or where the request goes.
const RESERVED: [HeaderName; 16] = [
    header::ACCEPT_ENCODING,
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::EXPECT,
    header::HOST,
    header::IF_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_NONE_MATCH,
    header::IF_RANGE,
    header::IF_UNMODIFIED_SINCE,
    header::PROXY_AUTHORIZATION,
    header::RANGE,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
