//! Connections whose other end has not shown yet who it is.
//!
//! Anybody can open a connection and say nothing. So there is room for a fixed number of such connections, apart from the
//! links of members, and a new one always gets in: where there is no room left, the host that holds the most of them loses its
//! oldest one. A host that floods the port thus displaces itself before it displaces others; and if everything comes from
//! one host, a newcomer has the time of as many connections as there is room for to finish its handshake.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

/// Counts the incoming connections that are not authenticated yet.
#[derive(Debug)]
pub(crate) struct Admission {
    room: usize,
    last: u64,
    /// The connections of each host by their numbers, the oldest first; never an empty set.
    hosts: BTreeMap<IpAddr, BTreeSet<u64>>,
    count: usize,
}

impl Admission {
    /// Room for `room` connections, at least one.
    pub(crate) fn new(room: usize) -> Self {
        Self { room: room.max(1), last: 0, hosts: BTreeMap::new(), count: 0 }
    }

    /// A connection has come: its number, and that of the one that has to go for it.
    pub(crate) fn enter(&mut self, from: IpAddr) -> (u64, Option<u64>) {
        let displaced = if self.count >= self.room { self.displace() } else { None };
        self.last += 1;
        self.hosts.entry(host_of(from)).or_default().insert(self.last);
        self.count += 1;
        (self.last, displaced)
    }

    /// A connection has gone, or its other end has shown who it is.
    pub(crate) fn leave(&mut self, from: IpAddr, number: u64) {
        let host = host_of(from);
        let Some(numbers) = self.hosts.get_mut(&host) else { return };
        if numbers.remove(&number) {
            self.count -= 1;
        }
        if numbers.is_empty() {
            self.hosts.remove(&host);
        }
    }

    /// Makes room: the number of the connection that has to go.
    pub(crate) fn displace(&mut self) -> Option<u64> {
        // Of hosts that hold equally many, the one whose first connection is the oldest.
        let greatest = self.hosts.iter().max_by_key(|(_, numbers)| {
            (numbers.len(), std::cmp::Reverse(numbers.first().copied().unwrap_or_default()))
        });
        let (host, number) = greatest.and_then(|(host, numbers)| Some((*host, *numbers.first()?)))?;
        self.leave(host, number);
        Some(number)
    }

    /// How many connections there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }
}

/// What counts as one host: an IPv4 address, or the first half of an IPv6 address, within which a host may choose freely.
fn host_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip @ IpAddr::V4(_) => ip,
    }
}

/// Room for connections, where this process may open this number of files.
pub(crate) fn room(files: Option<u64>) -> usize {
    let files = files.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    (files / FILES_SHARE).clamp(ROOM_MIN, ROOM_MAX)
}

/// Connections of strangers may take an eighth of the files that this process may open: members, HTTP and the data folder need
/// the rest.
const FILES_SHARE: usize = 8;

/// Even where files are few, a handful of members can come at once.
const ROOM_MIN: usize = 16;

/// With a thousand strangers a second from one host, a newcomer still has half a second: longer than TLS takes between
/// continents.
const ROOM_MAX: usize = 512;

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn the_host_with_the_most_connections_loses_its_oldest() {
        let mut admission = Admission::new(4);
        let (friend, _) = admission.enter(ip(1));
        let flood: Vec<u64> = (0..3).map(|_| admission.enter(ip(2)).0).collect();
        assert_eq!(admission.enter(ip(2)).1, Some(flood[0]));
        assert_eq!(admission.enter(ip(3)).1, Some(flood[1]));
        assert_eq!(admission.count(), 4);
        admission.leave(ip(1), friend);
        assert_eq!(admission.enter(ip(2)).1, None, "there is room again");
    }

    #[test]
    fn a_flood_from_everywhere_displaces_the_oldest() {
        let mut admission = Admission::new(3);
        let first: Vec<u64> = (1..=3).map(|host| admission.enter(ip(host)).0).collect();
        assert_eq!(admission.enter(ip(4)).1, Some(first[0]));
        assert_eq!(admission.enter(ip(5)).1, Some(first[1]));
    }

    #[test]
    fn hosts_of_one_network_of_ipv6_are_one() {
        let mut admission = Admission::new(3);
        let at = |text: &str| text.parse().unwrap();
        admission.enter(at("::ffff:10.0.0.1"));
        let (first, _) = admission.enter(at("2001:db8::1"));
        admission.enter(at("2001:db8::ffff:1"));
        assert_eq!(admission.enter(at("10.0.0.1")).1, Some(first));
        assert_eq!(admission.hosts.len(), 2, "an IPv4 address is one however it is written");
    }

    #[test]
    fn the_count_follows_every_arrival_and_departure() {
        let mut admission = Admission::new(8);
        let mut there: Vec<(IpAddr, u64)> = Vec::new();
        for step in 0_u8..200 {
            let host = ip(step % 5);
            let (number, displaced) = admission.enter(host);
            there.retain(|(_, number)| Some(*number) != displaced);
            there.push((host, number));
            if step % 3 == 0 {
                let (host, number) = there.remove(usize::from(step) % there.len());
                admission.leave(host, number);
                admission.leave(host, number);
            }
            assert_eq!(admission.count(), there.len());
            assert!(admission.count() <= 8);
        }
        let displaced: Vec<u64> = std::iter::from_fn(|| admission.displace()).collect();
        assert_eq!((displaced.len(), admission.hosts.len()), (there.len(), 0));
    }

    #[test]
    fn strangers_never_take_most_files() {
        for (files, expected) in [(Some(64), 16), (Some(1_024), 128), (Some(1 << 20), 512), (None, 512)] {
            assert_eq!(room(files), expected, "{files:?}");
        }
    }
}
