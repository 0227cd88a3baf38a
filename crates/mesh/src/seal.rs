//! The envelope around every message, which says from whom it is and shows that it is.
//!
//! Links are encrypted, but whoever holds one could speak under any key. So every message shows its node, and is bound to
//! where it goes and to a number that no other message of that process has: it can neither be changed, nor sent elsewhere,
//! nor played a second time. The certificate is not in it, only its fingerprint, because it would be larger than most
//! messages; a node introduces itself with it once to each other, and again when asked.
//!
//! Introductions are signed. With them each two processes agree on a key (`pairs`), and from then on a message carries a
//! tag for each process that is to hear it, which takes a microsecond and not the thirty of a signature. Where one of them
//! has no key yet, and where they are too many, the message is signed.

mod envelope;
mod pairs;
mod refused;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ring::digest::{SHA256, digest};
use ring::error::Unspecified;
use rustls::sign::Signer;
use subtle::{Choice, ConstantTimeEq};
use tidegate_replica::NodeId;

use crate::options::Security;
use crate::trust::{Distrust, Known, Trust};

use envelope::{
    ENVELOPE_BYTES_MAX, Fingerprint, HEADER_BYTES, KeyId, Kind, MAGIC, PROOF_BYTES_MAX, PUBLIC_BYTES, Parts, Proof,
    SIGNED, TAGGED, Tag, VERSION, fingerprint, signed, tagged,
};
use pairs::{Pair, Pairs};
use window::Windows;

pub(crate) use pairs::Process;
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
    fingerprint: Fingerprint,
    pairs: Arc<Pairs>,
}

/// Opens envelopes, on any thread.
pub(crate) struct Opener {
    cluster: [u8; 16],
    own: Process,
    members: Option<Members>,
    state: Mutex<State>,
}

/// How others are known.
#[derive(Debug)]
struct Members {
    trust: Arc<Trust>,
    pairs: Arc<Pairs>,
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
    /// A message. `wants_key` if it was signed and there is no key yet for what that process sends to this one.
    Payload { from: NodeId, payload: Vec<u8>, wants_key: bool },
    /// A node has introduced itself, and wants to know who this one is.
    Asked { from: NodeId },
    /// A node has introduced itself.
    Introduced,
}

/// Both ends for one node. Fails if the system gives no random bytes.
pub(crate) fn of(
    cluster: &str,
    node: NodeId,
    instance: u64,
    security: &Security,
) -> Result<(Sealer, Opener), Unspecified> {
    let mut name = [0; 16];
    name.copy_from_slice(&digest(&SHA256, cluster.as_bytes()).as_ref()[..16]);
    let own = (node, instance);
    let (credentials, members) = match security.identity() {
        None => (None, None),
        Some(identity) => {
            let pairs = Arc::new(Pairs::draw(name, own)?);
            let certificate = identity.certificate().to_vec();
            let fingerprint = fingerprint(&certificate);
            // A key that cannot sign is refused when the identity is read.
            let credentials = identity.signer().map(|signer| {
                let pairs = Arc::clone(&pairs);
                Credentials { signer, certificate, fingerprint, pairs }
            });
            (credentials, Some(Members { trust: Arc::clone(identity.trust()), pairs }))
        }
    };
    let sealer = Sealer { sender: Sender { cluster: name, node, instance }, number: 0, credentials };
    let opener = Opener { cluster: name, own, members, state: Mutex::default() };
    Ok((sealer, opener))
}

impl Sealer {
    /// Around a message, for those who show signs of life; none if it cannot be signed.
    pub(crate) fn seal(&mut self, to: Destination, payload: &[u8], alive: &BTreeSet<Process>) -> Option<Vec<u8>> {
        let recipients = self.recipients(to, alive);
        if recipients.is_empty() {
            return self.sign(Kind::Payload, to, payload);
        }
        Some(self.tag(to, payload, &recipients))
    }

    /// By which certificate this node is known, and by which key this process; none without certificates.
    pub(crate) fn introduce(&mut self, to: NodeId) -> Option<Vec<u8>> {
        self.tell(Kind::Introduction, to)
    }

