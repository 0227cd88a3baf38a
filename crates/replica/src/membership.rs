//! The membership: the nodes with a disk, among which a majority is counted.
//!
//! It is kept in registers. Each member writes one about itself when it first starts, and again when its name or its address has
//! changed. An operator overwrites it to forget the member.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::codec::{Fields, Writer};
use crate::{Member, NodeId, Register};

/// All nodes that were ever members.
#[derive(Clone, Debug, Default)]
pub(crate) struct Membership {
    members: BTreeMap<NodeId, Member>,
}

impl Membership {
    /// Takes note of a register, if it is about a member.
    pub(crate) fn note(&mut self, register: &Register) {
        let Some(node) = node_of(&register.key) else { return };
        let value = register.value.as_deref().unwrap_or_default();
        let (mut name, mut address, mut is_forgotten) = (String::new(), None, register.is_tombstone());
        for field in Fields::new(value).flatten() {
            match field.tag {
                TAG_NAME => name = String::from_utf8_lossy(field.content).into_owned(),
                TAG_FORGOTTEN => is_forgotten = true,
                TAG_ADDRESS => address = Some(String::from_utf8_lossy(field.content).into_owned()),
                _ => {}
            }
        }
        self.members.insert(node, Member { node, name, address, since: register.stamp, is_forgotten });
    }

    /// The members that were not forgotten.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values().filter(|member| !member.is_forgotten)
    }

    /// All that were ever members.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    pub(crate) fn get(&self, node: NodeId) -> Option<&Member> {
        self.members.get(&node)
    }

    pub(crate) fn is_member(&self, node: NodeId) -> bool {
        self.get(node).is_some_and(|member| !member.is_forgotten)
    }

    /// How many make a majority.
    pub(crate) fn majority(&self) -> usize {
        self.members().count() / 2 + 1
    }
}

/// The key of a member's register.
pub(crate) fn key(node: NodeId) -> Arc<[u8]> {
    let mut key = vec![0, b'n'];
    key.extend_from_slice(&node.get().to_be_bytes());
    key.into()
}

/// The entry of a member.
pub(crate) fn member(name: &str, address: Option<&str>) -> Arc<[u8]> {
    let mut writer = Writer::default();
    writer.field(TAG_NAME, name.as_bytes());
    if let Some(address) = address {
        writer.field(TAG_ADDRESS, address.as_bytes());
    }
    writer.into_bytes().into()
}

/// The entry of a forgotten member.
pub(crate) fn forgotten(name: &str) -> Arc<[u8]> {
    let mut writer = Writer::default();
    writer.field(TAG_NAME, name.as_bytes());
    writer.field(TAG_FORGOTTEN, &[]);
    writer.into_bytes().into()
}

/// Which member a register of this key is about, if any.
pub(crate) fn node_of(key: &[u8]) -> Option<NodeId> {
    let number = key.strip_prefix(&[0, b'n'])?;
    number.try_into().ok().map(|bytes| NodeId::new(u64::from_be_bytes(bytes)))
}

const TAG_NAME: u8 = 1;
const TAG_FORGOTTEN: u8 = 2;
const TAG_ADDRESS: u8 = 3;
