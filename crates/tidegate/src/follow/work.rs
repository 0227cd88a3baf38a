//! What the thread of a follower does: it connects, takes a snapshot, applies changes, and begins again when the connection is lost.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tidegate_engine::FlagKey;
use tidegate_replica::Register;

use super::Shared;
use super::backoff::Backoff;
use super::disk::{Disk, Kept, read_nodes};
use super::documents::Documents;
use super::feed::{Feed, Update};
use super::held::Changed;
use super::limits::{DOCUMENTS_MAX, HOPS_MAX, LINE_BYTES_MAX, SILENCE_MAX};
use super::wire::{Hop, Line, Position, RegisterJson, SnapshotJson};
use crate::ingest::source::{FetchError, Lines, Tag, Upstream};
use crate::live::{ChangeKind, project};
use crate::random::random;
use crate::read::subscription::Changes;
use crate::{Fetched, Micros};

/// The state of the thread.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) shared: Arc<Shared>,
    pub(super) documents: Documents,
    pub(super) disk: Disk,
    pub(super) servers: Vec<Upstream>,
    /// Which of them is followed.
    pub(super) current: usize,
    pub(super) feed: Option<Feed>,
    /// The id of this process.
    pub(super) id: String,
    pub(super) position: Option<Position>,
    /// The process whose snapshot this one has last taken.
    pub(super) server_id: Option<u64>,
    pub(super) backoff: Backoff,
    pub(super) is_one_shot: bool,
    /// Whether the log knows that there is no connection.
    pub(super) is_loss_told: bool,
}

/// Why a connection ended, or was not made.
#[derive(Debug)]
pub(super) struct Lost {
    message: String,
    retry_after: Option<Duration>,
    /// Only a person can end it: it is an error in the log.
    is_lasting: bool,
}

impl Lost {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), retry_after: None, is_lasting: false }
    }

    fn lasting(message: impl Into<String>) -> Self {
        Self { is_lasting: true, ..Self::new(message) }
    }
}

impl From<FetchError> for Lost {
    fn from(error: FetchError) -> Self {
        let retry_after = error.retry_after();
        match error {
            FetchError::Status { status: LOOP, .. } => Self::lasting(LOOP_MESSAGE),
            FetchError::Status { status: 404 | 405, .. } => {
                Self::lasting("it serves no followers: it is another program, or an older version")
            }
            error => Self { retry_after, ..Self::new(error.to_string()) },
        }
    }
}

impl Work {
    /// Begins with what the disk has.
    pub(super) fn restore(&mut self) {
        let kept = match self.disk.load() {
            Ok(None) => return,
            Ok(Some(kept)) => kept,
            Err(message) => {
                tracing::warn!("what this follower had kept cannot be used: {message}");
                self.shared.report().disk_error = Some(message);
                return;
            }
        };
        let Kept { position, cluster, floor, nodes, documents, registers } = kept;
        let changed = {
            let mut held = self.shared.held();
            (held.cluster, held.nodes, held.floor) = (cluster, nodes, floor.parse().unwrap_or_default());
            held.put(registers)
        };
        // Activations first: a document must not be active for a moment without its kill switches.
        self.activate(&changed);
        let has_documents = self.documents.restore(&documents);
        if has_documents {
            self.shared.held().set_documents(documents);
            self.position = position.and_then(|text| text.parse().ok());
        }
        self.server_id = self.position.map(|position| position.instance);
        self.note_state();
        self.publish_documents();
    }

    /// Follows until it is told to stop, which drops this.
    pub(super) async fn run(&mut self, ready: &mut impl FnMut()) {
        loop {
            let lost = self.follow(ready).await;
            self.note_loss(&lost);
            ready();
            if self.is_one_shot {
                return;
            }
            self.current = (self.current + 1) % self.servers.len().max(1);
            let until = tokio::time::Instant::now() + self.backoff.after(lost.retry_after, random());
            while tokio::time::timeout_at(until, tokio::time::sleep(TICK)).await.is_ok() {
                self.tick();
            }
        }
    }

    /// Does what is due by time.
    fn tick(&mut self) {
        self.documents.tick();
        let over = self.shared.held().expire(Instant::now());
        if !over.is_empty() {
            tracing::warn!(
                "{} changes that came from another server have not come to this one in {} min, and are given up",
                over.len(),
                super::limits::AHEAD_MAX.as_secs() / 60
            );
            self.activate(&over);
        }
        if self.disk.is_due() {
            self.save();
        }
        if let Some(feed) = &self.feed {
            feed.refresh_ages();
        }
    }

