//! From a TCP connection to a link: TLS, then a hello in each direction.
//!
//! Nothing that a peer says is believed before its certificate was checked, and afterwards it speaks for the node that the
//! certificate names, and for no other.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use rustls_pki_types::ServerName;
use tidegate_replica::NodeId;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::address::Host;
use crate::cause::Cause;
use crate::clock;
use crate::link::{Link, Peer, Process, Stream};
use crate::startup::{self, Startup};
use crate::tls::{self, Tls};
use crate::trust::{Known, Role};
use crate::wire::{
    FRAME_BYTES_MAX, GOODBYE, HELLO, HELLO_BYTES_MAX, Hello, LENGTH_BYTES, OLDEST_VERSION, Reason, VERSION, goodbye,
    running_elsewhere,
};

/// What this node shows of itself.
#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) process: Process,
    pub(crate) cluster: String,
    /// Where others reach it.
    pub(crate) address: Option<String>,
    pub(crate) startup: Startup,
    /// None without certificates. Another one after a reload.
    pub(crate) tls: Mutex<Option<Tls>>,
}

/// Which node has to be at the other end of a connection.
#[derive(Clone, Debug)]
pub(crate) enum Expected {
    /// Any node whose certificate names the host.
    Host(Host),
    /// This node, wherever it is: its certificate names it, so the host is of no matter.
    Node(NodeId),
}

