//! A register as Redis has it: the bytes of its rank, which a script can compare, and then the register.

use tidegate_replica::{DecodeError, RANK_BYTES, Register};

/// What is in a field of the hash, or in an entry of the stream.
pub(super) fn encode(register: &Register) -> Vec<u8> {
    let mut bytes = register.rank_bytes().to_vec();
    bytes.extend(register.encode());
    bytes
}

/// Why an entry is none of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Unreadable {
    /// A newer version wrote it: it is left as it is.
    Newer,
    /// It is damaged, or something else.
    Damaged,
}

/// Reads an entry, whose rank has to be that of the register in it: otherwise the script would compare by what is not there.
pub(super) fn decode(bytes: &[u8]) -> Result<Register, Unreadable> {
    let (rank, encoded) = bytes.split_at_checked(RANK_BYTES).ok_or(Unreadable::Damaged)?;
    match Register::decode(encoded) {
        Ok(register) if register.rank_bytes() == *rank => Ok(register),
        Err(DecodeError::Version(_)) => Err(Unreadable::Newer),
        _ => Err(Unreadable::Damaged),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tidegate_replica::{NodeId, Stamp};

    use super::*;

    #[test]
    fn an_entry_is_read_back_and_a_damaged_one_is_noticed() {
        let register = Register {
            key: Arc::from(b"aflags/x".as_slice()),
            stamp: Stamp::new(1, 2, 3, NodeId::new(4)),
            value: Some(Arc::from(b"on".as_slice())),
            replaces: None,
            supersedes: None,
            actor: Arc::from("dana"),
            reason: Arc::from(""),
            extra: Arc::from([].as_slice()),
        };
        let bytes = encode(&register);
        assert_eq!(decode(&bytes).as_ref(), Ok(&register));
        for index in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[index] ^= 1;
            assert!(decode(&damaged).is_err(), "byte {index}");
            assert!(decode(&bytes[..index]).is_err(), "{index} bytes");
        }
    }
}
