//! What can go wrong between asking for a document and holding its bytes.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::BoxError;
pub use super::redirect::RedirectError;
use crate::files::regular_file::FileProblem;

/// A document could not be had from its source. The active document stays active.
///
/// A message is complete by itself: it names the cause and what to do, in one line. It never holds a URL's
/// user name, password or query values, nor any header. Every variant may be retried by the next poll; where
/// waiting longer helps, [`FetchError::retry_after`] says how long.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The host name has no address, or the name server did not answer. Retry; if it stays, the URL or the
    /// name server is wrong.
    #[error("no address found for host `{host}`; check the name and this machine's name server")]
    NameNotFound {
        /// The host as written in the URL.
        host: String,
        /// The message of the resolver.
        source: BoxError,
    },
    /// No connection could be opened: refused, no route, or closed at once.
    #[error("cannot connect to `{host}`: {reason}")]
    Unreachable {
        /// The host as written in the URL.
        host: String,
        /// The system's reason.
        reason: String,
        /// The failure of the connection.
        source: BoxError,
    },
    /// The proxy that the environment names (`HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY`) cannot be used, or refuses. The origin was
    /// not asked.
    #[error("the proxy `{proxy}` cannot be used: {reason}")]
    Proxy {
        /// The proxy, without user name and password.
        proxy: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The request went through a proxy, and this came of it: whether the proxy or the origin is to blame cannot be told.
    #[error("{source} (through the proxy `{proxy}`)")]
    ThroughProxy {
        /// The proxy, without user name and password.
        proxy: String,
        /// What happened.
        source: Box<FetchError>,
    },
    /// The source did not finish in time.
    #[error("timed out after {after:?} {phase}")]
    TimedOut {
        /// What was being waited for.
        phase: Phase,
        /// How long the whole attempt, or for [`Phase::Connecting`] the connection, was given.
        after: Duration,
    },
    /// The secure connection failed. Never retried without security.
    #[error("secure connection to `{host}` failed: {problem}")]
    Tls {
        /// The host as written in the URL.
        host: String,
        /// What is wrong.
        problem: TlsProblem,
        /// The TLS library's words.
        source: BoxError,
    },
    /// The connection broke before the whole answer was there: reset, closed, or fewer bytes than announced.
    #[error("the connection broke {phase}: {reason}")]
    Broken {
        /// What was being waited for.
        phase: Phase,
        /// The reason given by the transport.
        reason: String,
        /// The failure of the transport.
        source: BoxError,
    },
    /// What answered does not speak HTTP/1.1 correctly.
    #[error("the answer is not valid HTTP: {reason}")]
    NotHttp {
        /// What is wrong with it.
        reason: String,
        /// The parser's error.
        source: BoxError,
    },
    /// The headers of the answer are larger, or more, than accepted.
    #[error("the headers of the answer exceed {limit} bytes or {count} headers; look at what sits before the origin")]
    HeadTooBig {
        /// Accepted size in bytes.
        limit: usize,
        /// Accepted number of headers.
        count: usize,
    },
    /// The body is larger than accepted. Reading stopped there; nothing was kept.
    #[error("the document exceeds the limit of {limit} bytes; split it, or remove finished flags")]
    BodyTooBig {
        /// Accepted size in bytes, after decompression.
        limit: usize,
    },
    /// The body is compressed with gzip and damaged or cut short.
    #[error("the compressed body is damaged: {source}")]
    Gzip {
        /// What the decompressor found.
        source: io::Error,
    },
    /// The body has a content coding that was not asked for.
    #[error("the body has content coding `{coding}`; serve it as gzip or uncompressed")]
    Coding {
        /// The coding that the answer names, shortened.
        coding: String,
    },
    /// The answer is neither 200 nor 304 nor a redirect. Only the body of a 200 is ever used.
    #[error("the origin answered {status} {}", StatusHint(*.status))]
    Status {
        /// The HTTP status.
        status: u16,
        /// How long the origin asks to be left alone, at most one hour.
        retry_after: Option<Duration>,
    },
    /// The origin answered "not modified" although nothing was asked conditionally; the next request will be
    /// unconditional again. The origin, or a cache before it, is at fault.
    #[error("the origin answered `not modified` to a request without a condition; check the cache before it")]
    NotModifiedUnasked,
    /// The document came, and its signature did not. Nothing was kept.
    #[error("the signature of the document cannot be had: {source}")]
    Signature {
        /// Why not.
        source: Box<FetchError>,
    },
    /// A redirect was not followed.
    #[error("redirect not followed: {0}")]
    Redirect(#[from] RedirectError),
    /// There is no such node in ZooKeeper. It is read as soon as it is there.
    #[cfg(feature = "zookeeper")]
    #[error("there is no node `{path}`; check the path, or write the document there")]
    NoNode {
        /// The path of the node.
        path: String,
    },
    /// ZooKeeper does not let these credentials read the node.
    #[cfg(feature = "zookeeper")]
    #[error("the node `{path}` may not be read; check user and password, and the node's ACL")]
    NodeForbidden {
        /// The path of the node.
        path: String,
    },
    /// The file cannot be used.
    #[error("file `{}` {problem}", path.display())]
    File {
        /// The path as it was given.
        path: PathBuf,
        /// What is wrong.
        problem: FileProblem,
    },
    /// The callback answered with an error.
    #[error("the callback failed: {source}")]
    Callback {
        /// The callback's error.
        source: BoxError,
    },
    /// The callback panicked. The panic was caught; the callback will be called again.
    #[error("the callback panicked: {message}")]
    CallbackPanicked {
        /// The panic's message, if it had one.
        message: String,
    },
    /// An earlier call of the callback, or an earlier look at the file, has not come back yet. It is not
    /// started a second time meanwhile.
    #[error("the call started {since:?} ago has not come back; no second one is started until it does")]
    StillRunning {
        /// How long that call has been running.
        since: Duration,
    },
    /// The source's own thread could not be started.
    #[error("cannot start the thread of the source: {source}")]
    Thread {
        /// The system's reason.
        source: io::Error,
    },
    /// The request could not be made at all. A fault of this library; please report it.
    #[error("the request could not be made: {reason}")]
    Request {
        /// The client's words.
        reason: String,
        /// The client's error.
        source: BoxError,
    },
}

impl FetchError {
    /// How long the origin asks not to be asked again, at most one hour; none if it did not say.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            Self::Signature { source } | Self::ThroughProxy { source, .. } => source.retry_after(),
            _ => None,
        }
    }
}

