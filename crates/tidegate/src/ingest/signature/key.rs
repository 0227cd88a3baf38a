//! Public keys as minisign writes them, and the number by which people tell them apart.

use std::fmt;

use minisign_verify::PublicKey;

/// A key whose signatures are taken.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct TrustedKey {
    key: PublicKey,
    id: KeyId,
}

impl TrustedKey {
    /// Reads a key: the text of a `.pub` file of minisign, or its second line alone.
    pub(super) fn parse(text: &str) -> Result<Self, TrustedKeyError> {
        let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let mut line = lines.next().ok_or(TrustedKeyError::Unreadable)?;
        if line.starts_with(COMMENT) {
            line = lines.next().ok_or(TrustedKeyError::Unreadable)?;
        }
        if lines.next().is_some() {
            return Err(TrustedKeyError::Unreadable);
        }
        // Longer than a public key, and no secret of ours to repeat.
        if line.len() > PUBLIC_KEY_CHARS {
            return Err(TrustedKeyError::TooLong);
        }
        let key = PublicKey::from_base64(line).map_err(|_| TrustedKeyError::Unreadable)?;
        let id = KeyId::of_base64(line).ok_or(TrustedKeyError::Unreadable)?;
        Ok(Self { key, id })
    }

    pub(super) fn id(&self) -> KeyId {
        self.id
    }

    pub(super) fn as_key(&self) -> &PublicKey {
        &self.key
    }
}

/// Some editors put it before a text.
pub(super) const BYTE_ORDER_MARK: char = '\u{feff}';

/// The number of a key: 16 hexadecimal digits, as in the first line of minisign's files. It says which key is
/// meant and proves nothing.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct KeyId(u64);

impl KeyId {
    /// The number in a key or a signature: after two bytes that name the algorithm, eight bytes.
    fn of_base64(line: &str) -> Option<Self> {
        let mut bits: u128 = 0;
        for character in line.as_bytes().get(..ID_CHARS)? {
            let value = ALPHABET.iter().position(|known| known == character)?;
            bits = bits << 6 | u128::try_from(value).ok()?;
        }
        // 96 bits: 16 of the algorithm, 64 of the number, 16 of what follows.
        let number = u64::try_from(bits >> 16 & u128::from(u64::MAX)).ok()?;
        Some(Self(number.swap_bytes()))
    }

    /// The same for the text of a signature.
    pub(super) fn from_second_line(text: &str) -> Option<Self> {
        Self::of_base64(text.lines().nth(1)?)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016X}", self.0)
    }
}

/// Why a text is no key to trust. The program's fault, or its configuration's.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TrustedKeyError {
    /// It is not a public key of minisign.
    #[error("this is no public key of minisign; give the text of its `.pub` file, or the second line of it")]
    Unreadable,
    /// It is longer than a public key, as secret keys and signatures are.
    #[error("this is longer than a public key; give the text of the `.pub` file, and keep the secret key to yourself")]
    TooLong,
    /// There are as many as may be.
    #[error("more than {} keys are trusted; leave out those that sign no more", super::KEYS_MAX)]
    TooMany,
}

const COMMENT: &str = "untrusted comment:";

/// 42 bytes in base64.
const PUBLIC_KEY_CHARS: usize = 56;

/// The first twelve bytes in base64: whole characters that hold the number.
const ID_CHARS: usize = 16;

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
