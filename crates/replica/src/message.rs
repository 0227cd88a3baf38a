//! The messages between replicas, and their bytes.
//!
//! A message begins with a version, its kind, the start of the node that sent it, and the gc floor which that node announces. A
//! reader ignores kinds that it does not know: they belong to a newer version. `docs/reference/replication.md` lists all kinds.

use crate::codec::{DecodeError, Field, Fields, Reader, Writer};
use crate::merkle::Branch;
use crate::{NodeId, Register, Stamp, limits};

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    /// Tells two processes under one node id apart.
    pub(crate) instance: u64,
    /// The gc floor that the sender announces: it has collected the tombstones up to here.
    pub(crate) gc_floor: Stamp,
    pub(crate) body: Body,
}

/// What it is about.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    /// Sent to the sender's own id: a process that receives it has the same id.
    Hello,
    /// New registers, to be acknowledged once they are durable.
    Push { registers: Vec<Register>, awaited: Awaited },
    /// Registers of these stamps are durable here, and active.
    Ack(Vec<Stamp>),
    /// Registers are durable here, and others outrank them.
    Outranked(Vec<Loss>),
    /// Asks whether the recipient holds the same as the sender.
    RootRequest(Summary),
    /// Answers that; if not, with the hashes of the branches below the root.
    RootReply { summary: Summary, is_same: bool, is_durable: bool, children: [u64; 16] },
    /// The hashes below branches that differ.
    Branches(Vec<(Branch, [u64; 16])>),
    /// The entries of leaves that differ.
    Leaves(Vec<(Branch, Vec<Entry>)>),
    /// Asks for the registers with these key hashes.
    RegistersRequest(Vec<u64>),
    /// Registers that the recipient lacks.
    Repair(Vec<Register>),
    /// Asks for all registers from this key hash on.
    SnapshotRequest(u64),
    /// A part of all registers, and where the next part begins, if there is one.
    SnapshotChunk { registers: Vec<Register>, next: Option<u64> },
    /// Registers of these hashes and rank stamps were removed, and their tombstones are collected.
    Collected(Vec<(u64, Stamp)>),
}

/// A register in a few numbers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Entry {
    /// The hash of its key.
    pub(crate) hash: u64,
    /// See [`Register::rank_stamp`].
    pub(crate) stamp: Stamp,
    /// A hash of everything else: two contents under one stamp differ in it.
    pub(crate) content: u64,
}

/// A register is stored and does not count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Loss {
    /// Its stamp.
    pub(crate) stamp: Stamp,
    /// The stamp of the one that counts instead.
    pub(crate) by: Stamp,
    /// Whether that one is quarantined: it will count when its time has come.
    pub(crate) is_quarantined: bool,
}

/// Registers of a message that could not be read.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Skipped {
    /// Those of a newer version.
    pub(crate) unknown: u64,
    /// All others.
    pub(crate) malformed: u64,
}

/// The members whose acknowledgement the writer needs. The others send one too, but may delay their sync.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Awaited {
    Everybody,
    Only(Vec<NodeId>),
}

impl Awaited {
    pub(crate) fn includes(&self, node: NodeId) -> bool {
        match self {
            Self::Everybody => true,
            Self::Only(nodes) => nodes.contains(&node),
        }
    }
}

/// A node in a few numbers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Summary {
    pub(crate) root: u64,
    pub(crate) count: u64,
    /// The sender's clocks when it sent this.
    pub(crate) wall_ms: u64,
    pub(crate) steady_ms: u64,
    /// In an answer: the steady clock of the question.
    pub(crate) echo_ms: u64,
    /// The number of the sender's latest merge; in an answer, that of the question.
    pub(crate) merges: u64,
    /// The greatest stamp that the sender knows.
    pub(crate) clock: Stamp,
    /// The greatest stamp of the recipient's that the sender holds.
    pub(crate) yours: Stamp,
}

