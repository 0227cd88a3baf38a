//! Which hosts a request may name.
//!
//! A page that a browser has loaded from `evil.example` can let that name resolve to 127.0.0.1 afterwards (DNS rebinding); its
//! requests then reach this server, and to the browser they are of one origin. They still say `Host: evil.example`. So a request
//! has to name a host that the server is known by: a name of the loopback interface, the address that the connection came
//! to, or a name of the configuration. Ports are not compared: a forwarded port is another one, and a name that rebinds keeps
//! its name.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use axum::http::{HeaderMap, Uri, Version, header};

use super::ask::shown;
use super::problem::Problem;

/// The address that a connection came to, as an extension of its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalAddress(pub(crate) IpAddr);

/// The names under which this server is asked.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    names: Arc<[String]>,
}

impl Hosts {
    /// These names, besides those that are always good.
    pub(crate) fn new(names: &[String]) -> Self {
        Self { names: names.iter().map(|name| canonical(name)).collect() }
    }

    /// Refuses a request that names no host, two, or one that is not this server's.
    ///
    /// `own` is the address that the connection came to.
    pub(crate) fn check(
        &self,
        headers: &HeaderMap,
        uri: &Uri,
        version: Version,
        own: Option<IpAddr>,
    ) -> Result<(), Problem> {
        let mut hosts = headers.get_all(header::HOST).iter();
        match (hosts.next(), hosts.next()) {
            (Some(host), None) => self.check_host(host.to_str().unwrap_or_default(), own)?,
            (Some(_), Some(_)) => {
                return Err(Problem::invalid("host", "the header `Host` occurs twice", "send it once"));
            }
            // HTTP/1.0 knows no `Host`; browsers have not spoken it for decades.
            (None, _) if version < Version::HTTP_11 => {}
            (None, _) => {
                let help = "send `Host` with the name that the server was asked by";
                return Err(Problem::invalid("host", "the header `Host` is missing", help));
            }
        }
        // A whole URL in the first line counts for more than the header.
        match uri.authority() {
            Some(authority) => self.check_host(authority.as_str(), own),
            None => Ok(()),
        }
    }

    fn check_host(&self, host: &str, own: Option<IpAddr>) -> Result<(), Problem> {
        let Some(name) = without_port(host) else {
            let detail = format!("the host `{}` cannot be read", shown(host));
            return Err(Problem::invalid("host", detail, "send a name or an address, and a port if need be"));
        };
        let is_known = match address(name) {
            Some(address) => address.is_loopback() || Some(address) == own.map(|own| own.to_canonical()),
            None => name.strip_suffix('.').unwrap_or(name).eq_ignore_ascii_case("localhost"),
        };
        if is_known || self.names.contains(&canonical(name)) {
            return Ok(());
        }
        Err(Problem::unknown_host(&shown(name)))
    }
}

/// Whether it can stand in the configuration: a name or an address alone, as `Host` has it before its port.
pub(crate) fn check_name(name: &str) -> bool {
    without_port(name) == Some(name)
}

/// The host without its port; none for what is neither a name nor an address.
fn without_port(host: &str) -> Option<&str> {
    let end = if host.starts_with('[') { host.find(']')? + 1 } else { host.find(':').unwrap_or(host.len()) };
    let (name, port) = host.split_at_checked(end)?;
    let is_port =
        port.strip_prefix(':').map_or(port.is_empty(), |digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let is_name = match name.strip_prefix('[') {
        Some(_) => address(name).is_some(),
        None => !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte)),
    };
    (is_port && is_name).then_some(name)
}

/// The address, if it is one; that of IPv6 in brackets.
fn address(name: &str) -> Option<IpAddr> {
    let inner = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let address = match inner {
        Some(inner) => inner.parse::<Ipv6Addr>().ok().map(IpAddr::V6),
        None => name.parse().ok(),
    };
    address.map(|address| address.to_canonical())
}

/// The one spelling of a name.
fn canonical(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        let hosts = [
            ("localhost", Some("localhost")),
            ("Flags.Example.:8080", Some("Flags.Example.")),
            ("10.0.0.7:80", Some("10.0.0.7")),
            ("[::1]", Some("[::1]")),
            ("[::1]:80", Some("[::1]")),
            ("x:", Some("x")),
            ("", None),
            (":80", None),
            ("x:y", None),
            ("x:1:2", None),
            ("me@x", None),
            ("x/y", None),
            ("x y", None),
            ("[::1", None),
            ("[::g]", None),
            ("[::1]x", None),
            ("::1", None),
        ];
        for (host, name) in hosts {
            assert_eq!(without_port(host), name, "{host}");
        }
        assert!(check_name("flags.example") && check_name("[::1]"));
        assert!(!check_name("flags.example:80") && !check_name("http://x") && !check_name(""));
    }

    #[test]
    fn a_server_goes_by_loopback_names_its_address_and_configured_names() {
        let hosts = Hosts::new(&["Flags.Example.".to_owned(), "10.9.9.9".to_owned()]);
        let own = "::ffff:10.0.0.7".parse().ok();
        for host in
            ["LOCALHOST", "localhost.", "127.3.2.1:9", "[::1]", "[::ffff:127.0.0.1]", "10.0.0.7", "flags.example:1"]
        {
            assert!(hosts.check_host(host, own).is_ok(), "{host}");
        }
        assert!(hosts.check_host("10.9.9.9", own).is_ok());
        for host in
            ["evil.example", "10.0.0.8", "localhost.evil.example", "flags.example.evil", "127.0.0.1.evil", "0.0.0.0"]
        {
            assert!(hosts.check_host(host, own).is_err(), "{host}");
        }
        assert!(hosts.check_host("10.0.0.7", None).is_err());
    }
}
