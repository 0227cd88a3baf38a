//! Whether the write-ahead log ends where it should.
//!
//! `SQLite` reads the log up to the first frame whose checksum is wrong, and takes the rest for what a crash
//! has left. That is right for a commit that was cut short, and silently loses every later one when a bit in
//! the middle has flipped. So the log is looked at before `SQLite` does: a frame that belongs to this
//! generation of the log (it carries its salts) and lies beyond the readable part is something that was
//! written and cannot be read. The form: <https://sqlite.org/fileformat2.html#the_write_ahead_log>.

use std::io::{self, Read};

/// What the log looks like.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tail {
    /// Whatever was written can be read, but for a frame that was never finished.
    Whole,
    /// Something was written and cannot be read.
    Unreadable,
}

/// Reads a log from its beginning to its end, in constant memory.
pub(super) fn inspect(mut log: impl Read) -> io::Result<Tail> {
    let mut header = [0; HEADER_BYTES];
    let length = fill(&mut log, &mut header)?;
    if header[..length].iter().all(|byte| *byte == 0) {
        return Ok(Tail::Whole);
    }
    let Some(mut chain) = Chain::start(&header, length) else { return Ok(Tail::Unreadable) };
    let mut frame = vec![0; FRAME_HEADER_BYTES + chain.page_bytes];
    let mut is_readable = true;
    while fill(&mut log, &mut frame)? == frame.len() {
        if is_readable && chain.accepts(&frame) {
            continue;
        }
        is_readable = false;
        if chain.is_of_this_generation(&frame) {
            return Ok(Tail::Unreadable);
        }
    }
    Ok(Tail::Whole)
}

/// The running checksum, and what all frames of a generation share.
#[derive(Debug)]
struct Chain {
    is_big_endian: bool,
    page_bytes: usize,
    salts: [u8; 8],
    sums: [u32; 2],
}

impl Chain {
    /// None: the header is damaged.
    fn start(header: &[u8; HEADER_BYTES], length: usize) -> Option<Self> {
        let magic = big(header, 0);
        let page_bytes = usize::try_from(big(header, 8)).ok()?;
        let is_sound = length == HEADER_BYTES && magic & !1 == MAGIC && (512..=65_536).contains(&page_bytes);
        let mut chain = Self { is_big_endian: magic & 1 == 1, page_bytes, salts: [0; 8], sums: [0; 2] };
        chain.salts.copy_from_slice(&header[16..24]);
        chain.add(&header[..24]);
        (is_sound && chain.sums == [big(header, 24), big(header, 28)]).then_some(chain)
    }

    /// Goes on to the next frame, if it is the right one.
    fn accepts(&mut self, frame: &[u8]) -> bool {
        let before = self.sums;
        self.add(&frame[..8]);
        self.add(&frame[FRAME_HEADER_BYTES..]);
        let is_right = frame[8..16] == self.salts && self.sums == [big(frame, 16), big(frame, 20)];
        if !is_right {
            self.sums = before;
        }
        is_right
    }

    /// One salt suffices: one of them rises by one with each generation and the other is drawn, so a frame of
    /// an earlier generation has neither.
    fn is_of_this_generation(&self, frame: &[u8]) -> bool {
        frame[8..12] == self.salts[..4] || frame[12..16] == self.salts[4..]
    }

    fn add(&mut self, bytes: &[u8]) {
        let [mut first, mut second] = self.sums;
        for pair in bytes.chunks_exact(8) {
            let (one, two) = (self.word(pair, 0), self.word(pair, 4));
            first = first.wrapping_add(one).wrapping_add(second);
            second = second.wrapping_add(two).wrapping_add(first);
        }
        self.sums = [first, second];
    }

    fn word(&self, bytes: &[u8], at: usize) -> u32 {
        if self.is_big_endian { big(bytes, at) } else { big(bytes, at).swap_bytes() }
    }
}

fn big(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

/// Reads until the buffer is full or there is no more.
fn fill(log: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut length = 0;
    while length < buffer.len() {
        match log.read(&mut buffer[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(length)
}

/// Without the lowest bit, which tells the order of bytes.
const MAGIC: u32 = 0x377f_0682;
const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