/// What an attempt was waiting for when it ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Phase {
    /// Finding the address, opening the connection, securing it.
    Connecting,
    /// The status line and headers.
    WaitingForAnswer,
    /// The body.
    ReadingBody,
    /// A callback, or a file, to answer.
    WaitingForCall,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Connecting => "connecting",
            Self::WaitingForAnswer => "waiting for the answer",
            Self::ReadingBody => "reading the body",
            Self::WaitingForCall => "waiting for the call to come back",
        })
    }
}

/// What is wrong with a secure connection.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsProblem {
    /// The certificate's last day is over, or this machine's clock is ahead.
    #[error("the certificate has expired; renew it, or set this machine's clock")]
    Expired,
    /// The certificate's first day has not come, or this machine's clock is behind.
    #[error("the certificate is not valid yet; check this machine's clock")]
    NotYetValid,
    /// The certificate is for other names.
    #[error("the certificate is not for this host name; use a name that it lists")]
    WrongHost,
    /// The certificate is self-signed or its authority is not trusted here.
    #[error("the certificate is self-signed or from an authority that this machine does not trust")]
    UnknownIssuer,
    /// No certificate authority at all is known on this machine.
    #[error("no certificate authorities are installed on this machine; install the package `ca-certificates`")]
    NoAuthorities,
    /// The file that `SSL_CERT_FILE` names, in place of the machine's authorities, cannot be used.
    #[error("the certificate authorities in `{path}`, which SSL_CERT_FILE names, cannot be used: {reason}")]
    AuthoritiesFile {
        /// The file.
        path: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The certificate is bad in another way.
    #[error("the certificate is not acceptable: {0}")]
    Certificate(String),
    /// The two sides share no protocol version or cipher; this side speaks TLS 1.2 and 1.3.
    #[error("the server offers nothing acceptable; it must speak TLS 1.2 or 1.3")]
    Version,
    /// The connection was closed during the handshake.
    #[error("the connection was closed during the handshake; is this a TLS port?")]
    Closed,
    /// What answered does not speak TLS.
    #[error("what answered does not speak TLS; is this the port for `http`?")]
    NotTls,
    /// Something else.
    #[error("{0}")]
    Other(String),
}