impl Message {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.byte(VERSION);
        writer.byte(self.body.kind());
        writer.field(TAG_INSTANCE, &self.instance.to_be_bytes());
        if self.gc_floor != Stamp::ZERO {
            writer.field(TAG_GC_FLOOR, &self.gc_floor.to_bytes());
        }
        self.body.write(&mut writer);
        writer.into_bytes()
    }

    /// Reads a message. Fields that are not known are left alone, and so are registers that cannot be read: they are
    /// counted, and the rest of the message is used.
    pub(crate) fn decode(bytes: &[u8]) -> Result<(Self, Skipped), DecodeError> {
        if bytes.len() > limits::MESSAGE_BYTES_MAX {
            return Err(DecodeError::TooLarge);
        }
        let mut reader = Reader::new(bytes);
        let version = reader.byte()?;
        if version != VERSION {
            return Err(DecodeError::Version(version));
        }
        let kind = reader.byte()?;
        let rest = reader.take(bytes.len().saturating_sub(2))?;
        let (mut instance, mut gc_floor, mut parts) = (None, Stamp::ZERO, Parts::default());
        for field in Fields::new(rest) {
            let field = field?;
            match field.tag {
                TAG_INSTANCE => instance = Some(field.u64()?),
                TAG_GC_FLOOR => gc_floor = field.stamp()?,
                _ => parts.add(&field)?,
            }
        }
        let skipped = parts.skipped;
        let body = parts.into_body(kind)?;
        Ok((Self { instance: instance.ok_or(DecodeError::Missing("instance"))?, gc_floor, body }, skipped))
    }
}

impl Body {
    fn kind(&self) -> u8 {
        match self {
            Self::Hello => 0,
            Self::Push { .. } => 1,
            Self::Ack(_) => 2,
            Self::RootRequest(_) => 3,
            Self::RootReply { .. } => 4,
            Self::Branches(_) => 5,
            Self::Leaves(_) => 6,
            Self::RegistersRequest(_) => 7,
            Self::Repair(_) => 8,
            Self::SnapshotRequest(_) => 9,
            Self::SnapshotChunk { .. } => 10,
            Self::Collected(_) => 11,
            Self::Outranked(_) => 12,
        }
    }

    /// The name of its kind in logs and in the reference.
    #[cfg(any(test, feature = "simulate"))]
    pub(crate) fn name(&self) -> &'static str {
        KINDS.get(usize::from(self.kind())).copied().unwrap_or_default()
    }

    fn write(&self, writer: &mut Writer) {
        match self {
            Self::Hello => {}
            Self::Push { registers, awaited } => {
                write_registers(writer, registers);
                if let Awaited::Only(nodes) = awaited {
                    let mut list = Writer::default();
                    for node in nodes {
                        list.u64(node.get());
                    }
                    writer.field(TAG_AWAITED, list.as_bytes());
                }
            }
            Self::Repair(registers) => write_registers(writer, registers),
            Self::Ack(stamps) => {
                let mut list = Writer::default();
                for stamp in stamps {
                    list.raw(&stamp.to_bytes());
                }
                writer.field(TAG_STAMPS, list.as_bytes());
            }
            Self::Outranked(losses) => {
                let mut list = Writer::default();
                for loss in losses {
                    list.raw(&loss.stamp.to_bytes());
                    list.raw(&loss.by.to_bytes());
                    list.byte(u8::from(loss.is_quarantined));
                }
                writer.field(TAG_LOSSES, list.as_bytes());
            }
            Self::RootRequest(summary) => summary.write(writer),
            Self::RootReply { summary, is_same, is_durable, children } => {
                summary.write(writer);
                writer.field(TAG_SAME, &[u8::from(*is_same), u8::from(*is_durable)]);
                if !is_same {
                    write_branches(writer, &[(Branch::ROOT, *children)]);
                }
            }
            Self::Branches(branches) => write_branches(writer, branches),
            Self::Leaves(leaves) => {
                for (branch, entries) in leaves {
                    let mut leaf = Writer::default();
                    write_branch(&mut leaf, *branch);
                    for entry in entries {
                        leaf.u64(entry.hash);
                        leaf.raw(&entry.stamp.to_bytes());
                        leaf.u64(entry.content);
                    }
                    writer.field(TAG_LEAF, leaf.as_bytes());
                }
            }
            Self::RegistersRequest(hashes) => {
                let mut list = Writer::default();
                for hash in hashes {
                    list.u64(*hash);
                }
                writer.field(TAG_HASHES, list.as_bytes());
            }
            Self::SnapshotRequest(hash) => writer.field(TAG_NEXT, &hash.to_be_bytes()),
            Self::SnapshotChunk { registers, next } => {
                write_registers(writer, registers);
                if let Some(next) = next {
                    writer.field(TAG_NEXT, &next.to_be_bytes());
                }
            }
            Self::Collected(entries) => {
                let mut list = Writer::default();
                for (hash, stamp) in entries {
                    list.u64(*hash);
                    list.raw(&stamp.to_bytes());
                }
                writer.field(TAG_ENTRIES, list.as_bytes());
            }
        }
    }
}

