//! The keys on which this process has agreed with others.
//!
//! Two processes that know each other's public key (X25519, RFC 7748) have a secret in common that nobody else can
//! compute. Two keys come out of it (HKDF with SHA-256, RFC 5869), one for each direction. Into each go a word, the
//! cluster, and then node, instance and public key of the sender and of the receiver, so that both get the same. What a
//! process has sent is therefore nothing that it could be sent, and whoever shows the public key of another as his own
//! gets a key that is good for nothing.
//!
//! Public keys come in introductions, which are signed. A process draws its own key when it opens the mesh and keeps it
//! nowhere but in its memory: what was agreed ends with the process.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ring::error::Unspecified;
use ring::hkdf::{HKDF_SHA256, Prk, Salt};
use ring::hmac::{self, HMAC_SHA256};
use ring::rand::{SecureRandom, SystemRandom};
use tidegate_replica::NodeId;
use tidegate_replica::limits::NODES_MAX;
use x25519_dalek::{PublicKey, StaticSecret};

use super::envelope::{KeyId, PUBLIC_BYTES, TAGS_MAX, Tag};

/// A process: its node, and the number of this start of it.
pub(crate) type Process = (NodeId, u64);

/// What was agreed with all others.
pub(super) struct Pairs {
    cluster: [u8; 16],
    own: Party,
    secret: StaticSecret,
    agreed: Mutex<Agreed>,
}

/// What was agreed with one process.
pub(super) struct Pair {
    /// Of what this process sends.
    pub(super) outgoing: Way,
    /// Of what it is sent.
    pub(super) incoming: Way,
    /// When the other's certificate ends, in seconds since 1970.
    pub(super) expires: u64,
    public: Public,
}

/// The key of one direction.
pub(super) struct Way {
    key: hmac::Key,
    /// What the key is called in envelopes. It is no secret.
    pub(super) id: KeyId,
}

/// One of the two.
#[derive(Clone, Copy)]
struct Party {
    process: Process,
    public: Public,
}

type Public = [u8; PUBLIC_BYTES];

#[derive(Default)]
struct Agreed {
    /// With the place of each in the order of agreement.
    pairs: BTreeMap<Process, (u64, Arc<Pair>)>,
    /// Counts agreements.
    clock: u64,
}

impl Pairs {
    /// Draws the key of this process.
    pub(super) fn draw(cluster: [u8; 16], own: Process) -> Result<Self, Unspecified> {
        let mut secret = [0; PUBLIC_BYTES];
        SystemRandom::new().fill(&mut secret)?;
        Ok(Self::new(cluster, own, StaticSecret::from(secret)))
    }

    pub(super) fn new(cluster: [u8; 16], own: Process, secret: StaticSecret) -> Self {
        let own = Party { process: own, public: PublicKey::from(&secret).to_bytes() };
        Self { cluster, own, secret, agreed: Mutex::default() }
    }

    /// What others have to know to agree with this process.
    pub(super) fn public(&self) -> &Public {
        &self.own.public
    }

    /// Agrees with a process whose public key this is, in place of what was agreed with it before. False if with this key
    /// everybody would know what was agreed, because it lies in one of the few small subgroups of the curve.
    pub(super) fn agree(&self, process: Process, public: Public, expires: u64) -> bool {
        let is_agreed = |pair: Arc<Pair>| pair.public == public && pair.expires == expires;
        if self.with(process).is_some_and(is_agreed) {
            return true;
        }
        let shared = self.secret.diffie_hellman(&PublicKey::from(public));
        if !shared.was_contributory() {
            return false;
        }
        let other = Party { process, public };
        let secret = Salt::new(HKDF_SHA256, CONTEXT).extract(shared.as_bytes());
        let way = |from, to| Way::derive(&secret, &self.cluster, from, to);
        let (Ok(outgoing), Ok(incoming)) = (way(self.own, other), way(other, self.own)) else { return false };
        self.lock().insert(process, Pair { outgoing, incoming, expires, public });
        true
    }

    /// What was agreed with one process.
    pub(super) fn with(&self, process: Process) -> Option<Arc<Pair>> {
        self.lock().pairs.get(&process).map(|(_, pair)| Arc::clone(pair))
    }

    /// What was agreed with these; none unless it was with each of them, and they are few enough for one envelope.
    pub(super) fn with_all<'p>(&self, processes: impl Iterator<Item = &'p Process>) -> Option<Vec<Arc<Pair>>> {
        let agreed = self.lock();
        let mut pairs = Vec::new();
        for process in processes {
            let (_, pair) = agreed.pairs.get(process).filter(|_| pairs.len() < TAGS_MAX)?;
            pairs.push(Arc::clone(pair));
        }
        Some(pairs)
    }

    /// The process has gone.
    pub(super) fn forget(&self, process: Process) {
        self.lock().pairs.remove(&process);
    }

    fn lock(&self) -> MutexGuard<'_, Agreed> {
        self.agreed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Way {
    fn derive(secret: &Prk, cluster: &[u8; 16], from: Party, to: Party) -> Result<Self, Unspecified> {
        let key = hmac::Key::from(secret.expand(&[cluster, &from.bytes(), &to.bytes()], HMAC_SHA256)?);
        let mut id = KeyId::default();
        // Shorter than what is tagged, so that no tag says anything about it.
        id.copy_from_slice(&hmac::sign(&key, ID_CONTEXT).as_ref()[..size_of::<KeyId>()]);
        Ok(Self { key, id })
    }

    pub(super) fn tag(&self, digest: &[u8]) -> Tag {
        let mut tag = Tag::default();
        tag.copy_from_slice(&hmac::sign(&self.key, digest).as_ref()[..size_of::<Tag>()]);
        tag
    }
}

impl Party {
    fn bytes(&self) -> [u8; 16 + PUBLIC_BYTES] {
        let mut bytes = [0; 16 + PUBLIC_BYTES];
        bytes[..8].copy_from_slice(&self.process.0.get().to_be_bytes());
        bytes[8..16].copy_from_slice(&self.process.1.to_be_bytes());
        bytes[16..].copy_from_slice(&self.public);
        bytes
    }
}

impl Agreed {
    fn insert(&mut self, process: Process, pair: Pair) {
        if !self.pairs.contains_key(&process) {
            self.make_room(process.0);
        }
        self.clock += 1;
        self.pairs.insert(process, (self.clock, Arc::new(pair)));
    }

    /// Forgets the oldest where there are too many: first of the same node, so that one that starts without end does it
    /// to no other.
    fn make_room(&mut self, node: NodeId) {
        let of_node = || self.pairs.range((node, 0)..=(node, u64::MAX));
        let oldest = if of_node().count() >= PROCESSES_MAX {
            of_node().min_by_key(|(_, (order, _))| *order)
        } else if self.pairs.len() >= PAIRS_MAX {
            self.pairs.iter().min_by_key(|(_, (order, _))| *order)
        } else {
            None
        };
        if let Some(oldest) = oldest.map(|(process, _)| *process) {
            self.pairs.remove(&oldest);
        }
    }
}

impl fmt::Debug for Pairs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Pairs").field("agreed", &self.lock().pairs.len()).finish_non_exhaustive()
    }
}

const CONTEXT: &[u8] = b"tidegate key of a pair\0";
const ID_CONTEXT: &[u8] = b"tidegate key id\0";

/// Processes of one node: it and a copy of it, and those of which nobody has noticed yet that they have gone.
const PROCESSES_MAX: usize = 8;

/// Processes of all nodes: more than a cluster has, several times over.
const PAIRS_MAX: usize = 4 * NODES_MAX;

#[cfg(test)]
mod tests;
