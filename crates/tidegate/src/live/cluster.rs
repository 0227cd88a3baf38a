//! What there is to know and to do about the cluster, apart from flags.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use tidegate_engine::FlagKey;
use tidegate_replica::{NodeId, Replica, Stamp};

use super::change_error::ChangeError;
use super::driver_handle::{DriverHandle, to_timeout};
use super::driver_view::DriverView;
use super::history::{self, HistoryPage, Whose};
use super::inbox::Refused;
use super::names::{Names, NodeName};
use super::receipt::{ClusterReceipt, Done, Forgotten};
use super::record::FlagRecord;
use super::request::{Reply, Request};
use super::status::{self, ClusterStatus};
use super::value::ChangeKind;
use crate::store::StoreError;

/// The cluster as this node sees it; made by [`Tidegate::cluster`](crate::Tidegate::cluster). Its methods ask a thread of
/// this process, which answers in well under a millisecond, and block until it has.
///
/// ```
/// use tidegate::{Live, Tidegate};
///
/// let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
/// tide.activate("x").send()?;
/// let cluster = tide.cluster().expect("it was given a `Live`");
/// assert_eq!(cluster.status()?.node.name, "one");
/// assert_eq!(cluster.history("x", None, 10)?.changes.len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Cluster {
    driver: Arc<DriverHandle>,
}

impl Cluster {
    pub(crate) fn new(driver: Arc<DriverHandle>) -> Self {
        Self { driver }
    }

    /// How this node, its peers and its disk are doing.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// assert!(cluster.status()?.problems.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The thread of live changes has ended by a fault of this library; the error has its word.
    pub fn status(&self) -> Result<ClusterStatus, ClusterError> {
        let driver = Arc::clone(&self.driver);
        self.query(move |view| status::cluster_status(&driver, view))
    }

