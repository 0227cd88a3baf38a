//! Room for connections, and which one goes when there is none.
//!
//! There is room for a fixed number of connections. While a request is at work its connection is safe. All others wait for
//! their client: for the first byte, for the rest of a request, for the next one, for the client to take an answer. When a
//! connection comes and there is no room, one of those is closed: the host that holds the most of them loses the one that
//! has waited longest. So a client that floods the port displaces its own connections first, and a newcomer has the time of as many connections
//! as there is room for to send his request.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

/// Decides which connection is closed for a new one.
#[derive(Debug)]
pub(crate) struct Admission {
    state: Mutex<State>,
    /// Told when a connection ends or begins to wait for its client.
    freed: Notify,
}

#[derive(Debug)]
struct State {
    room: usize,
    /// Numbers connections, and the moments at which they began to wait.
    last: u64,
    connections: HashMap<u64, Connection>,
    /// The connections of each host that wait for their client, by when they began to; never an empty map.
    waiting: BTreeMap<IpAddr, BTreeMap<u64, u64>>,
}

#[derive(Debug)]
struct Connection {
    host: IpAddr,
    /// Since when it waits for its client, as a number; none while a request is at work.
    waits_since: Option<u64>,
    /// Tells it to go, by being dropped.
    _stay: oneshot::Sender<()>,
}

/// The place of one connection; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    admission: Arc<Admission>,
    number: u64,
    has_asked: AtomicBool,
}

impl Admission {
    /// Room for `room` connections, at least one.
    pub(crate) fn new(room: usize) -> Arc<Self> {
        let state = State { room: room.max(1), last: 0, connections: HashMap::new(), waiting: BTreeMap::new() };
        Arc::new(Self { state: Mutex::new(state), freed: Notify::new() })
    }

    /// A place for a connection from this address, which waits for its client at first; and what ends when it has to go. Waits
    /// while requests are at work on all of them.
    pub(super) async fn enter(self: &Arc<Self>, from: IpAddr) -> (Place, oneshot::Receiver<()>) {
        loop {
            if let Some(entered) = self.try_enter(from) {
                return entered;
            }
            self.freed.notified().await;
        }
    }

    fn try_enter(self: &Arc<Self>, from: IpAddr) -> Option<(Place, oneshot::Receiver<()>)> {
        let mut state = self.lock();
        if state.connections.len() >= state.room && !state.displace() {
            return None;
        }
        let (stay, go) = oneshot::channel();
        let (number, host) = (state.next(), host_of(from));
        state.connections.insert(number, Connection { host, waits_since: None, _stay: stay });
        state.wait(number);
        Some((Place { admission: Arc::clone(self), number, has_asked: AtomicBool::new(false) }, go))
    }

