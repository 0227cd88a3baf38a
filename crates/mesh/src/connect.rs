//! From an address to a link: all addresses of a name are tried, IPv4 and IPv6.
//!
//! The next address is tried when the one before has failed, or has not answered for a quarter of a second (RFC 8305, "Happy
//! Eyeballs"). Handshakes are made one after the other, on whichever connection stands first. So a name that stands for
//! several nodes, this one among them, leads to one of the others.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::{Instant, sleep_until, timeout};

use crate::address::{Address, Host};
use crate::cause::Cause;
use crate::handshake::{self, Expected, Local};
use crate::link::Link;
use crate::socket_options;

/// Resolves names, a few at a time: the system's resolver blocks a thread.
#[derive(Clone, Debug)]
pub(crate) struct Resolver(Arc<Semaphore>);

impl Default for Resolver {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(RESOLVING_MAX)))
    }
}

impl Resolver {
    /// All addresses of a host, IPv6 and IPv4 in turn, as the resolver orders them.
    async fn resolve(&self, address: &Address) -> Result<VecDeque<SocketAddr>, Cause> {
        let name = match &address.host {
            Host::Ip(ip) => return Ok(VecDeque::from([SocketAddr::new(*ip, address.port)])),
            Host::Name(name) => (name.clone(), address.port),
        };
        let permits = Arc::clone(&self.0);
        let resolved = timeout(ATTEMPT_MAX, async {
            let permit = permits.acquire_owned().await;
            // The permit goes with the thread: a resolver that hangs does not make them more and more.
            spawn_blocking(move || {
                let _permit = permit;
                name.to_socket_addrs().map(Vec::from_iter)
            })
            .await
        });
        let addresses = match resolved.await {
            Err(_) => return Err(Cause::NameNotResolved("the resolver did not answer in time".to_owned())),
            Ok(Err(error)) => return Err(Cause::NameNotResolved(error.to_string())),
            Ok(Ok(Err(error))) => return Err(Cause::NameNotResolved(error.to_string())),
            Ok(Ok(Ok(addresses))) => addresses,
        };
        if addresses.is_empty() {
            return Err(Cause::NameNotResolved("it has no address".to_owned()));
        }
        Ok(in_turn(addresses))
    }
}

/// The families in turn, beginning with that of the first address, each address once.
fn in_turn(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_ipv6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_ipv6);
    let mut all = VecDeque::new();
    while all.len() < ADDRESSES_MAX {
        let next: Vec<SocketAddr> = first.pop_front().into_iter().chain(second.pop_front()).collect();
        if next.is_empty() {
            break;
        }
        for address in next {
            if !all.contains(&address) {
                all.push_back(address);
            }
        }
    }
    all
}

/// One attempt to reach a node.
///
/// # Errors
/// Why there is no link; of several addresses, what says the most: that of a peer that answered before that of a network.
pub(crate) async fn connect(
    local: &Local,
    resolver: &Resolver,
    address: &Address,
    expected: &Expected,
) -> Result<Link, Cause> {
    let mut waiting = resolver.resolve(address).await?;
    let mut attempts: JoinSet<Result<TcpStream, Cause>> = JoinSet::new();
    let mut failure: Option<Cause> = None;
    let mut next = Instant::now();
    loop {
        tokio::select! {
            () = sleep_until(next), if !waiting.is_empty() => {
                if let Some(address) = waiting.pop_front() {
                    attempts.spawn(open_tcp(address));
                }
                next = Instant::now() + STAGGER;
            }
            opened = attempts.join_next(), if !attempts.is_empty() => {
                let outcome = match opened {
                    Some(Ok(Ok(stream))) => handshake::outbound(local, stream, expected).await,
                    Some(Ok(Err(cause))) => Err(cause),
                    Some(Err(error)) => Err(Cause::Network(error.to_string())),
                    None => continue,
                };
                match outcome {
                    Ok(link) => return Ok(link),
                    Err(cause) => failure = Some(more_telling(failure, cause)),
                }
                next = Instant::now();
            }
            else => return Err(failure.unwrap_or(Cause::TimedOut)),
        }
    }
}

/// Of two failures the one that says more: what a peer has answered, then what the network has, then that it is this node.
fn more_telling(before: Option<Cause>, cause: Cause) -> Cause {
    let rank = |cause: &Cause| match cause {
        Cause::Own => 0,
        cause if cause.is_transient() => 1,
        _ => 2,
    };
    match before {
        Some(before) if rank(&before) >= rank(&cause) => before,
        _ => cause,
    }
}

async fn open_tcp(address: SocketAddr) -> Result<TcpStream, Cause> {
    let socket = match address.ip() {
        IpAddr::V4(_) => TcpSocket::new_v4(),
        IpAddr::V6(_) => TcpSocket::new_v6(),
    };
    let socket = socket.map_err(|error| Cause::from_io(&error))?;
    socket_options::set(&socket).map_err(|error| Cause::from_io(&error.into()))?;
    match timeout(ATTEMPT_MAX, socket.connect(address)).await {
        Ok(connected) => connected.map_err(|error| Cause::from_io(&error)),
        Err(_) => Err(Cause::TimedOut),
    }
}

/// How long a name may take to be resolved, and an address to answer: some ten times what it takes between continents. TCP
/// sends its first packet again after 1, 3 and 7 seconds, so a longer attempt would outlive the trouble that it met.
const ATTEMPT_MAX: Duration = Duration::from_secs(3);

/// How long an address is tried alone, as RFC 8305 recommends.
const STAGGER: Duration = Duration::from_millis(250);

/// Addresses of one name that are tried in one attempt: of a service with more, each attempt tries the first ones.
const ADDRESSES_MAX: usize = 16;

/// Names that are resolved at one time, each on a thread.
pub(crate) const RESOLVING_MAX: usize = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns() {
        let all = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<SocketAddr>>();
        let resolved = all(&["[::1]:1", "[::2]:1", "[::2]:1", "127.0.0.1:1"]);
        assert_eq!(in_turn(resolved), all(&["[::1]:1", "127.0.0.1:1", "[::2]:1"]));
        assert_eq!(in_turn(Vec::new()), all(&[]));
        let many: Vec<SocketAddr> = (1..100).map(|port| SocketAddr::from(([127, 0, 0, 1], port))).collect();
        assert_eq!(in_turn(many).len(), ADDRESSES_MAX);
    }

    #[test]
    fn the_cause_that_says_more_is_kept() {
        let network = Cause::ConnectionRefused;
        let peer = Cause::WrongName("a".to_owned());
        assert_eq!(more_telling(None, Cause::Own), Cause::Own);
        assert_eq!(more_telling(Some(Cause::Own), network.clone()), network);
        assert_eq!(more_telling(Some(network.clone()), peer.clone()), peer);
        assert_eq!(more_telling(Some(peer.clone()), network), peer);
    }
}
