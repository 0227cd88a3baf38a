//! What a follower has: what its server has, and what it knows better.
//!
//! The mirror is what the server has said, no more and no less, so that digests can be compared. A follower that changes its
//! server may know registers that the new one has not received yet; those stay active for a while, by the rule of LWW registers,
//! so that a kill switch is not undone by a server that lags. Invariant: of each key the register is active that ranks highest of
//! the two.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use tidegate_replica::{NodeId, Register, Stamp};

use super::limits::AHEAD_MAX;
use super::mirror::Mirror;
use crate::registry::DocumentId;

/// What a follower has.
#[derive(Debug, Default)]
pub(crate) struct Held {
    mirror: Mirror,
    /// Registers that rank above those of the mirror, and since when they are kept.
    ahead: BTreeMap<Arc<[u8]>, (Register, Instant)>,
    pub(crate) nodes: BTreeMap<NodeId, String>,
    pub(crate) cluster: String,
    pub(crate) floor: Stamp,
}

/// Keys whose active registers have changed.
pub(crate) type Changed = BTreeSet<Arc<[u8]>>;

impl Held {
    /// The active register of a key.
    pub(crate) fn get(&self, key: &[u8]) -> Option<&Register> {
        self.ahead.get(key).map(|(register, _)| register).or_else(|| self.mirror.get(key))
    }

    /// All active registers.
    pub(crate) fn registers(&self) -> impl Iterator<Item = &Register> {
        let below = self.mirror.registers().filter(|register| !self.ahead.contains_key(&register.key));
        self.ahead.values().map(|(register, _)| register).chain(below)
    }

    /// How many registers are newer here than at the server.
    pub(crate) fn ahead(&self) -> usize {
        self.ahead.len()
    }

    pub(crate) fn digest(&self) -> String {
        self.mirror.digest()
    }

    pub(crate) fn documents(&self) -> &[DocumentId] {
        self.mirror.documents()
    }

    pub(crate) fn set_documents(&mut self, documents: Vec<DocumentId>) {
        self.mirror.set_documents(documents);
    }

    /// How many registers the server has.
    pub(crate) fn len(&self) -> usize {
        self.mirror.len()
    }

    /// The server has these registers now.
    pub(crate) fn put(&mut self, registers: Vec<Register>) -> Changed {
        let mut changed = Changed::new();
        for register in registers {
            let key = Arc::clone(&register.key);
            if self.ahead.get(&key).is_some_and(|(ahead, _)| ahead.rank(&register).is_gt()) {
                self.mirror.put(register);
                continue;
            }
            if self.get(&key) != Some(&register) {
                changed.insert(Arc::clone(&key));
            }
            self.ahead.remove(&key);
            self.mirror.put(register);
        }
        changed
    }

    /// The server has these no longer.
    pub(crate) fn remove(&mut self, keys: &[String]) -> Changed {
        let mut changed = Changed::new();
        for key in keys {
            self.mirror.remove(key.as_bytes());
            if !self.ahead.contains_key(key.as_bytes()) {
                changed.insert(Arc::from(key.as_bytes()));
            }
        }
        changed
    }

    /// The server has these registers and no others. Where it is another server than before, of the same cluster, what is newer
    /// here stays active.
    pub(crate) fn replace(
        &mut self,
        snapshot: Vec<Register>,
        floor: Stamp,
        keeps_newer: bool,
        now: Instant,
    ) -> Changed {
        let before: BTreeMap<Arc<[u8]>, Register> =
            self.registers().map(|register| (Arc::clone(&register.key), register.clone())).collect();
        let mut mirror = Mirror::default();
        mirror.set_documents(self.mirror.documents().to_vec());
        for register in snapshot {
            mirror.put(register);
        }
        let mut ahead = BTreeMap::new();
        if keeps_newer {
            for (key, register) in &before {
                let is_newer = match mirror.get(key) {
                    Some(other) => register.rank(other).is_gt(),
                    // Up to its floor, what a server does not have was removed.
                    None => !register.is_tombstone() && register.rank_stamp() > floor,
                };
                if is_newer {
                    let since = self.ahead.get(key).map_or(now, |(_, since)| *since);
                    ahead.insert(Arc::clone(key), (register.clone(), since));
                }
            }
        }
        (self.mirror, self.ahead, self.floor) = (mirror, ahead, floor);
        let gone = before.keys().filter(|key| self.get(key).is_none());
        let mut changed: Changed = gone.cloned().collect();
        let others = self.registers().filter(|register| before.get(&register.key) != Some(*register));
        changed.extend(others.map(|register| Arc::clone(&register.key)));
        changed
    }