    /// Writes what the disk lacks.
    pub(super) fn save_rest(&mut self) {
        if self.disk.is_behind() {
            self.save();
        }
    }

    fn save(&mut self) {
        let position = self.position.map(|position| position.to_string());
        let saved = self.disk.save(&self.shared.held(), position.as_deref());
        let message = saved.err().map(|error| error.to_string());
        let before = std::mem::replace(&mut self.shared.report().disk_error, message.clone());
        if let Some(message) = message.filter(|_| before.is_none()) {
            tracing::warn!("this follower cannot keep what it has: {message}; going on from memory");
        }
    }

    /// One connection, from its beginning to its end.
    async fn follow(&mut self, ready: &mut impl FnMut()) -> Lost {
        if self.is_one_shot {
            return match self.take_once().await {
                Ok(()) => {
                    self.note_connection(true);
                    Lost::new("one answer was all that was wanted")
                }
                Err(lost) => lost,
            };
        }
        let mut lines = match self.connect().await {
            Ok(lines) => lines,
            Err(lost) => return lost,
        };
        let mut heard = Instant::now();
        let mut is_told = false;
        loop {
            let Some(server) = self.servers.get(self.current) else { return Lost::new("there is no server") };
            match server.next(&mut lines, LINE_BYTES_MAX, TICK).await {
                Ok(line) => {
                    heard = Instant::now();
                    if let Err(lost) = self.apply(&line).await {
                        return lost;
                    }
                    if line.starts_with(b"data:") && !std::mem::replace(&mut is_told, true) {
                        self.note_connection(true);
                        ready();
                    }
                }
                Err(FetchError::TimedOut { .. }) if heard.elapsed() < SILENCE_MAX => {}
                Err(FetchError::TimedOut { .. }) => {
                    return Lost::new(format!("it has said nothing for {} s", SILENCE_MAX.as_secs()));
                }
                Err(error) => return error.into(),
            }
            self.tick();
        }
    }

    /// What the server has now, and no more: a snapshot is some seconds old, and the stream leads on from it.
    async fn take_once(&mut self) -> Result<(), Lost> {
        let mut lines = self.connect().await?;
        loop {
            let line = self.server().next(&mut lines, LINE_BYTES_MAX, SILENCE_MAX).await?;
            self.apply(&line).await?;
            if matches!(Line::read(&line), Some(Ok(Line::Alive { .. }))) {
                return Ok(());
            }
        }
    }

    /// The stream, with a snapshot before it where one is needed.
    async fn connect(&mut self) -> Result<Lines, Lost> {
        if !self.shared.report().has_state {
            self.take_snapshot().await?;
        }
        match self.open().await {
            Err(FetchError::Status { status: GONE, .. }) => {
                self.shared.report().lost_positions += 1;
                self.take_snapshot().await?;
                Ok(self.open().await?)
            }
            opened => Ok(opened?),
        }
    }

    async fn open(&mut self) -> Result<Lines, FetchError> {
        let (digest, id) = (self.shared.held().digest(), self.id.clone());
        let position = self.position.map(|position| position.to_string()).unwrap_or_default();
        let mut query = vec![("follower", id.as_str()), ("digest", digest.as_str())];
        if !position.is_empty() {
            query.push(("position", &position));
        }
        self.server().changes(&query).await
    }

    /// Takes all that the server has, unless it is what is here already.
    async fn take_snapshot(&mut self) -> Result<(), Lost> {
        let digest = self.shared.held().digest();
        let has_state = self.shared.report().has_state;
        let tag = has_state.then(|| Tag::from_entity(&digest)).flatten();
        let Fetched::Changed { body, .. } = self.server().snapshot(tag.as_ref()).await?.fetched else {
            return Ok(());
        };
        let json: SnapshotJson = serde_json::from_slice(&body)
            .map_err(|error| Lost::new(format!("its snapshot cannot be read: {error}")))?;
        drop(body);
        self.replace(json)
    }

