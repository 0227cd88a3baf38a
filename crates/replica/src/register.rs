//! An LWW (last-writer-wins) register: a value, who wrote it, when and why, and which of two registers wins.

use std::cmp::Ordering;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::codec::{DecodeError, Fields, Writer};
use crate::{Stamp, limits};

/// One key's value as one node wrote it.
///
/// A last-writer-wins register: of two registers of a key the one with the greater stamp counts, unless the other one
/// [supersedes](Register::supersedes) that stamp. Two contents under one stamp, which only a cloned node can make, are
/// told apart by a hash of their content, so that all nodes come to the same one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Register {
    /// The name: 1 to [`limits::KEY_BYTES_MAX`] bytes. A first byte of 0 is for the replica's own registers.
    pub key: Arc<[u8]>,
    /// When it was written, and by whom.
    pub stamp: Stamp,
    /// What was written; none: the key was removed, and this is its tombstone.
    pub value: Option<Arc<[u8]>>,
    /// The stamp of the register that its writer saw there. A later one that it replaces on another node was written concurrently,
    /// and has lost.
    pub replaces: Option<Stamp>,
    /// A stamp that this register outranks although it is greater than its own: that of a quarantined register which the
    /// node had when this one was written, or one that the replaced register superseded. Every register up to that stamp
    /// was either known to the writer or written concurrently, and has lost.
    pub supersedes: Option<Stamp>,
    /// Who made the change.
    pub actor: Arc<str>,
    /// Why.
    pub reason: Arc<str>,
    /// Fields that a newer version has added, kept as they came.
    pub extra: Arc<[u8]>,
}

impl Register {
    /// The key of the register that repairs the clock.
    pub const REPAIR_KEY: &'static [u8] = &[0, b'e'];

    /// Whether the key is removed.
    pub fn is_tombstone(&self) -> bool {
        self.value.is_none()
    }

    /// Compares this register with another one of the same key: the greater one is active.
    ///
    /// A total order: it is what makes merging commutative, associative and idempotent.
    pub fn rank(&self, other: &Self) -> Ordering {
        self.rank_stamp()
            .cmp(&other.rank_stamp())
            .then_with(|| self.is_superseding().cmp(&other.is_superseding()))
            .then_with(|| self.stamp.cmp(&other.stamp))
            .then_with(|| if self == other { Ordering::Equal } else { self.content_hash().cmp(&other.content_hash()) })
    }

    /// The stamp by which it is compared with others: its own, or the greater one that it supersedes.
    pub fn rank_stamp(&self) -> Stamp {
        self.supersedes.map_or(self.stamp, |superseded| superseded.max(self.stamp))
    }

    /// Whether it counts by a greater stamp than its own.
    pub(crate) fn is_superseding(&self) -> bool {
        self.supersedes.is_some_and(|superseded| superseded >= self.stamp)
    }

    /// Whether this register repairs the clock: it begins an epoch, so it should come before registers of that epoch.
    pub fn is_repair(&self) -> bool {
        *self.key == *Self::REPAIR_KEY
    }

    /// Bytes that compare as [`Register::rank`] does: for stores that cannot decode a register.
    pub fn rank_bytes(&self) -> [u8; RANK_BYTES] {
        let mut bytes = [0; RANK_BYTES];
        let parts: [&[u8]; 4] = [
            &self.rank_stamp().to_bytes(),
            &[u8::from(self.is_superseding())],
            &self.stamp.to_bytes(),
            &self.content_hash().to_be_bytes(),
        ];
        for (byte, part) in bytes.iter_mut().zip(parts.into_iter().flatten()) {
            *byte = *part;
        }
        bytes
    }

    /// A number of everything but key and stamp.
    pub(crate) fn content_hash(&self) -> u64 {
        let mut writer = Writer::default();
        self.write_content(&mut writer);
        xxh3_64(writer.as_bytes())
    }

