//! What a process has for its followers: a snapshot of all, and a stream of changes.
//!
//! Lines of the stream are made once, whatever the number of followers, and lie in one ring that all readers share: a follower
//! that reads slowly costs nothing more, and one that the ring has left behind is told so and takes a snapshot. The bytes of a
//! snapshot are made once, too, and serve until documents change or the ring no longer leads from it to the present.

mod ring;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Read as _, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use tidegate_engine::Micros;
use tidegate_replica::{NodeId, Register, Stamp};
use tokio::sync::watch;

use super::limits::{ALIVE_PERIOD, EVENT_BYTES_MAX, EVENT_REGISTERS_MAX, HOPS_MAX, SNAPSHOT_AGE_MAX};
use super::mirror::Mirror;
use super::wire::{DocumentJson, Hop, Line, Position, RegisterJson, SnapshotJson, parse_id};
use crate::random::{between, random};
use crate::registry::{LoadedDocument, Registry};
use ring::Ring;

/// What a process has for its followers; made by [`Tidegate::feed`](crate::Tidegate::feed), for the server of the same version.
#[derive(Clone)]
pub struct Feed {
    shared: Arc<Shared>,
}

struct Shared {
    instance: u64,
    name: String,
    registry: Arc<Registry>,
    state: Mutex<State>,
    /// Wakes readers: the number of the last line.
    last: watch::Sender<u64>,
    /// Held by the one that makes the bytes of a snapshot.
    making: Mutex<()>,
}

struct State {
    /// Whether there is something to send.
    is_ready: bool,
    cluster: String,
    floor: Stamp,
    nodes: BTreeMap<NodeId, String>,
    mirror: Mirror,
    documents: Vec<LoadedDocument>,
    /// The last successful poll of each document's source.
    polled: Vec<Option<Micros>>,
    /// From the members to this process, itself included.
    path: Vec<Hop>,
    /// How old everything is, and when that was said; none for a member.
    age: Option<(Duration, Instant)>,
    ring: Ring,
    /// The number of the line since which the documents are as they are.
    documents_since: u64,
    snapshot: Option<FeedSnapshot>,
}

/// What has changed in a process that has followers.
#[derive(Debug, Default)]
pub(crate) struct Update {
    pub(crate) registers: Vec<Register>,
    /// Keys that are gone: their tombstones were collected.
    pub(crate) gone: Vec<Arc<[u8]>>,
    pub(crate) nodes: BTreeMap<NodeId, String>,
}

/// All that a process has, as the body of an answer.
#[derive(Clone)]
pub struct FeedSnapshot {
    /// Names the content, and nothing else.
    pub digest: String,
    /// Compressed with gzip.
    pub body: Arc<[u8]>,
    seq: u64,
    documents_since: u64,
    /// By the clock that also says how old documents are.
    made: Micros,
}

/// Why a follower gets no stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum FeedRefusal {
    /// This process has what it has from the one that asks.
    Loop,
    /// There are too many processes between the members and this one.
    TooDeep,
    /// It has nothing yet.
    NotReady,
    /// The ring does not lead from what the follower has to the present.
    SnapshotNeeded,
}

/// The lines of one follower, as they come.
#[derive(Debug)]
pub struct FeedReader {
    feed: Feed,
    last: watch::Receiver<u64>,
    /// The number of the last line that was handed out.
    seq: u64,
    has_begun: bool,
    is_ended: bool,
    next_alive: tokio::time::Instant,
    /// From there to the one after it.
    pause: Duration,
}

impl Feed {
    pub(crate) fn new(name: String, cluster: String, registry: Arc<Registry>) -> Self {
        let instance = random();
        let path = vec![Hop { id: format!("{instance:016x}"), name: name.clone() }];
        let mirror = Mirror::default();
        let state = State {
            is_ready: false,
            cluster,
            floor: Stamp::ZERO,
            nodes: BTreeMap::new(),
            ring: Ring::new(mirror.digest()),
            mirror,
            documents: Vec::new(),
            polled: Vec::new(),
            path,
            age: None,
            documents_since: 0,
            snapshot: None,
        };
        let (last, _) = watch::channel(0);
        Self {
            shared: Arc::new(Shared {
                instance,
                name,
                registry,
                state: Mutex::new(state),
                last,
                making: Mutex::new(()),
            }),
        }
    }

