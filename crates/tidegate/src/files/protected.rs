//! Files that begin with a line of their name, their version and a checksum, so that damage and newer versions are told apart.
//!
//! ```text
//! <name> <version> <XXH3-128 of the version and of all that follows the line, 32 hexadecimal digits>\n
//! ```

use xxhash_rust::xxh3::Xxh3;

/// Why the content of a file cannot be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    Damaged,
    Newer { found: u32, known: u32 },
}

/// What follows the first line, if that line is as it should be and the checksum is right.
pub(crate) fn protected<'c>(content: &'c [u8], magic: &str, known: u32) -> Result<&'c [u8], Fault> {
    let end = content.iter().take(LINE_BYTES_MAX).position(|byte| *byte == b'\n').ok_or(Fault::Damaged)?;
    let (line, rest) = (&content[..end], &content[end + 1..]);
    let line = std::str::from_utf8(line).map_err(|_| Fault::Damaged)?;
    let mut words = line.split(' ');
    let (Some(found_magic), Some(version), Some(sum), None) = (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Fault::Damaged);
    };
    let found: u32 = version.parse().map_err(|_| Fault::Damaged)?;
    let expected = format!("{:032x}", checksum(found, &[rest]));
    if found_magic != magic || version != found.to_string() || sum != expected || found == 0 {
        return Err(Fault::Damaged);
    }
    if found > known { Err(Fault::Newer { found, known }) } else { Ok(rest) }
}

/// The first line of a file with this content after it.
pub(crate) fn first_line(magic: &str, version: u32, parts: &[&[u8]]) -> String {
    format!("{magic} {version} {:032x}\n", checksum(version, parts))
}

/// The checksum covers the version too, so that a flipped bit in it is damage and not a newer version.
pub(crate) fn checksum(version: u32, parts: &[&[u8]]) -> u128 {
    let mut hash = Xxh3::new();
    hash.update(&version.to_le_bytes());
    for part in parts {
        hash.update(part);
    }
    hash.digest128()
}

/// The first line with the longest version.
const LINE_BYTES_MAX: usize = 80;
