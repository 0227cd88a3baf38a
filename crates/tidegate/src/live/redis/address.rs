//! Where Redis is, by a URL whose secrets are never shown.

use std::fmt;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};

/// A text is not the URL of a Redis. The message does not repeat it, because it may hold a password.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct RedisUrlError(String);

/// Whether this text is a URL that [`Live::redis`](crate::Live::redis) takes, to report a mistake where the text was written. Redis is
/// not asked.
///
/// ```
/// assert!(tidegate::check_redis_url("rediss://flags.example/0").is_ok());
/// assert!(tidegate::check_redis_url("http://flags.example").is_err());
/// ```
///
/// # Errors
/// [`RedisUrlError`] says what is wrong with it.
pub fn check_redis_url(url: &str) -> Result<(), RedisUrlError> {
    Address::parse(url).map(|_| ()).map_err(RedisUrlError)
}

/// The URL of a Redis. It shows itself without user and password.
#[derive(Clone)]
pub(in crate::live) struct Address {
    info: ConnectionInfo,
    shown: String,
}

impl Address {
    /// Reads a URL. The error does not repeat it: it may hold a password.
    pub(in crate::live) fn parse(url: &str) -> Result<Self, String> {
        let url = url.trim();
        let schemes =
            ["redis://", "rediss://", "valkey://", "valkeys://", "redis+unix://", "valkey+unix://", "unix://"];
        let Some(scheme) = schemes.into_iter().find(|scheme| url.starts_with(scheme)) else {
            return Err("it begins with none of `redis://`, `rediss://` and `unix://`".to_owned());
        };
        let info = url.into_connection_info().map_err(|error| {
            let why = if error.detail().is_none() { error.to_string() } else { error.category().to_owned() };
            format!("it cannot be parsed ({why})")
        })?;
        if let ConnectionAddr::TcpTls { insecure: true, .. } = info.addr() {
            return Err("it turns the check of certificates off, which is not supported".to_owned());
        }
        Ok(Self { shown: format!("{scheme}{}/{}", info.addr(), info.redis_settings().db()), info })
    }

    /// The same Redis Cluster, at the node that has the slot of our keys.
    pub(super) fn moved_to(&self, place: &str) -> Option<Self> {
        let (host, port) = place.rsplit_once(':')?;
        let port = port.parse().ok()?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let address = match self.info.addr() {
            // A node that has no address for itself means the one at which it was reached.
            ConnectionAddr::Tcp(before, _) => {
                ConnectionAddr::Tcp(if host.is_empty() { before.clone() } else { host }, port)
            }
            ConnectionAddr::TcpTls { host: before, .. } => ConnectionAddr::TcpTls {
                host: if host.is_empty() { before.clone() } else { host },
                port,
                insecure: false,
                tls_params: None,
            },
            _ => return None,
        };
        Some(Self { info: self.info.clone().set_addr(address), shown: self.shown.clone() })
    }

    pub(super) fn info(&self) -> ConnectionInfo {
        self.info.clone()
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self.info.addr(), ConnectionAddr::TcpTls { .. })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Address({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_never_shown() {
        for (url, shown) in [
            ("redis://127.0.0.1", "redis://127.0.0.1:6379/0"),
            ("redis://:s3cret@flags.example:6380/2", "redis://flags.example:6380/2"),
            (" rediss://dana:s3cret@flags.example/0\n", "rediss://flags.example:6379/0"),
            ("unix:///run/redis.sock?db=1&pass=s3cret", "unix:///run/redis.sock/1"),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!(address.to_string(), shown);
            assert!(!format!("{address:?}").contains("s3cret"));
        }
        for url in [
            "",
            "http://s3cret@host",
            "s3cret",
            "redis://dana:s3cret@host/nine",
            "redis://dana:s3cret@host:x/0",
            "redis://",
        ] {
            let error = Address::parse(url).unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_redirect_keeps_user_and_password_and_replaces_the_place() {
        let address = Address::parse("redis://dana:s3cret@10.0.0.1:7000/0").unwrap();
        for (place, expected) in [("10.0.0.2:7001", "10.0.0.2:7001"), (":7002", "10.0.0.1:7002")] {
            let moved = address.moved_to(place).unwrap();
            assert_eq!(moved.info.addr().to_string(), expected);
            assert_eq!(moved.info.redis_settings().password(), Some("s3cret"));
        }
        assert!(address.moved_to("nonsense").is_none());
    }
}