    /// The id of this process as a server of followers.
    pub(crate) fn instance(&self) -> u64 {
        self.shared.instance
    }

    /// Takes in what has changed in registers. Followers get what is in one update together, up to a limit.
    pub(crate) fn update(&self, update: Update) {
        let mut state = self.state();
        let Update { registers, gone, nodes } = update;
        state.nodes.extend(nodes);
        state.push_gone(self.shared.instance, &gone);
        let mut batch = Batch::default();
        for register in registers {
            if state.mirror.get(&register.key) == Some(&register) {
                continue;
            }
            state.mirror.put(register.clone());
            batch.add(&register, &state.nodes);
            if batch.is_full() {
                state.push_change(self.shared.instance, std::mem::take(&mut batch));
            }
        }
        if !batch.registers.is_empty() {
            state.push_change(self.shared.instance, batch);
        }
        self.wake(state);
    }

    /// The keys that are here and not among these.
    pub(crate) fn keys_besides(&self, keys: &BTreeSet<Arc<[u8]>>) -> Vec<Arc<[u8]>> {
        let state = self.state();
        state.mirror.registers().map(|register| &register.key).filter(|key| !keys.contains(*key)).cloned().collect()
    }

    /// Takes in the documents as they are now. From the first time on there is something to send.
    pub(crate) fn refresh_documents(&self) {
        let documents = self.shared.registry.loaded_documents();
        let ids: Vec<_> = documents.iter().map(|document| document.id.clone()).collect();
        let mut state = self.state();
        state.is_ready = true;
        state.polled = documents.iter().map(LoadedDocument::polled_at).collect();
        if state.mirror.documents() == ids {
            return;
        }
        state.mirror.set_documents(ids);
        state.documents = documents;
        let (seq, digest) = (state.ring.last() + 1, state.mirror.digest());
        state.documents_since = seq;
        state.snapshot = None;
        let line = Line::Documents { position: self.position(seq).to_string() };
        state.ring.push(line.to_bytes(), digest);
        self.wake(state);
    }

    /// Takes note of when the sources of the documents were last polled.
    pub(crate) fn refresh_ages(&self) {
        let documents = self.state().documents.clone();
        // The status of a source may be held while its document is compiled.
        let polled = documents.iter().map(LoadedDocument::polled_at).collect();
        let mut state = self.state();
        if state.documents.len() == documents.len() {
            state.polled = polled;
        }
    }

    pub(crate) fn set_floor(&self, floor: Stamp) {
        self.state().floor = floor;
    }

    pub(crate) fn set_cluster(&self, cluster: &str) {
        let mut state = self.state();
        if state.cluster != cluster {
            cluster.clone_into(&mut state.cluster);
            state.snapshot = None;
        }
    }

    /// This process has what it has by this way, and how old that is.
    pub(crate) fn set_path(&self, above: &[Hop]) {
        let own = Hop { id: format!("{:016x}", self.shared.instance), name: self.shared.name.clone() };
        let path: Vec<Hop> = above.iter().cloned().chain([own]).collect();
        let mut state = self.state();
        if state.path == path {
            return;
        }
        state.path.clone_from(&path);
        let digest = state.mirror.digest();
        state.ring.push(Line::Path { path }.to_bytes(), digest);
        self.wake(state);
    }

    /// Everything was as old as this just now.
    pub(crate) fn set_age(&self, age: Duration) {
        self.state().age = Some((age, Instant::now()));
    }

    /// The snapshot, if its bytes are made already.
    pub fn made_snapshot(&self) -> Option<FeedSnapshot> {
        let now = self.shared.registry.instance().clock().now();
        self.state().usable_snapshot(now)
    }

    /// The snapshot. Making its bytes takes about 100 ms for 10,000 flags; where another thread makes them, this one waits for it.
    ///
    /// # Errors
    /// There is nothing yet.
    pub fn snapshot(&self) -> Result<FeedSnapshot, FeedRefusal> {
        let _making = self.shared.making.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.shared.registry.instance().clock().now();
        let (json, seq, documents_since) = {
            let state = self.state();
            if !state.is_ready {
                return Err(FeedRefusal::NotReady);
            }
            if let Some(snapshot) = state.usable_snapshot(now) {
                return Ok(snapshot);
            }
            let seq = state.ring.last();
            (state.snapshot_json(self.position(seq), now), seq, state.documents_since)
        };
        let text = serde_json::to_vec(&json).unwrap_or_default();
        // In memory: it cannot fail.
        let body = compress(&text).unwrap_or_default().into();
        let snapshot = FeedSnapshot { digest: json.digest, body, seq, documents_since, made: now };
        self.state().snapshot = Some(snapshot.clone());
        Ok(snapshot)
    }

