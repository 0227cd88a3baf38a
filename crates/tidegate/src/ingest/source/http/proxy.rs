//! Proxies, as the environment names them: which one stands between us and a URL, so that an error can say so.
//!
//! `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`, or the same in small letters, are read when a source is made. The
//! client goes by the same rules, by the same code.

use hyper::Uri;
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

use crate::ingest::source::{FetchError, SourceError};

/// The variables of the environment when this was made.
pub(super) struct Proxies(Option<Matcher>);

impl Proxies {
    /// Reads the environment, where it counts.
    pub(super) fn new(has_proxies: bool) -> Result<Self, SourceError> {
        if !has_proxies {
            return Ok(Self(None));
        }
        let is_wrong =
            |variable: &&str| std::env::var(variable).is_ok_and(|value| !value.is_empty() && !is_address(&value));
        match VARIABLES.into_iter().find(is_wrong) {
            Some(variable) => Err(SourceError::Proxy { variable }),
            None => Ok(Self(Some(Matcher::from_env()))),
        }
    }

    /// The proxy through which a URL is asked, without user name and password; none if it is asked directly.
    pub(super) fn proxy_for(&self, url: &Url) -> Option<String> {
        let uri: Uri = url.as_str().parse().ok()?;
        let proxy = self.0.as_ref()?.intercept(&uri)?;
        // The matcher has taken the credentials away already.
        Some(proxy.uri().to_string().trim_end_matches('/').to_owned())
    }
}

/// The proxy through which this process asks a URL, as `HTTP_PROXY`, `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY` name it, without
/// user name and password; none if it is asked directly.
///
/// # Errors
/// One of the variables is not the address of a proxy.
pub fn proxy_of(url: &str) -> Result<Option<String>, SourceError> {
    let url = Url::parse(url).map_err(|error| SourceError::Url { reason: error.to_string() })?;
    Ok(Proxies::new(true)?.proxy_for(&url))
}

/// Refuses a proxy that the client does not speak to.
pub(super) fn refuse_unsupported(proxy: &str) -> Result<(), FetchError> {
    match proxy.split_once("://") {
        Some((scheme, _)) if !matches!(scheme, "http" | "https") => Err(FetchError::Proxy {
            proxy: proxy.to_owned(),
            reason: format!("`{scheme}` is not supported; use an `http` proxy, or name the host in `NO_PROXY`"),
        }),
        _ => Ok(()),
    }
}

/// The same failure, with the proxy that stood between. What the origin alone can be to blame for stays as it is.
pub(super) fn name(error: FetchError, proxy: &str) -> FetchError {
    let of_proxy = |reason: String| FetchError::Proxy { proxy: proxy.to_owned(), reason };
    match error {
        FetchError::NameNotFound { .. } => of_proxy("its name has no address; check it and the name server".to_owned()),
        FetchError::Unreachable { reason, .. } => of_proxy(reason),
        FetchError::Status { status: 407, .. } => {
            of_proxy("it wants a name and a password (407); write them into its URL".to_owned())
        }
        error @ (FetchError::TimedOut { .. }
        | FetchError::Tls { .. }
        | FetchError::Broken { .. }
        | FetchError::NotHttp { .. }
        | FetchError::Status { .. }) => FetchError::ThroughProxy { proxy: proxy.to_owned(), source: Box::new(error) },
        error => error,
    }
}

fn is_address(value: &str) -> bool {
    let proxy = Matcher::builder().all(value).build().intercept(&Uri::from_static("http://x.invalid/"));
    // The matcher takes any text for a port.
    proxy.is_some_and(|proxy| Url::parse(&proxy.uri().to_string()).is_ok())
}

/// All that name a proxy.
const VARIABLES: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_proxies() {
        for value in ["proxy:3128", "http://proxy:3128", "https://user:word@proxy", "socks5://127.0.0.1:9050"] {
            assert!(is_address(value), "{value}");
        }
        for value in ["http://proxy:port", "ftp://proxy", "/proxy", "a b"] {
            assert!(!is_address(value), "{value}");
        }
    }

    #[test]
    fn the_one_in_between_is_named_without_its_secrets() {
        let matcher = Matcher::builder().http("http://user:word@proxy:3128").no("direct.example, 192.0.2.0/24").build();
        let proxies = Proxies(Some(matcher));
        let check = |url: &str, expected: Option<&str>| {
            assert_eq!(proxies.proxy_for(&Url::parse(url).unwrap()).as_deref(), expected, "{url}");
        };
        check("http://flags.example/x", Some("http://proxy:3128"));
        check("https://flags.example/x", None);
        check("http://a.direct.example/x", None);
        check("http://192.0.2.7/x", None);
        assert!(refuse_unsupported("socks5://proxy").is_err());
        assert!(refuse_unsupported("http://proxy").is_ok());
    }
}
