//! A document in a node of ZooKeeper.
//!
//! The node is watched, so a change reaches this process when it is made; between changes each poll is one small question for
//! the node's version, which tells that the ensemble still answers. A session holds nothing but the watch. So whatever goes
//! wrong (a lost connection, an expired session, a server that does not answer) ends the session, and the next attempt begins
//! another one, on the schedule of every source.

mod location;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use zookeeper_client::{Client, Error, OneshotWatcher, Stat, StateWatcher};

use super::{FetchError, FetchOptions, Fetched, Phase, SIGNATURE_BYTES_MAX, SIGNATURE_SUFFIX, Tag, changed};
pub(super) use location::Location;

/// Asks one node.
pub(super) struct ZooKeeperFetcher {
    node: Place,
    session: Option<Session>,
}

/// Where the node is, and how it is read.
struct Place {
    location: Location,
    options: FetchOptions,
}

/// A session of the ensemble, with the watches that are set in it.
struct Session {
    client: Client,
    /// Resolves when the session is no longer connected.
    lost: Notified,
    /// Resolves when the document's node was changed, made or deleted; none: it is not watched.
    document: Option<Notified>,
    /// The same for the node of the signature, where one is wanted.
    signature: Option<Notified>,
}

type Notified = Pin<Box<dyn Future<Output = ()> + Send>>;

impl ZooKeeperFetcher {
    pub(super) fn new(location: Location, options: FetchOptions) -> Self {
        Self { node: Place { location, options }, session: None }
    }

    pub(super) async fn fetch(&mut self, have: Option<&Tag>) -> Result<Fetched, FetchError> {
        let (mut phase, after) = (Phase::Connecting, self.node.options.timeout);
        // Taken out, so that a session in which anything went wrong, or which was given up in the middle, is gone.
        let session = self.session.take();
        let exchange = Box::pin(self.node.exchange(session, have, &mut phase));
        let outcome = match tokio::time::timeout(after, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(FetchError::TimedOut { phase, after }),
        };
        let (session, fetched) = outcome?;
        self.session = Some(session);
        fetched
    }

