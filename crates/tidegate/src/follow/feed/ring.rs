//! The last lines of a stream, for all its readers together.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::follow::limits::{RING_BYTES_MAX, RING_LINES_MAX};

/// The last lines, in order and without gaps.
#[derive(Debug)]
pub(super) struct Ring {
    lines: VecDeque<Entry>,
    bytes: usize,
    /// The number of the line before the first one here, and the digest after it.
    base: (u64, String),
}

#[derive(Debug)]
struct Entry {
    line: Arc<[u8]>,
    /// Of everything, after this line.
    digest: String,
}

/// What comes after a line.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Next {
    /// Nothing yet.
    None,
    Line(Arc<[u8]>),
    /// It was here, and is no longer.
    Lost,
}

impl Ring {
    pub(super) fn new(digest: String) -> Self {
        Self { lines: VecDeque::new(), bytes: 0, base: (0, digest) }
    }

    /// The number of the last line.
    pub(super) fn last(&self) -> u64 {
        self.base.0 + self.lines.len() as u64
    }

    pub(super) fn push(&mut self, line: Arc<[u8]>, digest: String) {
        self.bytes += line.len();
        self.lines.push_back(Entry { line, digest });
        while self.lines.len() > RING_LINES_MAX || self.bytes > RING_BYTES_MAX {
            let Some(entry) = self.lines.pop_front() else { return };
            self.bytes -= entry.line.len();
            self.base = (self.base.0 + 1, entry.digest);
        }
    }

    /// No line leads to what is there now, whose digest this is: every reader takes a snapshot.
    pub(super) fn restart(&mut self, digest: String) {
        self.base = (self.last() + 1, digest);
        self.lines.clear();
        self.bytes = 0;
    }

    pub(super) fn after(&self, seq: u64) -> Next {
        let Some(index) = seq.checked_sub(self.base.0).and_then(|index| usize::try_from(index).ok()) else {
            return Next::Lost;
        };
        match self.lines.get(index) {
            Some(entry) => Next::Line(Arc::clone(&entry.line)),
            None if index == self.lines.len() => Next::None,
            None => Next::Lost,
        }
    }

    /// The place of a reader that has what this digest says; that which it names, if it is right.
    pub(super) fn find(&self, seq: Option<u64>, digest: &str) -> Option<u64> {
        if let Some(seq) = seq.filter(|seq| self.digest_at(*seq) == Some(digest)) {
            return Some(seq);
        }
        let newest = self.lines.iter().rposition(|entry| entry.digest == digest);
        match newest {
            Some(index) => Some(self.base.0 + index as u64 + 1),
            None => (self.base.1 == digest).then_some(self.base.0),
        }
    }

    /// Whether a reader that begins there has time to read before the ring has moved on: it is half full at most from there.
    pub(super) fn leads_on_from(&self, seq: u64) -> bool {
        let Some(index) = seq.checked_sub(self.base.0).and_then(|index| usize::try_from(index).ok()) else {
            return false;
        };
        if index > self.lines.len() {
            return false;
        }
        let bytes: usize = self.lines.iter().skip(index).map(|entry| entry.line.len()).sum();
        self.lines.len() - index <= RING_LINES_MAX / 2 && bytes <= RING_BYTES_MAX / 2
    }

    fn digest_at(&self, seq: u64) -> Option<&str> {
        let index = usize::try_from(seq.checked_sub(self.base.0)?).ok()?;
        match index.checked_sub(1) {
            None => Some(&self.base.1),
            Some(index) => self.lines.get(index).map(|entry| entry.digest.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(bytes: usize) -> Arc<[u8]> {
        vec![b'x'; bytes].into()
    }

    #[test]
    fn readers_find_their_place_by_number_and_digest_or_by_digest_alone() {
        let mut ring = Ring::new("empty".into());
        for digest in ["one", "two", "one"] {
            ring.push(line(1), digest.into());
        }
        for (seq, digest, found) in [
            (Some(0), "empty", Some(0)),
            (Some(1), "one", Some(1)),
            (Some(3), "one", Some(3)),
            (Some(2), "one", Some(3)),
            (Some(9), "two", Some(2)),
            (None, "one", Some(3)),
            (None, "empty", Some(0)),
            (Some(2), "other", None),
            (None, "", None),
        ] {
            assert_eq!(ring.find(seq, digest), found, "{seq:?} {digest}");
        }
        assert_eq!((ring.after(3), ring.after(4), ring.after(2)), (Next::None, Next::Lost, Next::Line(line(1))));
        ring.restart("else".into());
        assert_eq!((ring.last(), ring.after(3), ring.after(4)), (4, Next::Lost, Next::None));
        assert_eq!(ring.find(Some(3), "one"), None);
    }

    #[test]
    fn it_keeps_the_last_lines_within_its_limits() {
        let mut ring = Ring::new(String::new());
        for number in 0..RING_LINES_MAX + 5 {
            ring.push(line(1), number.to_string());
        }
        assert_eq!((ring.lines.len(), ring.last()), (RING_LINES_MAX, RING_LINES_MAX as u64 + 5));
        assert_eq!((ring.after(4), ring.after(5)), (Next::Lost, Next::Line(line(1))));
        assert!(ring.leads_on_from(ring.last() - 10) && !ring.leads_on_from(5) && !ring.leads_on_from(ring.last() + 1));
        for _ in 0..3 {
            ring.push(line(RING_BYTES_MAX / 2), String::new());
        }
        assert!(ring.bytes <= RING_BYTES_MAX && ring.lines.len() == 2);
    }
}
