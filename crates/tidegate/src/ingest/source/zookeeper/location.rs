//! The URL of a node, its credentials kept apart so that they cannot be printed.

use std::fmt;

use crate::ingest::source::SourceError;

/// `zk://user:password@host:2181,host2:2181/path`. Its `Display` shows neither user nor password.
#[derive(Clone)]
pub(in crate::ingest::source) struct Location {
    hosts: String,
    path: String,
    credentials: Option<String>,
}

impl Location {
    pub(in crate::ingest::source) fn parse(text: &str) -> Result<Self, SourceError> {
        let wrong = |reason: &str| SourceError::ZooKeeperUrl { reason: reason.to_owned() };
        let Some((scheme, rest)) = text.split_once("://") else { return Err(wrong("it has no scheme")) };
        if !scheme.eq_ignore_ascii_case("zk") {
            return Err(SourceError::Scheme { scheme: scheme.chars().take(20).collect() });
        }
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => (Some(credentials), hosts),
            None => (None, authority),
        };
        if path.contains(['?', '#']) {
            return Err(wrong("it has a query or a fragment; write `?` as `%3F` and `#` as `%23`"));
        }
        let decoded =
            |text: &str| percent_decoded(text).ok_or_else(|| wrong("a `%` is not followed by a byte of UTF-8"));
        let credentials = credentials.map(decoded).transpose()?;
        if credentials.as_ref().is_some_and(|text| !text.contains(':')) {
            return Err(wrong("it has a user without a password"));
        }
        let path = decoded(path)?;
        check_path(&path).map_err(wrong)?;
        if !hosts.split(',').all(is_server) {
            return Err(wrong("its servers are not `host:port`, with a comma between two"));
        }
        Ok(Self { hosts: hosts.to_owned(), path, credentials })
    }

    /// The servers, `host:port,host2:port`.
    pub(super) fn hosts(&self) -> &str {
        &self.hosts
    }

    /// The path of the node.
    pub(super) fn path(&self) -> &str {
        &self.path
    }

    /// `user:password` for the scheme `digest`.
    pub(super) fn credentials(&self) -> Option<&str> {
        self.credentials.as_deref()
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zk://{}{}", self.hosts, self.path)
    }
}

/// What ZooKeeper takes for the path of a node.
fn check_path(path: &str) -> Result<(), &'static str> {
    let Some(names) = path.strip_prefix('/').filter(|names| !names.is_empty()) else {
        return Err("it names no node; write its path after the servers");
    };
    let is_name = |name: &str| !matches!(name, "" | "." | "..") && !name.contains(char::is_control);
    if names.split('/').all(is_name) { Ok(()) } else { Err("the path of its node has an empty name, or one of dots") }
}

fn is_server(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((host, "")) => (host, None),
            Some((host, port)) => (host, Some(port.strip_prefix(':').unwrap_or_default())),
            None => return false,
        },
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte));
    is_host && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0))
}

fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let byte = match byte {
            b'%' => {
                let digit = |byte: u8| char::from(byte).to_digit(16);
                let (high, low) = (digit(rest.next()?)?, digit(rest.next()?)?);
                u8::try_from(high * 16 + low).ok()?
            }
            byte => byte,
        };
        bytes.push(byte);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_servers_and_a_node() {
        for (text, shown, credentials) in [
            ("zk://a:2181/flags", "zk://a:2181/flags", None),
            ("ZK://a,b:2182,[::1]:2183/x/y", "zk://a,b:2182,[::1]:2183/x/y", None),
            ("zk://user:word@a:2181/flags", "zk://a:2181/flags", Some("user:word")),
            ("zk://user:w%40r%2Fd@a:2181/flags", "zk://a:2181/flags", Some("user:w@r/d")),
            ("zk://u:a@b@a:2181/fl%20ags", "zk://a:2181/fl ags", Some("u:a@b")),
        ] {
            let location = Location::parse(text).unwrap();
            assert_eq!((location.to_string().as_str(), location.credentials()), (shown, credentials), "{text}");
        }
    }

    #[test]
    fn what_names_no_node_is_refused_without_repeating_it() {
        for (text, part) in [
            ("s3cret", "no scheme"),
            ("http://u:s3cret@a/x", "scheme `http`"),
            ("zk://u:s3cret@a:2181", "names no node"),
            ("zk://u:s3cret@a:2181/", "names no node"),
            ("zk://u:s3cret@a:2181/x/", "empty name"),
            ("zk://u:s3cret@a:2181/x/../y", "one of dots"),
            ("zk://u:s3cret@/x", "servers are not"),
            ("zk://u:s3cret@a:0/x", "servers are not"),
            ("zk://u:s3cret@a:port/x", "servers are not"),
            ("zk://u:s3cret@a,/x", "servers are not"),
            ("zk://s3cret@a/x", "without a password"),
            ("zk://u:s3cret@a/x?s3cret", "a query"),
            ("zk://u:s3cret%4@a/x", "`%`"),
            ("zk://u:s3cret@a/%FF", "`%`"),
        ] {
            let Err(error) = Location::parse(text) else { panic!("{text} was accepted") };
            let error = error.to_string();
            assert!(error.contains(part) && !error.contains("s3cret"), "{text}: {error}");
        }
    }
}
