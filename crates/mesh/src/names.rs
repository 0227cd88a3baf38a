//! What a certificate of a cluster says about its node: `tidegate://<cluster>/<node>`, a URI among its names.

use std::fmt::Write;

use tidegate_replica::NodeId;

/// The URI of a node.
pub(crate) fn uri(cluster: &str, node: NodeId) -> String {
    format!("{SCHEME}{}/{node}", escape(cluster))
}

/// A cluster's name as it stands in a URI: bytes that cannot stand there are escaped (RFC 3986, section 2.1).
pub(crate) fn escape(cluster: &str) -> String {
    let mut escaped = String::with_capacity(cluster.len());
    for byte in cluster.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

/// The cluster, as it stands in the URI, and the node.
pub(crate) fn read_uri(uri: &str) -> Option<(&str, NodeId)> {
    let (cluster, node) = uri.strip_prefix(SCHEME)?.split_once('/')?;
    Some((cluster, node.parse().ok()?))
}

const SCHEME: &str = "tidegate://";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_read_as_it_was_written() {
        let node = NodeId::new(0xfeed);
        let uri = uri("shop/é 1", node);
        assert_eq!(uri, "tidegate://shop%2F%C3%A9%201/000000000000feed");
        assert_eq!(read_uri(&uri), Some(("shop%2F%C3%A9%201", node)));
    }

    #[test]
    fn other_uris_name_no_node() {
        for uri in
            ["", "https://shop/000000000000feed", "tidegate://shop", "tidegate://shop/feed/", "tidegate://shop/x"]
        {
            assert_eq!(read_uri(uri), None, "{uri}");
        }
    }
}