impl Summary {
    fn write(&self, writer: &mut Writer) {
        let mut summary = Writer::default();
        for number in [self.root, self.count, self.wall_ms, self.steady_ms, self.echo_ms, self.merges] {
            summary.u64(number);
        }
        summary.raw(&self.clock.to_bytes());
        summary.raw(&self.yours.to_bytes());
        writer.field(TAG_SUMMARY, summary.as_bytes());
    }

    fn read(content: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(content);
        Ok(Self {
            root: reader.u64()?,
            count: reader.u64()?,
            wall_ms: reader.u64()?,
            steady_ms: reader.u64()?,
            echo_ms: reader.u64()?,
            merges: reader.u64()?,
            clock: reader.stamp()?,
            yours: reader.stamp()?,
        })
    }
}

fn write_registers(writer: &mut Writer, registers: &[Register]) {
    for register in registers {
        writer.field(TAG_REGISTER, &register.encode());
    }
}

fn write_branches(writer: &mut Writer, branches: &[(Branch, [u64; 16])]) {
    for (branch, children) in branches {
        let mut field = Writer::default();
        write_branch(&mut field, *branch);
        for child in children {
            field.u64(*child);
        }
        writer.field(TAG_BRANCH, field.as_bytes());
    }
}

fn write_branch(writer: &mut Writer, branch: Branch) {
    writer.byte(branch.depth);
    writer.raw(&branch.digits.to_be_bytes());
}

/// The fields of all kinds, as they are met.
#[derive(Default)]
struct Parts {
    registers: Vec<Register>,
    skipped: Skipped,
    stamps: Vec<Stamp>,
    losses: Vec<Loss>,
    hashes: Vec<u64>,
    entries: Vec<(u64, Stamp)>,
    branches: Vec<(Branch, [u64; 16])>,
    leaves: Vec<(Branch, Vec<Entry>)>,
    summary: Option<Summary>,
    same: Option<(bool, bool)>,
    awaited: Option<Vec<NodeId>>,
    next: Option<u64>,
}

impl Parts {
    fn add(&mut self, field: &Field<'_>) -> Result<(), DecodeError> {
        let mut reader = Reader::new(field.content);
        match field.tag {
            TAG_REGISTER => match Register::decode(field.content) {
                Ok(register) => self.registers.push(register),
                Err(DecodeError::Version(_)) => self.skipped.unknown = self.skipped.unknown.saturating_add(1),
                Err(_) => self.skipped.malformed = self.skipped.malformed.saturating_add(1),
            },
            TAG_LOSSES => {
                while !reader.is_empty() {
                    let (stamp, by) = (reader.stamp()?, reader.stamp()?);
                    self.losses.push(Loss { stamp, by, is_quarantined: reader.byte()? != 0 });
                }
            }
            TAG_STAMPS => {
                while !reader.is_empty() {
                    self.stamps.push(reader.stamp()?);
                }
            }
            TAG_HASHES => {
                while !reader.is_empty() {
                    self.hashes.push(reader.u64()?);
                }
            }
            TAG_ENTRIES => {
                while !reader.is_empty() {
                    self.entries.push((reader.u64()?, reader.stamp()?));
                }
            }
            TAG_BRANCH => {
                let branch = read_branch(&mut reader, field.tag)?;
                let mut children = [0; 16];
                for child in &mut children {
                    *child = reader.u64()?;
                }
                self.branches.push((branch, children));
            }
            TAG_LEAF => {
                let branch = read_branch(&mut reader, field.tag)?;
                self.leaves.push((branch, read_entries(&mut reader)?));
            }
            TAG_SUMMARY => self.summary = Some(Summary::read(field.content)?),
            TAG_SAME => {
                self.same = Some((reader.byte()? != 0, reader.byte()? != 0));
            }
            TAG_NEXT => self.next = Some(field.u64()?),
            TAG_AWAITED => {
                let mut nodes = Vec::new();
                while !reader.is_empty() {
                    nodes.push(NodeId::new(reader.u64()?));
                }
                self.awaited = Some(nodes);
            }
            _ => {}
        }
        Ok(())
    }

