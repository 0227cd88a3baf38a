//! A change of a flag: who makes it and why, how sure it is to be, and its receipt.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde::{Deserialize, Serialize, Serializer};
use tidegate_engine::document::{DefinitionError, PercentError, parse_time, read_definition};
use tidegate_engine::{Diagnostic, FlagKey, FlagKeyError, Micros, Share};
use tidegate_mesh::AddressStatus;
use tidegate_replica::limits::TEXT_BYTES_MAX;
use tidegate_replica::{Expected, Level, NodeId, Outranked, Stamp, WriteError};
use tokio::sync::oneshot;

use super::inbox::Refused;
use super::percentage::{InvalidPercentage, Percentage};
use super::request::{Done, Names, Request};
use super::target::{Effect, Target};
use super::value::{self, ChangeKind};
use super::{DriverHandle, to_timeout};
use crate::registry::Registry;

/// A change that is about to be made; by [`Tidegate::activate`](crate::Tidegate::activate) and its like. Nothing
/// happens before it is sent.
///
/// ```
/// use tidegate::{Level, Live, Tidegate};
///
/// let tide = Tidegate::builder().live(Live::in_memory()).without_locks().connect()?;
/// let receipt = tide.activate("blog_post_comments").actor("dana").reason("ready").ack(Level::Local).send()?;
/// assert!(receipt.is_reached);
/// assert!(tide.is_active("blog_post_comments"), "seen here before `send` returns");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use = "a change does nothing until it is sent"]
pub struct Change {
    /// Taken out when the change is sent.
    pub(super) driver: Option<Arc<DriverHandle>>,
    pub(super) flag: FlagKey,
    pub(super) operation: Operation,
    pub(super) target: Target,
    pub(super) actor: Arc<str>,
    pub(super) reason: Arc<str>,
    pub(super) until: Option<Micros>,
    pub(super) level: Level,
    pub(super) timeout: Duration,
    pub(super) expected: Expected,
    pub(super) if_match: Option<FlagTags>,
    pub(super) if_none_match: Option<FlagTags>,
}

/// What a change does to its flag.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    /// Sets the activation.
    Activate(Percentage),
    /// Removes the activation.
    Clear,
    /// Defines the flag.
    Define(Entry),
    /// Removes the definition.
    Remove,
    /// Writes a register of a backup again.
    Restore { kind: ChangeKind, value: Option<Arc<[u8]>> },
}

/// The entry that defines a flag.
#[derive(Clone, Debug)]
pub(crate) enum Entry {
    /// As the caller gave it.
    Text(String),
    /// The value of its register, which every node can read. The driver is given no other.
    Checked(Arc<[u8]>),
}

/// Tags of a flag: what [`FlagRecord::tag`](super::FlagRecord::tag) returned, for [`Change::if_match`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum FlagTags {
    /// Any, if the register that the change writes has a value.
    Any,
    /// One of these.
    OneOf(Vec<String>),
}

impl Change {
    pub(crate) fn new(driver: Option<Arc<DriverHandle>>, flag_key: &str, operation: Operation) -> Self {
        Self::for_flag(driver, FlagKey::parse(flag_key), operation)
    }

    pub(super) fn for_flag(driver: Option<Arc<DriverHandle>>, flag: FlagKey, operation: Operation) -> Self {
        Self {
            driver,
            flag,
            operation,
            target: Target::default(),
            actor: Arc::default(),
            reason: Arc::default(),
            until: None,
            level: Level::default(),
            timeout: ACK_TIMEOUT,
            expected: Expected::Anything,
            if_match: None,
            if_none_match: None,
        }
    }

    /// Who makes the change, for the history; at most 1,024 bytes. Default: nobody in particular.
    pub fn actor(mut self, actor: impl Into<String>) -> Self {
        self.actor = actor.into().into();
        self
    }