    /// Whether this node has compared all that it holds with one member since it was started, and has what that one had. Before
    /// that, what it answers may be what was true when it was stopped. True at once where no other node is to be expected.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// assert!(cluster.is_synced());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn is_synced(&self) -> bool {
        self.driver.synced.is_synced()
    }

    /// Why the disk takes nothing at the moment; none while it takes what it is given. It is the `disk` of
    /// [`Cluster::status`], for those who ask before each change: it does not wait.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// assert_eq!(cluster.disk_trouble(), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn disk_trouble(&self) -> Option<String> {
        self.driver.disk.trouble()
    }

    /// What live changes say of a flag on this node.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// assert_eq!(cluster.flag("x")?.flag.to_string(), "flags/x");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The thread of live changes has ended.
    pub fn flag(&self, flag_key: &str) -> Result<FlagRecord, ClusterError> {
        let flag = FlagKey::parse(flag_key);
        let mut record = self.query(move |view| FlagRecord::from_view(flag, view))?;
        record.document = self.driver.registry.source_of(&record.flag);
        Ok(record)
    }

    /// The same of all flags, by documents or live changes, in the order of their keys. Those that were cleared and
    /// removed are among them for a while.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// assert_eq!(cluster.flags()?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The thread of live changes has ended.
    pub fn flags(&self) -> Result<Vec<FlagRecord>, ClusterError> {
        let mut records = self.query(|view| {
            let mut records = BTreeMap::new();
            for register in view.replica.iter() {
                let Some((kind, flag)) = ChangeKind::from_key(&register.key) else { continue };
                let record = records.entry(flag.clone()).or_insert_with(|| FlagRecord::empty(flag));
                record.put(kind, register, view.names);
            }
            records
        })?;
        for (flag, source) in self.driver.registry.defined() {
            let record = records.entry(flag.clone()).or_insert_with(|| FlagRecord::empty(flag));
            record.document.get_or_insert(source);
        }
        Ok(records.into_values().collect())
    }

    /// What live changes say of these flags on this node, in their order: one look for all of them, so for a part of a long
    /// list.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// let records = cluster.records(&[tidegate::FlagKey::parse("x")])?;
    /// assert_eq!(records.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The thread of live changes has ended.
    pub fn records(&self, flags: &[FlagKey]) -> Result<Vec<FlagRecord>, ClusterError> {
        let flags = flags.to_vec();
        let query =
            |view: &DriverView<'_>| flags.into_iter().map(|flag| FlagRecord::from_view(flag, view)).collect::<Vec<_>>();
        let mut records = self.query(query)?;
        for record in &mut records {
            record.document = self.driver.registry.source_of(&record.flag);
        }
        Ok(records)
    }

    /// A number of all that this node holds; equal numbers mean equal contents. It is the `digest` of [`Cluster::status`], and
    /// costs nothing.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// let before = cluster.digest()?;
    /// tide.deactivate("x").send()?;
    /// assert_ne!(cluster.digest()?, before);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The thread of live changes has ended.
    pub fn digest(&self) -> Result<u64, ClusterError> {
        self.query(|view| view.replica.root())
    }

    /// Why this node refuses changes at the moment, and what to do; none while it accepts them. It is the `writes_refused` of
    /// [`Cluster::status`], for probes: it counts nothing.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// assert_eq!(cluster.refusal()?, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The thread of live changes has ended.
    pub fn refusal(&self) -> Result<Option<String>, ClusterError> {
        let driver = Arc::clone(&self.driver);
        self.query(move |view| status::refusal(&driver, view))
    }

    /// The flags of which a live change says something now and which are wanted, in the order of their keys.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// assert_eq!(cluster.changed_flags(|_| true)?.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The thread of live changes has ended.
    pub fn changed_flags(&self, is_wanted: impl Fn(&FlagKey) -> bool) -> Result<Vec<FlagKey>, ClusterError> {
        // That thread only lists the keys; they are read here.
        let keys = self.query(|view| {
            let set = view.replica.iter().filter(|register| register.value.is_some());
            set.map(|register| Arc::clone(&register.key)).collect::<Vec<_>>()
        })?;
        let flags = keys.iter().filter_map(|key| ChangeKind::from_key(key).map(|(_, flag)| flag));
        let mut flags: Vec<FlagKey> = flags.filter(is_wanted).collect();
        flags.sort_unstable();
        flags.dedup();
        Ok(flags)
    }

    /// What happened to a flag on this node, newest first, at most `limit` changes and at most 100; with `before`, only older
    /// ones. History is not replicated: a node has what it has written and what has come to it; the page says whose it is, and
    /// which nodes know more.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// assert_eq!(cluster.history("x", None, 10)?.changes.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn history(&self, flag_key: &str, before: Option<Stamp>, limit: usize) -> Result<HistoryPage, ClusterError> {
        let flag = FlagKey::parse(flag_key);
        Ok(history::page(&*self.driver.history, Some(&flag), before, limit, self.whose_history()?)?)
    }

    /// What happened to all flags on this node, in the same way.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// assert_eq!(cluster.history_of_all(None, 10)?.changes.len(), 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn history_of_all(&self, before: Option<Stamp>, limit: usize) -> Result<HistoryPage, ClusterError> {
        Ok(history::page(&*self.driver.history, None, before, limit, self.whose_history()?)?)
    }

    fn whose_history(&self) -> Result<Whose, ClusterError> {
        let node = NodeName { node: self.driver.node, name: self.driver.name.clone() };
        let own = node.node;
        self.query(move |view| {
            let others = view.replica.members().filter(|member| !member.is_forgotten && member.node != own);
            let others = others.map(|member| NodeName { node: member.node, name: member.name.clone() }).collect();
            Whose { node, others, names: Arc::clone(view.names) }
        })
    }

    /// Whether a change of this flag with this stamp, or a newer one, has come to this node within the time, at most a minute:
    /// for reading here what was written elsewhere.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// let receipt = tide.activate("y").send()?;
    /// assert!(cluster.wait("y", receipt.stamp, std::time::Duration::from_secs(1))?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The thread of live changes has ended.
    pub fn wait(&self, flag_key: &str, stamp: Stamp, timeout: Duration) -> Result<bool, ClusterError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let reply = Box::new(move |has_come| {
            let _ = sender.send(has_come);
        });
        let until = Instant::now() + to_timeout(timeout);
        self.ask(Request::Wait { flag: FlagKey::parse(flag_key), stamp, until, reply })?;
        receiver.recv().map_err(|_| self.ended())
    }

    /// Takes a node out of the cluster, by its id or its name, when it is gone for good: majorities count the others only,
    /// at once. If it comes back it joins again. Blocks until a majority of the others has acknowledged it, for two seconds at
    /// most; the receipt says whether one has.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// assert!(cluster.forget("unknown", "dana", "the host is gone").is_err(), "there is no such member");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// There is no such member; several have that name; it is reachable, so that it is not gone
    /// ([`Cluster::forget_reachable`] is for that); or the change is refused. That no majority has acknowledged it is no error.
    pub fn forget(&self, node: &str, actor: &str, reason: &str) -> Result<Forgotten, ClusterError> {
        self.forget_if(node, actor, reason, false)
    }

    /// The same for a node that may be reachable. If it goes on running it joins again, so stop it.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// assert!(cluster.forget_reachable("unknown", "dana", "the host is gone").is_err());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`Cluster::forget`].
    pub fn forget_reachable(&self, node: &str, actor: &str, reason: &str) -> Result<Forgotten, ClusterError> {
        self.forget_if(node, actor, reason, true)
    }

    fn forget_if(
        &self,
        node: &str,
        actor: &str,
        reason: &str,
        may_be_reachable: bool,
    ) -> Result<Forgotten, ClusterError> {
        let (text, own) = (node.to_owned(), self.driver.node);
        let found = self.query(move |view| {
            let found = members_called(&text, view.replica);
            let is_reachable = |node: &NodeName| node.node != own && view.replica.is_reachable(node.node);
            (found.first().is_some_and(is_reachable), found)
        })?;
        let found = match found {
            (_, found) if found.len() > 1 => return Err(ClusterError::Ambiguous { node: node.to_owned(), found }),
            (true, _) if !may_be_reachable => return Err(ClusterError::Reachable { node: node.to_owned() }),
            (_, found) => found.into_iter().next().ok_or_else(|| ClusterError::NoMember { node: node.to_owned() })?,
        };
        let (node, actor, reason) = (found.node, actor.into(), reason.into());
        let done = self.change(|reply| Request::Forget { node, actor, reason, reply })?;
        Ok(Forgotten { node: found, receipt: ClusterReceipt::new(done) })
    }

    /// Repairs the cluster's clock: every later change counts for more than every earlier one, however far in the future that
    /// was stamped. For when a wrong clock has poisoned the cluster; check the clocks of all nodes first. Blocks until a majority
    /// has acknowledged it, for two seconds at most; the receipt says whether one has.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// let repair = cluster.repair_clock("dana", "a clock was a year ahead")?;
    /// assert!(repair.is_reached, "a majority has it");
    /// assert!(tide.activate("x").send()?.stamp > repair.stamp);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The change is refused; the reason says what to do. That no majority has acknowledged it is no error.
    pub fn repair_clock(&self, actor: &str, reason: &str) -> Result<ClusterReceipt, ClusterError> {
        let (actor, reason) = (actor.into(), reason.into());
        Ok(ClusterReceipt::new(self.change(|reply| Request::RaiseEpoch { actor, reason, reply })?))
    }

    pub(super) fn names(&self) -> Result<Names, ClusterError> {
        self.query(|view| Arc::clone(view.names))
    }

    pub(super) fn driver(&self) -> &Arc<DriverHandle> {
        &self.driver
    }

    /// Looks something up where it is known.
    pub(super) fn query<R: Send + 'static>(
        &self,
        query: impl FnOnce(&DriverView<'_>) -> R + Send + 'static,
    ) -> Result<R, ClusterError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        let query = Box::new(move |view: &DriverView<'_>| {
            let _ = sender.send(query(view));
        });
        self.ask(Request::Query(query))?;
        receiver.recv().map_err(|_| self.ended())
    }

    pub(super) fn change(&self, request: impl FnOnce(Reply) -> Request) -> Result<Done, ClusterError> {
        let (sender, receiver) = mpsc::sync_channel(1);
        self.ask(request(Box::new(move |answer| {
            let _ = sender.send(answer);
        })))?;
        Ok(receiver.recv().map_err(|_| self.ended())?.map_err(ChangeError::from)?)
    }

    pub(super) fn ask(&self, request: Request) -> Result<(), ClusterError> {
        self.driver.intake.request(request).map_err(|refused| match refused {
            Refused::Busy => ClusterError::Change(ChangeError::Busy),
            Refused::Gone => self.ended(),
        })
    }

    pub(super) fn ended(&self) -> ClusterError {
        ClusterError::Ended { message: self.driver.fault().unwrap_or_else(|| "the instance is ending".to_owned()) }
    }
}