    /// The same, and a wish to know who the other is. A bare question could not be opened by a node that knows as little.
    pub(crate) fn ask(&mut self, to: NodeId) -> Option<Vec<u8>> {
        self.tell(Kind::Question, to)
    }

    fn tell(&mut self, kind: Kind, to: NodeId) -> Option<Vec<u8>> {
        let credentials = self.credentials.as_ref()?;
        let content = [credentials.pairs.public(), credentials.certificate.as_slice()].concat();
        self.sign(kind, Destination::Node(to), &content)
    }

    /// For whom it is tagged: all who are to hear it, each process of a node by itself. None, and then it is signed, if
    /// there is one without a key among them, because a message is lost on whoever finds no tag for himself.
    fn recipients(&self, to: Destination, alive: &BTreeSet<Process>) -> Vec<Arc<Pair>> {
        let Some(Credentials { pairs, .. }) = &self.credentials else { return Vec::new() };
        let recipients = match to {
            Destination::All => pairs.with_all(alive.iter()),
            Destination::Node(node) => pairs.with_all(alive.range((node, 0)..=(node, u64::MAX))),
        };
        recipients.unwrap_or_default()
    }

    fn tag(&mut self, to: Destination, payload: &[u8], recipients: &[Arc<Pair>]) -> Vec<u8> {
        let mut bytes = self.begin(Kind::Payload, TAGGED, payload.len());
        // Never more than `TAGS_MAX`; and one for nobody is opened by nobody.
        bytes.push(u8::try_from(recipients.len()).unwrap_or_default());
        bytes.extend(recipients.iter().flat_map(|pair| pair.outgoing.id));
        bytes.extend(payload);
        let digest = tagged(to, &bytes);
        bytes.extend(recipients.iter().flat_map(|pair| pair.outgoing.tag(digest.as_ref())));
        bytes
    }

    /// Without certificates there is nothing to sign with.
    fn sign(&mut self, kind: Kind, to: Destination, content: &[u8]) -> Option<Vec<u8>> {
        let flag = if self.credentials.is_some() { SIGNED } else { 0 };
        let mut bytes = self.begin(kind, flag, content.len());
        bytes.extend(content);
        if let Some(credentials) = &self.credentials {
            let signature = credentials.signer.sign(&signed(to, &bytes)).ok()?;
            bytes.extend(&signature);
            bytes.push(u8::try_from(signature.len()).ok()?);
        }
        Some(bytes)
    }

    /// The header of the next envelope, with room for the rest.
    fn begin(&mut self, kind: Kind, flag: u8, content_bytes: usize) -> Vec<u8> {
        let Sender { cluster, node, instance } = self.sender;
        self.number += 1;
        let mut bytes = Vec::with_capacity(HEADER_BYTES + content_bytes + PROOF_BYTES_MAX);
        bytes.extend(MAGIC);
        bytes.push(VERSION);
        bytes.push(kind as u8 | flag);
        bytes.extend(cluster);
        bytes.extend(node.get().to_be_bytes());
        bytes.extend(instance.to_be_bytes());
        bytes.extend(self.number.to_be_bytes());
        bytes.extend(self.credentials.as_ref().map(|credentials| credentials.fingerprint).unwrap_or_default());
        bytes
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
        self.members.is_some()
    }

