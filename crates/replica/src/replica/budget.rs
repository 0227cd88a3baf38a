//! Rate limits: how many bytes may be sent to a peer.

use crate::Now;

/// Bytes that may still be sent to one peer.
#[derive(Debug, Default)]
pub(super) struct Budget {
    pub(super) repair: TokenBucket,
    pub(super) snapshot: TokenBucket,
}

/// What comes in at a steady rate and is taken out in pieces.
#[derive(Debug, Default)]
pub(super) struct TokenBucket {
    bytes: u64,
    at_ms: Option<u64>,
}

impl TokenBucket {
    /// Takes `size`, if there is any left. A piece may go beyond what is left, once.
    pub(super) fn take(&mut self, bytes: usize, per_second: u64, now: Now) -> bool {
        let passed = self.at_ms.map_or(1_000, |at| now.steady_ms.saturating_sub(at));
        self.bytes = self.bytes.saturating_add(passed.saturating_mul(per_second) / 1_000).min(per_second);
        self.at_ms = Some(now.steady_ms);
        let has_some = self.bytes > 0;
        if has_some {
            self.bytes = self.bytes.saturating_sub(bytes as u64);
        }
        has_some
    }
}
