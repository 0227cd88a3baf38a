//! Which redirects are followed.
//!
//! The origin's answer is not trusted to choose any address: no scheme but `http` and `https`, never from
//! `https` back to `http`, and no step from elsewhere into this machine or the link-local range (where
//! cloud providers keep their credentials), whether by number or by a name that resolves to one.

use std::net::IpAddr;

use reqwest::Url;

/// Redirects that are followed for one document; a sixth is an error. Enough for a renamed site, few
/// enough to end a loop early.
pub(crate) const REDIRECTS_MAX: usize = 5;

/// Why a redirect was not followed. The origin, or what sits before it, is at fault.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RedirectError {
    /// More than five in a row, for instance a loop.
    #[error("more than {REDIRECTS_MAX} in a row; name the final URL")]
    TooMany,
    /// The answer does not say where to, or not in a readable way.
    #[error("the answer names no readable `Location`")]
    NoLocation,
    /// Neither `http` nor `https`.
    #[error("it leads to scheme `{scheme}`; only http and https are followed")]
    Scheme {
        /// The scheme it leads to.
        scheme: String,
    },
    /// From a secure to an insecure URL.
    #[error("it leads from https to http; serve the document over https throughout")]
    Downgrade,
    /// Into this machine or the link-local range, from an origin that is elsewhere.
    #[error("it leads to `{host}`, an address of this machine or of its link, which only the URL itself may name")]
    Address {
        /// The host it leads to.
        host: String,
    },
}

/// The URL that `location` leads to from `at`, if it may be followed. Credentials in it are dropped.
///
/// `from_loopback` says that the URL which the user named is on this machine, so that others there may be
/// reached as well. Names are checked once more when they are resolved, by [`is_forbidden`].
pub(crate) fn follow(at: &Url, location: Option<&[u8]>, from_loopback: bool) -> Result<Url, RedirectError> {
    let text = location.and_then(|bytes| std::str::from_utf8(bytes).ok()).ok_or(RedirectError::NoLocation)?;
    if text.is_empty() {
        return Err(RedirectError::NoLocation);
    }
    let mut next = at.join(text).map_err(|_| RedirectError::NoLocation)?;
    match next.scheme() {
        "https" => {}
        "http" if at.scheme() == "http" => {}
        "http" => return Err(RedirectError::Downgrade),
        scheme => return Err(RedirectError::Scheme { scheme: scheme.chars().take(20).collect() }),
    }
    let host = next.host_str().ok_or(RedirectError::NoLocation)?;
    let refused = match literal(&next) {
        Some(address) => is_forbidden(address, from_loopback),
        None => !from_loopback && is_local_name(host),
    };
    if refused {
        return Err(RedirectError::Address { host: host.to_owned() });
    }
    next.set_username("").and_then(|()| next.set_password(None)).map_err(|()| RedirectError::NoLocation)?;
    next.set_fragment(None);
    Ok(next)
}

/// Whether a redirect may not lead to `address`.
pub(crate) fn is_forbidden(address: IpAddr, from_loopback: bool) -> bool {
    let address = address.to_canonical();
    is_link_local(address) || (is_this_machine(address) && !from_loopback)
}

/// Whether the address always means this machine.
pub(crate) fn is_this_machine(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified() || matches!(address, IpAddr::V4(v4) if v4.octets()[0] == 0)
}

/// The address in a URL whose host is a number, in whatever spelling.
pub(crate) fn literal(url: &Url) -> Option<IpAddr> {
    let host = url.host_str()?;
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok()
}

/// Whether a name means this machine without asking anybody (RFC 6761).
pub(crate) fn is_local_name(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost")
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        // The second is where one provider keeps the metadata service of its machines in IPv6.
        IpAddr::V6(v6) => v6.is_unicast_link_local() || v6.segments()[..7] == [0xfd00, 0x0ec2, 0, 0, 0, 0, 0],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(at: &str, location: &str, expected: Result<&str, &str>) {
        let at = Url::parse(at).unwrap();
        let from_loopback = literal(&at).is_some_and(is_this_machine) || at.host_str().is_some_and(is_local_name);
        let result = follow(&at, Some(location.as_bytes()), from_loopback);
        let text = result.map(|url| url.to_string()).map_err(|error| error.to_string());
        match (expected, &text) {
            (Ok(url), Ok(found)) => assert_eq!(found, url),
            (Err(part), Err(found)) => assert!(found.contains(part), "{location}: `{found}` lacks `{part}`"),
            _ => panic!("{location}: {text:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn ordinary_redirects_are_followed() {
        check("https://a.example/x/flags.json", "/y.json", Ok("https://a.example/y.json"));
        check("https://a.example/x/flags.json", "y.json?v=2#top", Ok("https://a.example/x/y.json?v=2"));
        check("http://a.example/", "https://b.example/", Ok("https://b.example/"));
        check("http://a.example/", "//b.example/z", Ok("http://b.example/z"));
        check("https://a.example/", "https://10.0.0.7/", Ok("https://10.0.0.7/"));
        check("http://127.0.0.1:8000/", "http://127.0.0.1:8001/", Ok("http://127.0.0.1:8001/"));
        check("http://localhost:8000/", "http://[::1]:8001/", Ok("http://[::1]:8001/"));
    }

    #[test]
    fn credentials_in_a_redirect_are_dropped() {
        check("https://a.example/", "https://user:word@b.example/", Ok("https://b.example/"));
    }

    #[test]
    fn other_schemes_and_downgrades_are_refused() {
        check("https://a.example/", "http://a.example/", Err("from https to http"));
        check("http://a.example/", "file:///etc/passwd", Err("scheme `file`"));
        check("http://a.example/", "ftp://a.example/", Err("scheme `ftp`"));
        check("http://a.example/", "unix:/run/x", Err("scheme `unix`"));
        check("http://a.example/", "data:application/json,{}", Err("scheme `data`"));
        check("http://a.example/", "", Err("no readable"));
        check("http://a.example/", "http://[", Err("no readable"));
    }

    #[test]
    fn addresses_of_this_machine_are_refused_in_every_spelling() {
        for host in [
            "127.0.0.1",
            "127.1",
            "0x7f.1",
            "2130706433",
            "0177.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "0.1.2.3",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "x.localhost",
            "169.254.169.254",
            "[::ffff:169.254.169.254]",
            "[fe80::1]",
            "[fd00:ec2::254]",
        ] {
            check("http://a.example/", &format!("http://{host}/"), Err("address of this machine"));
        }
    }

    #[test]
    fn the_link_is_refused_even_from_this_machine() {
        check("http://127.0.0.1:8000/", "http://169.254.169.254/latest", Err("address of this machine or of its link"));
        check("http://localhost/", "http://[fe80::1]/", Err("address of this machine or of its link"));
    }

    #[test]
    fn an_answer_without_a_location_is_refused() {
        let at = Url::parse("http://a.example/").unwrap();
        assert_eq!(follow(&at, None, false), Err(RedirectError::NoLocation));
        assert_eq!(follow(&at, Some(b"\xff\xfe"), false), Err(RedirectError::NoLocation));
    }
}
