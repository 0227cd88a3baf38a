//! The socket on which a server listens.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use crate::limits;

/// Listens on an address, with a queue of [`limits::LISTEN_BACKLOG`] connections that wait to be accepted. The queue of
/// [`TcpListener::bind`] holds 1,024: when a thousand followers come back at the same moment, connections beyond it are dropped
/// by the system, and their clients try again after a second.
///
/// Linux allows no more than `net.core.somaxconn`, which is 4,096 since Linux 5.4.
///
/// # Panics
/// It is called outside of a tokio runtime.
///
/// # Errors
/// The address is in use, is not one of this host, or may not be used by this process.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // So that a restart does not wait for connections of the process before it; Windows means something else by it.
    #[cfg(not(windows))]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(limits::LISTEN_BACKLOG)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::time::Duration;

    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    use super::*;

    #[tokio::test]
    async fn two_thousand_connections_wait_to_be_accepted() {
        let files = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files }).unwrap();
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listener.local_addr().unwrap();
        let connect = |_| TcpStream::connect_timeout(&address, Duration::from_secs(20)).unwrap();
        let waiting: Vec<_> = (0..2_000).map(connect).collect();
        drop((listener, waiting));
    }
}
