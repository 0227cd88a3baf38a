//! What two nodes send each other on a link, in bytes.
//!
//! A link is one TCP connection; with certificates, under TLS 1.3 in both directions. Both ends first send a hello and wait
//! for the other's. From then on frames go both ways in any order. Numbers are big-endian.
//!
//! | frame | bytes |
//! | --- | --- |
//! | length of the rest | 4 |
//! | kind | 1 |
//! | body | length - 1 |
//!
//! | kind | frame | body |
//! | ---: | --- | --- |
//! | 1 | hello | `TIDEGATE`, then fields |
//! | 2 | message | a message of the replica |
//! | 3 | ping | 8 bytes that the pong repeats |
//! | 4 | pong | the 8 bytes of the ping |
//! | 5 | goodbye | a [reason](Reason) (1), and with reason 9 an address; this end sends nothing more |
//!
//! | tag (1) | field of a hello, after its length (2) |
//! | ---: | --- |
//! | 1 | newest version of this format that the sender supports (2) |
//! | 2 | oldest one (2) |
//! | 3 | name of the cluster |
//! | 4 | node id (8) |
//! | 5 | number of this start of the node (8) |
//! | 6 | address at which others reach it, `host:port`; absent if none |
//! | 7 | how long the process has been running, in milliseconds (8) |
//! | 8 | the process is starting (0); absent once it has started |
//!
//! A receiver skips kinds and fields that it does not know, and ignores what follows the known part of a body: a newer
//! version may send them. Both ends use the newest version that both support.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use tidegate_replica::NodeId;
use tidegate_replica::limits::MESSAGE_BYTES_MAX;

/// What the first frame in each direction says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Hello {
    /// The versions of the wire format that the sender supports, from the oldest to the newest.
    pub(crate) versions: (u16, u16),
    pub(crate) cluster: String,
    pub(crate) node: NodeId,
    pub(crate) instance: u64,
    /// Where others reach the sender.
    pub(crate) address: Option<String>,
    /// How long the sender has been running; none of a version that does not say.
    pub(crate) age_ms: Option<u64>,
    pub(crate) is_starting: bool,
}

/// A frame after the hello.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Frame {
    Message(BytesMut),
    Ping(u64),
    Pong(u64),
    /// With an address where the reason has one; otherwise empty.
    Goodbye(Reason, String),
    /// A kind that only a newer version knows.
    Unknown(u8),
}

/// Why a node ends a link in good order.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// Its process ends. 1
    Leaving,
    /// There is another link between the two processes. 2
    Duplicate,
    /// The peer belongs to another cluster. 3
    OtherCluster,
    /// The peer's certificate names another node than its hello. 4
    WrongNode,
    /// No version of the wire format is supported by both. 5
    IncompatibleVersion,
    /// There are as many nodes, or links to this node, as there may be. 6
    TooMany,
    /// The peer's certificate is not, or no longer, trusted. 7
    Distrusted,
    /// The peer is this very process. 8
    Own,
    /// An older process of the peer's node is running. 9
    RunningElsewhere,
    /// A reason that only a newer version knows.
    Unknown(u8),
}

/// A hello that cannot be understood.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Malformed(pub(crate) &'static str);

impl Hello {
    /// The frame without its length.
    pub(crate) fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HELLO_BYTES_MAX);
        bytes.put_u8(HELLO);
        bytes.put_slice(MAGIC);
        let (oldest, newest) = self.versions;
        field(&mut bytes, TAG_NEWEST, &newest.to_be_bytes());
        field(&mut bytes, TAG_OLDEST, &oldest.to_be_bytes());
        field(&mut bytes, TAG_CLUSTER, self.cluster.as_bytes());
        field(&mut bytes, TAG_NODE, &self.node.get().to_be_bytes());
        field(&mut bytes, TAG_INSTANCE, &self.instance.to_be_bytes());
        if let Some(address) = &self.address {
            field(&mut bytes, TAG_ADDRESS, address.as_bytes());
        }
        if let Some(age_ms) = self.age_ms {
            field(&mut bytes, TAG_AGE, &age_ms.to_be_bytes());
        }
        if self.is_starting {
            field(&mut bytes, TAG_STARTING, &[]);
        }
        bytes.freeze()
    }

    /// Reads the body of a hello.
    pub(crate) fn decode(body: &[u8]) -> Result<Self, Malformed> {
        let mut rest = body.strip_prefix(MAGIC).ok_or(Malformed("its hello is not one of Tidegate"))?;
        let (mut newest, mut oldest, mut cluster, mut node, mut instance, mut address) =
            (None, None, None, None, None, None);
        let (mut age_ms, mut is_starting) = (None, false);
        while !rest.is_empty() {
            let (tag, content, after) = next_field(rest).ok_or(Malformed("its hello is cut short"))?;
            match tag {
                TAG_NEWEST => newest = number(content).map(u16::from_be_bytes),
                TAG_OLDEST => oldest = number(content).map(u16::from_be_bytes),
                TAG_CLUSTER => cluster = text(content),
                TAG_NODE => node = number(content).map(u64::from_be_bytes),
                TAG_INSTANCE => instance = number(content).map(u64::from_be_bytes),
                TAG_ADDRESS => address = text(content),
                TAG_AGE => age_ms = number(content).map(u64::from_be_bytes),
                TAG_STARTING => is_starting = true,
                _ => {}
            }
            rest = after;
        }
        let missing = || Malformed("its hello lacks a field");
        let versions = (oldest.ok_or_else(missing)?, newest.ok_or_else(missing)?);
        Ok(Self {
            versions,
            cluster: cluster.ok_or_else(missing)?,
            node: NodeId::new(node.ok_or_else(missing)?),
            instance: instance.ok_or_else(missing)?,
            address,
            age_ms,
            is_starting,
        })
    }
}

