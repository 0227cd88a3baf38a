//! The envelope around every message, which says from whom it is and shows that it is.
//!
//! Links are encrypted, but whoever holds one could speak under any key. So every message is signed by its node, together
//! with where it goes, and carries a number that no other message of that process has: it can neither be changed, nor sent
//! elsewhere, nor played a second time. The certificate is not in it, only its fingerprint, because it would be larger than
//! most messages; a node introduces itself with it once to each other, and again when asked.

mod envelope;
mod refused;
mod window;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ring::digest::{SHA256, digest};
use rustls::sign::Signer;
use tidegate_replica::NodeId;

use crate::options::Security;
use crate::trust::{Distrust, Known, Trust};

use envelope::{
    ENVELOPE_BYTES_MAX, Fingerprint, HEADER_BYTES, Kind, MAGIC, Parts, SIGNATURE_BYTES_MAX, SIGNED, VERSION,
    fingerprint, signed,
};
use window::Windows;

pub(crate) use refused::Refused;

/// Where a message goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Destination {
    All,
    Node(NodeId),
}

/// Closes envelopes.
pub(crate) struct Sealer {
    sender: Sender,
    number: u64,
    credentials: Option<Credentials>,
}

/// Who sends.
#[derive(Clone, Copy, Debug)]
struct Sender {
    cluster: [u8; 16],
    node: NodeId,
    instance: u64,
}

struct Credentials {
    signer: Box<dyn Signer>,
    certificate: Vec<u8>,
}

/// Opens envelopes, on any thread.
pub(crate) struct Opener {
    cluster: [u8; 16],
    own: (NodeId, u64),
    trust: Option<Arc<Trust>>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    known: BTreeMap<Fingerprint, Arc<Known>>,
    windows: Windows,
    /// How many envelopes were not opened, by the word for what was wrong with them.
    refused: BTreeMap<&'static str, u64>,
}

/// What was in an envelope.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Opened {
    /// A message.
    Payload { from: NodeId, payload: Vec<u8> },
    /// A node has introduced itself, and wants to know who this one is.
    Asked { from: NodeId },
    /// A node has introduced itself.
    Introduced,
}

/// Both ends for one node.
pub(crate) fn of(cluster: &str, node: NodeId, instance: u64, security: &Security) -> (Sealer, Opener) {
    let mut name = [0; 16];
    name.copy_from_slice(&digest(&SHA256, cluster.as_bytes()).as_ref()[..16]);
    let identity = security.identity();
    // A key that cannot sign is refused when the identity is read.
    let credentials = identity.and_then(|identity| {
        Some(Credentials { signer: identity.signer()?, certificate: identity.certificate().to_vec() })
    });
    let trust = identity.map(|identity| Arc::clone(identity.trust()));
    let sealer = Sealer { sender: Sender { cluster: name, node, instance }, number: 0, credentials };
    let opener = Opener { cluster: name, own: (node, instance), trust, state: Mutex::default() };
    (sealer, opener)
}

impl Sealer {
    /// Around a message; none if it cannot be signed.
    pub(crate) fn seal(&mut self, to: Destination, payload: &[u8]) -> Option<Vec<u8>> {
        self.close(Kind::Payload, to, payload)
    }

    /// By which certificate this node is known; none without certificates.
    pub(crate) fn introduce(&mut self, to: NodeId) -> Option<Vec<u8>> {
        let certificate = self.credentials.as_ref()?.certificate.clone();
        self.close(Kind::Introduction, Destination::Node(to), &certificate)
    }

    /// The same, and a wish to know who the other is. A bare question could not be opened by a node that knows as little.
    pub(crate) fn ask(&mut self, to: NodeId) -> Option<Vec<u8>> {
        let certificate = self.credentials.as_ref()?.certificate.clone();
        self.close(Kind::Question, Destination::Node(to), &certificate)
    }

