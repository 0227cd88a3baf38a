//! When a register was written: the hybrid logical time that decides which value wins.
//!
//! A stamp is made of an epoch, milliseconds, a counter within the millisecond, and the node. It follows
//! Kulkarni and others, "Logical Physical Clocks" (2014), with an epoch above it: a clock that ran years ahead is
//! outranked by raising the epoch, whatever it left behind.

use std::fmt;
use std::str::FromStr;

use crate::NodeId;

/// A hybrid logical time, unique in the cluster. Ordered by epoch, milliseconds, counter and node, as its bytes are.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Stamp {
    epoch: u16,
    millis: u64,
    counter: u16,
    node: NodeId,
}

impl Stamp {
    /// The size of a stamp in bytes: 2 for the epoch, 6 for milliseconds, 2 for the counter, 8 for the node.
    pub const BYTES: usize = 18;

    /// The greatest number of milliseconds that fits: the year 10889.
    pub const MILLIS_MAX: u64 = (1 << 48) - 1;

    /// Below every stamp that is ever issued.
    pub const ZERO: Self = Self { epoch: 0, millis: 0, counter: 0, node: NodeId::new(0) };

    /// After every stamp.
    pub(crate) const MAX: Self =
        Self { epoch: u16::MAX, millis: Self::MILLIS_MAX, counter: u16::MAX, node: NodeId::new(u64::MAX) };

    /// A stamp of these parts. Milliseconds beyond [`Stamp::MILLIS_MAX`] are cut to it.
    pub const fn new(epoch: u16, millis: u64, counter: u16, node: NodeId) -> Self {
        let millis = if millis > Self::MILLIS_MAX { Self::MILLIS_MAX } else { millis };
        Self { epoch, millis, counter, node }
    }

    /// How often the cluster's clock has been repaired.
    pub const fn epoch(self) -> u16 {
        self.epoch
    }

    /// Milliseconds since 1970, by the clock of the writer, or by a greater one that it had seen.
    pub const fn millis(self) -> u64 {
        self.millis
    }

    /// Tells stamps of one millisecond apart.
    pub const fn counter(self) -> u16 {
        self.counter
    }

    /// Who issued it.
    pub const fn node(self) -> NodeId {
        self.node
    }

    /// The least stamp above this one; the greatest is its own.
    pub(crate) fn successor(self) -> Self {
        let mut bytes = self.to_bytes();
        for byte in bytes.iter_mut().rev() {
            let (next, is_over) = byte.overflowing_add(1);
            *byte = next;
            if !is_over {
                return Self::from_bytes(bytes);
            }
        }
        self
    }

    /// Big-endian, so that bytes sort as stamps do.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let number = (u128::from(self.epoch) << 64) | (u128::from(self.millis) << 16) | u128::from(self.counter);
        let mut bytes = [0; Self::BYTES];
        let (time, node) = bytes.split_at_mut(10);
        time.copy_from_slice(number.to_be_bytes().get(6..).unwrap_or_default());
        node.copy_from_slice(&self.node.get().to_be_bytes());
        bytes
    }

    /// The stamp of these bytes. Any bytes are a stamp.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        let [e0, e1, m0, m1, m2, m3, m4, m5, c0, c1, node @ ..] = bytes;
        Self {
            epoch: u16::from_be_bytes([e0, e1]),
            millis: u64::from_be_bytes([0, 0, m0, m1, m2, m3, m4, m5]),
            counter: u16::from_be_bytes([c0, c1]),
            node: NodeId::new(u64::from_be_bytes(node)),
        }
    }

    /// The time in it without the node, as one number that sorts as stamps do.
    pub(crate) fn time(self) -> (u16, u64, u16) {
        (self.epoch, self.millis, self.counter)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_bytes().iter().try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// The text is not a stamp. The caller is at fault; nothing has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a stamp is 36 hexadecimal digits")]
pub struct StampError;

impl FromStr for Stamp {
    type Err = StampError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits: Option<Vec<u8>> =
            text.chars().map(|digit| digit.to_digit(16).and_then(|digit| u8::try_from(digit).ok())).collect();
        let digits = digits.ok_or(StampError)?;
        let mut bytes = [0; Self::BYTES];
        if digits.len() != bytes.len() * 2 {
            return Err(StampError);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks(2)) {
            *byte = pair.iter().fold(0, |byte, digit| (byte << 4) | digit);
        }
        Ok(Self::from_bytes(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_lies_between_a_stamp_and_the_next_one() {
        let stamp = |epoch, millis, counter, node| Stamp::new(epoch, millis, counter, NodeId::new(node));
        for (from, to) in [
            (stamp(1, 2, 3, 4), stamp(1, 2, 3, 5)),
            (stamp(1, 2, 3, u64::MAX), stamp(1, 2, 4, 0)),
            (stamp(1, Stamp::MILLIS_MAX, u16::MAX, u64::MAX), stamp(2, 0, 0, 0)),
        ] {
            assert_eq!(from.successor(), to);
        }
        let last = stamp(u16::MAX, Stamp::MILLIS_MAX, u16::MAX, u64::MAX);
        assert_eq!(last.successor(), last);
    }

    #[test]
    fn bytes_sort_as_stamps_do() {
        let node = NodeId::new;
        let stamps = [
            Stamp::ZERO,
            Stamp::new(0, 0, 0, node(1)),
            Stamp::new(0, 0, 1, node(0)),
            Stamp::new(0, 255, u16::MAX, node(u64::MAX)),
            Stamp::new(0, 256, 0, node(0)),
            Stamp::new(0, u64::MAX, 0, node(0)),
            Stamp::new(1, 0, 0, node(0)),
            Stamp::new(u16::MAX, 0, 0, node(0)),
        ];
        for pair in stamps.windows(2) {
            assert!(pair[0] < pair[1] && pair[0].to_bytes() < pair[1].to_bytes(), "{pair:?}");
        }
        for stamp in stamps {
            assert_eq!(Stamp::from_bytes(stamp.to_bytes()), stamp);
            assert_eq!(stamp.to_string().parse(), Ok(stamp));
        }
    }

    #[test]
    fn texts_that_are_none() {
        for text in ["", "00", "g", &"0".repeat(35), &"0".repeat(37), &"é".repeat(18), &"+0".repeat(18)] {
            assert_eq!(text.parse::<Stamp>(), Err(StampError), "{text}");
        }
    }
}