    /// Why it is made, for the history; at most 1,024 bytes. Default: nothing.
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = reason.into().into();
        self
    }

    /// A activation is in force while now is before this; then the flag returns to its ramp, and one that nobody defines to
    /// its default. Default: until it is cleared. On other changes it has no effect.
    pub fn until(mut self, until: Micros) -> Self {
        self.until = Some(until);
        self
    }

    /// An activation is set only for a flag that this node knows: a document, a definition, another activation or a default of
    /// this program names it. So a misspelt name is an error, [`ChangeError::UnknownFlag`], and not a new flag. On other
    /// changes it has no effect. Default: a flag that is not known becomes the boolean flag `false`/`true`, as in
    /// Rollout, and the receipt says so ([`Receipt::is_created`]).
    ///
    /// ```
    /// use tidegate::{ChangeError, Live, Tidegate};
    ///
    /// let tide = Tidegate::builder()
    ///     .text(r#"{"features": {"new_login": {"stable": false, "new": true}}}"#)
    ///     .live(Live::in_memory())
    ///     .without_locks()
    ///     .connect()?;
    /// let typo = tide.deactivate("features/new_logn").existing().send();
    /// assert!(matches!(typo, Err(ChangeError::UnknownFlag { meant: Some(_), .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn existing(mut self) -> Self {
        self.target = Target::Existing;
        self
    }

    /// An activation is set for a flag that other nodes know by their documents, whether or not this one does. Where no
    /// definition of it is loaded, each caller has its own default, and not a guessed boolean. On other changes it has no
    /// effect. Default: see [`Change::existing`].
    pub fn elsewhere(mut self) -> Self {
        self.target = Target::Elsewhere;
        self
    }

    /// How many nodes must have the change on their disks before it is acknowledged. Default: a majority of the
    /// cluster's members, which survives the loss of any minority of the disks.
    pub fn ack(mut self, level: Level) -> Self {
        self.level = level;
        self
    }

    /// How long to wait for that, at most a minute. Default: 500 ms, many times what a healthy cluster takes, and short
    /// enough for whoever has a finger on a kill switch. When it is over, the change stands all the same, and the
    /// receipt says so.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Makes the change only if this is what stands there, on this node: the stamp that was seen, or none for "no such
    /// register was ever there". Another node may have written meanwhile; then the later one of the two counts.
    /// Default: whatever stands there is replaced.
    pub fn if_stamp(mut self, stamp: Option<Stamp>) -> Self {
        self.expected = stamp.map_or(Expected::Nothing, Expected::Stamp);
        self
    }

    /// Makes the change only if the flag has one of these tags on this node. The driver checks it in the same step in which it
    /// makes the change, so that no other change comes in between. Default: no condition.
    ///
    /// ```
    /// use tidegate::{ChangeError, FlagTags, Live, Tidegate};
    ///
    /// let tide = Tidegate::builder().live(Live::in_memory()).without_locks().connect()?;
    /// let seen = tide.cluster().expect("it was given a `Live`").flag("x")?.tag();
    /// tide.activate("x").if_match(FlagTags::OneOf(vec![seen.clone()])).send()?;
    /// let late = tide.deactivate("x").if_match(FlagTags::OneOf(vec![seen])).send();
    /// assert!(matches!(late, Err(ChangeError::NoMatch { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn if_match(mut self, tags: FlagTags) -> Self {
        self.if_match = Some(tags);
        self
    }

    /// Makes the change only if the flag has none of these tags on this node; with [`FlagTags::Any`], only if the register has
    /// no value yet. Default: no condition.
    pub fn if_none_match(mut self, tags: FlagTags) -> Self {
        self.if_none_match = Some(tags);
        self
    }

    /// Makes the change, and waits until it is acknowledged or the time is over. Reads on this node see it before this
    /// returns. It blocks the thread; in an async program use [`Change::send_async`].
    ///
    /// # Errors
    /// Nothing was changed; see [`ChangeError`]. That too few nodes have answered is no error: see [`Receipt::is_reached`].
    pub fn send(self) -> Result<Receipt, ChangeError> {
        let (about, (sender, receiver)) = (self.about(), mpsc::sync_channel(1));
        self.begin(move |answer| {
            let _ = sender.send(answer);
        })?;
        about.receipt(receiver.recv().unwrap_or(Err(ChangeError::Stopped)))
    }

    /// The same for an async program, in any runtime. If the future is dropped after its first poll, the change is made all
    /// the same.
    ///
    /// # Errors
    /// See [`Change::send`].
    pub async fn send_async(self) -> Result<Receipt, ChangeError> {
        let (about, (sender, receiver)) = (self.about(), oneshot::channel());
        self.begin(move |answer| {
            let _ = sender.send(answer);
        })?;
        about.receipt(receiver.await.unwrap_or(Err(ChangeError::Stopped)))
    }

    fn about(&self) -> About {
        About { flag: self.flag.clone(), registry: self.driver.as_ref().map(|driver| Arc::clone(&driver.registry)) }
    }

    /// Hands the change to the driver, which makes it and answers with all that the receipt needs.
    fn begin(mut self, reply: impl FnOnce(Result<Done, ChangeError>) + Send + 'static) -> Result<(), ChangeError> {
        let driver = self.driver.take().ok_or(ChangeError::NotLive)?;
        self.check(driver.now())?;
        self.timeout = to_timeout(self.timeout);
        driver.inbox.request(Request::Change(Box::new(self), Box::new(reply))).map_err(ChangeError::from)
    }

    /// Checks all that can be checked without the driver, and makes the value of a definition.
    fn check(&mut self, now: Micros) -> Result<(), ChangeError> {
        self.flag.check().map_err(|problem| ChangeError::Name { problem })?;
        for (what, text) in [("actor", &self.actor), ("reason", &self.reason)] {
            if text.len() > TEXT_BYTES_MAX {
                return Err(ChangeError::TextTooLong { what, bytes: text.len() });
            }
        }
        match &self.operation {
            Operation::Activate(percentage) => {
                share_of(percentage)?;
                if let Some(until) = self.until.filter(|until| *until <= now) {
                    return Err(ChangeError::Past { until, now });
                }
                if let Some(until) = self.until.filter(|until| parse_time(&until.to_string()) != Ok(*until)) {
                    return Err(ChangeError::Never { until });
                }
            }
            Operation::Define(Entry::Text(entry)) => {
                let (definition, _) = read_definition(&self.flag, entry)?;
                let value = value::write_definition(&self.flag, &definition.entry).map_err(|_| ChangeError::Entry)?;
                self.operation = Operation::Define(Entry::Checked(value));
            }
            Operation::Clear | Operation::Remove | Operation::Define(Entry::Checked(_)) | Operation::Restore { .. } => {
            }
        }
        Ok(())
    }
}

