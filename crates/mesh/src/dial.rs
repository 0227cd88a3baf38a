//! Whom to dial, and when to begin anew.
//!
//! Two nodes that both know where the other is need one link, not two. So a node dials those whose address comes after its own
//! and lets the others dial, which is right where all have the same list. Whoever is dialled by nobody after its start, dials everybody
//! after a moment; whoever is not dialled by as many as it waits for, does so after a longer one; and whoever was, and no
//! longer is, after a long one.
//!
//! A pair may all the same come to have a link in each direction. When one side then loses the other and the other does not
//! notice, the one makes everything anew over the link that is still there, the other does not, and says nothing any more: for
//! days, or until somebody restarts something. It shows at the one that has noticed: there is a link to a node that was alive,
//! and no sign of life comes over it. Then this node makes its session anew, which no other can take for the old one.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _, UdpSocket};
use std::time::{Duration, Instant};

use tidegate_replica::NodeId;
use tidegate_replica::limits::NODES_MAX;

/// All addresses that a node knows, and which of them it dials.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    peers: Vec<Peer>,
    /// Who has ever been alive.
    known: BTreeSet<NodeId>,
    /// Since when there is a link, and no sign of life.
    hollow: BTreeMap<NodeId, Instant>,
    /// For whom a new session has been made, without any sign of life since.
    given_up: BTreeSet<NodeId>,
    /// Since when fewer have dialled than are waited for.
    missing_since: Option<Instant>,
    /// Whether all who were waited for have ever dialled: then they will again.
    was_complete: bool,
}

/// Another node's address.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Peer {
    /// `host:port`.
    address: String,
    is_dialled: bool,
    /// Who was found there.
    node: Option<NodeId>,
}

/// A link to another node.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) node: NodeId,
    /// The addresses of both ends.
    pub(crate) local: Option<SocketAddr>,
    pub(crate) remote: Option<SocketAddr>,
    /// Whether this node has dialled.
    pub(crate) is_outbound: bool,
}

impl Dial {
    /// Those of `addresses` that are not this node's own, each once.
    pub(crate) fn new(addresses: &[String], listen: Option<SocketAddr>) -> Self {
        let mut peers: Vec<Peer> = Vec::new();
        for address in addresses {
            if peers.iter().any(|peer| peer.address == *address) || listen.is_some_and(|listen| is_own(address, listen))
            {
                continue;
            }
            let is_dialled = listen.is_none_or(|listen| comes_first(listen, address));
            peers.push(Peer { address: address.clone(), is_dialled, node: None });
        }
        Self {
            peers,
            known: BTreeSet::new(),
            hollow: BTreeMap::new(),
            given_up: BTreeSet::new(),
            missing_since: None,
            was_complete: false,
        }
    }

    /// Whom to dial: a node that does not listen reaches everybody itself.
    pub(crate) fn addresses(&self, listens: bool) -> impl Iterator<Item = &str> {
        self.peers.iter().filter(move |peer| peer.is_dialled || !listens).map(|peer| peer.address.as_str())
    }

    /// Looks at the links that there are, and at who shows signs of life; whether the session has to be made anew.
    pub(crate) fn look(&mut self, links: &[Link], alive: &BTreeSet<NodeId>, now: Instant) -> bool {
        self.learn(links);
        let mut ways: BTreeMap<NodeId, (bool, bool)> = BTreeMap::new();
        for link in links {
            let (is_dialled, has_dialled) = ways.entry(link.node).or_default();
            *is_dialled |= link.is_outbound;
            *has_dialled |= !link.is_outbound;
        }
        let mut is_changed = self.find_hollow(&ways, alive, now);
        // Links to nodes of other clusters are links, too, and no company.
        let others = ways.iter().filter(|(node, _)| alive.contains(node));
        let dialling = others.clone().filter(|(_, (_, has_dialled))| *has_dialled).count();
        let awaited = self.peers.iter().filter(|peer| !peer.is_dialled).count();
        if dialling >= awaited {
            self.was_complete = true;
            self.missing_since = None;
        } else {
            let since = *self.missing_since.get_or_insert(now);
            let longest = match (self.was_complete, others.count()) {
                (true, _) => ABSENCE_MAX,
                (false, 0) => FIRST_WAIT,
                (false, _) => COMPANY_WAIT,
            };
            if now.duration_since(since) >= longest {
                is_changed |= self.dial_missing(&ways);
                self.missing_since = None;
            }
        }
        is_changed
    }

