//! The URL of a document, its credentials kept apart so that they cannot be printed or sent elsewhere.

use std::fmt;

use reqwest::Url;

use crate::ingest::source::{SIGNATURE_SUFFIX, SourceError};

/// A URL with scheme `http` or `https`. Its `Display` shows no user name, password or query values.
#[derive(Clone)]
pub(in crate::ingest::source) struct Location {
    /// Without user name and password.
    url: Url,
    user: String,
    password: Option<String>,
}

impl Location {
    pub(in crate::ingest::source) fn parse(text: &str) -> Result<Self, SourceError> {
        let mut url = Url::parse(text).map_err(|error| SourceError::Url { reason: error.to_string() })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(SourceError::Scheme { scheme: url.scheme().chars().take(20).collect() });
        }
        let user = url.username().to_owned();
        let password = url.password().map(str::to_owned);
        let no_host = |()| SourceError::Url { reason: "it has no host".to_owned() };
        url.set_username("").map_err(no_host)?;
        url.set_password(None).map_err(no_host)?;
        url.set_fragment(None);
        Ok(Self { url, user, password })
    }

    /// The URL without user name and password.
    pub(in crate::ingest::source) fn url(&self) -> &Url {
        &self.url
    }

    /// The URL of the signature that belongs to this document: the suffix goes to the path, before any query.
    pub(super) fn signature(&self) -> Url {
        let mut url = self.url.clone();
        url.set_path(&format!("{}{SIGNATURE_SUFFIX}", self.url.path()));
        url
    }

    /// `at`, with the user name and password of this location, for the client to send as a header.
    pub(super) fn with_credentials(&self, at: &Url) -> Url {
        let mut url = at.clone();
        // Neither can fail: `at` has a host.
        let _ = url.set_username(&self.user);
        let _ = url.set_password(self.password.as_deref());
        url
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.url.scheme(), self.url.host_str().unwrap_or_default())?;
        if let Some(port) = self.url.port() {
            write!(f, ":{port}")?;
        }
        f.write_str(self.url.path())?;
        let Some(query) = self.url.query() else { return Ok(()) };
        for (index, pair) in query.split('&').enumerate() {
            f.write_str(if index == 0 { "?" } else { "&" })?;
            match pair.split_once('=') {
                Some((name, _)) => write!(f, "{name}=…")?,
                None if pair.is_empty() => {}
                None => f.write_str("…")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, shown: &str) {
        assert_eq!(Location::parse(text).unwrap().to_string(), shown);
    }

    #[test]
    fn nothing_secret_is_shown() {
        check("https://example.com", "https://example.com/");
        check("HTTPS://Example.COM:443/a/b.json", "https://example.com/a/b.json");
        check("http://user:word@example.com:8080/x", "http://example.com:8080/x");
        check("http://word@example.com/x", "http://example.com/x");
        check("http://example.com/x?token=word&env=word#word", "http://example.com/x?token=…&env=…");
        check("http://example.com/x?word", "http://example.com/x?…");
        check("http://example.com/x?a=word=word", "http://example.com/x?a=…");
        check("http://example.com/x?", "http://example.com/x?");
        check("http://[::1]:80/x", "http://[::1]/x");
    }

    #[test]
    fn what_is_no_document_url_is_refused_without_repeating_it() {
        for (text, part) in [
            ("", "not a valid URL"),
            ("flags.json", "not a valid URL"),
            ("http://", "not a valid URL"),
            ("http://user:word@/x", "not a valid URL"),
            ("http://user:word@exa mple.com/", "not a valid URL"),
            ("ftp://user:word@example.com/", "scheme `ftp`"),
            ("file:///etc/word", "scheme `file`"),
        ] {
            let Err(error) = Location::parse(text) else { panic!("{text} was accepted") };
            let error = error.to_string();
            assert!(error.contains(part), "{error}");
            assert!(!error.contains("word"), "{error}");
        }
    }

    #[test]
    fn the_signature_lies_beside_the_document() {
        for (url, signature) in [
            ("http://example.com/a/flags.json", "http://example.com/a/flags.json.minisig"),
            ("http://example.com/a%20b?x=1#y", "http://example.com/a%20b.minisig?x=1"),
            ("http://u:w@example.com", "http://example.com/.minisig"),
        ] {
            assert_eq!(Location::parse(url).unwrap().signature().as_str(), signature);
        }
    }

    #[test]
    fn credentials_are_put_back_for_their_own_origin() {
        let location = Location::parse("http://us%20er:w%40rd@example.com/x").unwrap();
        assert_eq!(location.url().as_str(), "http://example.com/x");
        let at = Url::parse("http://example.com/y").unwrap();
        assert_eq!(location.with_credentials(&at).as_str(), "http://us%20er:w%40rd@example.com/y");
    }
}