impl Operation {
    /// The register that it writes.
    pub(super) fn kind(&self) -> ChangeKind {
        match self {
            Self::Activate(_) | Self::Clear => ChangeKind::Activation,
            Self::Define(_) | Self::Remove => ChangeKind::Definition,
            Self::Restore { kind, .. } => *kind,
        }
    }
}

fn suggested(meant: Option<&FlagKey>) -> String {
    meant.map_or(String::new(), |meant| format!("; did you mean `{meant}`?"))
}

fn unless_known(has_documents: bool) -> &'static str {
    if has_documents { "" } else { ", and it has no document loaded, so that it cannot know the flags of documents" }
}

pub(super) fn share_of(percentage: &Percentage) -> Result<Share, ChangeError> {
    percentage.share().map_err(|InvalidPercentage { text, problem }| ChangeError::Percentage { text, problem })
}

/// What is needed besides the driver's answer to say what became of a change.
struct About {
    flag: FlagKey,
    registry: Option<Arc<Registry>>,
}

impl About {
    fn receipt(self, answer: Result<Done, ChangeError>) -> Result<Receipt, ChangeError> {
        match answer {
            Err(ChangeError::UnknownFlag { flag, has_documents, .. }) => {
                let meant = self.registry.and_then(|registry| registry.board().load().snapshot.nearest(&flag));
                Err(ChangeError::UnknownFlag { flag, meant, has_documents })
            }
            answer => Receipt::from_answer(self.flag, answer),
        }
    }
}

/// A change that stands: from now on it is part of what the cluster agrees on.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Receipt {
    /// The flag.
    #[serde(serialize_with = "display")]
    pub flag: FlagKey,
    /// When and by which node it was made; of two changes the one with the greater stamp counts. Pass it on to read on
    /// another node what was written on this one: [`Cluster::wait`](super::Cluster::wait).
    #[serde(serialize_with = "display")]
    pub stamp: Stamp,
    /// The same instant for people.
    pub at: Micros,
    /// The level that was asked for.
    #[serde(rename = "ack", serialize_with = "display")]
    pub level: Level,
    /// The nodes on which another change of the flag counts for more, so that this one is not active there and will not be:
    /// see [`OutrankedBy`]. While there is one, no level is reached.
    pub outranked: Vec<OutrankedBy>,
    /// Whether it was reached in time. If not, the change stands all the same, on the nodes in `durable_on` at least,
    /// and comes to the others when they can be reached; it is lost only with the disks that have it.
    #[serde(rename = "reached")]
    pub is_reached: bool,
    /// The members that have it on their disks.
    pub durable_on: Vec<NodeName>,
    /// The members that had not said so.
    pub pending: Vec<NodeName>,
    /// Where the level was not reached: the configured addresses at which no node is connected, and why.
    pub unreached: Vec<UnreachedPeer>,
    /// What the change did on this node.
    pub effect: Effect,
    /// Whether it made a bare boolean flag that this node did not know.
    #[serde(rename = "created")]
    pub is_created: bool,
}

