//! Every limit, with its reason.

use crate::Register;

/// A key: section and flag of 256 bytes each, every byte of them escaped to three, with a letter before and a separator
/// between them.
pub const KEY_BYTES_MAX: usize = 2 * 256 * 3 + 2;

/// A value: a flag's definition with two values of 64 KiB each, and what stands around them.
pub const VALUE_BYTES_MAX: usize = 256 * 1024;

/// Who, or why: a sentence or two, not a report.
pub const TEXT_BYTES_MAX: usize = 1024;

/// Fields of a newer version that are kept.
pub const EXTRA_BYTES_MAX: usize = 4 * 1024;

/// One message: a register of the greatest size and what stands around it.
pub const MESSAGE_BYTES_MAX: usize = 512 * 1024;

/// Registers in one message are gathered up to that size: large enough to fill a link, small enough that a slow one
/// is not blocked for long.
pub const CHUNK_BYTES: usize = 128 * 1024;

/// Bytes of registers that repair may send to one peer in a second, so that it never crowds out live changes.
pub const REPAIR_BYTES_PER_SECOND: u64 = 1024 * 1024;

/// The same for a node that fetches everything.
pub const SNAPSHOT_BYTES_PER_SECOND: u64 = 16 * 1024 * 1024;

/// Repairs of a cluster's clock: one a day for 27 years. The list of all of them has to fit into one register.
pub const EPOCHS_MAX: u16 = 10_000;

/// The greatest drift that may be allowed, in milliseconds: beyond it, stamps say nothing of what came first.
pub const DRIFT_MS_MAX: u64 = 60_000;

/// A clock that is so far off is worth a warning, in milliseconds: well kept clocks are a hundred times better.
pub const CLOCK_WARNING_MS: u64 = 500;

/// Registers in quarantine because they lie too far in the future. What does not fit comes again by anti-entropy.
pub const QUARANTINE_MAX: usize = 1_000;

/// Writes that wait for their acknowledgement level. More are refused as busy.
pub const PENDING_MAX: usize = 10_000;

/// Nodes of the roster, and peers that are remembered: beyond 1,000 links a full mesh is the wrong shape.
pub const NODES_MAX: usize = 1_000;

/// Tree nodes compared in one message: 8 kB.
pub(crate) const NODES_PER_MESSAGE: usize = 64;

/// Stamps listed in one message: 100 kB.
pub(crate) const ENTRIES_PER_MESSAGE: usize = 4_096;

/// A node that lacks so many registers, and most of them, fetches everything in one stream.
pub(crate) const SNAPSHOT_MISSING_MIN: u64 = 1_000;

/// Whether a register that came from outside may be kept.
pub(crate) fn is_register_within(register: &Register) -> bool {
    (1..=KEY_BYTES_MAX).contains(&register.key.len())
        && register.value.as_ref().is_none_or(|value| value.len() <= VALUE_BYTES_MAX)
        && register.actor.len() <= TEXT_BYTES_MAX
        && register.reason.len() <= TEXT_BYTES_MAX
        && register.extra.len() <= EXTRA_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::{NodeId, Stamp};

    #[test]
    fn each_part_of_a_register_has_its_own_limit() {
        let largest = |change: fn(&mut Register)| {
            let mut register = Register {
                key: vec![b'k'; KEY_BYTES_MAX].into(),
                stamp: Stamp::new(0, 1, 0, NodeId::new(1)),
                value: Some(vec![b'v'; VALUE_BYTES_MAX].into()),
                replaces: None,
                supersedes: None,
                actor: "a".repeat(TEXT_BYTES_MAX).into(),
                reason: "r".repeat(TEXT_BYTES_MAX).into(),
                extra: vec![0; EXTRA_BYTES_MAX].into(),
            };
            change(&mut register);
            is_register_within(&register)
        };
        assert!(largest(|_| {}));
        assert!(largest(|register| register.value = None));
        assert!(!largest(|register| register.key = [].into()));
        assert!(!largest(|register| register.key = vec![b'k'; KEY_BYTES_MAX + 1].into()));
        assert!(!largest(|register| register.value = Some(vec![b'v'; VALUE_BYTES_MAX + 1].into())));
        assert!(!largest(|register| register.actor = "a".repeat(TEXT_BYTES_MAX + 1).into()));
        assert!(!largest(|register| register.reason = "r".repeat(TEXT_BYTES_MAX + 1).into()));
        assert!(!largest(|register| register.extra = vec![0; EXTRA_BYTES_MAX + 1].into()));
    }
}