    /// Whether a node has a link and shows no sign of life, although it has before.
    fn find_hollow(&mut self, there: &BTreeMap<NodeId, (bool, bool)>, alive: &BTreeSet<NodeId>, now: Instant) -> bool {
        self.known.extend(alive);
        // More than a cluster has: they are nodes that come and go, and may be met anew.
        if self.known.len() > NODES_MAX {
            self.known.clone_from(alive);
        }
        self.given_up.retain(|node| !alive.contains(node));
        self.hollow.retain(|node, _| there.contains_key(node) && !alive.contains(node));
        let mut is_changed = false;
        for node in there.keys().filter(|node| self.known.contains(node) && !alive.contains(node)) {
            let since = *self.hollow.entry(*node).or_insert(now);
            if now.duration_since(since) >= HOLLOW_MAX && self.given_up.insert(*node) {
                is_changed = true;
            }
        }
        is_changed
    }

    /// Dials whoever is waited for and has not come.
    fn dial_missing(&mut self, there: &BTreeMap<NodeId, (bool, bool)>) -> bool {
        let mut is_changed = false;
        for peer in self.peers.iter_mut().filter(|peer| !peer.is_dialled) {
            if peer.node.is_none_or(|node| !there.contains_key(&node)) {
                peer.is_dialled = true;
                is_changed = true;
            }
        }
        is_changed
    }

    /// Remembers who was found at which address.
    fn learn(&mut self, links: &[Link]) {
        for link in links.iter().filter(|link| link.is_outbound) {
            let is_known = self.peers.iter().any(|peer| peer.node == Some(link.node));
            let Some(remote) = link.remote.filter(|_| !is_known) else { continue };
            let is_there = |peer: &Peer| match parse(&peer.address) {
                Some(address) => address == remote,
                None => peer.address.to_socket_addrs().is_ok_and(|mut all| all.any(|address| address == remote)),
            };
            if let Some(peer) = self.peers.iter_mut().find(|peer| peer.is_dialled && is_there(peer)) {
                peer.node = Some(link.node);
            }
        }
    }
}

/// Whether every address that a node has to do with is of this host only.
pub fn are_local(addresses: &[String], listen: Option<SocketAddr>) -> bool {
    let is_local = |address: &String| parse(address).is_some_and(|address| address.ip().is_loopback());
    listen.is_none_or(|listen| listen.ip().is_loopback()) && addresses.iter().all(is_local)
}

fn is_own(address: &str, listen: SocketAddr) -> bool {
    let Some(address) = parse(address) else { return false };
    if address.port() != listen.port() {
        return false;
    }
    if listen.ip().is_unspecified() {
        // An address is this host's if something can be bound to it.
        return UdpSocket::bind((address.ip(), 0)).is_ok();
    }
    address.ip() == listen.ip()
}

/// Whether this node's own address comes before that one, or nobody can tell.
fn comes_first(listen: SocketAddr, address: &str) -> bool {
    let Some(peer) = parse(address) else { return true };
    let own_ip = if listen.ip().is_unspecified() { source_ip(peer) } else { Some(listen.ip()) };
    own_ip.is_none_or(|ip| SocketAddr::new(ip, listen.port()) < peer)
}

/// The address that this host has in the eyes of another. Nothing is sent.
fn source_ip(peer: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(peer).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The address without asking anybody for a name.
fn parse(address: &str) -> Option<SocketAddr> {
    let port_of = |rest: &str| rest.parse().ok();
    address.parse().ok().or_else(|| {
        let port = port_of(address.strip_prefix("localhost:")?)?;
        Some(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port))
    })
}

/// How long a start waits to be dialled by anybody, before it dials itself.
const FIRST_WAIT: Duration = Duration::from_secs(2);

/// How long a start that has found somebody waits to be dialled by the others: they may not know of it.
const COMPANY_WAIT: Duration = Duration::from_secs(5);

/// How long those may be away who should dial, and once did. Dialling them costs all links of this node for a moment.
const ABSENCE_MAX: Duration = Duration::from_secs(30);

/// How long after a link its node's first sign of life may come: it is sent at once.
const HOLLOW_MAX: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests;
