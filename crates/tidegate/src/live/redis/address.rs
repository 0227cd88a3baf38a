//! Where Redis is, by a URL whose secrets are never shown: one server, several of a Redis Cluster, or Sentinels that know the master.

use std::fmt;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};

use super::place::Place;
use super::tls::RedisTls;

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
    /// What the URL names: servers of Redis, one after the other, or Sentinels.
    servers: Vec<Place>,
    /// Where the servers are Sentinels: the master that they know.
    pub(super) master: Option<Master>,
    shown: String,
}

/// A master that Sentinels know by a name.
#[derive(Clone)]
pub(super) struct Master {
    pub(super) name: String,
    /// How to connect to it, wherever it is.
    pub(super) template: Place,
}

/// A URL, taken apart.
struct Parts<'u> {
    scheme: &'u str,
    /// User and password with the `@` behind them.
    credentials: &'u str,
    hosts: &'u str,
    path: &'u str,
    query: &'u str,
}

impl Address {
    /// Reads a URL. The error does not repeat it: it may hold a password.
    pub(in crate::live) fn parse(url: &str) -> Result<Self, String> {
        let url = url.trim();
        let schemes = SCHEMES.iter().chain(SENTINEL_SCHEMES).chain(SOCKET_SCHEMES);
        let Some(scheme) = schemes.copied().find(|scheme| url.starts_with(scheme)) else {
            return Err("it begins with none of `redis://`, `rediss://`, `redis+sentinel://` and `unix://`".to_owned());
        };
        if SOCKET_SCHEMES.contains(&scheme) {
            let info = read(url)?;
            let shown = format!("{scheme}{}/{}", info.addr(), info.redis_settings().db());
            return Ok(Self { servers: vec![Place::new(info)], master: None, shown });
        }
        let parts = Parts::new(scheme, url);
        if SENTINEL_SCHEMES.contains(&scheme) { parts.sentinels() } else { parts.servers() }
    }

    /// The same, with these certificates where it is TLS.
    pub(in crate::live) fn with_tls(mut self, tls: &RedisTls) -> Result<Self, String> {
        let places = self.servers.iter_mut().chain(self.master.as_mut().map(|master| &mut master.template));
        for place in places {
            place.use_tls(tls)?;
        }
        Ok(self)
    }

    /// The servers that the URL names, the first one first.
    pub(super) fn servers(&self) -> &[Place] {
        &self.servers
    }
}

