//! Node ids: a number that is drawn once for each data folder or certificate.

use std::fmt;
use std::str::FromStr;

/// The number of a node: 64 random bits, drawn when its data folder or its certificate is made. Shown as 16
/// hexadecimal digits.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct NodeId(u64);

impl NodeId {
    /// The node of this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

/// The text is not a node id. The caller is at fault; nothing has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a node id is 16 hexadecimal digits")]
pub struct NodeIdError;

impl FromStr for NodeId {
    type Err = NodeIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_id = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_id {
            return Err(NodeIdError);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| NodeIdError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts() {
        assert_eq!(NodeId::new(0x2a).to_string(), "000000000000002a");
        assert_eq!("000000000000002A".parse(), Ok(NodeId::new(0x2a)));
        for text in ["", "2a", "+00000000000002a", "000000000000002g", "0000000000000002a"] {
            assert_eq!(text.parse::<NodeId>(), Err(NodeIdError), "{text}");
        }
    }
}