impl Frame {
    /// Reads a frame without its length; none if it is too short for its kind.
    pub(crate) fn decode(mut bytes: BytesMut) -> Option<Self> {
        let kind = *bytes.first()?;
        let body = bytes.split_off(1);
        Some(match kind {
            MESSAGE => Self::Message(body),
            PING => Self::Ping(u64::from_be_bytes(*body.first_chunk()?)),
            PONG => Self::Pong(u64::from_be_bytes(*body.first_chunk()?)),
            GOODBYE => {
                let (reason, detail) = body.split_first()?;
                Self::Goodbye(Reason::from_byte(*reason), text(detail).unwrap_or_default())
            }
            kind => Self::Unknown(kind),
        })
    }
}

/// A message as a frame, without its length.
pub(crate) fn message(payload: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(1 + payload.len());
    bytes.put_u8(MESSAGE);
    bytes.put_slice(payload);
    bytes.freeze()
}

/// A ping as a frame, without its length.
pub(crate) fn ping(number: u64) -> Bytes {
    with_number(PING, number)
}

/// The answer to a ping.
pub(crate) fn pong(number: u64) -> Bytes {
    with_number(PONG, number)
}

/// The last frame in one direction.
pub(crate) fn goodbye(reason: Reason) -> Bytes {
    Bytes::copy_from_slice(&[GOODBYE, reason.to_byte()])
}

/// The same to a process whose node runs at this address already.
pub(crate) fn running_elsewhere(address: &str) -> Bytes {
    let address = address.as_bytes();
    let address = address.get(..TEXT_BYTES_MAX).unwrap_or(address);
    [&[GOODBYE, Reason::RunningElsewhere.to_byte()], address].concat().into()
}

fn with_number(kind: u8, number: u64) -> Bytes {
    let mut bytes = BytesMut::with_capacity(9);
    bytes.put_u8(kind);
    bytes.put_u64(number);
    bytes.freeze()
}

fn field(bytes: &mut BytesMut, tag: u8, content: &[u8]) {
    // Names and addresses are at most 255 bytes long.
    let content = content.get(..TEXT_BYTES_MAX).unwrap_or(content);
    bytes.put_u8(tag);
    bytes.put_u16(u16::try_from(content.len()).unwrap_or_default());
    bytes.put_slice(content);
}

/// Tag and content of the first field, and what follows it.
fn next_field(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let ([tag, high, low], rest) = bytes.split_first_chunk()?;
    let (content, after) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
    Some((*tag, content, after))
}

fn number<const N: usize>(content: &[u8]) -> Option<[u8; N]> {
    content.first_chunk().copied()
}

fn text(content: &[u8]) -> Option<String> {
    std::str::from_utf8(content).ok().filter(|text| text.len() <= TEXT_BYTES_MAX).map(str::to_owned)
}

impl Reason {
    fn to_byte(self) -> u8 {
        match self {
            Self::Leaving => 1,
            Self::Duplicate => 2,
            Self::OtherCluster => 3,
            Self::WrongNode => 4,
            Self::IncompatibleVersion => 5,
            Self::TooMany => 6,
            Self::Distrusted => 7,
            Self::Own => 8,
            Self::RunningElsewhere => 9,
            Self::Unknown(byte) => byte,
        }
    }

    pub(crate) fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::Leaving,
            2 => Self::Duplicate,
            3 => Self::OtherCluster,
            4 => Self::WrongNode,
            5 => Self::IncompatibleVersion,
            6 => Self::TooMany,
            7 => Self::Distrusted,
            8 => Self::Own,
            9 => Self::RunningElsewhere,
            byte => Self::Unknown(byte),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Leaving => "its process ends",
            Self::Duplicate => "there is another link",
            Self::OtherCluster => "it belongs to another cluster",
            Self::WrongNode => "this node's certificate names another node",
            Self::IncompatibleVersion => "it does not support this version",
            Self::TooMany => "it has as many connections as it may",
            Self::Distrusted => "it no longer trusts this node's certificate",
            Self::Own => "it is this very process",
            Self::RunningElsewhere => "another process of this node is running",
            Self::Unknown(byte) => return write!(formatter, "reason {byte}"),
        })
    }
}

/// The newest and the oldest version of this format that this program supports.
pub(crate) const VERSION: u16 = 1;
pub(crate) const OLDEST_VERSION: u16 = 1;

/// A frame without its length: a message of the replica and its kind. A longer one ends the link.
pub(crate) const FRAME_BYTES_MAX: usize = MESSAGE_BYTES_MAX + 1;

/// A hello without its length: five times what today's fields can take. A stranger makes this node buffer no more.
pub(crate) const HELLO_BYTES_MAX: usize = 4 * 1024;

/// The name of a cluster, or an address.
pub(crate) const TEXT_BYTES_MAX: usize = 512;

/// The bytes of the length of a frame.
pub(crate) const LENGTH_BYTES: usize = 4;

/// The first byte of every frame.
pub(crate) const HELLO: u8 = 1;
const MESSAGE: u8 = 2;
const PING: u8 = 3;
const PONG: u8 = 4;
pub(crate) const GOODBYE: u8 = 5;

const MAGIC: &[u8] = b"TIDEGATE";

const TAG_NEWEST: u8 = 1;
const TAG_OLDEST: u8 = 2;
const TAG_CLUSTER: u8 = 3;
const TAG_NODE: u8 = 4;
const TAG_INSTANCE: u8 = 5;
const TAG_ADDRESS: u8 = 6;
const TAG_AGE: u8 = 7;
const TAG_STARTING: u8 = 8;

#[cfg(test)]
mod tests;
