//! How long the system waits for the other end of a link.
//!
//! Two things about the sockets of links are not as they should be when a network is cut.
//!
//! - zenoh lets a close wait for up to ten seconds until everything was acknowledged (`SO_LINGER`), and does it on the thread that
//!   works on all links. So a node that gives up a link that is cut says nothing to anybody for ten seconds, and one that gives
//!   up three of them for thirty. Here a close does not wait; the system goes on sending in the background.
//! - TCP sends again what was not acknowledged, at intervals that double: after a cut of five seconds a link that is still there
//!   says nothing for up to six more, while one that was given up is dialled anew at once. Here it is given up when what was
//!   sent is not acknowledged for [`PATIENCE`] (`TCP_USER_TIMEOUT`, RFC 5482).
//!
//! zenoh has no setting for either, and does not hand out its sockets. But Linux lets a process take a second handle of a file that
//! it has open itself, and the addresses of both ends tell which one it is. Where that is not possible, links are
//! as slow to be given up as said above.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use crate::dial::Link;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Patience {
    /// The links of which the system was told, by the addresses of both ends.
    told: BTreeSet<Ends>,
}

/// Here and there.
type Ends = (SocketAddr, SocketAddr);

impl Patience {
    /// Tells the system of links that it was not told of.
    pub(crate) fn look(&mut self, links: &[Link]) {
        let there: BTreeSet<Ends> = links.iter().filter_map(|link| Some((link.local?, link.remote?))).collect();
        let new: BTreeSet<Ends> = there.difference(&self.told).copied().collect();
        if !new.is_empty()
            && let Err(error) = tell(&new)
        {
            tracing::debug!("the system cannot be told how long to wait for other nodes: {error}");
        }
        self.told = there;
    }
}

/// Looks for the sockets of these links among all files of this process.
#[cfg(target_os = "linux")]
fn tell(links: &BTreeSet<Ends>) -> std::io::Result<()> {
    use rustix::net::sockopt::{set_socket_linger, set_tcp_user_timeout};
    use rustix::net::{getpeername, getsockname};
    use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};

    let mut outcome = Ok(());
    let own = pidfd_open(getpid(), PidfdFlags::empty())?;
    for entry in std::fs::read_dir("/proc/self/fd")? {
        let path = entry?.path();
        // Whatever closes meanwhile is none of those that stay.
        let is_socket =
            std::fs::read_link(&path).is_ok_and(|target| target.as_os_str().as_encoded_bytes().starts_with(b"socket:"));
        let number = path.file_name().and_then(|name| name.to_str()?.parse().ok());
        let Some(number) = number.filter(|_| is_socket) else { continue };
        let socket = match pidfd_getfd(&own, number, PidfdGetfdFlags::empty()) {
            Err(rustix::io::Errno::BADF) => continue,
            socket => socket?,
        };
        let ends = getsockname(&socket).ok().zip(getpeername(&socket).ok().flatten());
        let ends = ends.and_then(|(here, there)| Some((here.try_into().ok()?, there.try_into().ok()?)));
        if ends.is_some_and(|ends| links.contains(&ends)) {
            let ms = u32::try_from(PATIENCE.as_millis()).unwrap_or(u32::MAX);
            // One that is just ending takes neither; the others do.
            let set = set_tcp_user_timeout(&socket, ms).and_then(|()| set_socket_linger(&socket, None));
            outcome = outcome.and(set);
        }
    }
    Ok(outcome?)
}

#[cfg(not(target_os = "linux"))]
fn tell(_: &BTreeSet<Ends>) -> std::io::Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

/// What was sent may be unacknowledged for so long. By then TCP has sent it again four times where an answer takes a
/// millisecond, and three times where it takes half a second. A process that is stopped or busy acknowledges all the same: its
/// system does.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use rustix::net::sockopt::{set_socket_linger, socket_linger, tcp_user_timeout};
    use tidegate_replica::NodeId;

    use super::*;

    #[test]
    fn the_system_is_told_of_links_and_of_nothing_else() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let place = listener.local_addr().unwrap();
        let connect = || {
            let pair = [TcpStream::connect(place).unwrap(), listener.accept().unwrap().0];
            pair.map(|stream| {
                set_socket_linger(&stream, Some(Duration::from_secs(10))).unwrap();
                stream
            })
        };
        let ([here, there], [other, _]) = (connect(), connect());
        let mut patience = Patience::default();
        let link = |of: &TcpStream| {
            let (local, remote) = (of.local_addr().ok(), of.peer_addr().ok());
            Link { node: NodeId::new(1), local, remote, is_outbound: true }
        };
        patience.look(&[link(&here)]);
        let waits = |of: &TcpStream| (tcp_user_timeout(of).unwrap(), socket_linger(of).unwrap().is_some());
        let (told, untold) = ((5_000, false), (0, true));
        assert_eq!([&here, &there, &other].map(waits), [told, untold, untold]);
        patience.look(&[link(&here), link(&there)]);
        assert_eq!([&here, &there, &other].map(waits), [told, told, untold]);
    }
}