    /// Gives up what the server should have had by now.
    pub(crate) fn expire(&mut self, now: Instant) -> Changed {
        let is_over = |since: &Instant| now.saturating_duration_since(*since) >= AHEAD_MAX;
        let over: Changed =
            self.ahead.iter().filter(|(_, (_, since))| is_over(since)).map(|(key, _)| Arc::clone(key)).collect();
        self.ahead.retain(|key, _| !over.contains(key));
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn register(key: &str, millis: u64, value: Option<&str>) -> Register {
        Register {
            key: key.as_bytes().into(),
            stamp: Stamp::new(0, millis, 0, NodeId::new(1)),
            value: value.map(|value| value.as_bytes().into()),
            replaces: None,
            supersedes: None,
            actor: "".into(),
            reason: "".into(),
            extra: Arc::from([]),
        }
    }

    fn value<'h>(held: &'h Held, key: &str) -> Option<&'h [u8]> {
        held.get(key.as_bytes())?.value.as_deref()
    }

    fn keys(changed: &Changed) -> Vec<&str> {
        changed.iter().map(|key| str::from_utf8(key).unwrap()).collect()
    }

    fn floor(millis: u64) -> Stamp {
        Stamp::new(0, millis, 0, NodeId::new(0))
    }

    #[test]
    fn a_server_that_lags_undoes_nothing() {
        let (mut held, now) = (Held::default(), Instant::now());
        held.put(vec![
            register("killed", 20, Some("0")),
            register("made", 21, Some("1")),
            register("old", 5, Some("1")),
        ]);
        let lagging = vec![register("killed", 10, Some("100")), register("raised", 22, Some("7"))];
        let changed = held.replace(lagging, floor(6), true, now);
        assert_eq!(keys(&changed), ["old", "raised"], "what was collected is gone");
        assert_eq!((value(&held, "killed"), value(&held, "made")), (Some(&b"0"[..]), Some(&b"1"[..])));
        assert_eq!(held.ahead(), 2);
        // It receives one of the two, and something newer for the other.
        assert!(held.put(vec![register("killed", 20, Some("0"))]).is_empty());
        assert_eq!(keys(&held.put(vec![register("made", 30, Some("2"))])), ["made"]);
        assert_eq!((held.ahead(), value(&held, "made")), (0, Some(&b"2"[..])));
    }

    #[test]
    fn an_older_register_of_the_stream_is_noted_and_not_active() {
        let (mut held, now) = (Held::default(), Instant::now());
        held.put(vec![register("x", 20, Some("0"))]);
        held.replace(Vec::new(), floor(0), true, now);
        assert!(held.put(vec![register("x", 15, Some("100"))]).is_empty());
        assert_eq!((value(&held, "x"), held.ahead()), (Some(&b"0"[..]), 1));
        let mut server = Mirror::default();
        server.put(register("x", 15, Some("100")));
        assert_eq!(held.digest(), server.digest(), "the digest is that of the server");
        assert!(held.expire(now).is_empty());
        assert_eq!(keys(&held.expire(now + AHEAD_MAX)), ["x"]);
        assert_eq!(value(&held, "x"), Some(&b"100"[..]));
    }

    #[test]
    fn what_the_same_server_says_is_taken_as_it_is() {
        let (mut held, now) = (Held::default(), Instant::now());
        held.put(vec![register("x", 20, Some("0")), register("y", 20, Some("1"))]);
        let changed = held.replace(vec![register("x", 10, Some("100"))], floor(0), false, now);
        assert_eq!(keys(&changed), ["x", "y"]);
        assert_eq!((value(&held, "x"), value(&held, "y"), held.ahead()), (Some(&b"100"[..]), None, 0));
        assert_eq!(keys(&held.remove(&["x".to_owned()])), ["x"]);
        assert_eq!(held.len(), 0);
    }
}