/// Why a source cannot be used at all: what was given for it is wrong. Nothing was asked or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// The text is not a URL.
    #[error("the source is not a valid URL: {reason}; write it like `https://example.com/flags.json`")]
    Url {
        /// What the parser found.
        reason: String,
    },
    /// The URL is neither `http` nor `https`.
    #[error("scheme `{scheme}` is not supported; use `https` or `http`, or name a file as a file")]
    Scheme {
        /// The scheme that was given.
        scheme: String,
    },
    /// The text is no URL of a node of ZooKeeper.
    #[cfg(feature = "zookeeper")]
    #[error("the source is not a valid ZooKeeper URL: {reason}; write it like `zk://host:2181,host2:2181/path`")]
    ZooKeeperUrl {
        /// What is wrong with it.
        reason: String,
    },
    /// `user:password` for ZooKeeper has no colon. The value is not shown.
    #[cfg(feature = "zookeeper")]
    #[error("the credentials for ZooKeeper are not `user:password`")]
    ZooKeeperCredentials,
    /// A header name or value is not legal HTTP.
    #[error("header `{name}` is not legal; names are letters, digits and dashes, values have no control characters")]
    Header {
        /// The header's name; its value is never shown.
        name: String,
    },
    /// A header that the request needs for itself.
    #[error("header `{name}` is set by the request itself; leave it out")]
    ReservedHeader {
        /// The header's name.
        name: String,
    },
    /// The additional certificate authorities are not readable as PEM.
    #[error("the additional certificate authorities are not valid PEM: {reason}")]
    RootCertificates {
        /// What is wrong with them.
        reason: String,
    },
    /// The proxy that a variable of the environment names is not an address. Its value may hold a password, and is not shown.
    #[error("the proxy in the variable {variable} is not an address; write it like `http://proxy.example:3128`")]
    Proxy {
        /// The variable.
        variable: &'static str,
    },
    /// The HTTP client could not be set up.
    #[error("the HTTP client could not be set up: {reason}")]
    Client {
        /// The client's words.
        reason: String,
        /// The client's error.
        source: BoxError,
    },
}

/// Words for a status: its name where it is a common one, and what to do.
struct StatusHint(u16);

impl std::fmt::Display for StatusHint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.0 {
            204 => "(no content); a document must come as 200",
            206 => "(partial content), which was not requested",
            400 => "(bad request); check the URL",
            401 => "(unauthorized); check the credentials that are sent",
            403 => "(forbidden); check that these credentials may read the document",
            404 => "(not found); check the URL",
            405 => "(method not allowed); it must answer GET",
            407 => "(proxy authentication required); check the proxy's credentials",
            410 => "(gone); the document was withdrawn, name its new place",
            429 => "(too many requests); polling slows down by itself",
            300..=399 => "; this redirect is not one that can be followed",
            402 | 406 | 408 | 409 | 411..=428 | 430..=499 => "; the request was refused",
            500..=599 => "; the origin is in trouble",
            _ => "; a document must come as 200",
        })
    }
}
