//! Where a JSON string ends, eight bytes at a time: half of a document is strings, and it is passed over more than once.

/// The byte after the quote that closes the string which starts here, or the end of the text.
#[inline]
pub(crate) fn string_end(bytes: &[u8], start: usize) -> usize {
    string_end_and_escape(bytes, start).0
}

/// The same, and whether there is a backslash in the string.
#[inline]
pub(crate) fn string_end_and_escape(bytes: &[u8], start: usize) -> (usize, bool) {
    let mut at = start.saturating_add(1);
    let mut has_escape = false;
    loop {
        at = next_special(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return (at.saturating_add(1), has_escape),
            // A backslash and the byte that it escapes.
            Some(_) => {
                has_escape = true;
                at = at.saturating_add(2);
            }
            None => return (bytes.len(), has_escape),
        }
    }
}

/// The first quote or backslash from here on.
#[inline]
fn next_special(bytes: &[u8], mut at: usize) -> usize {
    while let Some(eight) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) {
        let word = u64::from_le_bytes(*eight);
        let found = zero_bytes(word ^ (LOW * QUOTE)) | zero_bytes(word ^ (LOW * BACKSLASH));
        if found != 0 {
            // The lowest mark is that of the first such byte; those above it may be wrong.
            return at.saturating_add(usize::try_from(found.trailing_zeros() / 8).unwrap_or(0));
        }
        at = at.saturating_add(8);
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at.saturating_add(rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len()))
}

/// The highest bit of each byte that is zero, up to the first of them (Mycroft, 1987).
#[inline]
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(LOW) & !word & (LOW << 7)
}

const QUOTE: u64 = b'"' as u64;
const BACKSLASH: u64 = b'\\' as u64;

/// The lowest bit of each byte.
const LOW: u64 = 0x0101_0101_0101_0101;

#[cfg(test)]
mod tests {
    use super::*;

    /// Byte by byte.
    fn expected(bytes: &[u8], start: usize) -> usize {
        let mut at = start + 1;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'"' => return at + 1,
                b'\\' => at += 2,
                _ => at += 1,
            }
        }
        bytes.len()
    }

    #[test]
    fn a_string_ends_where_it_ends_byte_by_byte() {
        let alphabet = [b'a', b'"', b'\\', b'!', b'#', b'[', b']', 0x00, 0x01, 0x7f, 0x80, 0xa2, 0xdc, 0xff];
        let mut state = 1_u64;
        for length in 0..40 {
            for _ in 0..200 {
                let bytes: Vec<u8> = (0..length)
                    .map(|_| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        // Special bytes are rare, so that some strings are long.
                        alphabet[usize::try_from(state >> 33).unwrap() % 64 % alphabet.len()]
                    })
                    .collect();
                for start in 0..length {
                    assert_eq!(string_end(&bytes, start), expected(&bytes, start), "{bytes:?} from {start}");
                }
            }
        }
    }
}
