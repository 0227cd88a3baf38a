//! Which addresses this node connects to, and when.
//!
//! There are two kinds of addresses. *Configured* ones are where a cluster is looked for: any node that answers there is accepted, if
//! its certificate names the host. *Learnt* ones come from the membership: each belongs to one node, and only that node is
//! accepted there. This node connects to an address while there is no link to its node, by whichever of the two it was made; if both
//! connect at once, the registry ends one of the two links.

mod schedule;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tidegate_replica::NodeId;
use tidegate_replica::limits::NODES_MAX;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use crate::address::{Address, Host};
use crate::cause::Cause;
use crate::connect::{self, Resolver};
use crate::handshake::{Expected, Local};
use crate::link::Link;
use crate::listener::establish;
use crate::registry::Registry;
use crate::wire::Reason;

use schedule::Schedule;

/// Opens connections to all addresses that have no link.
#[derive(Debug)]
pub(crate) struct Dialer {
    local: Arc<Local>,
    registry: Arc<Registry>,
    resolver: Resolver,
    targets: Mutex<BTreeMap<Address, Target>>,
}

/// An address to connect to.
#[derive(Debug)]
struct Target {
    /// The member whose address it is; none for a configured one.
    member: Option<NodeId>,
    /// The member that says of itself that it is at this configured address.
    claimed_by: Option<NodeId>,
    /// Who was last found there.
    found: Option<NodeId>,
    /// Why there is no link, and since when.
    failure: Option<(Cause, Instant)>,
    /// None before the dialer runs.
    task: Option<AbortHandle>,
}

/// An address at which this node looks for others.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct AddressStatus {
    /// `host:port`.
    pub address: String,
    /// Whether it was configured; otherwise it is that of a member.
    pub is_configured: bool,
    /// The node that is there, if one was found or is to be expected.
    pub node: Option<NodeId>,
    /// Whether there is a link to that node.
    pub is_connected: bool,
    /// Why there is none; none while there is one, and before the first attempt has ended.
    pub cause: Option<Cause>,
    /// How long attempts have failed.
    pub failing_for: Option<Duration>,
}

/// The addresses of members.
pub(crate) type Members = Vec<(NodeId, String)>;

impl Dialer {
    pub(crate) fn new(local: Arc<Local>, registry: Arc<Registry>, configured: Vec<Address>) -> Self {
        let target =
            |address| (address, Target { member: None, claimed_by: None, found: None, failure: None, task: None });
        let targets = Mutex::new(configured.into_iter().map(target).collect());
        Self { local, registry, resolver: Resolver::default(), targets }
    }

    /// Connects to the configured addresses, and those of members as they become known.
    pub(crate) async fn run(self: Arc<Self>, mut members: watch::Receiver<Members>) {
        let configured: Vec<Address> = self.lock().keys().cloned().collect();
        for address in configured {
            self.start(address, None);
        }
        loop {
            let known = members.borrow_and_update().clone();
            self.learn(&known);
            if members.changed().await.is_err() {
                return;
            }
        }
    }

    /// The addresses, configured ones first.
    pub(crate) fn status(&self) -> Vec<AddressStatus> {
        let targets = self.lock();
        let mut all: Vec<AddressStatus> = targets.iter().map(|(address, target)| self.shown(address, target)).collect();
        all.sort_by_key(|status| !status.is_configured);
        all
    }

    fn shown(&self, address: &Address, target: &Target) -> AddressStatus {
        let node = self.node_of(address, target);
        let is_connected = node.is_some_and(|node| self.registry.is_linked(node));
        let failure = target.failure.as_ref().filter(|_| !is_connected);
        AddressStatus {
            address: address.to_string(),
            is_configured: target.member.is_none(),
            node,
            is_connected,
            cause: failure.map(|(cause, _)| cause.clone()),
            failing_for: failure.map(|(_, since)| since.elapsed()),
        }
    }

    /// Who is at an address, as far as it is known.
    fn node_of(&self, address: &Address, target: &Target) -> Option<NodeId> {
        target.member.or(target.found).or_else(|| self.registry.node_at(&address.to_string()))
    }

    /// Takes up the addresses of members, and lets go those that are no longer any.
    fn learn(self: &Arc<Self>, members: &Members) {
        let own = self.local.process.0;
        let known: BTreeMap<Address, NodeId> = members
            .iter()
            .filter(|(node, _)| *node != own)
            .filter_map(|(node, text)| Some((Address::parse(text).ok()?, *node)))
            .take(NODES_MAX)
            .collect();
        let new: Vec<(Address, NodeId)> = {
            let mut targets = self.lock();
            targets.retain(|address, target| {
                target.claimed_by = known.get(address).copied();
                let is_kept = target.member.is_none_or(|member| known.get(address) == Some(&member));
                if !is_kept && let Some(task) = &target.task {
                    task.abort();
                }
                is_kept
            });
            known.into_iter().filter(|(address, _)| !targets.contains_key(address)).collect()
        };
        for (address, node) in new {
            self.start(address, Some(node));
        }
    }

