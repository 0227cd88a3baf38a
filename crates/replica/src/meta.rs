//! What a replica remembers besides its registers.

use crate::Stamp;
use crate::codec::{DecodeError, Fields, Writer};

/// See the module.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Meta {
    /// No stamp above that was issued: epoch and milliseconds.
    pub(crate) ceiling: Stamp,
    /// Tombstones up to here are collected, and nothing under them is taken from whoever has not done the same.
    pub(crate) refusing: Stamp,
    /// The same, and all that others hold up to there is held here: what this node tells others.
    pub(crate) claimed: Stamp,
}

impl Meta {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.byte(VERSION);
        for (tag, stamp) in [(1, self.ceiling), (2, self.refusing), (3, self.claimed)] {
            writer.field(tag, &stamp.to_bytes());
        }
        writer.into_bytes()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (version, rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
        if *version != VERSION {
            return Err(DecodeError::Version(*version));
        }
        let mut meta = Self::default();
        for field in Fields::new(rest) {
            let field = field?;
            match field.tag {
                1 => meta.ceiling = field.stamp()?,
                2 => meta.refusing = field.stamp()?,
                3 => meta.claimed = field.stamp()?,
                _ => {}
            }
        }
        Ok(meta)
    }
}

const VERSION: u8 = 1;
