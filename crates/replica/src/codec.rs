//! Bytes on the wire and on the disk: fields of tag, length and content.
//!
//! A reader keeps the fields of a newer version that it does not know. It never trusts a length: it takes bytes only from slices
//! that are known to be there.

use crate::Stamp;

/// Why bytes cannot be decoded. The node that sent them, or the disk that kept them, is at fault; nothing has changed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// They end too early.
    #[error("the bytes end too early")]
    Truncated,
    /// The checksum is that of other bytes.
    #[error("the checksum does not fit")]
    Checksum,
    /// They are of a version that this program does not know; a newer program reads them.
    #[error("version {0} is not known here; use a newer Tidegate")]
    Version(u8),
    /// A message of a kind that this program does not know; a newer program sends them, and they may be ignored.
    #[error("message kind {0} is not known here")]
    Kind(u8),
    /// A field that has to be there is not.
    #[error("the field `{0}` is missing")]
    Missing(&'static str),
    /// A field is of another length or form than it has to be.
    #[error("field {0} is malformed")]
    Field(u8),
    /// Something is larger than its limit.
    #[error("larger than the limit")]
    TooLarge,
}

/// Collects bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    pub(crate) fn byte(&mut self, byte: u8) {
        self.bytes.push(byte);
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn u64(&mut self, number: u64) {
        self.raw(&number.to_be_bytes());
    }

    /// A field: tag, length in seven bits a byte, content.
    pub(crate) fn field(&mut self, tag: u8, content: &[u8]) {
        self.byte(tag);
        let mut length = content.len();
        loop {
            let [low, ..] = length.to_le_bytes();
            length >>= 7;
            if length == 0 {
                self.byte(low & 0x7f);
                break;
            }
            self.byte(low | 0x80);
        }
        self.raw(content);
    }
}

/// Takes bytes apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'b> {
    bytes: &'b [u8],
}

impl<'b> Reader<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { bytes }
    }

    pub(crate) fn is_empty(self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn take(&mut self, length: usize) -> Result<&'b [u8], DecodeError> {
        let (taken, rest) = self.bytes.split_at_checked(length).ok_or(DecodeError::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        let (taken, rest) = self.bytes.split_first_chunk::<N>().ok_or(DecodeError::Truncated)?;
        self.bytes = rest;
        Ok(*taken)
    }

    pub(crate) fn byte(&mut self) -> Result<u8, DecodeError> {
        self.array::<1>().map(|[byte]| byte)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, DecodeError> {
        self.array().map(u64::from_be_bytes)
    }

    pub(crate) fn stamp(&mut self) -> Result<Stamp, DecodeError> {
        self.array().map(Stamp::from_bytes)
    }

    fn length(&mut self) -> Result<usize, DecodeError> {
        let mut length = 0_usize;
        for shift in [0, 7, 14, 21] {
            let byte = self.byte()?;
            length |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(length);
            }
        }
        Err(DecodeError::TooLarge)
    }
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'b> {
    pub(crate) tag: u8,
    pub(crate) content: &'b [u8],
    /// Tag, length and content.
    pub(crate) whole: &'b [u8],
}

impl<'b> Field<'b> {
    pub(crate) fn stamp(&self) -> Result<Stamp, DecodeError> {
        self.content.try_into().map(Stamp::from_bytes).map_err(|_| DecodeError::Field(self.tag))
    }

    pub(crate) fn u64(&self) -> Result<u64, DecodeError> {
        self.content.try_into().map(u64::from_be_bytes).map_err(|_| DecodeError::Field(self.tag))
    }

    pub(crate) fn text(&self) -> Result<&'b str, DecodeError> {
        str::from_utf8(self.content).map_err(|_| DecodeError::Field(self.tag))
    }
}

/// The fields in a row; after an error there are no more.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'b> {
    reader: Reader<'b>,
}

impl<'b> Fields<'b> {
    pub(crate) fn new(bytes: &'b [u8]) -> Self {
        Self { reader: Reader::new(bytes) }
    }

    fn read(&mut self) -> Result<Field<'b>, DecodeError> {
        let start = self.reader.bytes;
        let tag = self.reader.byte()?;
        let length = self.reader.length()?;
        let content = self.reader.take(length)?;
        let size = start.len().saturating_sub(self.reader.bytes.len());
        Ok(Field { tag, content, whole: start.get(..size).unwrap_or_default() })
    }
}

impl<'b> Iterator for Fields<'b> {
    type Item = Result<Field<'b>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.reader.is_empty() {
            return None;
        }
        let field = self.read();
        if field.is_err() {
            self.reader = Reader::new(&[]);
        }
        Some(field)
    }
}