    /// The bytes on the wire and on the disk: a version, fields of tag, length and content, and a checksum over all.
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.byte(VERSION);
        writer.field(TAG_KEY, &self.key);
        writer.field(TAG_STAMP, &self.stamp.to_bytes());
        self.write_content(&mut writer);
        let checksum = xxh3_64(writer.as_bytes());
        writer.raw(&checksum.to_be_bytes());
        writer.into_bytes()
    }

    fn write_content(&self, writer: &mut Writer) {
        if let Some(value) = &self.value {
            writer.field(TAG_VALUE, value);
        }
        if let Some(replaces) = self.replaces {
            writer.field(TAG_REPLACES, &replaces.to_bytes());
        }
        for (tag, text) in [(TAG_ACTOR, &self.actor), (TAG_REASON, &self.reason)] {
            if !text.is_empty() {
                writer.field(tag, text.as_bytes());
            }
        }
        if let Some(superseded) = self.supersedes {
            writer.field(TAG_SUPERSEDES, &superseded.to_bytes());
        }
        writer.raw(&self.extra);
    }

    /// Reads what [`Register::encode`] wrote, here or in a newer version.
    ///
    /// # Errors
    /// The bytes are damaged, or were never a register. Nothing has changed; damaged registers are fetched from other nodes.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (body, checksum) = bytes.split_last_chunk::<8>().ok_or(DecodeError::Truncated)?;
        if xxh3_64(body) != u64::from_be_bytes(*checksum) {
            return Err(DecodeError::Checksum);
        }
        let (version, fields) = body.split_first().ok_or(DecodeError::Truncated)?;
        if *version != VERSION {
            return Err(DecodeError::Version(*version));
        }
        let (mut key, mut stamp, mut value, mut replaces) = (None, None, None, None);
        let (mut actor, mut reason, mut supersedes, mut extra) = (Arc::from(""), Arc::from(""), None, Vec::new());
        for field in Fields::new(fields) {
            let field = field?;
            match field.tag {
                TAG_KEY => key = Some(Arc::from(field.content)),
                TAG_STAMP => stamp = Some(field.stamp()?),
                TAG_VALUE => value = Some(Arc::from(field.content)),
                TAG_REPLACES => replaces = Some(field.stamp()?),
                TAG_ACTOR => actor = Arc::from(field.text()?),
                TAG_REASON => reason = Arc::from(field.text()?),
                TAG_SUPERSEDES => supersedes = Some(field.stamp()?),
                _ => extra.extend_from_slice(field.whole),
            }
        }
        let register = Self {
            key: key.ok_or(DecodeError::Missing("key"))?,
            stamp: stamp.ok_or(DecodeError::Missing("stamp"))?,
            value,
            replaces,
            supersedes,
            actor,
            reason,
            extra: extra.into(),
        };
        if register.is_within_limits() { Ok(register) } else { Err(DecodeError::TooLarge) }
    }

    /// Whether a register from outside may be kept.
    pub(crate) fn is_within_limits(&self) -> bool {
        (1..=limits::KEY_BYTES_MAX).contains(&self.key.len())
            && self.value.as_ref().is_none_or(|value| value.len() <= limits::VALUE_BYTES_MAX)
            && self.actor.len() <= limits::TEXT_BYTES_MAX
            && self.reason.len() <= limits::TEXT_BYTES_MAX
            && self.extra.len() <= limits::EXTRA_BYTES_MAX
    }
}

/// The size of [`Register::rank_bytes`].
pub const RANK_BYTES: usize = Stamp::BYTES + 1 + Stamp::BYTES + 8;

/// The form of the bytes. Fields may be added without a new version; readers keep those that they do not know.
const VERSION: u8 = 1;
const TAG_KEY: u8 = 1;
const TAG_STAMP: u8 = 2;
const TAG_VALUE: u8 = 3;
const TAG_REPLACES: u8 = 4;
const TAG_ACTOR: u8 = 5;
const TAG_REASON: u8 = 6;
const TAG_SUPERSEDES: u8 = 7;

#[cfg(test)]
mod tests;