    /// Waits until the document may have changed, or the session was lost. Pending for ever while there is no session.
    pub(super) async fn notified(&mut self) {
        let Some(session) = &mut self.session else { return std::future::pending().await };
        std::future::poll_fn(|context| {
            let mut is_notified = session.lost.as_mut().poll(context).is_ready();
            for watch in [&mut session.document, &mut session.signature] {
                if watch.as_mut().is_some_and(|watch| watch.as_mut().poll(context).is_ready()) {
                    (*watch, is_notified) = (None, true);
                }
            }
            if is_notified { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}

impl Place {
    /// Asks; an answer that is an error leaves the session as it is.
    async fn exchange(
        &self,
        session: Option<Session>,
        have: Option<&Tag>,
        phase: &mut Phase,
    ) -> Result<(Session, Result<Fetched, FetchError>), FetchError> {
        let mut session = match session.filter(Session::is_connected) {
            Some(session) => session,
            None => self.connect().await?,
        };
        *phase = Phase::WaitingForAnswer;
        let answer = self.ask(&mut session, have, phase).await;
        match answer {
            Err(error) if !error.leaves_session() => Err(error),
            answer => Ok((session, answer)),
        }
    }

    async fn connect(&self) -> Result<Session, FetchError> {
        let mut connector = Client::connector()
            .with_session_timeout(SESSION_TIMEOUT)
            .with_connection_timeout(self.options.connect_timeout)
            .with_fail_eagerly();
        if let Some(credentials) = self.location.credentials().or(self.options.zookeeper_digest.as_deref()) {
            connector = connector.with_auth("digest", credentials.as_bytes());
        }
        let client = connector.connect(self.location.hosts()).await.map_err(|error| self.failed(error))?;
        let lost = lost(client.state_watcher());
        Ok(Session { client, lost, document: None, signature: None })
    }

    async fn ask(&self, session: &mut Session, have: Option<&Tag>, phase: &mut Phase) -> Result<Fetched, FetchError> {
        let path = self.location.path();
        let limit = self.options.body_bytes_max;
        // The signature is watched before the document is read, so that the later of the two always wakes us.
        let signature_path = self.options.is_signed.then(|| format!("{path}{SIGNATURE_SUFFIX}"));
        let signature = match &signature_path {
            Some(path) => self.stat(session, path, Node::Signature).await?,
            None => None,
        };
        let stat = self.stat(session, path, Node::Document).await?.ok_or_else(|| self.missing())?;
        if tag(&stat, signature.as_ref()).as_ref() == have && have.is_some() {
            return Ok(Fetched::Unchanged);
        }
        // Before it is read: the server sends nodes as a whole.
        if usize::try_from(stat.data_length).is_ok_and(|bytes| bytes > limit) {
            return Err(FetchError::BodyTooBig { limit });
        }
        *phase = Phase::ReadingBody;
        let (body, stat) = session.client.get_data(path).await.map_err(|error| self.failed(error))?;
        if body.len() > limit {
            return Err(FetchError::BodyTooBig { limit });
        }
        let text = match (&signature_path, &signature) {
            (Some(path), Some(stat)) => Some(self.signature(&session.client, path, stat).await?),
            _ => None,
        };
        Ok(changed(body, text, tag(&stat, signature.as_ref())))
    }

    /// The signature. One that is too large is no signature, and is handed on as such.
    async fn signature(&self, client: &Client, path: &str, stat: &Stat) -> Result<String, FetchError> {
        if usize::try_from(stat.data_length).is_ok_and(|bytes| bytes > SIGNATURE_BYTES_MAX) {
            return Ok(String::new());
        }
        match client.get_data(path).await {
            Ok((text, _)) => Ok(String::from_utf8_lossy(&text).into_owned()),
            Err(error) => Err(FetchError::Signature { source: Box::new(self.failed(error)) }),
        }
    }

    /// The version of a node, which is watched from now on; none if there is no such node.
    async fn stat(&self, session: &mut Session, path: &str, node: Node) -> Result<Option<Stat>, FetchError> {
        let watch = match node {
            Node::Document => &mut session.document,
            Node::Signature => &mut session.signature,
        };
        if watch.is_some() {
            return session.client.check_stat(path).await.map_err(|error| self.failed(error));
        }
        let (stat, watcher) = session.client.check_and_watch_stat(path).await.map_err(|error| self.failed(error))?;
        *watch = Some(fired(watcher));
        Ok(stat)
    }

    fn missing(&self) -> FetchError {
        FetchError::NoNode { path: self.location.path().to_owned() }
    }

    fn failed(&self, error: Error) -> FetchError {
        match error {
            Error::NoNode => self.missing(),
            Error::NoAuth | Error::AuthFailed => FetchError::NodeForbidden { path: self.location.path().to_owned() },
            error => {
                let reason = match error {
                    Error::NoHosts | Error::Timeout => "none of the servers answers".to_owned(),
                    ref error => error.to_string(),
                };
                FetchError::Unreachable { host: self.location.hosts().to_owned(), reason, source: error.into() }
            }
        }
    }
}

/// Which of the two nodes.
#[derive(Clone, Copy)]
enum Node {
    Document,
    Signature,
}

impl Session {
    fn is_connected(&self) -> bool {
        use zookeeper_client::SessionState::{ConnectedReadOnly, SyncConnected};
        matches!(self.client.state(), SyncConnected | ConnectedReadOnly)
    }
}

fn fired(watcher: OneshotWatcher) -> Notified {
    Box::pin(async move {
        watcher.changed().await;
    })
}

/// The client connects again by itself; the watches of before tell nothing of the time between, so the session is over for us.
fn lost(mut states: StateWatcher) -> Notified {
    Box::pin(async move {
        states.changed().await;
    })
}

/// Names a version of a node: the transaction that wrote it, and when. The time tells apart two ensembles of which one took the
/// other's place: both count transactions from the beginning. Where the document is signed, it is the version of both nodes.
fn tag(document: &Stat, signature: Option<&Stat>) -> Option<Tag> {
    let name = |stat: &Stat| format!("{:x}.{:x}", stat.mzxid, stat.mtime);
    let text = match signature {
        Some(signature) => format!("{}+{}", name(document), name(signature)),
        None => name(document),
    };
    Tag::new(text).ok()
}

impl FetchError {
    /// Whether the session goes on: the server has answered in good order.
    fn leaves_session(&self) -> bool {
        matches!(self, Self::NoNode { .. } | Self::NodeForbidden { .. } | Self::BodyTooBig { .. })
    }
}

impl fmt::Debug for ZooKeeperFetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ZooKeeperFetcher").field("location", &self.node.location.to_string()).finish_non_exhaustive()
    }
}

/// How long the ensemble keeps a session whose client is silent. It holds nothing but a watch; the time is that of most
/// installations.
const SESSION_TIMEOUT: Duration = Duration::from_secs(10);
