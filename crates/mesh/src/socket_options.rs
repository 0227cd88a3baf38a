//! The options of a link's socket, set when it is created.
//!
//! | option | value | because |
//! | --- | --- | --- |
//! | `TCP_NODELAY` | on | a change must not wait for the acknowledgement of the one before |
//! | `TCP_USER_TIMEOUT` (RFC 5482) | 5 s | a link that was cut is given up in time, not after TCP's doubling retries |
//! | `SO_KEEPALIVE` | after 15 s, every 5 s | the system notices a vanished host by itself, should neither end ping |
//! | `SO_LINGER` | off | a close never waits |

use std::os::fd::AsFd;
#[cfg(target_os = "linux")]
use std::time::Duration;

use rustix::io;
use rustix::net::sockopt;

/// Sets all of them.
pub(crate) fn set(socket: &impl AsFd) -> io::Result<()> {
    sockopt::set_tcp_nodelay(socket, true)?;
    sockopt::set_socket_linger(socket, None)?;
    sockopt::set_socket_keepalive(socket, true)?;
    timeouts(socket)
}

#[cfg(target_os = "linux")]
fn timeouts(socket: &impl AsFd) -> io::Result<()> {
    sockopt::set_tcp_keepidle(socket, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(socket, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_user_timeout(socket, USER_TIMEOUT_MS)
}

/// Other systems have no such option, or one under another name: pings notice what it would have noticed.
#[cfg(not(target_os = "linux"))]
fn timeouts(_: &impl AsFd) -> io::Result<()> {
    Ok(())
}

/// What was sent may be unacknowledged for this long. By then TCP has sent it again four times where an answer takes a
/// millisecond, and three times where it takes half a second. A process that is stopped or busy acknowledges all the same:
/// its system does.
#[cfg(target_os = "linux")]
const USER_TIMEOUT_MS: u32 = 5_000;

/// Longer than a link is ever without pings, so that keep-alive packets cost nothing at rest.
#[cfg(target_os = "linux")]
const KEEPALIVE_IDLE: Duration = Duration::from_secs(15);
#[cfg(target_os = "linux")]
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_socket_has_all_options() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        sockopt::set_socket_linger(&socket, Some(Duration::from_secs(10))).unwrap();
        set(&socket).unwrap();
        assert!(sockopt::tcp_nodelay(&socket).unwrap());
        assert_eq!(sockopt::socket_linger(&socket).unwrap(), None);
        assert!(sockopt::socket_keepalive(&socket).unwrap());
        assert_eq!(sockopt::tcp_keepidle(&socket).unwrap(), KEEPALIVE_IDLE);
        assert_eq!(sockopt::tcp_keepintvl(&socket).unwrap(), KEEPALIVE_INTERVAL);
        assert_eq!(sockopt::tcp_user_timeout(&socket).unwrap(), USER_TIMEOUT_MS);
    }
}