    /// Begins the stream of a follower that has what this position and this digest say.
    ///
    /// # Errors
    /// There is none for it; see [`FeedRefusal`].
    pub fn open(
        &self,
        follower: &str,
        position: Option<&str>,
        digest: Option<&str>,
    ) -> Result<FeedReader, FeedRefusal> {
        let state = self.state();
        state.admit(follower)?;
        let position = position.and_then(|text| text.parse::<Position>().ok());
        let position = position.filter(|position| position.instance == self.shared.instance);
        let digest = digest.ok_or(FeedRefusal::SnapshotNeeded)?;
        let seq = state.ring.find(position.map(|position| position.seq), digest).ok_or(FeedRefusal::SnapshotNeeded)?;
        drop(state);
        // Each follower hears at another moment that the server is there, after the first time.
        let phase = between(Duration::ZERO, ALIVE_PERIOD, random());
        Ok(FeedReader {
            feed: self.clone(),
            last: self.shared.last.subscribe(),
            seq,
            has_begun: false,
            is_ended: false,
            // What the stream had for it comes first, and then that this was all.
            next_alive: tokio::time::Instant::now(),
            pause: phase,
        })
    }

    fn position(&self, seq: u64) -> Position {
        Position { instance: self.shared.instance, seq }
    }

    fn wake(&self, state: MutexGuard<'_, State>) {
        let last = state.ring.last();
        drop(state);
        self.shared.last.send_if_modified(|seen| std::mem::replace(seen, last) != last);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push_change(&mut self, instance: u64, batch: Batch) {
        let (seq, digest) = (self.ring.last() + 1, self.mirror.digest());
        let position = Position { instance, seq }.to_string();
        let Batch { registers, nodes, .. } = batch;
        let line = Line::Change { position, digest: digest.clone(), nodes, registers };
        self.ring.push(line.to_bytes(), digest);
    }

    fn push_gone(&mut self, instance: u64, gone: &[Arc<[u8]>]) {
        if gone.is_empty() {
            return;
        }
        let keys: Option<Vec<String>> = gone.iter().map(|key| String::from_utf8(key.to_vec()).ok()).collect();
        for key in gone {
            self.mirror.remove(key);
        }
        let digest = self.mirror.digest();
        let Some(keys) = keys else {
            // Only a newer version writes such keys. No line says them, so followers take a snapshot.
            return self.ring.restart(digest);
        };
        let position = Position { instance, seq: self.ring.last() + 1 }.to_string();
        self.ring.push(Line::Gone { position, digest: digest.clone(), keys }.to_bytes(), digest);
    }

    /// The snapshot, if a follower that takes it gets from it to the present by the stream.
    fn usable_snapshot(&self, now: Micros) -> Option<FeedSnapshot> {
        let snapshot = self.snapshot.as_ref()?;
        let is_usable = snapshot.documents_since == self.documents_since
            && (snapshot.made <= now && now.since(snapshot.made) < SNAPSHOT_AGE_MAX)
            && self.ring.leads_on_from(snapshot.seq);
        is_usable.then(|| snapshot.clone())
    }

    fn snapshot_json(&self, position: Position, now: Micros) -> SnapshotJson {
        let documents = self.documents.iter().zip(&self.polled).map(|(document, polled)| DocumentJson {
            source: document.id.source.clone(),
            default_lease_us: document.id.default_lease_us,
            signature: document.id.signature.clone(),
            age_ms: age_ms(*polled, now),
            text: String::from_utf8_lossy(&document.text).into_owned(),
        });
        SnapshotJson {
            cluster: self.cluster.clone(),
            position: position.to_string(),
            digest: self.mirror.digest(),
            floor: self.floor.to_string(),
            nodes: self.nodes.iter().map(|(node, name)| (node.to_string(), name.clone())).collect(),
            documents: documents.collect(),
            registers: self.mirror.registers().map(RegisterJson::new).collect(),
        }
    }

    fn admit(&self, follower: &str) -> Result<(), FeedRefusal> {
        if !self.is_ready {
            return Err(FeedRefusal::NotReady);
        }
        if parse_id(follower).is_some() && self.path.iter().any(|hop| hop.id == follower) {
            return Err(FeedRefusal::Loop);
        }
        if self.path.len() >= HOPS_MAX { Err(FeedRefusal::TooDeep) } else { Ok(()) }
    }

    fn alive_line(&self, now: Micros) -> Line {
        let age = self.age.map_or(Duration::ZERO, |(age, said)| age.saturating_add(said.elapsed()));
        Line::Alive {
            digest: self.mirror.digest(),
            age_ms: u64::try_from(age.as_millis()).unwrap_or(u64::MAX),
            documents_age_ms: self.polled.iter().map(|polled| age_ms(*polled, now)).collect(),
        }
    }
}

fn age_ms(polled: Option<Micros>, now: Micros) -> u64 {
    polled.map_or(0, |polled| now.since(polled).get() / 1_000)
}

fn compress(text: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text)?;
    encoder.finish()
}