    fn into_body(self, kind: u8) -> Result<Body, DecodeError> {
        let summary = self.summary.ok_or(DecodeError::Missing("summary"));
        Ok(match kind {
            0 => Body::Hello,
            1 => {
                let awaited = self.awaited.map_or(Awaited::Everybody, Awaited::Only);
                Body::Push { registers: self.registers, awaited }
            }
            2 => Body::Ack(self.stamps),
            3 => Body::RootRequest(summary?),
            4 => {
                let (is_same, is_durable) = self.same.ok_or(DecodeError::Missing("same"))?;
                let children = self.branches.first().map_or([0; 16], |(_, children)| *children);
                Body::RootReply { summary: summary?, is_same, is_durable, children }
            }
            5 => Body::Branches(self.branches),
            6 => Body::Leaves(self.leaves),
            7 => Body::RegistersRequest(self.hashes),
            8 => Body::Repair(self.registers),
            9 => Body::SnapshotRequest(self.next.ok_or(DecodeError::Missing("next"))?),
            10 => Body::SnapshotChunk { registers: self.registers, next: self.next },
            11 => Body::Collected(self.entries),
            12 => Body::Outranked(self.losses),
            kind => return Err(DecodeError::Kind(kind)),
        })
    }
}

fn read_branch(reader: &mut Reader<'_>, tag: u8) -> Result<Branch, DecodeError> {
    let branch = Branch { depth: reader.byte()?, digits: reader.array().map(u16::from_be_bytes)? };
    if branch.is_sound() { Ok(branch) } else { Err(DecodeError::Field(tag)) }
}

fn read_entries(reader: &mut Reader<'_>) -> Result<Vec<Entry>, DecodeError> {
    let mut entries = Vec::new();
    while !reader.is_empty() {
        entries.push(Entry { hash: reader.u64()?, stamp: reader.stamp()?, content: reader.u64()? });
    }
    Ok(entries)
}

/// The names of all kinds, each at the place of its number.
#[cfg(any(test, feature = "simulate"))]
pub(crate) const KINDS: [&str; 13] = [
    "hello",
    "push",
    "ack",
    "root-request",
    "root-reply",
    "branches",
    "leaves",
    "registers-request",
    "repair",
    "snapshot-request",
    "snapshot-chunk",
    "collected",
    "outranked",
];