    fn replace(&mut self, json: SnapshotJson) -> Result<(), Lost> {
        let SnapshotJson { cluster, position, digest, floor, nodes, documents, registers } = json;
        let unreadable = |what: &str| Lost::new(format!("its snapshot cannot be used: {what}"));
        let position: Position = position.parse().map_err(|()| unreadable("it has no position"))?;
        let registers: Vec<Register> = registers
            .into_iter()
            .map(RegisterJson::read)
            .collect::<Option<_>>()
            .ok_or_else(|| unreadable("a change in it is damaged"))?;
        if documents.len() > DOCUMENTS_MAX {
            return Err(unreadable("it has too many documents"));
        }
        let ids = documents.iter().map(super::wire::DocumentJson::id).collect();
        let is_same_server = self.server_id.replace(position.instance) == Some(position.instance);
        let (changed, own) = {
            let mut held = self.shared.held();
            let keeps_newer = !is_same_server && held.cluster == cluster;
            held.cluster = cluster;
            held.nodes = read_nodes(nodes);
            held.set_documents(ids);
            let floor = floor.parse().unwrap_or_default();
            (held.replace(registers, floor, keeps_newer, Instant::now()), held.digest())
        };
        // Activations first: a document must not be active for a moment without its kill switches.
        self.activate(&changed);
        self.documents.replace(documents);
        self.position = Some(position);
        self.disk.note_change();
        self.shared.report().snapshots += 1;
        self.note_state();
        self.publish_documents();
        if own == digest { Ok(()) } else { Err(self.note_difference()) }
    }

    /// Applies one line of the stream.
    async fn apply(&mut self, line: &[u8]) -> Result<(), Lost> {
        let Some(line) = Line::read(line) else { return Ok(()) };
        let line = line.map_err(|error| Lost::new(format!("a line of its stream is damaged: {error}")))?;
        match line {
            Line::Hello { cluster, path } => {
                let is_same = self.shared.held().cluster == cluster;
                self.note_path(path)?;
                if is_same { Ok(()) } else { self.take_snapshot().await }
            }
            Line::Path { path } => self.note_path(path),
            Line::Change { position, digest, nodes, registers } => {
                let Some(position) = self.is_next(&position)? else { return Ok(()) };
                let registers: Option<Vec<Register>> = registers.into_iter().map(RegisterJson::read).collect();
                let registers = registers.ok_or_else(|| Lost::new("a change in its stream is damaged"))?;
                let (changed, own) = {
                    let mut held = self.shared.held();
                    held.nodes.extend(read_nodes(nodes));
                    (held.put(registers), held.digest())
                };
                self.note_applied(position, &changed);
                self.compare(&own, &digest)
            }
            Line::Gone { position, digest, keys } => {
                let Some(position) = self.is_next(&position)? else { return Ok(()) };
                let (changed, own) = {
                    let mut held = self.shared.held();
                    (held.remove(&keys), held.digest())
                };
                self.note_applied(position, &changed);
                self.compare(&own, &digest)
            }
            Line::Documents { position } => match self.is_next(&position)? {
                None => Ok(()),
                Some(_) => self.take_snapshot().await,
            },
            Line::Alive { digest, age_ms, documents_age_ms } => {
                self.documents.hear(&documents_age_ms);
                self.note_heard(Duration::from_millis(age_ms));
                let own = self.shared.held().digest();
                self.compare(&own, &digest)?;
                self.backoff.reset();
                Ok(())
            }
            Line::End { reason } => Err(Lost::new(reason)),
            Line::Unknown => Ok(()),
        }
    }

    /// The position of a line; none if what it says is here already.
    fn is_next(&self, position: &str) -> Result<Option<Position>, Lost> {
        let position: Position = position.parse().map_err(|()| Lost::new("a line of its stream has no position"))?;
        match self.position {
            Some(before) if before.instance == position.instance => Ok((position.seq > before.seq).then_some(position)),
            // The first line of a process whose digest was equal.
            _ => Ok(Some(position)),
        }
    }

    fn note_applied(&mut self, position: Position, changed: &Changed) {
        self.position = Some(position);
        self.activate(changed);
        self.disk.note_change();
        let mut report = self.shared.report();
        report.changes += 1;
        report.position = Some(position.to_string());
        report.heard = Some((Duration::ZERO, Instant::now()));
    }

    /// Compares what is here with what the server has.
    fn compare(&mut self, own: &str, other: &str) -> Result<(), Lost> {
        if own != other {
            return Err(self.note_difference());
        }
        self.shared.report().is_equal = Some(true);
        Ok(())
    }

    fn note_difference(&mut self) -> Lost {
        let mut report = self.shared.report();
        report.is_equal = Some(false);
        report.differences += 1;
        drop(report);
        // No position leads on from here. A digest may: that from before the change that was lost.
        self.position = None;
        Lost::new("what it has differs from what this process has, so that a change was lost; a snapshot is taken")
    }

