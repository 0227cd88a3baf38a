//! TLS on tokio, all connections of a node in one thread: the same below frames and below gRPC.

use std::net;
use std::thread;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector, TlsStream};

use crate::echo::Seat;
use crate::{Outcome, tls};

/// Connects a node with all others, in the background, and hands each connection to `carry`. A connection is a
/// [`TlsStream::Client`] at the node that connected and a [`TlsStream::Server`] at the other.
pub(crate) fn open<C, F>(seat: &Seat, carry: C) -> Outcome
where
    C: Fn(TlsStream<TcpStream>) -> F + Clone + Send + 'static,
    F: Future<Output = Outcome> + Send + 'static,
{
    let (server, client) = tls::configs(&seat.certificates)?;
    let (acceptor, connector) = (TlsAcceptor::from(server), TlsConnector::from(client));
    let listener = net::TcpListener::bind(("127.0.0.1", seat.port))?;
    listener.set_nonblocking(true)?;
    let peers = seat.dialed();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    thread::spawn(move || -> Outcome {
        runtime.block_on(async move {
            for peer in peers {
                let (connector, carry) = (connector.clone(), carry.clone());
                tokio::spawn(async move {
                    let socket = connect(peer, &connector).await?;
                    carry(socket).await
                });
            }
            let listener = TcpListener::from_std(listener)?;
            loop {
                let (socket, _) = listener.accept().await?;
                let (acceptor, carry) = (acceptor.clone(), carry.clone());
                tokio::spawn(async move {
                    socket.set_nodelay(true)?;
                    let socket = acceptor.accept(socket).await?;
                    carry(socket.into()).await
                });
            }
        })
    });
    Ok(())
}

/// Connects as soon as the peer listens.
async fn connect(peer: u16, connector: &TlsConnector) -> Outcome<TlsStream<TcpStream>> {
    let socket = loop {
        match TcpStream::connect(("127.0.0.1", peer)).await {
            Ok(socket) => break socket,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    };
    socket.set_nodelay(true)?;
    Ok(connector.connect("127.0.0.1".try_into()?, socket).await?.into())
}
