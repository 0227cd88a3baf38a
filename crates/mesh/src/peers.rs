//! Whom to dial, and how eagerly.
//!
//! Two nodes that both know where the other is would both dial. One link is kept, the other is refused, and the refused
//! side would try again every few seconds for ever. So the one whose own address comes first in order is eager, and the
//! other one is patient: it dials once at the start, in case nobody else does, and then ever less often.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

/// Another node's address.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Peer {
    /// `host:port`.
    pub(crate) address: String,
    /// Whether it is for this node to dial it.
    pub(crate) is_eager: bool,
}

/// Those of `addresses` that are not this node's own, each once.
pub(crate) fn of(addresses: &[String], listen: Option<SocketAddr>) -> Vec<Peer> {
    let mut peers: Vec<Peer> = Vec::new();
    for address in addresses {
        if peers.iter().any(|peer| peer.address == *address) || listen.is_some_and(|listen| is_own(address, listen)) {
            continue;
        }
        let is_eager = listen.is_none_or(|listen| is_eager(address, listen));
        peers.push(Peer { address: address.clone(), is_eager });
    }
    peers
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

fn is_eager(address: &str, listen: SocketAddr) -> bool {
    let Some(peer) = parse(address) else { return true };
    let own_ip = if listen.ip().is_unspecified() { source_ip(peer) } else { Some(listen.ip()) };
    own_ip.is_none_or(|ip| SocketAddr::new(ip, listen.port()) < peer)
}

/// The address that this host has in the eyes of another. Nothing is sent.
fn source_ip(peer: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr =
        if peer.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { std::net::Ipv6Addr::UNSPECIFIED.into() };
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(addresses: &[&str], listen: &str, expected: &[(&str, bool)]) {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        let peers = of(&addresses, Some(listen.parse().unwrap()));
        let peers: Vec<_> = peers.iter().map(|peer| (peer.address.as_str(), peer.is_eager)).collect();
        assert_eq!(peers, expected, "{listen}");
    }

    #[test]
    fn one_of_two_dials() {
        let all = ["127.0.0.1:7401", "127.0.0.1:7402", "localhost:7403"];
        check(&all, "127.0.0.1:7401", &[("127.0.0.1:7402", true), ("localhost:7403", true)]);
        check(&all, "127.0.0.1:7402", &[("127.0.0.1:7401", false), ("localhost:7403", true)]);
        check(&all, "127.0.0.1:7403", &[("127.0.0.1:7401", false), ("127.0.0.1:7402", false)]);
    }

    #[test]
    fn the_own_address_is_found_behind_any() {
        check(&["127.0.0.1:7401", "127.0.0.1:7402"], "0.0.0.0:7402", &[("127.0.0.1:7401", false)]);
        check(&["127.0.0.1:7401", "127.0.0.1:7402"], "0.0.0.0:7401", &[("127.0.0.1:7402", true)]);
    }

    #[test]
    fn names_are_dialled_and_nobody_is_named_twice() {
        let all = ["node-2.example:7400", "node-2.example:7400", "[::1]:7400"];
        check(&all, "127.0.0.1:7400", &[("node-2.example:7400", true), ("[::1]:7400", true)]);
    }

    #[test]
    fn who_listens_nowhere_dials_everyone() {
        let peers = of(&["127.0.0.1:1".to_owned()], None);
        assert_eq!(peers, [Peer { address: "127.0.0.1:1".to_owned(), is_eager: true }]);
    }

    #[test]
    fn local_is_what_no_other_host_can_reach() {
        let local = |addresses: &[&str], listen: Option<&str>| {
            let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            are_local(&addresses, listen.map(|listen| listen.parse().unwrap()))
        };
        assert!(local(&["127.0.0.1:1", "localhost:2", "[::1]:3"], Some("127.0.0.2:1")));
        assert!(!local(&["127.0.0.1:1"], Some("0.0.0.0:1")));
        assert!(!local(&["127.0.0.1:1", "10.0.0.1:1"], Some("127.0.0.1:1")));
        assert!(!local(&["localhost.example:1"], None));
    }
}