/// The form of the bytes. Fields and kinds may be added without a new version.
const VERSION: u8 = 1;
const TAG_INSTANCE: u8 = 1;
const TAG_GC_FLOOR: u8 = 2;
pub(crate) const TAG_REGISTER: u8 = 3;
const TAG_STAMPS: u8 = 4;
const TAG_HASHES: u8 = 5;
const TAG_ENTRIES: u8 = 6;
const TAG_BRANCH: u8 = 7;
/// Was 8 while entries had no content.
const TAG_LEAF: u8 = 13;
const TAG_SUMMARY: u8 = 9;
const TAG_SAME: u8 = 10;
const TAG_NEXT: u8 = 11;
const TAG_AWAITED: u8 = 12;
const TAG_LOSSES: u8 = 14;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_heard() {
        let stamp = Stamp::new(0, 7, 1, NodeId::new(3));
        let register = Register {
            key: b"aflags/x".as_slice().into(),
            stamp,
            value: None,
            replaces: None,
            supersedes: Some(stamp),
            actor: "".into(),
            reason: "".into(),
            extra: [].into(),
        };
        let summary =
            Summary { root: 1, count: 2, wall_ms: 3, steady_ms: 4, echo_ms: 5, merges: 6, clock: stamp, yours: stamp };
        let bodies = [
            Body::Hello,
            Body::Push { registers: vec![register.clone(), register.clone()], awaited: Awaited::Everybody },
            Body::Push { registers: vec![register.clone()], awaited: Awaited::Only(Vec::new()) },
            Body::Push { registers: vec![register.clone()], awaited: Awaited::Only(vec![NodeId::new(3)]) },
            Body::Ack(vec![stamp, stamp]),
            Body::Outranked(vec![Loss { stamp, by: Stamp::ZERO, is_quarantined: true }]),
            Body::RootRequest(summary),
            Body::RootReply { summary, is_same: true, is_durable: true, children: [0; 16] },
            Body::RootReply { summary, is_same: false, is_durable: true, children: [9; 16] },
            Body::Branches(vec![(Branch { depth: 3, digits: 0xabc }, [5; 16])]),
            Body::Leaves(vec![(Branch { depth: 4, digits: 0xabcd }, vec![Entry { hash: 1, stamp, content: 2 }])]),
            Body::RegistersRequest(vec![1, u64::MAX]),
            Body::Repair(vec![register.clone()]),
            Body::SnapshotRequest(8),
            Body::SnapshotChunk { registers: vec![register], next: Some(9) },
            Body::Collected(vec![(4, stamp)]),
        ];
        for body in bodies {
            let message = Message { instance: 11, gc_floor: stamp, body };
            assert_eq!(Message::decode(&message.encode()), Ok((message, Skipped::default())));
        }
    }

    #[test]
    fn a_register_of_a_newer_version_leaves_the_rest_of_its_message_alone() {
        let register = |key: &[u8]| Register {
            key: key.into(),
            stamp: Stamp::new(0, 7, 1, NodeId::new(3)),
            value: None,
            replaces: None,
            supersedes: None,
            actor: "".into(),
            reason: "".into(),
            extra: [].into(),
        };
        let mut newer = register(b"newer").encode();
        newer[0] = 9;
        let (body, _) = newer.split_last_chunk::<8>().unwrap();
        let checksum = xxhash_rust::xxh3::xxh3_64(body).to_be_bytes();
        let newer = [body, &checksum].concat();
        let mut damaged = register(b"damaged").encode();
        damaged[3] ^= 1;
        let mut writer = Writer::default();
        for bytes in [[VERSION, 8].as_slice(), &[TAG_INSTANCE, 8, 0, 0, 0, 0, 0, 0, 0, 11]] {
            writer.raw(bytes);
        }
        for bytes in [&register(b"a").encode(), &newer, &damaged, &register(b"b").encode()] {
            writer.field(TAG_REGISTER, bytes);
        }
        let (message, skipped) = Message::decode(writer.as_bytes()).unwrap();
        assert_eq!(message.body, Body::Repair(vec![register(b"a"), register(b"b")]));
        assert_eq!(skipped, Skipped { unknown: 1, malformed: 1 });
    }

    #[test]
    fn the_reference_names_every_kind_and_every_mutant_and_tests_that_exist() {
        let page = include_str!("../../../docs/reference/replication.md");
        for (kind, name) in KINDS.iter().enumerate() {
            assert!(page.contains(&format!("| {kind} | `{name}` |")), "{name}");
        }
        for mutant in crate::Mutant::ALL {
            assert!(page.contains(&format!("`{mutant}`")), "{mutant}");
        }
        let mut tests = 0;
        for row in page.lines().filter(|row| row.starts_with("| I")) {
            let Some((_, guards)) = row.trim_end_matches(" |").rsplit_once(" | ") else { panic!("{row}") };
            for (file, name) in guards.split("; ").filter_map(|guard| guard.split_once(": ")) {
                let (file, name) = (file.trim_matches('`'), name.trim_matches('`'));
                let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
                let is_elsewhere = file.starts_with("crates/");
                let path = if is_elsewhere { root.join("../..").join(file) } else { root.join("src").join(file) };
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                assert!(text.contains(&format!("fn {name}(")), "{}: {name}", path.display());
                tests += 1;
            }
        }
        assert_eq!(tests, 14);
    }

    #[test]
    fn a_newer_kind_is_told_apart_from_nonsense() {
        let mut bytes = Message { instance: 1, gc_floor: Stamp::ZERO, body: Body::Hello }.encode();
        bytes[1] = 99;
        assert_eq!(Message::decode(&bytes), Err(DecodeError::Kind(99)));
        bytes[0] = 2;
        assert_eq!(Message::decode(&bytes), Err(DecodeError::Version(2)));
        assert_eq!(Message::decode(&[]), Err(DecodeError::Truncated));
    }

    #[test]
    fn a_message_up_to_the_limit_is_read_and_a_longer_one_is_not() {
        // A field of an unknown tag fills the message up; its length takes three bytes.
        let filled = |bytes: usize| {
            let mut writer = Writer::default();
            let hello = Message { instance: 1, gc_floor: Stamp::ZERO, body: Body::Hello }.encode();
            writer.raw(&hello);
            writer.field(99, &vec![0; bytes - hello.len() - 4]);
            let bytes_written = writer.into_bytes();
            assert_eq!(bytes_written.len(), bytes);
            bytes_written
        };
        assert!(Message::decode(&filled(limits::MESSAGE_BYTES_MAX)).is_ok());
        assert_eq!(Message::decode(&filled(limits::MESSAGE_BYTES_MAX + 1)), Err(DecodeError::TooLarge));
        assert_eq!(Message::decode(&filled(limits::MESSAGE_BYTES_MAX + 2)), Err(DecodeError::TooLarge));
    }
}