    fn start(self: &Arc<Self>, address: Address, member: Option<NodeId>) {
        // Its first step waits for the lock, so the target is there by then.
        let mut targets = self.lock();
        let task = tokio::spawn(Arc::clone(self).reach(address.clone(), member));
        let claimed_by = targets.get(&address).and_then(|target| target.claimed_by);
        let target = Target { member, claimed_by, found: None, failure: None, task: Some(task.abort_handle()) };
        targets.insert(address, target);
    }

    /// Keeps a link to the node at an address.
    async fn reach(self: Arc<Self>, address: Address, member: Option<NodeId>) {
        let mut schedule = Schedule::default();
        // Of two members that hear of each other at the same moment, one connects first.
        if member.is_some_and(|member| member < self.local.process.0) {
            self.wait_linked(&address, MEMBER_GRACE).await;
        }
        loop {
            if self.is_linked(&address) {
                self.note_linked(&address);
            }
            self.wait_unlinked(&address).await;
            let outcome = match timeout(ATTEMPT_MAX, self.attempt(&address, member)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Cause::TimedOut),
            };
            let cause = match outcome {
                Ok(link) => {
                    self.note_found(&address, link.peer().process.0);
                    self.wait_unlinked(&address).await;
                    if link.since().elapsed() >= LASTING {
                        schedule.reset();
                        sleep(schedule::redial()).await;
                        continue;
                    }
                    // A peer that accepts a link and ends it at once refuses it.
                    link.ended().unwrap_or(Cause::Closed)
                }
                Err(cause) => {
                    self.registry.note_refusal(&cause);
                    cause
                }
            };
            let pause = schedule.after(&cause);
            self.note_failure(&address, &cause);
            self.wait_linked(&address, pause).await;
        }
    }

    async fn attempt(&self, address: &Address, member: Option<NodeId>) -> Result<Arc<Link>, Cause> {
        let connect = async |expected| connect::connect(&self.local, &self.resolver, address, &expected).await;
        let link = match member {
            Some(member) => connect(Expected::Node(member)).await?,
            None => match (connect(Expected::Host(address.host.clone())).await, self.claimed_by(address)) {
                // A member that has moved: its certificate names it, if not the host.
                (Err(Cause::WrongName(_)), Some(member)) => connect(Expected::Node(member)).await?,
                (outcome, _) => outcome?,
            },
        };
        establish(link, &self.registry).await
    }

    fn claimed_by(&self, address: &Address) -> Option<NodeId> {
        self.lock().get(address).and_then(|target| target.claimed_by)
    }

    fn note_found(&self, address: &Address, node: NodeId) {
        if let Some(target) = self.lock().get_mut(address) {
            target.found = Some(node);
            target.failure = None;
        }
    }

    /// There is a link, whichever end has made it: a failure after that is a new one.
    fn note_linked(&self, address: &Address) {
        if let Some(target) = self.lock().get_mut(address) {
            target.failure = None;
        }
    }

    /// Remembers why there is no link. A cause is logged when it is another one than before.
    fn note_failure(&self, address: &Address, cause: &Cause) {
        let mut targets = self.lock();
        let Some(target) = targets.get_mut(address) else { return };
        let before = target.failure.take();
        let is_new = before.as_ref().is_none_or(|(before, _)| before != cause);
        let since = before.map_or_else(Instant::now, |(_, since)| since);
        target.failure = Some((cause.clone(), since));
        let member = target.member;
        drop(targets);
        match (is_new, cause, member) {
            (false, _, _) | (_, Cause::Ended(Reason::Leaving), _) => {}
            (true, Cause::Own, _) => tracing::debug!("{address} is the address of this node"),
            (true, _, None) => tracing::warn!("cannot connect to {address}: {cause}"),
            (true, _, Some(node)) => tracing::warn!("cannot connect to node {node} at {address}: {cause}"),
        }
    }

    /// Waits until there is no link to the node at an address.
    async fn wait_unlinked(&self, address: &Address) {
        self.wait(address, false).await;
    }

    /// Waits until there is one, or so long.
    async fn wait_linked(&self, address: &Address, pause: Duration) -> bool {
        timeout(pause, self.wait(address, true)).await.is_ok()
    }

    async fn wait(&self, address: &Address, is_linked: bool) {
        let mut changes = self.registry.watch();
        while self.is_linked(address) != is_linked {
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    fn is_linked(&self, address: &Address) -> bool {
        let targets = self.lock();
        let node = targets.get(address).and_then(|target| self.node_of(address, target));
        node.is_some_and(|node| self.registry.is_linked(node))
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Address, Target>> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The addresses to connect to: each once, without this node's own.
pub(crate) fn targets(peers: Vec<Address>, listen: Option<std::net::SocketAddr>) -> Vec<Address> {
    let mut targets: Vec<Address> = Vec::new();
    for mut address in peers {
        if let Host::Name(name) = &mut address.host {
            name.make_ascii_lowercase();
        }
        if !targets.contains(&address) && !listen.is_some_and(|listen| address.is_own(listen)) {
            targets.push(address);
        }
    }
    targets
}

/// How long an attempt may take: a name with several addresses, each of which may be slow.
const ATTEMPT_MAX: Duration = Duration::from_secs(10);

/// A link that lasted for this long was accepted.
const LASTING: Duration = Duration::from_secs(5);

/// How long a member waits for the connection of another one whose id is smaller.
const MEMBER_GRACE: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests;
