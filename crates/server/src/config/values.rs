//! Reads each value of the configuration, and says what is wrong with it and how it is written.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tidegate::Source;
use tidegate_engine::document::parse_duration;

use super::{ConfigError, Key, Origin, Said};
use crate::limits;

/// The URL of a Redis. It shows itself without user and password.
#[derive(Clone, Eq, PartialEq)]
pub struct StoreUrl(String);

#[cfg(feature = "redis")]
impl StoreUrl {
    pub(super) fn with_secrets(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&without_secrets(&self.0))
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "StoreUrl({self})")
    }
}

/// A number of connections, within what can work.
pub(super) fn connections(said: &Said, text: &str) -> Result<usize, ConfigError> {
    let (least, most) = (limits::CONNECTIONS_MIN, limits::CONNECTIONS_SETTING_MAX);
    let help = format!("write a number from {least} to {most}");
    let number = text.parse().map_err(|_| said.wrong(text, "it is not a number", &help))?;
    if (least..=most).contains(&number) { Ok(number) } else { Err(said.wrong(text, "it is out of range", &help)) }
}

/// A duration, up to a minute.
pub(super) fn span(said: &Said, text: &str) -> Result<Duration, ConfigError> {
    let help = "write a duration up to a minute, such as `5s`";
    let span = parse_duration(text).map_err(|_| said.wrong(text, "it is not a duration", help))?;
    let wait = Duration::from_micros(span.get());
    if wait > STARTUP_WAIT_MAX { Err(said.wrong(text, "it is too long", help)) } else { Ok(wait) }
}

/// The longest wait of a start: what supervises a server loses its patience before.
const STARTUP_WAIT_MAX: Duration = Duration::from_mins(1);

pub(super) fn address(said: &Said, text: &str) -> Result<SocketAddr, ConfigError> {
    let port = said.key.default_port();
    let help = format!("write an address and a port, such as `127.0.0.1:{port}` or `[::1]:{port}`");
    text.parse().map_err(|_| said.wrong(text, "it is not a valid `host:port`", &help))
}

pub(super) fn host(said: &Said, text: &str) -> Result<String, ConfigError> {
    if crate::api::check_name(text) {
        return Ok(text.to_owned());
    }
    let help = "write the name alone, such as `flags.example`, without scheme and port";
    Err(said.wrong(text, "it is not the name of a host", help))
}

pub(super) fn cors_origin(said: &Said, text: &str) -> Result<String, ConfigError> {
    if crate::ofrep::check_origin(text) {
        return Ok(text.to_owned());
    }
    let help = "write `*`, `none`, or an origin such as `https://shop.example`, without a path";
    Err(said.wrong(text, "it is not an origin", help))
}

pub(super) fn path(said: &Said, text: &str) -> Result<PathBuf, ConfigError> {
    if text.is_empty() || text.contains('\0') {
        return Err(said.wrong(text, "it is no path", "name a folder"));
    }
    Ok(said.resolve(text))
}

pub(super) fn document(said: &Said, text: &str) -> Result<String, ConfigError> {
    if is_url(text) || is_zookeeper(text) {
        source(text, &said.origin)?;
        return Ok(text.to_owned());
    }
    if text.contains("://") {
        return Err(said.wrong(
            &without_secrets(text),
            "its scheme is not supported",
            "name a path, or a URL of http, https or zk",
        ));
    }
    let path = path(said, text)?;
    path.into_os_string().into_string().map_err(|_| said.wrong(text, "its path is not UTF-8", "rename it"))
}

pub(super) fn name(said: &Said, text: &str) -> Result<String, ConfigError> {
    let is_good = (1..=NAME_BYTES_MAX).contains(&text.len()) && !text.contains(char::is_control);
    if is_good {
        return Ok(text.to_owned());
    }
    Err(said.wrong(text, "it is no name", "use 1 to 255 bytes without control characters"))
}

pub(super) fn drift(said: &Said, text: &str) -> Result<Duration, ConfigError> {
    let help = "say a duration from 500ms to 1m, such as `10s`";
    let span = parse_duration(text).map_err(|_| said.wrong(text, "it is not a duration", help))?;
    let drift = Duration::from_micros(span.get());
    let is_good = tidegate::MAX_DRIFT_RANGE.contains(&drift) && span.get().is_multiple_of(1_000);
    if is_good { Ok(drift) } else { Err(said.wrong(text, "it is out of range", help)) }
}

/// The library judges it, so that what is wrong is said once, with the place where it was said.
pub(super) fn peer(said: &Said, text: &str) -> Result<String, ConfigError> {
    match tidegate::check_address(text) {
        Ok(()) => Ok(text.to_owned()),
        Err(error) => Err(said.wrong(text, "it is not the address of a node", &error.to_string())),
    }
}

/// The library judges the URL. What is wrong is reported without it, because it may hold a password.
#[cfg(feature = "redis")]
pub(super) fn store(said: &Said, text: &str) -> Result<StoreUrl, ConfigError> {
    let help = "write it like `redis://127.0.0.1:6379/0`";
    let wrong = |error: tidegate::RedisUrlError| said.wrong(NOT_SHOWN, &error.to_string(), help);
    tidegate::check_redis_url(text).map(|()| StoreUrl(text.trim().to_owned())).map_err(wrong)
}

#[cfg(not(feature = "redis"))]
pub(super) fn store(said: &Said, _text: &str) -> Result<StoreUrl, ConfigError> {
    Err(said.wrong(NOT_SHOWN, "this program was built without Redis", "build it with the cargo feature `redis`"))
}

fn is_url(text: &str) -> bool {
    let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
    matches!(scheme.as_deref(), Some("http" | "https"))
}

/// Whether it is the URL of a node of ZooKeeper. A program that was built without is told so by the error for its scheme.
fn is_zookeeper(text: &str) -> bool {
    cfg!(feature = "zookeeper") && text.split_once("://").is_some_and(|(scheme, _)| scheme.eq_ignore_ascii_case("zk"))
}

pub(super) fn source(document: &str, origin: &Origin) -> Result<Source, ConfigError> {
    let wrong = |error: tidegate::SourceError, help: &str| {
        ConfigError::value(Key::Documents, &without_secrets(document), origin.clone(), &error.to_string(), help)
    };
    #[cfg(feature = "zookeeper")]
    if is_zookeeper(document) {
        return Source::zookeeper(document)
            .map_err(|error| wrong(error, "write it like `zk://zk1:2181,zk2:2181/flags`"));
    }
    if !is_url(document) {
        return Ok(Source::file(document));
    }
    Source::http(document).map_err(|error| wrong(error, "write it like `https://flags.example/app.json`"))
}

/// The URL of a server; one without a scheme is meant as `http`.
pub(super) fn follow(said: &Said, text: &str) -> Result<String, ConfigError> {
    if is_zookeeper(text) {
        return Err(said.wrong(
            &without_secrets(text),
            "its scheme is not supported",
            "name a server by http or https",
        ));
    }
    let text = document(said, text)?;
    Ok(if is_url(&text) { text } else { format!("http://{text}") })
}

/// A document's place without what may be secret in a URL.
pub(super) fn without_secrets(document: &str) -> String {
    let Some((scheme, rest)) = document.split_once("://") else { return document.to_owned() };
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}/{path}")
}

/// What stands for a value that may hold a password.
const NOT_SHOWN: &str = "(not shown)";

/// Names of nodes and clusters, as the library takes them.
const NAME_BYTES_MAX: usize = 255;
