//! Buffers of bulk answers, which are used again: fresh memory for each answer costs more than filling it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::api::Reserved;

/// Buffers that no answer uses.
#[derive(Clone, Debug, Default)]
pub(super) struct Buffers {
    free: Arc<Mutex<Vec<Vec<u8>>>>,
}

/// The bytes of an answer, with their place in the budget. The buffer is used again when the connection has sent them.
#[derive(Debug)]
pub(super) struct Buffer {
    pub(super) bytes: Vec<u8>,
    buffers: Buffers,
    _reserved: Reserved,
}

impl Buffers {
    /// An empty buffer for an answer with this place in the budget.
    pub(super) fn take(&self, reserved: Reserved) -> Buffer {
        let bytes = self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
        Buffer { bytes, buffers: self.clone(), _reserved: reserved }
    }

    /// How many are free, and their bytes.
    #[cfg(test)]
    fn free(&self) -> (usize, usize) {
        let free = self.free.lock().unwrap();
        (free.len(), free.iter().map(Vec::capacity).sum())
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        let mut free = self.buffers.free.lock().unwrap_or_else(PoisonError::into_inner);
        if bytes.capacity() > 0 && bytes.capacity() <= BUFFER_BYTES_MAX && free.len() < BUFFERS_MAX {
            bytes.clear();
            free.push(bytes);
        }
    }
}

/// Buffers that are kept.
const BUFFERS_MAX: usize = 16;

/// A buffer that is larger is not kept.
const BUFFER_BYTES_MAX: usize = 512 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Budget;

    #[test]
    fn buffers_are_used_again_and_few_are_kept() {
        let (buffers, budget) = (Buffers::default(), Budget::new(0));
        let take = |bytes: usize| {
            let mut buffer = buffers.take(budget.reserve(0).unwrap());
            buffer.bytes.resize(bytes, 1);
            buffer
        };
        drop(take(100));
        let again = take(0);
        assert!(again.bytes.is_empty() && again.bytes.capacity() >= 100, "the same one, and empty");
        drop(again);
        drop(take(BUFFER_BYTES_MAX + 1));
        assert_eq!(buffers.free(), (0, 0), "a large one is not kept");
        let many: Vec<_> = (0..BUFFERS_MAX * 2).map(|_| take(10)).collect();
        drop(many);
        assert_eq!(buffers.free().0, BUFFERS_MAX);
    }
}