    /// A process has gone, and what was agreed with it is of no more use.
    pub(crate) fn forget(&self, process: Process) {
        if let Some(Members { pairs, .. }) = &self.members {
            pairs.forget(process);
        }
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
        let process = (parts.node, parts.instance);
        if process == self.own {
            return Err(Refused::Own);
        }
        let expires = match (&self.members, parts.proof) {
            (None, Proof::None) if parts.kind == Kind::Payload => u64::MAX,
            (None, _) | (_, Proof::None) => return Err(Refused::Unsigned),
            (Some(members), Proof::Signature(signature)) => {
                self.check_signature(members, &parts, signature, to, now)?
            }
            (Some(members), Proof::Tags { ids, tags }) => members.check_tags(&parts, ids, tags, to, now)?,
        };
        if !self.lock().windows.admit(process, parts.number) {
            return Err(Refused::Replayed);
        }
        if let (Some(members), Kind::Introduction | Kind::Question) = (&self.members, parts.kind) {
            let (public, _) = split_introduction(parts.content)?;
            // Only now: one that is played again would bring back a process that has gone.
            if !members.pairs.agree(process, *public, expires) {
                return Err(Refused::WeakKey { from: parts.node });
            }
        }
        Ok(match parts.kind {
            Kind::Payload => {
                // What is tagged was opened with the key that there is.
                let wants_key = matches!(parts.proof, Proof::Signature(_))
                    && self.members.as_ref().is_some_and(|members| members.pairs.with(process).is_none());
                Opened::Payload { from: parts.node, payload: parts.content.to_vec(), wants_key }
            }
            Kind::Introduction => Opened::Introduced,
            Kind::Question => Opened::Asked { from: parts.node },
        })
    }

    /// Until when the certificate is good of the node that has signed this.
    fn check_signature(
        &self,
        members: &Members,
        parts: &Parts<'_>,
        signature: &[u8],
        to: Destination,
        now: u64,
    ) -> Result<u64, Refused> {
        let from = parts.node;
        let known = self.lock().known.get(&parts.fingerprint).cloned();
        let (known, is_new) = match known {
            Some(known) => (known, false),
            None if parts.kind == Kind::Payload => return Err(Refused::UnknownCertificate { from }),
            None => {
                let (_, certificate) = split_introduction(parts.content)?;
                let known = members
                    .trust
                    .verify(certificate, now)
                    .map_err(|distrust| Refused::Distrusted { from, distrust })?;
                (Arc::new(known), true)
            }
        };
        if known.node != from || (is_new && fingerprint(known.certificate()) != parts.fingerprint) {
            return Err(Refused::OtherNode { from });
        }
        if known.expires <= now {
            return Err(Refused::Distrusted { from, distrust: Distrust::Expired });
        }
        if !known.has_signed(&signed(to, parts.covered), signature) {
            return Err(Refused::Signature { from });
        }
        let expires = known.expires;
        if is_new {
            let known_before = &mut self.lock().known;
            // Only an authority that issues without end comes here; all of them introduce themselves again.
            if known_before.len() >= KNOWN_MAX {
                known_before.clear();
            }
            known_before.insert(parts.fingerprint, known);
        }
        Ok(expires)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Members {
    /// Until when the certificate is good of the node whose process has tagged this.
    fn check_tags(
        &self,
        parts: &Parts<'_>,
        ids: &[KeyId],
        tags: &[Tag],
        to: Destination,
        now: u64,
    ) -> Result<u64, Refused> {
        let from = parts.node;
        let pair = self.pairs.with((from, parts.instance)).ok_or(Refused::UnknownKey { from })?;
        if pair.expires <= now {
            return Err(Refused::Distrusted { from, distrust: Distrust::Expired });
        }
        // Two keys may have one id.
        let mut own = ids.iter().zip(tags).filter(|(id, _)| **id == pair.incoming.id).map(|(_, tag)| tag).peekable();
        if own.peek().is_none() {
            return Err(Refused::UnknownKey { from });
        }
        let expected = pair.incoming.tag(tagged(to, parts.covered).as_ref());
        // In the same time wherever they differ, or whoever measures it could find the tag byte by byte.
        let fits = own.fold(Choice::from(0), |fits, tag| fits | tag.ct_eq(&expected));
        if bool::from(fits) { Ok(pair.expires) } else { Err(Refused::Signature { from }) }
    }
}

/// The public key of a process, and the certificate of its node.
fn split_introduction(content: &[u8]) -> Result<(&[u8; PUBLIC_BYTES], &[u8]), Refused> {
    content.split_first_chunk().ok_or(Refused::Malformed)
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
