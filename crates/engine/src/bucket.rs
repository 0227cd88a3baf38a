//! Stand-in.
/// hash
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum HashAlgorithm {
    /// Last four bytes, big-endian, of SHA-1(salt + key).
    Sha1,
    /// High 32 bits of XXH3-64(key) seeded with XXH3-64(salt).
    Xxh3,
    /// MurmurHash3 x86 32 of salt + key, seed 0.
    Murmur3,
}
