//! Where nodes are: `host:port`, checked before anything is done with it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use rustls_pki_types::{DnsName, ServerName};

/// A host and a port at which a node accepts connections.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Address {
    pub(crate) host: Host,
    pub(crate) port: u16,
}

/// A host.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Host {
    Ip(IpAddr),
    /// A name, resolved again at each attempt.
    Name(String),
}

/// A text that is not the address of a node.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum AddressError {
    /// There is no port.
    #[error("it has no port; write it like `10.0.0.7:7400`, `[fd00::7]:7400` or `node-a.example:7400`")]
    NoPort,
    /// Nothing listens on port 0.
    #[error("port 0 means \"any\"; name the port on which the node listens")]
    PortZero,
    /// It is a URL.
    #[error("it is a URL; leave out the scheme and the path, like `node-a.example:7400`")]
    Url,
    /// The colons of an IPv6 address cannot be told from the one before the port.
    #[error("put an IPv6 address into brackets, like `[fd00::7]:7400`")]
    Brackets,
    /// It stands for all addresses of a host.
    #[error("it stands for every address of this host; name the one at which the node is reached")]
    Unspecified,
    /// The host is neither an IP address nor a DNS name.
    #[error("its host is neither an IP address nor a DNS name")]
    Host,
}

impl Address {
    /// Reads `host:port`.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        if text.contains("://") || text.contains('/') {
            return Err(AddressError::Url);
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err(AddressError::Brackets);
        }
        let (host, port) = text.rsplit_once(':').ok_or(AddressError::NoPort)?;
        let port: u16 = port.parse().map_err(|_| AddressError::NoPort)?;
        if port == 0 {
            return Err(AddressError::PortZero);
        }
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        let host = match (bare, host.parse::<IpAddr>()) {
            (Some(bare), _) => Host::Ip(bare.parse::<Ipv6Addr>().map_err(|_| AddressError::Host)?.into()),
            (None, Ok(IpAddr::V6(_))) => return Err(AddressError::Brackets),
            (None, Ok(ip)) => Host::Ip(ip),
            (None, Err(_)) if host.contains(':') => return Err(AddressError::Brackets),
            (None, Err(_)) => Host::name(host).ok_or(AddressError::Host)?,
        };
        match host {
            Host::Ip(ip) if ip.is_unspecified() => Err(AddressError::Unspecified),
            host => Ok(Self { host, port }),
        }
    }

    /// Whether it is of this host only.
    pub(crate) fn is_local(&self) -> bool {
        match &self.host {
            Host::Ip(ip) => ip.is_loopback(),
            Host::Name(name) => name.eq_ignore_ascii_case("localhost"),
        }
    }

    /// Whether this node itself listens there, as far as this is known without a resolver.
    pub(crate) fn is_own(&self, listen: SocketAddr) -> bool {
        let ip = match &self.host {
            Host::Ip(ip) => *ip,
            Host::Name(_) if self.is_local() => Ipv4Addr::LOCALHOST.into(),
            Host::Name(_) => return false,
        };
        let is_here = || match listen.ip() {
            // An address is one of this host if something can be bound to it.
            any if any.is_unspecified() => UdpSocket::bind((ip, 0)).is_ok(),
            own => own == ip,
        };
        self.port == listen.port() && is_here()
    }
}

impl Host {
    fn name(text: &str) -> Option<Self> {
        // `10.0.0` and `10.0.0.256` are names to a resolver, and never what was meant.
        let name = relative(text);
        let is_numeric = name.rsplit('.').next().is_some_and(|label| label.bytes().all(|byte| byte.is_ascii_digit()));
        DnsName::try_from(name).ok().filter(|_| !is_numeric)?;
        Some(Self::Name(text.to_owned()))
    }

    /// As certificates name it.
    pub(crate) fn server_name(&self) -> Option<ServerName<'static>> {
        match self {
            Self::Ip(ip) => Some(ServerName::IpAddress((*ip).into())),
            Self::Name(name) => Some(ServerName::DnsName(DnsName::try_from(relative(name).to_owned()).ok()?)),
        }
    }
}

