//! Where a server is, and the paths below it.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use reqwest::Url;
use tidegate::SourceError;
use tidegate_engine::FlagKey;

/// The address of a server: scheme, host, port, and a path if it is behind a gateway.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Address {
    url: Url,
    /// Certificate authorities, in PEM, that are trusted besides those of this machine.
    extra_roots: Option<Arc<[u8]>>,
}

impl Address {
    /// The server on this host, at the port where `tidegate serve` listens unless it is told otherwise.
    pub(crate) fn local() -> Self {
        LOCAL.parse().expect("the constant is an address")
    }

    /// The same address, trusting these certificate authorities, too.
    pub(crate) fn trusting(mut self, extra_roots: Option<Vec<u8>>) -> Self {
        self.extra_roots = extra_roots.map(Arc::from);
        self
    }

    pub(super) fn extra_roots(&self) -> Option<&[u8]> {
        self.extra_roots.as_deref()
    }

    /// The proxy for this address, if the environment names one.
    pub(super) fn proxy(&self) -> Result<Option<String>, SourceError> {
        if self.is_local() { Ok(None) } else { tidegate::proxy_of(self.url.as_str()) }
    }

    /// Whether the server is on this host, where no proxy is used.
    pub(super) fn is_local(&self) -> bool {
        let host = self.url.host_str().unwrap_or_default();
        host == "localhost" || host == "[::1]" || host.starts_with("127.")
    }

    /// The URL of these segments below the API's root.
    pub(super) fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.url.clone();
        // A URL with a host can always be extended.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v1"]).extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// The URL of a flag in the API.
    pub(super) fn flag_url(&self, flag: &FlagKey, rest: &[&str], query: &[(&str, &str)]) -> Url {
        let mut segments = vec!["flags", flag.section(), flag.flag()];
        segments.extend(rest);
        self.url(&segments, query)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.url.as_str().trim_end_matches('/'))
    }
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let whole = match text.split_once("://") {
            None => format!("http://{text}"),
            Some(("http" | "https", _)) => text.to_owned(),
            Some((scheme, _)) => return Err(format!("`{scheme}` is not supported; use http or https")),
        };
        let url = Url::parse(&whole).map_err(|error| format!("not a valid address: {error}; {FORM}"))?;
        if url.host_str().is_none_or(str::is_empty) {
            return Err(format!("not a valid address: it has no host; {FORM}"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("it has a user name or a password, which other users of this host could see; {FORM}"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("it has a query or a fragment; {FORM}"));
        }
        Ok(Self { url, extra_roots: None })
    }
}

const FORM: &str = "write it like `http://127.0.0.1:8080` or `127.0.0.1:8080`";
/// Where `tidegate serve` listens unless it is told otherwise.
pub(crate) const LOCAL: &str = "http://127.0.0.1:8080";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let addresses = [
            ("127.0.0.1:8080", Some("http://127.0.0.1:8080")),
            ("localhost", Some("http://localhost")),
            ("[::1]:80", Some("http://[::1]")),
            ("https://flags.example/behind/", Some("https://flags.example/behind")),
            ("http://", None),
            ("", None),
            ("ftp://x", None),
            ("http://me:secret@x", None),
            ("http://x/?a=b", None),
            ("host:port", None),
        ];
        for (text, address) in addresses {
            assert_eq!(text.parse().ok().map(|found: Address| found.to_string()).as_deref(), address, "{text}");
        }
    }

    #[test]
    fn paths_below_it() {
        let check = |address: &str, flag: FlagKey, url: &str| {
            let address: Address = address.parse().unwrap();
            assert_eq!(address.flag_url(&flag, &["activation"], &[("ack", "all")]).as_str(), url);
        };
        check("x:1", FlagKey::parse("x"), "http://x:1/api/v1/flags/flags/x/activation?ack=all");
        check("x:1/a/", FlagKey::new("a/b", "c d?"), "http://x:1/a/api/v1/flags/a%2Fb/c%20d%3F/activation?ack=all");
        check("x:1", FlagKey::new("50%", "ü/"), "http://x:1/api/v1/flags/50%25/%C3%BC%2F/activation?ack=all");
    }
}
