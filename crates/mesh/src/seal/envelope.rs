//! What lies where in an envelope.
//!
//! ```text
//!  0  "Tg"                                 20  node          u64
//!  2  version, 1                           28  instance      u64
//!  3  kind; and 128 if it is signed,       36  number        u64
//!     64 if it is tagged                   44  SHA-256 of the certificate, 8 bytes; zeros without certificates
//!  4  SHA-256 of the cluster's name,       52  what follows, by how it shows from whom it is
//!     16 bytes
//!
//! neither    the content
//! signed     the content, the signature, the length of the signature in one byte
//! tagged     the number of recipients, 1 to 16, in one byte; for each of them the id of a key, 4 bytes; the content; for
//!            each of them a tag, 16 bytes, in the same order
//! ```
//!
//! The signature (ECDSA with P-256 and SHA-256, FIPS 186-5) is over a word that nothing else begins with, the
//! destination, and all that stands before the signature. A tag (HMAC with SHA-256, RFC 2104) is over the SHA-256 of the
//! same with a word of its own: the destination, and all that stands before the tags. That is hashed once, however many
//! the recipients are.
//!
//! How many they are and what their keys are called stands before the content because there every tag covers it. Behind
//! it, one of two recipients could be taken away, and its id would be read as the end of the content. The header says
//! which process has sent it, and each direction has a key of its own. A tag is cut to 16 bytes: nobody can try 2^128 of
//! them, and whole ones would make a message to 16 recipients longer by 256 bytes.
//!
//! Only messages (kind 0) are tagged. The content of an introduction and of a question (kinds 1 and 2) is the public key
//! of the sender's process, 32 bytes, and its certificate.

use ring::digest::{Context, Digest, SHA256, digest};
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
    pub(super) cluster: &'b [u8],
    pub(super) node: NodeId,
    pub(super) instance: u64,
    pub(super) number: u64,
    pub(super) fingerprint: Fingerprint,
    pub(super) content: &'b [u8],
    /// All that stands before the proof.
    pub(super) covered: &'b [u8],
    pub(super) proof: Proof<'b>,
}

/// What shows from whom it is.
#[derive(Clone, Copy)]
pub(super) enum Proof<'b> {
    None,
    Signature(&'b [u8]),
    /// One for each recipient, and by which key it was made.
    Tags {
        ids: &'b [KeyId],
        tags: &'b [Tag],
    },
}

pub(super) type Fingerprint = [u8; 8];

/// What a key is called.
pub(super) type KeyId = [u8; 4];

pub(super) type Tag = [u8; 16];

impl<'b> Parts<'b> {
    pub(super) fn of(bytes: &'b [u8]) -> Result<Self, Refused> {
        let (header, rest) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(Refused::Malformed)?;
        if header[..2] != MAGIC {
            return Err(Refused::Malformed);
        }
        if header[2] != VERSION {
            return Err(Refused::Version(header[2]));
        }
        let kind = Kind::of(header[3] & !(SIGNED | TAGGED)).ok_or(Refused::Malformed)?;
        let (content, proof) = match (header[3] & (SIGNED | TAGGED), kind) {
            (0, _) => (rest, Proof::None),
            (SIGNED, _) => split_signature(rest).ok_or(Refused::Malformed)?,
            (TAGGED, Kind::Payload) => split_tags(rest).ok_or(Refused::Malformed)?,
            _ => return Err(Refused::Malformed),
        };
        let proof_bytes = match proof {
            Proof::None => 0,
            Proof::Signature(signature) => signature.len() + 1,
            Proof::Tags { tags, .. } => size_of_val(tags),
        };
        Ok(Self {
            kind,
            cluster: &header[4..20],
            node: NodeId::new(number(header, 20)),
            instance: number(header, 28),
            number: number(header, 36),
            fingerprint: number(header, 44).to_be_bytes(),
            content,
            covered: &bytes[..bytes.len() - proof_bytes],
            proof,
        })
    }
}

fn split_signature(rest: &[u8]) -> Option<(&[u8], Proof<'_>)> {
    let (length, rest) = rest.split_last()?;
    let (content, signature) = rest.split_at(rest.len().checked_sub(usize::from(*length))?);
    Some((content, Proof::Signature(signature)))
}

fn split_tags(rest: &[u8]) -> Option<(&[u8], Proof<'_>)> {
    let (count, rest) = rest.split_first()?;
    let count = usize::from(*count);
    if count == 0 || count > TAGS_MAX {
        return None;
    }
    let (ids, rest) = rest.split_at_checked(count * size_of::<KeyId>())?;
    let (content, tags) = rest.split_at(rest.len().checked_sub(count * size_of::<Tag>())?);
    Some((content, Proof::Tags { ids: ids.as_chunks().0, tags: tags.as_chunks().0 }))
}

impl Kind {
    fn of(byte: u8) -> Option<Self> {
        [Self::Payload, Self::Introduction, Self::Question].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// What is signed.
pub(super) fn signed(to: Destination, bytes: &[u8]) -> Vec<u8> {
    [CONTEXT, &destination(to), bytes].concat()
}

/// What is tagged.
pub(super) fn tagged(to: Destination, bytes: &[u8]) -> Digest {
    let mut digest = Context::new(&SHA256);
    digest.update(TAG_CONTEXT);
    digest.update(&destination(to));
    digest.update(bytes);
    digest.finish()
}

fn destination(to: Destination) -> [u8; 9] {
    let (kind, node) = match to {
        Destination::All => (0, 0),
        Destination::Node(node) => (1, node.get()),
    };
    let mut bytes = [kind; 9];
    bytes[1..].copy_from_slice(&node.to_be_bytes());
    bytes
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
pub(super) const TAGGED: u8 = 64;
pub(super) const HEADER_BYTES: usize = 52;
const CONTEXT: &[u8] = b"tidegate message\0";
const TAG_CONTEXT: &[u8] = b"tidegate tagged message\0";

/// ECDSA with P-256 in ASN.1.
pub(super) const SIGNATURE_BYTES_MAX: usize = 72;

/// Of X25519.
pub(super) const PUBLIC_BYTES: usize = 32;

/// Processes for which one message is tagged; for more it is signed. Each of them is sent 20 bytes for each of them, so the
/// bytes of a broadcast grow with the square of their number. With 16 they are 321 to each, where a signature takes 73 and
/// is for all.
pub(super) const TAGS_MAX: usize = 16;

/// How many more bytes than the header and the content an envelope has at most.
pub(super) const PROOF_BYTES_MAX: usize = 1 + TAGS_MAX * (size_of::<KeyId>() + size_of::<Tag>());

/// Around the largest message that a replica sends.
pub(super) const ENVELOPE_BYTES_MAX: usize =
    HEADER_BYTES + tidegate_replica::limits::MESSAGE_BYTES_MAX + PROOF_BYTES_MAX;

// A signature is not longer.
const _: () = assert!(SIGNATURE_BYTES_MAX < PROOF_BYTES_MAX);