/// A name without the full stop at its end, which tells resolvers not to try others, and which certificates do not have.
fn relative(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

impl fmt::Display for Host {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(formatter),
            Self::Name(name) => formatter.write_str(name),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(ip) => SocketAddr::new(*ip, self.port).fmt(formatter),
            Host::Name(name) => write!(formatter, "{name}:{}", self.port),
        }
    }
}

/// Whether this text is the address of a node.
///
/// # Errors
/// [`AddressError`] says what is wrong with it and how it is written.
pub fn check_address(text: &str) -> Result<(), AddressError> {
    Address::parse(text).map(|_| ())
}

/// Whether every address that a node uses is one of this host only. What is not an address is not.
pub fn are_local(addresses: &[String], listen: Option<SocketAddr>) -> bool {
    let is_local = |text: &String| Address::parse(text).is_ok_and(|address| address.is_local());
    listen.is_none_or(|listen| listen.ip().is_loopback()) && addresses.iter().all(is_local)
}

/// The address by which this host speaks to another. Nothing is sent.
pub(crate) fn source_ip(peer: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(peer).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_they_are_written() {
        for text in ["10.0.0.7:7400", "[fd00::7]:1", "node-a.example:65535", "localhost:7400", "node_a:7400", "a.b.:1"]
        {
            assert_eq!(Address::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (text, expected) in [
            ("", AddressError::NoPort),
            ("node-a", AddressError::NoPort),
            ("node-a:", AddressError::NoPort),
            ("node-a:http", AddressError::NoPort),
            ("node-a:65536", AddressError::NoPort),
            ("node-a:-1", AddressError::NoPort),
            ("node-a:0", AddressError::PortZero),
            ("tls://node-a:7400", AddressError::Url),
            ("node-a:7400/x", AddressError::Url),
            ("fd00::7:7400", AddressError::Brackets),
            ("fd00::7", AddressError::Brackets),
            ("::1:7400", AddressError::Brackets),
            ("0.0.0.0:7400", AddressError::Unspecified),
            ("[::]:7400", AddressError::Unspecified),
            (":7400", AddressError::Host),
            ("a b:7400", AddressError::Host),
            ("10.0.0:7400", AddressError::Host),
            ("10.0.0.256:7400", AddressError::Host),
            ("[node-a]:7400", AddressError::Host),
            ("[fe80::1%eth0]:7400", AddressError::Host),
            ("node..a:7400", AddressError::Host),
        ] {
            assert_eq!(Address::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn only_loopback_is_local() {
        let listen = |text: &str| Some(text.parse().unwrap());
        let all = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        assert!(are_local(&all(&["127.0.0.1:1", "[::1]:1", "localhost:1"]), listen("127.0.0.1:0")));
        assert!(are_local(&[], None));
        assert!(!are_local(&[], listen("0.0.0.0:1")));
        assert!(!are_local(&all(&["node-a:1"]), None));
        assert!(!are_local(&all(&["10.0.0.7:1"]), listen("127.0.0.1:1")));
        assert!(!are_local(&all(&["nonsense"]), None));
    }

    #[test]
    fn a_node_knows_its_own_addresses() {
        let is_own = |text: &str, listen: &str| Address::parse(text).unwrap().is_own(listen.parse().unwrap());
        assert!(is_own("127.0.0.1:7400", "127.0.0.1:7400"));
        assert!(is_own("localhost:7400", "127.0.0.1:7400"));
        assert!(is_own("127.0.0.1:7400", "0.0.0.0:7400"));
        assert!(!is_own("127.0.0.1:7401", "0.0.0.0:7400"));
        assert!(!is_own("192.0.2.1:7400", "0.0.0.0:7400"), "an address for documentation is no node's");
        assert!(!is_own("node-a.example:7400", "0.0.0.0:7400"));
    }
}