    /// Closes half of the connections that wait for their clients: the system has no more files.
    pub(super) fn make_room(&self) {
        let mut state = self.lock();
        let waiting: usize = state.waiting.values().map(BTreeMap::len).sum();
        for _ in 0..waiting.div_ceil(2) {
            state.displace();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    /// The connection waits for its client from now on.
    fn wait(&mut self, number: u64) {
        let since = self.next();
        let Some(connection) = self.connections.get_mut(&number).filter(|connection| connection.waits_since.is_none())
        else {
            return;
        };
        connection.waits_since = Some(since);
        self.waiting.entry(connection.host).or_default().insert(since, number);
    }

    /// A request is at work on the connection. Whether it is still there.
    fn work(&mut self, number: u64) -> bool {
        let Some(connection) = self.connections.get_mut(&number) else { return false };
        if let Some(since) = connection.waits_since.take() {
            let host = connection.host;
            self.no_longer_waits(host, since);
        }
        true
    }

    fn no_longer_waits(&mut self, host: IpAddr, since: u64) {
        let Some(waiting) = self.waiting.get_mut(&host) else { return };
        waiting.remove(&since);
        if waiting.is_empty() {
            self.waiting.remove(&host);
        }
    }

    /// Lets a connection go that waits for its client. False if there is none.
    fn displace(&mut self) -> bool {
        // Of hosts that hold equally many, the one with the connection that has waited longest.
        let greatest = self.waiting.iter().max_by_key(|(_, waiting)| {
            (waiting.len(), std::cmp::Reverse(waiting.first_key_value().map(|(since, _)| *since)))
        });
        let Some((_, number)) = greatest.and_then(|(_, waiting)| waiting.first_key_value()) else { return false };
        self.remove(*number);
        true
    }

    fn remove(&mut self, number: u64) {
        let Some(connection) = self.connections.remove(&number) else { return };
        if let Some(since) = connection.waits_since {
            self.no_longer_waits(connection.host, since);
        }
    }
}

impl Place {
    /// A request has come.
    pub(super) fn begin(&self) {
        self.has_asked.store(true, Ordering::Relaxed);
    }

    /// Whether a request has ever come.
    pub(super) fn has_asked(&self) -> bool {
        self.has_asked.load(Ordering::Relaxed)
    }

    /// It waits for its client from now on, and may be displaced.
    pub(super) fn wait(&self) {
        self.admission.lock().wait(self.number);
        self.admission.freed.notify_one();
    }

    /// A request is at work: it is not displaced. False if it was before: then nothing may be begun.
    pub(super) fn work(&self) -> bool {
        self.admission.lock().work(self.number)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.admission.lock().remove(self.number);
        self.admission.freed.notify_one();
    }
}

/// What counts as one host: an IPv4 address, or the first half of an IPv6 address, within which a host may choose freely.
fn host_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) if !ip.is_loopback() => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn is_there(go: &mut oneshot::Receiver<()>) -> bool {
        matches!(go.try_recv(), Err(oneshot::error::TryRecvError::Empty))
    }

    #[test]
    fn the_host_with_the_most_waiting_connections_loses_its_oldest() {
        let admission = Admission::new(4);
        let (_friend, mut friend) = admission.try_enter(ip(1)).unwrap();
        let mut flood: Vec<_> = (0..3).map(|_| admission.try_enter(ip(2)).unwrap()).collect();
        let (_newcomer, mut newcomer) = admission.try_enter(ip(3)).unwrap();
        assert!(!is_there(&mut flood[0].1) && is_there(&mut flood[1].1));
        // One that has been displaced begins nothing, and its end frees nothing a second time.
        let (place, _) = flood.remove(0);
        assert!(!place.work());
        place.wait();
        drop(place);
        assert_eq!(admission.lock().connections.len(), 4);
        let (_more, _) = admission.try_enter(ip(2)).unwrap();
        assert!(!is_there(&mut flood[0].1) && is_there(&mut friend) && is_there(&mut newcomer));
    }

    #[test]
    fn the_connection_that_has_waited_longest_is_closed_and_work_is_kept() {
        let admission = Admission::new(3);
        let mut places: Vec<_> = (0..3).map(|_| admission.try_enter(ip(1)).unwrap()).collect();
        for (place, _) in &places {
            assert!(place.work());
        }
        assert!(admission.try_enter(ip(1)).is_none(), "a request is at work on each");
        places[2].0.wait();
        places[0].0.wait();
        let (_third, _) = admission.try_enter(ip(1)).unwrap();
        assert!(!is_there(&mut places[2].1) && is_there(&mut places[0].1), "the one that has waited longer");
        assert!(places[0].0.work());
        drop(places.remove(1));
        assert!(admission.try_enter(ip(1)).is_some(), "one has ended");
    }

    #[test]
    fn hosts_of_one_network_of_ipv6_are_one() {
        for (one, other, is_one) in [
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("::ffff:10.0.0.1", "10.0.0.1", true),
            ("::1", "::2", false),
        ] {
            assert_eq!(host_of(one.parse().unwrap()) == host_of(other.parse().unwrap()), is_one, "{one} {other}");
        }
    }

    #[test]
    fn without_files_half_of_the_waiting_connections_are_closed() {
        let admission = Admission::new(10);
        let places: Vec<_> = (0..5).map(|last| admission.try_enter(ip(last)).unwrap()).collect();
        assert!(places[0].0.work());
        admission.make_room();
        assert_eq!(admission.lock().connections.len(), 3);
        assert!(places[0].0.work());
    }
}