    fn close(&mut self, kind: Kind, to: Destination, content: &[u8]) -> Option<Vec<u8>> {
        let Sender { cluster, node, instance } = self.sender;
        self.number += 1;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + content.len() + SIGNATURE_BYTES_MAX + 1);
        bytes.extend(MAGIC);
        bytes.push(VERSION);
        bytes.push(kind as u8 | if self.credentials.is_some() { SIGNED } else { 0 });
        bytes.extend(cluster);
        bytes.extend(node.get().to_be_bytes());
        bytes.extend(instance.to_be_bytes());
        bytes.extend(self.number.to_be_bytes());
        let Some(credentials) = &self.credentials else {
            bytes.extend(Fingerprint::default());
            bytes.extend(content);
            return Some(bytes);
        };
        bytes.extend(fingerprint(&credentials.certificate));
        bytes.extend(content);
        let signature = credentials.signer.sign(&signed(to, &bytes)).ok()?;
        bytes.extend(&signature);
        bytes.push(u8::try_from(signature.len()).ok()?);
        Some(bytes)
    }
}

impl Opener {
    /// Opens an envelope that came to this destination, at this time in seconds since 1970.
    pub(crate) fn open(&self, bytes: &[u8], to: Destination, now: u64) -> Result<Opened, Refused> {
        let opened = self.examine(bytes, to, now);
        if let Err(refused) = &opened {
            *self.lock().refused.entry(refused.word()).or_default() += 1;
        }
        opened
    }

    /// How many envelopes were not opened, by what was wrong with them.
    pub(crate) fn refused(&self) -> BTreeMap<&'static str, u64> {
        self.lock().refused.clone()
    }

    pub(crate) fn knows_certificates(&self) -> bool {
        self.trust.is_some()
    }

    fn examine(&self, bytes: &[u8], to: Destination, now: u64) -> Result<Opened, Refused> {
        // Before anything is computed over it.
        if bytes.len() > ENVELOPE_BYTES_MAX {
            return Err(Refused::Oversized);
        }
        let parts = Parts::of(bytes)?;
        if parts.cluster != self.cluster {
            return Err(Refused::OtherCluster);
        }
        if (parts.node, parts.instance) == self.own {
            return Err(Refused::Own);
        }
        match &self.trust {
            None if parts.is_signed || parts.kind != Kind::Payload => return Err(Refused::Unsigned),
            Some(_) if !parts.is_signed => return Err(Refused::Unsigned),
            None => {}
            Some(trust) => self.check_signature(trust, &parts, to, now)?,
        }
        if !self.lock().windows.admit((parts.node, parts.instance), parts.number) {
            return Err(Refused::Replayed);
        }
        Ok(match parts.kind {
            Kind::Payload => Opened::Payload { from: parts.node, payload: parts.content.to_vec() },
            Kind::Introduction => Opened::Introduced,
            Kind::Question => Opened::Asked { from: parts.node },
        })
    }

    fn check_signature(&self, trust: &Trust, parts: &Parts<'_>, to: Destination, now: u64) -> Result<(), Refused> {
        let from = parts.node;
        let known = self.lock().known.get(&parts.fingerprint).cloned();
        let (known, is_new) = match known {
            Some(known) => (known, false),
            None if parts.kind == Kind::Payload => return Err(Refused::UnknownCertificate { from }),
            None => {
                let known =
                    trust.verify(parts.content, now).map_err(|distrust| Refused::Distrusted { from, distrust })?;
                (Arc::new(known), true)
            }
        };
        if known.node != from || (is_new && fingerprint(known.certificate()) != parts.fingerprint) {
            return Err(Refused::OtherNode { from });
        }
        if known.expires <= now {
            return Err(Refused::Distrusted { from, distrust: Distrust::Expired });
        }
        if !known.has_signed(&signed(to, parts.signed), parts.signature) {
            return Err(Refused::Signature { from });
        }
        if is_new {
            let known_before = &mut self.lock().known;
            // Only an authority that issues without end comes here; all of them introduce themselves again.
            if known_before.len() >= KNOWN_MAX {
                known_before.clear();
            }
            known_before.insert(parts.fingerprint, known);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Sealer")
            .field("sender", &self.sender)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Opener")
            .field("own", &self.own)
            .field("refused", &self.refused())
            .finish_non_exhaustive()
    }
}

/// Certificates that are remembered: more than a cluster has nodes, several times over.
const KNOWN_MAX: usize = 4 * tidegate_replica::limits::NODES_MAX;

#[cfg(test)]
mod tests;
