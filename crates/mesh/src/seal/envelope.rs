//! What lies where in an envelope.
//!
//! ```text
//!  0  "Tg"                                 20  node          u64
//!  2  version, 1                           28  instance      u64
//!  3  kind, and 128 if it is signed        36  number        u64
//!  4  SHA-256 of the cluster's name,       44  SHA-256 of the certificate, 8 bytes; zeros if it is not signed
//!     16 bytes                             52  the content, then the signature and its length, one byte
//! ```
//!
//! The signature (ECDSA with P-256 and SHA-256, FIPS 186-5) is over a word that nothing else begins with, the destination,
//! and all that stands before the signature.

use ring::digest::{SHA256, digest};
use tidegate_replica::NodeId;

use super::{Destination, Refused};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Kind {
    Payload = 0,
    Introduction = 1,
    Question = 2,
}

/// An envelope, taken apart.
pub(super) struct Parts<'b> {
    pub(super) kind: Kind,
    pub(super) is_signed: bool,
    pub(super) cluster: &'b [u8],
    pub(super) node: NodeId,
    pub(super) instance: u64,
    pub(super) number: u64,
    pub(super) fingerprint: Fingerprint,
    pub(super) content: &'b [u8],
    /// All that stands before the signature.
    pub(super) signed: &'b [u8],
    pub(super) signature: &'b [u8],
}

pub(super) type Fingerprint = [u8; 8];

impl<'b> Parts<'b> {
    pub(super) fn of(bytes: &'b [u8]) -> Result<Self, Refused> {
        let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(Refused::Malformed)?;
        if header[..2] != MAGIC {
            return Err(Refused::Malformed);
        }
        if header[2] != VERSION {
            return Err(Refused::Version(header[2]));
        }
        let is_signed = header[3] & SIGNED != 0;
        let kind = Kind::of(header[3] & !SIGNED).ok_or(Refused::Malformed)?;
        let (content, signature) = if is_signed {
            let (length, rest) = rest.split_last().ok_or(Refused::Malformed)?;
            let at = rest.len().checked_sub(usize::from(*length)).ok_or(Refused::Malformed)?;
            rest.split_at(at)
        } else {
            (rest, [].as_slice())
        };
        Ok(Self {
            kind,
            is_signed,
            cluster: &header[4..20],
            node: NodeId::new(number(header, 20)),
            instance: number(header, 28),
            number: number(header, 36),
            fingerprint: number(header, 44).to_be_bytes(),
            content,
            signed: &bytes[..HEADER_BYTES + content.len()],
            signature,
        })
    }
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Payload, Self::Introduction, Self::Question].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// What is signed.
pub(super) fn signed(to: Destination, bytes: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(CONTEXT.len() + 9 + bytes.len());
    message.extend(CONTEXT);
    let (kind, node) = match to {
        Destination::All => (0, 0),
        Destination::Node(node) => (1, node.get()),
    };
    message.push(kind);
    message.extend(node.to_be_bytes());
    message.extend(bytes);
    message
}

pub(super) fn fingerprint(certificate: &[u8]) -> Fingerprint {
    let mut fingerprint = Fingerprint::default();
    fingerprint.copy_from_slice(&digest(&SHA256, certificate).as_ref()[..8]);
    fingerprint
}

fn number(header: &[u8; HEADER_BYTES], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&header[at..at + 8]);
    u64::from_be_bytes(bytes)
}

pub(super) const MAGIC: [u8; 2] = *b"Tg";
pub(super) const VERSION: u8 = 1;
pub(super) const SIGNED: u8 = 128;
pub(super) const HEADER_BYTES: usize = 52;
pub(super) const CONTEXT: &[u8] = b"tidegate message\0";

/// ECDSA with P-256 in ASN.1.
pub(super) const SIGNATURE_BYTES_MAX: usize = 72;

/// Around the largest message that a replica sends.
pub(super) const ENVELOPE_BYTES_MAX: usize =
    HEADER_BYTES + tidegate_replica::limits::MESSAGE_BYTES_MAX + SIGNATURE_BYTES_MAX + 1;