impl Local {
    pub(crate) fn tls(&self) -> Option<Tls> {
        self.tls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hello(&self) -> Hello {
        let (node, instance) = self.process;
        Hello {
            versions: (OLDEST_VERSION, VERSION),
            cluster: self.cluster.clone(),
            node,
            instance,
            address: self.address.clone(),
            age_ms: Some(u64::try_from(self.startup.age().as_millis()).unwrap_or(u64::MAX)),
            is_starting: !self.startup.is_over(),
        }
    }
}

/// The end that connects.
pub(crate) async fn outbound(local: &Local, stream: TcpStream, expected: &Expected) -> Result<Link, Cause> {
    in_time(async {
        let remote = stream.peer_addr().map_err(|error| Cause::from_io(&error))?;
        let Some(tls) = local.tls() else {
            return greet(local, Box::new(stream), (remote, true), None, Some(expected)).await;
        };
        let host = match expected {
            Expected::Host(host) => host.server_name().ok_or_else(|| Cause::WrongName(host.to_string()))?,
            Expected::Node(_) => ServerName::IpAddress(remote.ip().into()),
        };
        let stream = TlsConnector::from(Arc::clone(&tls.client))
            .connect(host.clone(), stream)
            .await
            .map_err(|error| Cause::from_io(&error))?;
        let certificates = stream.get_ref().1.peer_certificates();
        let known = tls.identify(certificates, Role::Server, clock::now())?;
        if let Expected::Host(named) = expected
            && !tls::names_host(certificates, &host)
        {
            return Err(Cause::WrongName(named.to_string()));
        }
        let shown = Shown::new(&known, certificates, &tls);
        greet(local, Box::new(stream), (remote, true), Some(shown), Some(expected)).await
    })
    .await
}

/// The end that accepts.
pub(crate) async fn inbound(local: &Local, stream: TcpStream, remote: SocketAddr) -> Result<Link, Cause> {
    in_time(async {
        let Some(tls) = local.tls() else {
            return greet(local, Box::new(stream), (remote, false), None, None).await;
        };
        let stream =
            TlsAcceptor::from(Arc::clone(&tls.server)).accept(stream).await.map_err(|error| Cause::from_io(&error))?;
        let certificates = stream.get_ref().1.peer_certificates();
        let known = tls.identify(certificates, Role::Client, clock::now())?;
        let shown = Shown::new(&known, certificates, &tls);
        greet(local, Box::new(stream), (remote, false), Some(shown), None).await
    })
    .await
}

/// What a peer's certificate has shown.
struct Shown {
    node: NodeId,
    expires: u64,
    certificate: Vec<u8>,
}

impl Shown {
    fn new(known: &Known, certificates: Option<&[rustls_pki_types::CertificateDer<'_>]>, tls: &Tls) -> Self {
        let certificate = certificates.and_then(<[_]>::first).map(|certificate| certificate.to_vec());
        Self {
            node: known.node,
            // Either end may find the other's certificate expired.
            expires: known.expires.min(tls.expires),
            certificate: certificate.unwrap_or_default(),
        }
    }
}

async fn in_time(handshake: impl Future<Output = Result<Link, Cause>>) -> Result<Link, Cause> {
    timeout(HANDSHAKE_MAX, handshake).await.unwrap_or(Err(Cause::TimedOut))
}

/// A hello in each direction.
async fn greet(
    local: &Local,
    mut stream: Box<dyn Stream>,
    (remote, is_outbound): (SocketAddr, bool),
    shown: Option<Shown>,
    expected: Option<&Expected>,
) -> Result<Link, Cause> {
    write(&mut stream, &local.hello().encode()).await?;
    let hello = read_hello(&mut stream).await?;
    if let Err((reason, cause)) = check(local, (&hello, remote), shown.as_ref().map(|shown| shown.node), expected) {
        // So that the peer can say why, too.
        let last = match &cause {
            Cause::SecondProcess(address) => running_elsewhere(address),
            _ => goodbye(reason),
        };
        let _ = write(&mut stream, &last).await;
        let _ = stream.shutdown().await;
        return Err(cause);
    }
    let (expires, certificate) = shown.map_or((u64::MAX, Vec::new()), |shown| (shown.expires, shown.certificate));
    let process = (hello.node, hello.instance);
    let (address, is_starting) = (hello.address, hello.is_starting);
    let age = hello.age_ms.map(Duration::from_millis);
    Ok(Link::new(stream, Peer { process, remote, is_outbound, address, age, is_starting, expires, certificate }))
}

/// Whether this is a node to have a link to.
fn check(
    local: &Local,
    (hello, remote): (&Hello, SocketAddr),
    certified: Option<NodeId>,
    expected: Option<&Expected>,
) -> Result<(), (Reason, Cause)> {
    let found = hello.node;
    if hello.versions.0 > VERSION || hello.versions.1 < OLDEST_VERSION {
        return Err((Reason::IncompatibleVersion, Cause::IncompatibleVersion { theirs: hello.versions }));
    }
    if hello.cluster != local.cluster {
        return Err((Reason::OtherCluster, Cause::OtherCluster(hello.cluster.clone())));
    }
    if let Some(expected) = certified.filter(|certified| *certified != found) {
        return Err((Reason::WrongNode, Cause::WrongNode { expected, found }));
    }
    if (found, hello.instance) == local.process {
        return Err((Reason::Own, Cause::Own));
    }
    if found == local.process.0
        && let Some(cause) = second_process(local, hello, remote)
    {
        return Err((Reason::RunningElsewhere, cause));
    }
    match expected {
        Some(Expected::Node(expected)) if *expected != found => {
            Err((Reason::WrongNode, Cause::WrongNode { expected: *expected, found }))
        }
        _ => Ok(()),
    }
}

/// Which of this process and another one of its node is refused: the younger one, while it is starting. None where neither
/// is; then the two have a link, and both refuse changes.
fn second_process(local: &Local, hello: &Hello, remote: SocketAddr) -> Option<Cause> {
    let own = (local.startup.age(), local.process.1);
    let other = (Duration::from_millis(hello.age_ms?), hello.instance);
    if startup::is_younger(own, other) {
        let address = hello.address.clone().unwrap_or_else(|| remote.to_string());
        (!local.startup.is_over()).then_some(Cause::RunningElsewhere(address))
    } else {
        let address = local.address.clone().unwrap_or_else(|| "an address that it does not tell".to_owned());
        hello.is_starting.then_some(Cause::SecondProcess(address))
    }
}

async fn write(stream: &mut Box<dyn Stream>, frame: &[u8]) -> Result<(), Cause> {
    let length = u32::try_from(frame.len()).unwrap_or(u32::MAX);
    let bytes = [&length.to_be_bytes(), frame].concat();
    let written = async {
        stream.write_all(&bytes).await?;
        stream.flush().await
    };
    written.await.map_err(|error| Cause::from_io(&error))
}

/// The first frame of the peer, which is read byte by byte as far as it goes and no further.
async fn read_hello(stream: &mut Box<dyn Stream>) -> Result<Hello, Cause> {
    let mut length = [0; LENGTH_BYTES];
    stream.read_exact(&mut length).await.map_err(|error| Cause::from_io(&error))?;
    // The head of a TLS record: a handshake, or an alert.
    if matches!(length, [0x16 | 0x15, 3, ..]) {
        return Err(Cause::CertificatesRequired);
    }
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(FRAME_BYTES_MAX);
    if length == 0 || length > HELLO_BYTES_MAX {
        return Err(Cause::Protocol("its first bytes are not a hello"));
    }
    let mut bytes = BytesMut::zeroed(length);
    stream.read_exact(&mut bytes).await.map_err(|error| Cause::from_io(&error))?;
    match bytes.split_first() {
        Some((&HELLO, body)) => Hello::decode(body).map_err(|malformed| Cause::Protocol(malformed.0)),
        Some((&GOODBYE, [reason, ..])) => Err(Cause::Ended(Reason::from_byte(*reason))),
        _ => Err(Cause::Protocol("its first frame is not a hello")),
    }
}

/// How long TLS and hellos may take: a handful of round trips between continents, and a processor that is busy. A stranger
/// who says nothing is let go after that.
pub(crate) const HANDSHAKE_MAX: Duration = Duration::from_secs(3);
