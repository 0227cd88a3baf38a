//! One server of Redis, and how to connect to it.

use redis::{ConnectionAddr, ConnectionInfo};

use super::lost::Lost;
use super::tls::RedisTls;

/// One server, with user and password.
#[derive(Clone)]
pub(super) struct Place {
    info: ConnectionInfo,
    /// Whether it does not have the slot of our keys yet, and answers only commands that ask for it.
    is_asking: bool,
}

impl Place {
    pub(super) fn new(info: ConnectionInfo) -> Self {
        Self { info, is_asking: false }
    }

    /// The server at this `host:port`, to which this one redirects, or which a Sentinel names.
    pub(super) fn moved_to(&self, place: &str, is_asking: bool) -> Option<Self> {
        let (host, port) = place.rsplit_once(':')?;
        let port = port.parse().ok()?;
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        // A node that has no address for itself means the one at which it was reached.
        let named = |before: &str| if host.is_empty() { before.to_owned() } else { host.clone() };
        let address = match self.info.addr() {
            ConnectionAddr::Tcp(before, _) => ConnectionAddr::Tcp(named(before), port),
            ConnectionAddr::TcpTls { host: before, tls_params, .. } => {
                ConnectionAddr::TcpTls { host: named(before), port, insecure: false, tls_params: tls_params.clone() }
            }
            _ => return None,
        };
        Some(Self { info: self.info.clone().set_addr(address), is_asking })
    }

    /// Where a session that ended like this goes on.
    pub(super) fn redirected(&self, lost: &Lost) -> Option<Self> {
        match lost {
            Lost::Moved(to) => self.moved_to(to, false),
            Lost::Ask(to) => self.moved_to(to, true),
            _ => None,
        }
    }

    /// Takes these certificates, where it is TLS.
    pub(super) fn use_tls(&mut self, tls: &RedisTls) -> Result<(), String> {
        if self.is_tls()
            && let Some(certificates) = tls.certificates()
        {
            let client =
                redis::Client::build_with_tls(self.info.clone(), certificates).map_err(|error| error.to_string())?;
            self.info = client.get_connection_info().clone();
        }
        Ok(())
    }

    pub(super) fn info(&self) -> ConnectionInfo {
        self.info.clone()
    }

    pub(super) fn is_asking(&self) -> bool {
        self.is_asking
    }

    pub(super) fn is_tls(&self) -> bool {
        matches!(self.info.addr(), ConnectionAddr::TcpTls { .. })
    }
}

#[cfg(test)]
mod tests {
    use redis::IntoConnectionInfo as _;

    use super::*;

    #[test]
    fn a_redirect_keeps_user_and_password_and_replaces_the_place() {
        let place = Place::new("redis://dana:s3cret@10.0.0.1:7000/0".into_connection_info().unwrap());
        for (to, expected) in [("10.0.0.2:7001", "10.0.0.2:7001"), (":7002", "10.0.0.1:7002")] {
            let moved = place.moved_to(to, false).unwrap();
            assert_eq!(moved.info.addr().to_string(), expected);
            assert_eq!(moved.info.redis_settings().password(), Some("s3cret"));
        }
        assert!(place.moved_to("nonsense", false).is_none());
    }
}
