//! File names for any text.

use std::fmt::Write as _;

use xxhash_rust::xxh3::xxh3_128;

/// A file name without its ending for any cache name: small letters, digits, `-` and `_` stand for
/// themselves, everything else is written as `%` and hexadecimal digits. A prefix keeps it apart from names
/// that mean something to some system (`con`), and long names end in a hash.
pub(crate) fn stem(prefix: &str, name: &str) -> String {
    let mut stem = prefix.to_owned();
    for byte in name.bytes() {
        if byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_') {
            stem.push(char::from(byte));
        } else {
            let _ = write!(stem, "%{byte:02x}");
        }
    }
    if stem.len() > STEM_BYTES_MAX {
        stem.truncate(STEM_BYTES_MAX);
        let _ = write!(stem, "~{:032x}", xxh3_128(name.as_bytes()));
    }
    stem
}

/// File names have 255 bytes on common systems; this leaves room for a hash, an ending and a number.
const STEM_BYTES_MAX: usize = 120;