/// A question or a change about the cluster has failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClusterError {
    /// The thread of live changes has ended. Reads go on; start the process again.
    #[error("live changes have ended in this process: {message}")]
    Ended {
        /// Why.
        message: String,
    },
    /// There is no such member. The caller's fault; the status lists them.
    #[error("`{}` is not a member of the cluster; name one by its id or its name", .node.escape_debug())]
    NoMember {
        /// As it was given.
        node: String,
    },
    /// Several members have that name. The caller's fault: name one by its id.
    #[error(
        "{} members are called `{}`; name one by its id: {}", .found.len(), .node.escape_debug(),
        .found.iter().map(|found| found.node.to_string()).collect::<Vec<_>>().join(", ")
    )]
    Ambiguous {
        /// As it was given.
        node: String,
        /// Those that it may mean.
        found: Vec<NodeName>,
    },
    /// The member is reachable, so it is not gone for good, and would join again. The caller's fault: stop it first, or say that it
    /// is meant all the same.
    #[error("`{}` is reachable, and would join again; stop it first, or force it", .node.escape_debug())]
    Reachable {
        /// As it was given.
        node: String,
    },
    /// The change is refused.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The store cannot be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The backup cannot be written.
    #[error("the backup cannot be written: {0}")]
    Write(#[from] std::io::Error),
}

/// The members that a text may mean: the one with that id, or all that are called so and were not taken out.
pub(super) fn members_called(text: &str, replica: &Replica) -> Vec<NodeName> {
    let named = |member: &tidegate_replica::Member| NodeName { node: member.node, name: member.name.clone() };
    let by_id = text.parse::<NodeId>().ok().and_then(|id| replica.members().find(|member| member.node == id));
    let all = || replica.members().filter(|member| member.name == text);
    match (by_id, all().any(|member| !member.is_forgotten)) {
        (Some(member), _) => vec![named(member)],
        (None, true) => all().filter(|member| !member.is_forgotten).map(named).collect(),
        (None, false) => all().map(named).collect(),
    }
}