    /// Makes what has changed active, all at once, and hands it on to the followers of this process.
    fn activate(&mut self, changed: &Changed) {
        let mut live_changes = Vec::new();
        let mut told = Changes::default();
        let mut update = Update::default();
        {
            let held = self.shared.held();
            for key in changed {
                let register = held.get(key);
                match register {
                    Some(register) => update.registers.push(register.clone()),
                    None => update.gone.push(Arc::clone(key)),
                }
                // A newer version may know more kinds of keys.
                let Some((kind, flag)) = ChangeKind::from_key(key) else { continue };
                match project(kind, &flag, register.and_then(|register| register.value.as_deref())) {
                    Ok(change) => live_changes.push(change),
                    Err(error) => note_inapplicable(&flag, &error.to_string()),
                }
                match kind {
                    ChangeKind::Activation => told.activations = true,
                    ChangeKind::Definition => told.definitions = true,
                }
            }
            update.nodes.clone_from(&held.nodes);
        }
        if !live_changes.is_empty() {
            told.flags = self.shared.registry.apply(live_changes);
            self.shared.registry.instance().notifier.notify(told);
        }
        if let Some(feed) = &self.feed {
            feed.update(update);
        }
    }

    /// What is here can be answered from, and handed on.
    fn note_state(&self) {
        let mut report = self.shared.report();
        report.has_state = true;
        report.position = self.position.map(|position| position.to_string());
    }

    fn publish_documents(&self) {
        *self.shared.documents() = self.documents.statuses();
        if let Some(feed) = &self.feed {
            let held = self.shared.held();
            feed.set_cluster(&held.cluster);
            feed.set_floor(held.floor);
            drop(held);
            feed.refresh_documents();
        }
    }

    fn note_heard(&self, age: Duration) {
        self.shared.report().heard = Some((age, Instant::now()));
        if let Some(feed) = &self.feed {
            feed.set_age(age);
        }
    }

    /// Whether this process is on the way from the members to its server, so that each of the two would wait for the other.
    fn note_path(&self, path: Vec<Hop>) -> Result<(), Lost> {
        if path.iter().any(|hop| hop.id == self.id) {
            return Err(Lost::lasting(LOOP_MESSAGE));
        }
        if path.len() > HOPS_MAX {
            return Err(Lost::lasting(
                "there are too many processes between it and the members; follow one that is nearer to them",
            ));
        }
        if let Some(feed) = &self.feed {
            feed.set_path(&path);
        }
        self.shared.report().path = path;
        Ok(())
    }

    fn note_connection(&mut self, is_connected: bool) {
        let (name, now) = (self.server().name().to_owned(), self.now());
        let mut report = self.shared.report();
        (report.is_connected, report.since, report.last_error) = (is_connected, now, None);
        report.server.clone_from(&name);
        report.heard = Some((Duration::ZERO, Instant::now()));
        drop(report);
        self.is_loss_told = false;
        let (registers, documents) = (self.shared.held().len(), self.shared.documents().len());
        if !self.is_one_shot {
            tracing::info!(
                "following {name}, which has {documents} documents and {registers} registers of live changes"
            );
        }
    }

    fn note_loss(&mut self, lost: &Lost) {
        let is_answered = self.is_one_shot && self.shared.report().is_connected;
        if is_answered {
            return;
        }
        let (name, now) = (self.server().name().to_owned(), self.now());
        let message = format!("{name}: {}", lost.message);
        self.documents.note_unreachable(&message);
        let mut report = self.shared.report();
        if report.is_connected {
            (report.is_connected, report.since) = (false, now);
        }
        report.server.clone_from(&name);
        report.last_error = Some(message);
        drop(report);
        if std::mem::replace(&mut self.is_loss_told, true) {
            return;
        }
        let why = &lost.message;
        if lost.is_lasting {
            tracing::error!("cannot follow {name}: {why}");
        } else {
            tracing::warn!("not following {name}: {why}; reads are answered from what is here, and it is tried again");
        }
    }

    fn server(&mut self) -> &mut Upstream {
        let count = self.servers.len();
        // There is one at least: the builder checks it.
        &mut self.servers[self.current % count]
    }

    fn now(&self) -> Micros {
        self.shared.registry.instance().clock().now()
    }
}

fn note_inapplicable(flag: &FlagKey, error: &str) {
    tracing::warn!("a change of `{flag}` cannot be activated here: {error}");
}

/// Between two looks at what is due by time.
const TICK: Duration = Duration::from_millis(500);

/// The status of an answer to a follower that needs a snapshot.
const GONE: u16 = 410;

/// The status of an answer to a follower from which the server has what it has.
const LOOP: u16 = 508;

const LOOP_MESSAGE: &str = "it has what it has from this process; let one of the two follow a member instead";
