//! Room for connections, and which one goes when there is none.
//!
//! There is room for a fixed number of connections. While a request is at work its connection is safe. All others wait for
//! their client: for the first byte, for the rest of a request, for the next one, for the client to take an answer. When a
//! connection comes and there is no room, one of those is closed: the host that holds the most of them loses the one that
//! has waited longest. So a client that floods the port displaces its own connections first, and a newcomer has the time of as many connections
//! as there is room for to send his request.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};

/// Decides which connection is closed for a new one.
///
/// A request notes only in its own connection that it begins and ends, without a lock. Who has waited longest is looked for when
/// there is no room, for several connections at once: the table is gone through once for each of these.
#[derive(Debug)]
pub(crate) struct Admission {
    state: Mutex<State>,
    /// Numbers the moments at which connections begin to wait.
    moments: AtomicU64,
    /// Told when a connection ends or begins to wait for its client.
    freed: Notify,
}

#[derive(Debug)]
struct State {
    room: usize,
    /// Numbers connections.
    last: u64,
    connections: HashMap<u64, Connection>,
    /// The connections that go next, and since when they wait.
    next: VecDeque<(u64, u64)>,
}

#[derive(Debug)]
struct Connection {
    host: IpAddr,
    waits_since: Arc<AtomicU64>,
    /// Tells it to go, by being dropped.
    _stay: oneshot::Sender<()>,
}

/// The place of one connection; it is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    admission: Arc<Admission>,
    number: u64,
    /// The moment since which it waits for its client; [`WORKS`] while a request is at work, [`GONE`] when it was displaced.
    waits_since: Arc<AtomicU64>,
    has_asked: AtomicBool,
}

impl Admission {
    /// Room for `room` connections, at least one.
    pub(crate) fn new(room: usize) -> Arc<Self> {
        let state = State { room: room.max(1), last: 0, connections: HashMap::new(), next: VecDeque::new() };
        Arc::new(Self { state: Mutex::new(state), moments: AtomicU64::new(WORKS), freed: Notify::new() })
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
        let waits_since = Arc::new(AtomicU64::new(self.moment()));
        state.last += 1;
        let number = state.last;
        let connection = Connection { host: host_of(from), waits_since: Arc::clone(&waits_since), _stay: stay };
        state.connections.insert(number, connection);
        Some((Place { admission: Arc::clone(self), number, waits_since, has_asked: AtomicBool::new(false) }, go))
    }

    /// Closes half of the connections that wait for their clients: the system has no more files.
    pub(super) fn make_room(&self) {
        let mut state = self.lock();
        let all = state.connections.len();
        let waiting = state.connections.values().filter(|connection| connection.waits()).count();
        state.next = state.longest_waiting(all);
        for _ in 0..waiting.div_ceil(2) {
            state.displace();
        }
        state.next.clear();
    }

    /// The next moment.
    fn moment(&self) -> u64 {
        self.moments.fetch_add(1, Ordering::Relaxed) + 1
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Lets a connection go that waits for its client. False if there is none.
    fn displace(&mut self) -> bool {
        let mut is_fresh = false;
        loop {
            while let Some((number, since)) = self.next.pop_front() {
                let Some(connection) = self.connections.get(&number) else { continue };
                // One that has asked something since then does not go.
                let gone = connection.waits_since.compare_exchange(since, GONE, Ordering::AcqRel, Ordering::Relaxed);
                if gone.is_ok() {
                    self.connections.remove(&number);
                    return true;
                }
            }
            self.next = self.longest_waiting((self.room / ROOM_FOR_EACH_AT_ONCE).max(1));
            if self.next.is_empty() || std::mem::replace(&mut is_fresh, true) {
                return false;
            }
        }
    }

    /// The connections that go next, at most this many: each time the host that holds the most of those that wait loses the one
    /// that has waited longest; of hosts that hold equally many, the one with the connection that has waited longest.
    fn longest_waiting(&self, count: usize) -> VecDeque<(u64, u64)> {
        let mut hosts = HashMap::<IpAddr, Vec<(u64, u64)>>::new();
        for (number, connection) in &self.connections {
            let since = connection.waits_since.load(Ordering::Relaxed);
            if since != WORKS && since != GONE {
                hosts.entry(connection.host).or_default().push((since, *number));
            }
        }
        let mut order: BinaryHeap<_> = hosts
            .into_values()
            .map(|mut waiting| {
                waiting.sort_unstable_by_key(|(since, _)| Reverse(*since));
                (waiting.len(), Reverse(waiting.last().copied()), waiting)
            })
            .collect();
        let mut next = VecDeque::new();
        while next.len() < count {
            let Some((_, _, mut waiting)) = order.pop() else { break };
            let Some((since, number)) = waiting.pop() else { continue };
            next.push_back((number, since));
            order.push((waiting.len(), Reverse(waiting.last().copied()), waiting));
        }
        next
    }
}

impl Connection {
    fn waits(&self) -> bool {
        ![WORKS, GONE].contains(&self.waits_since.load(Ordering::Relaxed))
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
        let moment = self.admission.moment();
        let begins = self.waits_since.compare_exchange(WORKS, moment, Ordering::AcqRel, Ordering::Relaxed);
        if begins.is_ok() {
            self.admission.freed.notify_one();
        }
    }

    /// A request is at work: it is not displaced. False if it was before: then nothing may be begun.
    pub(super) fn work(&self) -> bool {
        let works = |since| (since != GONE).then_some(WORKS);
        self.waits_since.fetch_update(Ordering::AcqRel, Ordering::Relaxed, works).is_ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.admission.lock().connections.remove(&self.number);
        self.admission.freed.notify_one();
    }
}

/// Instead of a moment: a request is at work.
const WORKS: u64 = 0;

/// Instead of a moment: the connection was displaced.
const GONE: u64 = u64::MAX;

/// In a room for this many connections one is looked for at a time that goes next, in a larger one several.
const ROOM_FOR_EACH_AT_ONCE: usize = 64;

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