impl<'u> Parts<'u> {
    fn new(scheme: &'u str, url: &'u str) -> Self {
        let rest = &url[scheme.len()..];
        let (authority, rest) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
        let (path, query) = rest.split_at(rest.find(['?', '#']).unwrap_or(rest.len()));
        let (credentials, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        Self { scheme, credentials, hosts, path, query }
    }

    /// One server, or several of a Redis Cluster.
    fn servers(&self) -> Result<Address, String> {
        let Self { scheme, credentials, path, query, .. } = self;
        let server = |host: &str| read(&format!("{scheme}{credentials}{host}{path}{query}"));
        let servers = self.hosts.split(',').map(server).collect::<Result<Vec<_>, _>>()?;
        let database = servers.first().map_or(0, |info| info.redis_settings().db());
        let shown = format!("{scheme}{}/{database}", shown_hosts(&servers));
        Ok(Address { servers: servers.into_iter().map(Place::new).collect(), master: None, shown })
    }

    /// `redis+sentinel://[user:password@]host[:port][,host...]/name[/database]`, where user and password are those of the master.
    fn sentinels(&self) -> Result<Address, String> {
        let scheme = if self.scheme == SENTINEL_TLS { "rediss://" } else { "redis://" };
        let mut segments = self.path.trim_matches('/').split('/');
        let name = segments.next().unwrap_or_default();
        if name.is_empty() {
            return Err("it does not name the master, as in `redis+sentinel://host:26379/mymaster`".to_owned());
        }
        let database = segments.next().unwrap_or("0");
        if segments.next().is_some() {
            return Err("its path has more than the name of the master and a database".to_owned());
        }
        let own = |name: &str| {
            let pairs = self.query.trim_start_matches('?').split('&');
            pairs.filter_map(|pair| pair.split_once('=')).find(|pair| pair.0 == name).map(|(_, value)| value)
        };
        let credentials = own("sentinel_password")
            .map_or_else(String::new, |password| format!("{}:{password}@", own("sentinel_user").unwrap_or_default()));
        let server = |host: &str| {
            let has_port = host.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
            let port = if has_port { String::new() } else { format!(":{SENTINEL_PORT}") };
            read(&format!("{scheme}{credentials}{host}{port}"))
        };
        let sentinels = self.hosts.split(',').map(server).collect::<Result<Vec<_>, _>>()?;
        // The host is that which Sentinel tells.
        let template = read(&format!("{scheme}{}master/{database}", self.credentials))?;
        let shown = format!("{}{}/{name}/{database}", self.scheme, shown_hosts(&sentinels));
        let master = Master { name: name.to_owned(), template: Place::new(template) };
        Ok(Address { servers: sentinels.into_iter().map(Place::new).collect(), master: Some(master), shown })
    }
}

/// Reads the URL of one server.
fn read(url: &str) -> Result<ConnectionInfo, String> {
    let info = url.into_connection_info().map_err(|error| {
        let why = if error.detail().is_none() { error.to_string() } else { error.category().to_owned() };
        format!("it cannot be parsed ({why})")
    })?;
    if let ConnectionAddr::TcpTls { insecure: true, .. } = info.addr() {
        return Err("it turns the check of certificates off, which is not supported".to_owned());
    }
    Ok(info)
}

fn shown_hosts(servers: &[ConnectionInfo]) -> String {
    servers.iter().map(|info| info.addr().to_string()).collect::<Vec<_>>().join(",")
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

/// URLs of servers.
const SCHEMES: &[&str] = &["redis://", "rediss://", "valkey://", "valkeys://"];

/// URLs of Sentinels. With TLS, Sentinels and masters have it.
const SENTINEL_SCHEMES: &[&str] = &["redis+sentinel://", SENTINEL_TLS];
const SENTINEL_TLS: &str = "rediss+sentinel://";

/// URLs of Unix sockets.
const SOCKET_SCHEMES: &[&str] = &["redis+unix://", "valkey+unix://", "unix://"];

/// Where a Sentinel listens if its URL does not say.
const SENTINEL_PORT: u16 = 26_379;

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
            ("redis://dana:s3cret@10.0.0.1:7000,10.0.0.2:7001/0", "redis://10.0.0.1:7000,10.0.0.2:7001/0"),
            (
                "redis+sentinel://dana:s3cret@a.example,[::1]:26380/mymaster/2?sentinel_password=s3cret",
                "redis+sentinel://a.example:26379,::1:26380/mymaster/2",
            ),
            ("rediss+sentinel://[::1]/mymaster", "rediss+sentinel://::1:26379/mymaster/0"),
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
            "redis://dana:s3cret@host,/0",
            "redis+sentinel://dana:s3cret@host",
            "redis+sentinel://dana:s3cret@host/mymaster/0/s3cret",
            "redis+sentinel://dana:s3cret@host/mymaster/nine",
        ] {
            let error = Address::parse(url).unwrap_err();
            assert!(!error.contains("s3cret"), "{error}");
        }
    }

    #[test]
    fn a_sentinel_gets_its_own_password_and_the_master_that_of_the_url() {
        let url = "rediss+sentinel://dana:s3cret@a,b:1/mymaster/3?sentinel_user=eve&sentinel_password=other";
        let address = Address::parse(url).unwrap();
        let master = address.master.unwrap();
        assert_eq!(master.name, "mymaster");
        let settings = master.template.info();
        let settings = settings.redis_settings();
        assert_eq!((settings.username(), settings.password(), settings.db()), (Some("dana"), Some("s3cret"), 3));
        for place in &address.servers {
            let info = place.info();
            assert!(place.is_tls());
            assert_eq!(
                (info.redis_settings().username(), info.redis_settings().password()),
                (Some("eve"), Some("other"))
            );
        }
    }
}
