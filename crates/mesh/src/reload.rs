//! Certificates that are replaced while the node runs.
//!
//! The three files are read again every few seconds. If they have changed and are good, new links use them at once; a link
//! that stands keeps what it began with, until its certificate expires or its authority is no longer trusted. If they are not
//! good, the ones before stay active, and the log and the status say why.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};

use crate::clock;
use crate::expiry;
use crate::handshake::Local;
use crate::identity::{Identity, IdentityError};
use crate::link::End;
use crate::registry::Registry;
use crate::tls::Tls;
use crate::trust::{Distrust, Role};
use crate::wire::Reason;

/// Looks at the certificate files, and replaces the identity when they have changed.
#[derive(Debug)]
pub(crate) struct Reload {
    local: Arc<Local>,
    registry: Arc<Registry>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    active: Arc<Identity>,
    /// Why the files cannot be used as they are now.
    problem: Option<String>,
}

/// Why new certificates are not taken up.
#[derive(Debug, thiserror::Error)]
enum ReloadError {
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("`{}` now has the certificate of another node, {found}; put that of {expected} there", folder.display())]
    OtherNode { folder: std::path::PathBuf, expected: tidegate_replica::NodeId, found: tidegate_replica::NodeId },
    #[error("TLS does not accept the certificate: {0}")]
    Tls(#[from] rustls::Error),
}

impl Reload {
    pub(crate) fn new(local: Arc<Local>, registry: Arc<Registry>, identity: Identity) -> Self {
        let state = State { active: Arc::new(identity), problem: None };
        Self { local, registry, state: Mutex::new(state) }
    }

    /// When the active certificate expires, in seconds since 1970.
    pub(crate) fn expires(&self) -> u64 {
        self.lock().active.expires()
    }

    /// Why the files cannot be used as they are now, and why no node accepts those that are.
    pub(crate) fn problems(&self) -> Vec<String> {
        let state = self.lock();
        state.problem.iter().cloned().chain(state.active.invalid().map(rejected)).collect()
    }

    /// Reads the files again and again, and warns before the certificate expires.
    pub(crate) async fn run(self: Arc<Self>) {
        let mut watch = expiry::Watch::default();
        let mut is_early = false;
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let active = Arc::clone(&self.lock().active);
            // A file system may hang: that must not hold up the links.
            let read = spawn_blocking(move || active.read_again(clock::now())).await;
            match read {
                Ok(read) => self.use_files(read),
                Err(error) => tracing::debug!("the certificates were not read again: {error}"),
            }
            let rejected = self.lock().active.invalid().cloned();
            if let Some(invalid) = rejected.filter(|invalid| *invalid == Distrust::NotYetValid)
                && !std::mem::replace(&mut is_early, true)
            {
                tracing::warn!("{}", self::rejected(&invalid));
            }
            if let Some(warning) = watch.warning(self.expires(), clock::now()) {
                tracing::warn!("{warning}");
            }
        }
    }

    fn use_files(&self, read: Result<Identity, IdentityError>) {
        let outcome = read.map_err(ReloadError::from).and_then(|identity| self.activate(identity));
        let mut state = self.lock();
        match outcome {
            Ok(()) => state.problem = None,
            Err(error) => {
                let problem = error.to_string();
                if state.problem.as_ref() != Some(&problem) {
                    tracing::warn!(
                        "the certificates cannot be reloaded, and those loaded before stay active: {problem}"
                    );
                    state.problem = Some(problem);
                }
            }
        }
    }

    /// Makes the certificates active, if they are others than before.
    fn activate(&self, identity: Identity) -> Result<(), ReloadError> {
        let (is_same, expected) = {
            let state = self.lock();
            (state.active.has_same_files(&identity), state.active.node())
        };
        if is_same {
            // The files stay, and the time goes on.
            self.lock().active = Arc::new(identity);
            return Ok(());
        }
        // It takes the place of none: the ones before may still be good, and these are not.
        if let Some(refused) = identity.refused() {
            return Err(refused.into());
        }
        if identity.node() != expected {
            let folder = identity.folder().to_owned();
            return Err(ReloadError::OtherNode { folder, expected, found: identity.node() });
        }
        let tls = Tls::new(&identity)?;
        *self.local.tls.lock().unwrap_or_else(PoisonError::into_inner) = Some(tls.clone());
        self.end_distrusted(&tls);
        tracing::info!("the certificates were reloaded");
        self.lock().active = Arc::new(identity);
        Ok(())
    }

    /// Ends the links to nodes whose certificates are no longer trusted.
    fn end_distrusted(&self, tls: &Tls) {
        for link in self.registry.all() {
            let peer = link.peer();
            let role = if peer.is_outbound { Role::Server } else { Role::Client };
            let certificate = CertificateDer::from(peer.certificate.as_slice());
            if let Err(cause) = tls.identify(Some(&[certificate]), role, clock::now()) {
                tracing::warn!("the link to node {} ends: {cause}", peer.process.0);
                link.end(End::Goodbye(Reason::Distrusted));
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The message for a certificate that other nodes do not accept.
fn rejected(invalid: &Distrust) -> String {
    match invalid {
        Distrust::Expired => expiry::expired(),
        invalid => format!("no other node accepts the certificate of this node: {invalid}"),
    }
}

/// Between two looks at the files: soon enough for an operator who waits for it, and rare enough to cost nothing.
const PERIOD: Duration = Duration::from_secs(5);