impl Receipt {
    pub(super) fn from_answer(flag: FlagKey, answer: Result<Done, ChangeError>) -> Result<Self, ChangeError> {
        let Done { written, names, effect, is_created, unreached } = answer?;
        let named = |nodes: &[NodeId]| nodes.iter().map(|node| NodeName::new(*node, &names)).collect();
        Ok(Self {
            flag,
            stamp: written.stamp,
            at: instant_of(written.stamp),
            level: written.level,
            is_reached: written.is_reached,
            durable_on: named(&written.durable_on),
            pending: named(&written.pending),
            outranked: written.outranked.iter().map(|loss| OutrankedBy::new(loss, &names)).collect(),
            unreached,
            effect: effect.unwrap_or(Effect { from: None, to: None }),
            is_created,
        })
    }
}

/// A configured address at which no node is connected.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct UnreachedPeer {
    /// `host:port`.
    pub address: String,
    /// Why, and what to do.
    pub problem: String,
}

impl UnreachedPeer {
    pub(super) fn from_address(address: &AddressStatus) -> Option<Self> {
        let is_missing = address.is_configured && !address.is_connected;
        let problem = address.cause.as_ref().map_or_else(|| "not connected yet".to_owned(), ToString::to_string);
        is_missing.then(|| Self { address: address.address.clone(), problem })
    }
}

/// A node on which another change of the flag counts for more than the one that was made.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct OutrankedBy {
    /// The node that says so.
    pub on: NodeName,
    /// The stamp of the change that counts for more.
    #[serde(serialize_with = "display")]
    pub stamp: Stamp,
    /// The node that made it.
    pub by: NodeName,
    /// Whether it is in quarantine there, and counts only when its time has come. A change that is made again supersedes it.
    #[serde(rename = "quarantined")]
    pub is_quarantined: bool,
}

impl OutrankedBy {
    fn new(loss: &Outranked, names: &Names) -> Self {
        Self {
            on: NodeName::new(loss.node, names),
            stamp: loss.by,
            by: NodeName::new(loss.by.node(), names),
            is_quarantined: loss.is_quarantined,
        }
    }
}

/// A node, and what people call it.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[non_exhaustive]
pub struct NodeName {
    /// Which node.
    #[serde(rename = "id", with = "super::status::text")]
    pub node: NodeId,
    /// Its name; empty where nobody knows it.
    #[serde(default, with = "super::status::text::name")]
    pub name: String,
}

impl NodeName {
    pub(super) fn new(node: NodeId, names: &std::collections::BTreeMap<NodeId, String>) -> Self {
        Self { node, name: names.get(&node).cloned().unwrap_or_default() }
    }
}