/// Registers for one line.
#[derive(Default)]
struct Batch {
    registers: Vec<RegisterJson>,
    nodes: BTreeMap<String, String>,
    bytes: usize,
}

impl Batch {
    fn add(&mut self, register: &Register, nodes: &BTreeMap<NodeId, String>) {
        self.bytes += register.key.len() + register.value.as_ref().map_or(0, |value| value.len());
        self.registers.push(RegisterJson::new(register));
        let node = register.stamp.node();
        if let Some(name) = nodes.get(&node) {
            self.nodes.entry(node.to_string()).or_insert_with(|| name.clone());
        }
    }

    fn is_full(&self) -> bool {
        self.registers.len() >= EVENT_REGISTERS_MAX || self.bytes >= EVENT_BYTES_MAX
    }
}

impl FeedReader {
    /// The next line, which may be long in coming; none after the last one.
    pub async fn next(&mut self) -> Option<Arc<[u8]>> {
        loop {
            // Seen before the look, so that what comes after the look wakes.
            self.last.borrow_and_update();
            if let Some(line) = self.ready_line() {
                return Some(line);
            }
            if self.is_ended {
                return None;
            }
            let changed = tokio::time::timeout_at(self.next_alive, self.last.changed()).await;
            match changed {
                Ok(Ok(())) => {}
                // The sender is a part of the feed, which this holds.
                Ok(Err(_)) => self.is_ended = true,
                Err(_) => {
                    if let Some(line) = self.alive() {
                        return Some(line);
                    }
                }
            }
        }
    }

    fn ready_line(&mut self) -> Option<Arc<[u8]>> {
        if self.is_ended {
            return None;
        }
        let state = self.feed.state();
        if !self.has_begun {
            self.has_begun = true;
            return Some(Line::Hello { cluster: state.cluster.clone(), path: state.path.clone() }.to_bytes());
        }
        match state.ring.after(self.seq) {
            ring::Next::None => None,
            ring::Next::Line(line) => {
                self.seq += 1;
                Some(line)
            }
            ring::Next::Lost => {
                self.is_ended = true;
                let reason = "the follower reads too slowly and has missed changes; it takes a snapshot".to_owned();
                Some(Line::End { reason }.to_bytes())
            }
        }
    }

    /// That the server is there; none where a line of what has changed comes first, because the digest is that of what the follower
    /// has.
    fn alive(&mut self) -> Option<Arc<[u8]>> {
        let now = self.feed.shared.registry.instance().clock().now();
        let state = self.feed.state();
        if state.ring.last() != self.seq {
            return None;
        }
        self.next_alive = tokio::time::Instant::now() + std::mem::replace(&mut self.pause, ALIVE_PERIOD);
        Some(state.alive_line(now).to_bytes())
    }

    /// The line that ends a stream for another reason.
    pub fn end(reason: &str) -> Arc<[u8]> {
        Line::End { reason: reason.to_owned() }.to_bytes()
    }
}

impl FeedSnapshot {
    /// The body without compression, for clients that accept none.
    pub fn plain(&self) -> Vec<u8> {
        let mut text = Vec::new();
        // It was compressed here, in memory.
        let _ = GzDecoder::new(&*self.body).read_to_end(&mut text);
        text
    }
}

impl fmt::Debug for Feed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Feed").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for FeedSnapshot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("FeedSnapshot").field("digest", &self.digest).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
