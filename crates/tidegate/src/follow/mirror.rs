//! All that one process has for its followers, and its digest.
//!
//! Invariant: two mirrors with equal digests hold the same documents and the same registers. The digest follows each change
//! at a cost that does not depend on how much there is.

use std::collections::BTreeMap;
use std::sync::Arc;

use tidegate_replica::Register;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::registry::DocumentId;

/// Documents and registers, with their digest.
#[derive(Debug, Default)]
pub(crate) struct Mirror {
    registers: BTreeMap<Arc<[u8]>, Register>,
    /// The digests of all registers, combined so that their order does not matter.
    sum: u128,
    documents: Vec<DocumentId>,
}

impl Mirror {
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Register> {
        self.registers.get(key)
    }

    pub(crate) fn registers(&self) -> impl Iterator<Item = &Register> {
        self.registers.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.registers.len()
    }

    pub(crate) fn documents(&self) -> &[DocumentId] {
        &self.documents
    }

    pub(crate) fn set_documents(&mut self, documents: Vec<DocumentId>) {
        self.documents = documents;
    }

    /// Takes this register in place of the one with its key; whether that is another one.
    pub(crate) fn put(&mut self, register: Register) -> bool {
        let key = Arc::clone(&register.key);
        let before = self.registers.get(&key);
        if before == Some(&register) {
            return false;
        }
        self.sum ^= before.map_or(0, digest_of) ^ digest_of(&register);
        self.registers.insert(key, register);
        true
    }

    pub(crate) fn remove(&mut self, key: &[u8]) {
        if let Some(register) = self.registers.remove(key) {
            self.sum ^= digest_of(&register);
        }
    }

    /// A number of all that it holds, as 32 hexadecimal digits.
    pub(crate) fn digest(&self) -> String {
        let mut hash = Xxh3::new();
        hash.update(&self.sum.to_le_bytes());
        for document in &self.documents {
            let lease = document.default_lease_us.unwrap_or(u64::MAX);
            let signature = document.signature.as_deref().unwrap_or_default();
            for text in [&document.source, signature] {
                hash.update(&(text.len() as u64).to_le_bytes());
                hash.update(text.as_bytes());
            }
            hash.update(&document.digest.to_le_bytes());
            hash.update(&lease.to_le_bytes());
        }
        format!("{:032x}", hash.digest128())
    }
}

fn digest_of(register: &Register) -> u128 {
    xxh3_128(&register.encode())
}

#[cfg(test)]
mod tests {
    use tidegate_replica::{NodeId, Stamp};

    use super::*;

    fn register(key: &str, millis: u64) -> Register {
        Register {
            key: key.as_bytes().into(),
            stamp: Stamp::new(0, millis, 0, NodeId::new(1)),
            value: Some(Arc::from(&b"{}"[..])),
            replaces: None,
            supersedes: None,
            actor: "".into(),
            reason: "".into(),
            extra: Arc::from([]),
        }
    }

    #[test]
    fn the_digest_is_that_of_the_content_whatever_the_order() {
        let (mut one, mut other) = (Mirror::default(), Mirror::default());
        assert_eq!(one.digest(), other.digest());
        for key in ["a", "b", "c"] {
            one.put(register(key, 1));
        }
        for key in ["c", "a", "gone", "b"] {
            other.put(register(key, 7));
        }
        assert_ne!(one.digest(), other.digest());
        other.remove(b"gone");
        for key in ["b", "c", "a"] {
            assert!(other.put(register(key, 1)));
            assert!(!other.put(register(key, 1)), "it is there already");
        }
        assert_eq!(one.digest(), other.digest());
        let id =
            |source: &str| DocumentId { source: source.into(), digest: 1, default_lease_us: None, signature: None };
        one.set_documents(vec![id("x"), id("y")]);
        other.set_documents(vec![id("y"), id("x")]);
        assert_ne!(one.digest(), other.digest(), "the order of documents decides between them");
        other.set_documents(vec![DocumentId { default_lease_us: Some(5), ..id("x") }, id("y")]);
        assert_ne!(one.digest(), other.digest());
    }
}