/// Why a change was not made. Nothing has changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// The instance takes no live changes. The program's fault: see [`Builder::live`](crate::Builder::live).
    #[error("this instance takes no live changes; give its builder a `Live`")]
    NotLive,
    /// The flag key names no flag. The caller's fault.
    #[error("the flag cannot be named so: {problem}")]
    Name {
        /// What is wrong.
        problem: FlagKeyError,
    },
    /// This node knows no such flag, and the change was to be made only to one that it knows. The caller's fault, unless
    /// the flag is known to other nodes by their documents: then see [`Change::elsewhere`].
    #[error("this node knows no flag `{flag}`{}{}", unless_known(*.has_documents), suggested(.meant.as_ref()))]
    UnknownFlag {
        /// The flag.
        flag: FlagKey,
        /// A flag with a similar name, which was probably meant.
        meant: Option<FlagKey>,
        /// Whether any document is loaded here. If none is, this node cannot know which flags documents define.
        has_documents: bool,
    },
    /// There is no activation to clear. The flag follows its ramp already.
    #[error("`{flag}` has no activation on this node, so that there is nothing to clear")]
    NoActivation {
        /// The flag.
        flag: FlagKey,
    },
    /// There is no definition to remove: none was made by a live change, and no document of this node defines the flag.
    #[error("`{flag}` has no definition on this node, so that there is nothing to remove")]
    NoDefinition {
        /// The flag.
        flag: FlagKey,
    },
    /// The flag has none of the tags that [`Change::if_match`] names: somebody has changed it since it was read. Read it again.
    #[error("`{flag}` has changed since it was read")]
    NoMatch {
        /// The flag.
        flag: FlagKey,
    },
    /// The flag has one of the tags that [`Change::if_none_match`] excludes: the register is there already.
    #[error("`{flag}` is there already")]
    Match {
        /// The flag.
        flag: FlagKey,
    },
    /// No change of this flag is in quarantine on this node.
    #[error("no change of `{flag}` is in quarantine on this node")]
    NotQuarantined {
        /// The flag.
        flag: FlagKey,
    },
    /// An activation and a definition of this flag are both in quarantine. The caller's fault: the kind has to be said.
    #[error("an activation and a definition of `{flag}` are in quarantine; say which of the two is meant")]
    QuarantinedTwice {
        /// The flag.
        flag: FlagKey,
    },
    /// The percentage is none. The caller's fault.
    #[error("the percentage `{text}` {problem}; {}", problem.help())]
    Percentage {
        /// As it was given.
        text: String,
        /// What is wrong.
        problem: PercentError,
    },
    /// The end of the activation is past. The caller's fault, or this host's clock is wrong.
    #[error("`until` is {until}, which is past: it is {now} here; name a later instant, or clear the activation")]
    Past {
        /// The end.
        until: Micros,
        /// This host's clock.
        now: Micros,
    },
    /// The end of the activation lies beyond the year 9999, which no text can say. The caller's fault.
    #[error("`until` lies beyond the year 9999; leave it out")]
    Never {
        /// The end.
        until: Micros,
    },
    /// Actor or reason is too long. The caller's fault.
    #[error("the {what} has {bytes} bytes, more than the limit of {TEXT_BYTES_MAX}; shorten it")]
    TextTooLong {
        /// Which of the two.
        what: &'static str,
        /// How long it is.
        bytes: usize,
    },
    /// A document with this entry would be refused; the diagnostics say why. The caller's fault.
    #[error("the definition is refused: {}", crate::first_error::first_error(.0))]
    Definition(Vec<Diagnostic>),
    /// The text is not one entry and nothing else. The caller's fault.
    #[error("a definition is the entry of one flag, such as `{{\"stable\": false, \"new\": true}}`")]
    Entry,
    /// A lease counts from the last word of a document's source. The caller's fault.
    #[error("`lease` is for flags of documents; leave it out")]
    Lease,
    /// A document defines the flag already. Change it there, or take it out there first. Its activation can be set here.
    #[error("`{flag}` is defined by the document {source_name}; change it there, or set its activation")]
    DefinedByDocument {
        /// The flag.
        flag: FlagKey,
        /// Where the document comes from.
        source_name: String,
    },
    /// The cluster does not take it; the reason says what to do.
    #[error(transparent)]
    Refused(#[from] WriteError),
    /// The disk takes nothing at the moment: it is full, read-only, or another program holds the database. Make room; it goes on
    /// by itself then.
    #[error("changes cannot be kept: {message}")]
    Disk {
        /// What is wrong with it.
        message: String,
    },
    /// Too many changes wait, or the disk is behind. Try again.
    #[error("too many changes wait; try again")]
    Busy,
    /// The instance is ending, or its thread has ended by a fault of ours, which the status tells. Start again.
    #[error("live changes have ended in this process; start it again")]
    Stopped,
}

impl From<DefinitionError> for ChangeError {
    fn from(error: DefinitionError) -> Self {
        match error {
            DefinitionError::Refused(diagnostics) => Self::Definition(diagnostics),
            DefinitionError::Lease => Self::Lease,
            _ => Self::Entry,
        }
    }
}

impl From<Refused> for ChangeError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Busy => Self::Busy,
            Refused::Gone => Self::Stopped,
        }
    }
}

/// The instant in a stamp. It is in milliseconds of 48 bits, so it fits.
pub(super) fn instant_of(stamp: Stamp) -> Micros {
    Micros::new(i64::try_from(stamp.millis()).unwrap_or(i64::MAX).saturating_mul(1_000))
}

pub(super) fn display<S: Serializer>(value: &impl std::fmt::Display, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// How long an acknowledgement is waited for, unless told otherwise.
const ACK_TIMEOUT: Duration = Duration::from_millis(500);
