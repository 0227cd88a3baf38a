//! Where a document is, and how to read it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use tidegate_engine::Span;

use super::Header;
use crate::exit::Failure;
use crate::files;

/// A source and how to read it.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SourceArgs {
    /// The document: a path, `-` for standard input, or a URL
    #[arg(value_hint = clap::ValueHint::AnyPath)]
    pub(crate) source: Location,

    #[command(flatten)]
    pub(crate) options: SourceOptions,
}

/// How to read a source.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct SourceOptions {
    /// Cache the last good document under NAME [default: derived from the URL; files are not cached]
    #[arg(help_heading = HEADING, long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    pub(crate) cache: Option<String>,

    /// Use the cached document, without a request
    #[arg(help_heading = HEADING, long)]
    pub(crate) offline: bool,

    /// Wait at most this long for the source or the server
    #[arg(help_heading = HEADING, long, value_name = "DURATION", value_parser = super::duration, default_value = "10s")]
    pub(crate) timeout: Span,

    /// Send a header with each request; use --header-file for secrets
    #[arg(help_heading = HEADING, long = "header", value_name = "NAME: VALUE")]
    pub(crate) headers: Vec<Header>,

    /// Send the headers in FILE, one per line; other users of this host can see arguments, but not this file
    #[arg(help_heading = HEADING, long, value_name = "FILE")]
    pub(crate) header_file: Option<PathBuf>,

    /// Log in to ZooKeeper with the line `USER:PASSWORD` in FILE, unless the URL has them
    #[cfg(feature = "zookeeper")]
    #[arg(help_heading = HEADING, long, value_name = "FILE", env = "TIDEGATE_ZOOKEEPER_AUTH_FILE", hide_env_values = true)]
    pub(crate) zookeeper_auth_file: Option<PathBuf>,

    /// Trust the certificate authorities in FILE (PEM), in addition to those of this machine
    #[arg(help_heading = HEADING, long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,

    /// Accept only documents that the minisign key in FILE has signed; with several keys, any of them. The signature is at the
    /// path of the document with `.minisig` added
    #[arg(help_heading = HEADING, long = "trusted-key", value_name = "FILE")]
    pub(crate) trusted_keys: Vec<PathBuf>,

    /// Accept only documents whose `$tidegate` names the environment NAME
    #[arg(help_heading = HEADING, long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
}

impl SourceOptions {
    /// The first option that is given and says how to read a document; the others are for servers, too.
    pub(super) fn only_for_documents(&self) -> Option<&'static str> {
        let options = [
            ("--cache", self.cache.is_some()),
            ("--offline", self.offline),
            ("--header", !self.headers.is_empty()),
            ("--header-file", self.header_file.is_some()),
            ("--trusted-key", !self.trusted_keys.is_empty()),
            ("--environment", self.environment.is_some()),
        ];
        options.into_iter().find(|(_, is_given)| *is_given).map(|(name, _)| name)
    }

    /// The certificate authorities that are trusted in addition to those of this machine.
    pub(crate) fn extra_roots(&self) -> Result<Option<Vec<u8>>, Failure> {
        extra_roots(self.cacert.as_deref())
    }
}

/// The certificate authorities in a file, if one is named.
pub(super) fn extra_roots(file: Option<&Path>) -> Result<Option<Vec<u8>>, Failure> {
    let Some(file) = file else { return Ok(None) };
    let unusable = |error| {
        Failure::usage(format_args!("cannot read the certificate authorities in `{}`: {error}", file.display()))
    };
    files::read(file, files::SMALL_BYTES_MAX).map(Some).map_err(unusable)
}

/// A heading of their own, so that the options of the command come first.
const HEADING: &str = "Source options";

/// Where a document is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Location {
    /// A file.
    Path(PathBuf),
    /// Standard input.
    Stdin,
    /// A document at a URL: `http`, `https` or `zk`.
    Url(String),
    /// All flags of one of these servers.
    Follow(Vec<String>),
}

impl Location {
    /// The word as it was typed.
    pub(super) fn as_typed(&self) -> String {
        match self {
            Self::Path(path) => path.to_string_lossy().into_owned(),
            Self::Stdin => "-".to_owned(),
            Self::Url(url) => url.clone(),
            Self::Follow(servers) => servers.join(" "),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(formatter),
            Self::Stdin => formatter.write_str("standard input"),
            Self::Url(url) => formatter.write_str(url),
            Self::Follow(servers) => formatter.write_str(&servers.join(", ")),
        }
    }
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        let is_scheme = |scheme: &str| {
            scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)) && !scheme.is_empty()
        };
        match scheme.as_deref() {
            _ if text == "-" => Ok(Self::Stdin),
            _ if text.is_empty() => Err("the argument is empty; give a path, `-` or a URL".to_owned()),
            Some("http" | "https") => Ok(Self::Url(text.to_owned())),
            #[cfg(feature = "zookeeper")]
            Some("zk") => Ok(Self::Url(text.to_owned())),
            Some("file") => Err("write the path itself, without `file://`".to_owned()),
            Some(scheme) if is_scheme(scheme) => {
                Err(format!("`{scheme}` is not supported; use http, https, zk or a path"))
            }
            _ => Ok(Self::Path(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places() {
        let places = [
            ("-", Some(Location::Stdin)),
            ("flags.json", Some(Location::Path("flags.json".into()))),
            ("./http:/x", Some(Location::Path("./http:/x".into()))),
            ("HTTPS://x/y", Some(Location::Url("HTTPS://x/y".to_owned()))),
            ("zk://a:2181,b/x", Some(Location::Url("zk://a:2181,b/x".to_owned()))),
            ("a b://c", Some(Location::Path("a b://c".into()))),
            ("ftp://x/y", None),
            ("file:///x", None),
            ("", None),
        ];
        for (text, place) in places {
            assert_eq!(text.parse().ok(), place, "{text}");
        }
    }
}
