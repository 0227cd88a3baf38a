//! The names under which nodes speak.
//!
//! | key | what is said there |
//! | --- | --- |
//! | `tidegate/1/<cluster>/b` | to all |
//! | `tidegate/1/<cluster>/in/<node>` | to one |
//! | `tidegate/1/<cluster>/alive/<node>/<instance>` | nothing: it is there as long as that process is |
//!
//! The cluster is its name in hexadecimal, because a name may have characters that mean something in a key.

use std::fmt::Write;

use tidegate_replica::NodeId;

/// The keys of one cluster.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: String,
}

impl Keys {
    pub(crate) fn new(cluster: &str) -> Self {
        let mut prefix = format!("tidegate/{VERSION}/");
        for byte in cluster.bytes() {
            // Writing to a string cannot fail.
            let _ = write!(prefix, "{byte:02x}");
        }
        Self { prefix }
    }

    pub(crate) fn all(&self) -> String {
        format!("{}/b", self.prefix)
    }

    pub(crate) fn inbox(&self, node: NodeId) -> String {
        format!("{}/in/{node}", self.prefix)
    }

    pub(crate) fn alive(&self, node: NodeId, instance: u64) -> String {
        format!("{}/alive/{node}/{instance:016x}", self.prefix)
    }

    pub(crate) fn everyone_alive(&self) -> String {
        format!("{}/alive/*/*", self.prefix)
    }

    /// Whose sign of life this is.
    pub(crate) fn read_alive(&self, key: &str) -> Option<(NodeId, u64)> {
        let rest = key.strip_prefix(self.prefix.as_str())?.strip_prefix("/alive/")?;
        let (node, instance) = rest.split_once('/')?;
        let is_number = instance.len() == 16 && instance.bytes().all(|byte| byte.is_ascii_hexdigit());
        let instance = is_number.then(|| u64::from_str_radix(instance, 16).ok())??;
        Some((node.parse().ok()?, instance))
    }
}

/// What nodes say under these keys; nodes of another version have others.
const VERSION: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sign_of_life_is_read_as_it_was_written() {
        let keys = Keys::new("a/b *$#?");
        let key = keys.alive(NodeId::new(0xab), 3);
        assert_eq!(key, "tidegate/1/612f62202a24233f/alive/00000000000000ab/0000000000000003");
        assert_eq!(keys.read_alive(&key), Some((NodeId::new(0xab), 3)));
    }

    #[test]
    fn what_is_no_sign_of_life_is_none() {
        let keys = Keys::new("a");
        for key in [
            "",
            "tidegate/1/61",
            "tidegate/1/61/alive/00000000000000ab",
            "tidegate/1/61/alive/00000000000000ab/3",
            "tidegate/1/61/alive/x/0000000000000003",
            "tidegate/1/61/alive/00000000000000ab/+000000000000003",
            "tidegate/1/61/alive/00000000000000ab/0000000000000003/4",
            "tidegate/1/62/alive/00000000000000ab/0000000000000003",
        ] {
            assert_eq!(keys.read_alive(key), None, "{key}");
        }
    }
}
