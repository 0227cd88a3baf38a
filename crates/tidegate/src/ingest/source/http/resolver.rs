//! Finding addresses, and keeping redirects from reaching into this machine by name.
//!
//! A name that a redirect leads to may resolve to anything. It is therefore checked where the connection
//! takes its addresses, so that no second look-up can give a different answer.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::Mutex;

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::ingest::source::redirect::{is_forbidden, is_local_name, is_this_machine, literal};

/// What is known of the hosts of one source.
#[derive(Debug)]
pub(super) struct Guard {
    named: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The host that the user named is on this machine, so a redirect may stay here.
    from_loopback: bool,
    /// The host of the request under way, if a redirect chose it. A proxy's own name is not watched.
    watched: Option<String>,
}

impl Guard {
    pub(super) fn new(url: &Url) -> Self {
        let named = url.host_str().unwrap_or_default().to_owned();
        let from_loopback = literal(url).map_or_else(|| is_local_name(&named), is_this_machine);
        Self { named, state: Mutex::new(State { from_loopback, watched: None }) }
    }

    /// Says which host a redirect chose for the next request; none for the one that the user named.
    pub(super) fn watch(&self, host: Option<&str>) {
        self.with(|state| state.watched = host.filter(|host| *host != self.named).map(str::to_owned));
    }

    pub(super) fn is_from_loopback(&self) -> bool {
        self.with(|state| state.from_loopback)
    }

    /// Takes away the addresses that `host` may not have.
    fn admit(&self, host: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, RefusedAddress> {
        self.with(|state| {
            if host == self.named {
                state.from_loopback = !found.is_empty() && found.iter().all(|address| is_this_machine(address.ip()));
            }
            if state.watched.as_deref() != Some(host) {
                return Ok(found);
            }
            let (refused, admitted): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|address| is_forbidden(address.ip(), state.from_loopback));
            match refused.first() {
                Some(address) if admitted.is_empty() => Err(RefusedAddress { address: address.ip() }),
                _ => Ok(admitted),
            }
        })
    }

    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

/// The machine's resolver behind a [`Guard`].
#[derive(Debug)]
pub(super) struct Resolver {
    guard: Arc<Guard>,
    fixed: Arc<[(String, Vec<SocketAddr>)]>,
}

impl Resolver {
    pub(super) fn new(guard: Arc<Guard>, fixed: Vec<(String, Vec<SocketAddr>)>) -> Self {
        Self { guard, fixed: fixed.into() }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let (guard, fixed) = (Arc::clone(&self.guard), Arc::clone(&self.fixed));
        Box::pin(async move {
            let host = name.as_str();
            let found = match fixed.iter().find(|(fixed, _)| fixed == host) {
                Some((_, addresses)) => addresses.clone(),
                None => tokio::net::lookup_host((host, 0)).await.map_err(NameError)?.collect(),
            };
            if found.is_empty() {
                return Err(NameError(io::Error::new(io::ErrorKind::NotFound, "the name has no address")).into());
            }
            let addresses: Addrs = Box::new(guard.admit(host, found)?.into_iter());
            Ok(addresses)
        })
    }
}

/// The name has no address, or the name server did not say.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NameError(io::Error);

/// Every address of a redirect's host is one that a redirect may not lead to.
#[derive(Debug, thiserror::Error)]
#[error("it resolves to {address}")]
pub(super) struct RefusedAddress {
    pub(super) address: IpAddr,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(guard: &Guard, host: &str, addresses: &[&str]) -> Option<Vec<String>> {
        let found = addresses.iter().map(|ip| SocketAddr::new(ip.parse().unwrap(), 0)).collect();
        let admitted = guard.admit(host, found).ok()?;
        Some(admitted.iter().map(|address| address.ip().to_string()).collect())
    }

    fn guard(url: &str) -> Guard {
        Guard::new(&Url::parse(url).unwrap())
    }

    #[test]
    fn the_named_host_may_be_anywhere() {
        let guard = guard("http://flags.example/");
        assert_eq!(admit(&guard, "flags.example", &["127.0.0.1"]).unwrap(), ["127.0.0.1"]);
        assert!(guard.is_from_loopback());
        assert_eq!(admit(&guard, "flags.example", &["192.0.2.1", "127.0.0.1"]).unwrap(), ["192.0.2.1", "127.0.0.1"]);
        assert!(!guard.is_from_loopback());
    }

    #[test]
    fn a_name_that_a_redirect_chose_may_not_lead_home() {
        let guard = guard("http://flags.example/");
        guard.watch(Some("evil.example"));
        assert_eq!(admit(&guard, "evil.example", &["127.0.0.1", "::1"]), None);
        assert_eq!(admit(&guard, "evil.example", &["169.254.169.254"]), None);
        assert_eq!(admit(&guard, "evil.example", &["192.0.2.7", "127.0.0.1"]).unwrap(), ["192.0.2.7"]);
        assert_eq!(admit(&guard, "proxy.example", &["127.0.0.1"]).unwrap(), ["127.0.0.1"]);
    }

    #[test]
    fn from_this_machine_a_redirect_may_stay_on_it() {
        let guard = guard("http://127.0.0.1:8000/");
        guard.watch(Some("also.example"));
        assert_eq!(admit(&guard, "also.example", &["127.0.0.1"]).unwrap(), ["127.0.0.1"]);
        assert_eq!(admit(&guard, "also.example", &["169.254.0.1"]), None);
    }
}
