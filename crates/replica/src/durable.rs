//! The durable state of a replica besides its registers: the clock reservation and the gc floors.

use crate::Stamp;
use crate::codec::{DecodeError, Fields, Writer};

/// What is kept on the disk besides registers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct DurableState {
    /// The clock reservation: no stamp above it has been shown to other nodes.
    pub(crate) clock_reservation: Stamp,
    /// The gc floor that this node enforces: it refuses registers up to here from nodes that announce a lower one.
    pub(crate) enforced_gc_floor: Stamp,
    /// The gc floor that this node announces: it also holds everything that members had when the floor was collected.
    pub(crate) announced_gc_floor: Stamp,
}

impl DurableState {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.byte(VERSION);
        for (tag, stamp) in [(1, self.clock_reservation), (2, self.enforced_gc_floor), (3, self.announced_gc_floor)] {
            writer.field(tag, &stamp.to_bytes());
        }
        writer.into_bytes()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let (version, rest) = bytes.split_first().ok_or(DecodeError::Truncated)?;
        if *version != VERSION {
            return Err(DecodeError::Version(*version));
        }
        let mut state = Self::default();
        for field in Fields::new(rest) {
            let field = field?;
            match field.tag {
                1 => state.clock_reservation = field.stamp()?,
                2 => state.enforced_gc_floor = field.stamp()?,
                3 => state.announced_gc_floor = field.stamp()?,
                _ => {}
            }
        }
        Ok(state)
    }
}

const VERSION: u8 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    use crate::NodeId;

    #[test]
    fn each_field_reads_back() {
        let stamp = |millis| Stamp::new(0, millis, 0, NodeId::new(1));
        let state =
            DurableState { clock_reservation: stamp(1), enforced_gc_floor: stamp(2), announced_gc_floor: stamp(3) };
        assert_eq!(DurableState::decode(&state.encode()), Ok(state));
        assert_eq!(DurableState::decode(&[9]), Err(DecodeError::Version(9)));
        assert_eq!(DurableState::decode(&[]), Err(DecodeError::Truncated));
    }
}
