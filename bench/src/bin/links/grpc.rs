//! gRPC by tonic: a bidirectional stream for each connection, whose messages are bytes without a schema.

use std::convert::Infallible;
use std::future::ready;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf as _, BufMut as _, Bytes};
use futures_core::Stream;
use http::Uri;
use http::uri::PathAndQuery;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_rustls::{TlsStream, client, server};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Endpoint;
use tonic::{Request, Response, Status, Streaming};
use tower::service_fn;

use crate::echo::{self, FRAME_BYTES, Node};
use crate::{Outcome, PING_EVERY, sockets};

pub(crate) fn run(words: &[&str]) -> Outcome {
    echo::run(words, |seat, node| {
        let node = Arc::clone(node);
        sockets::open(seat, move |socket| carry(Arc::clone(&node), socket))
    })
}

/// Works on a connection until it ends. The node that connected calls, and sends the pings.
async fn carry(node: Arc<Node<Link>>, socket: TlsStream<TcpStream>) -> Outcome {
    match socket {
        TlsStream::Client(socket) => call(node, socket).await,
        TlsStream::Server(socket) => serve(node, socket).await,
    }
}

async fn call(node: Arc<Node<Link>>, socket: client::TlsStream<TcpStream>) -> Outcome {
    let mut socket = Some(TokioIo::new(socket));
    let connector = service_fn(move |_: Uri| ready(socket.take().ok_or_else(|| io::Error::other("it has ended"))));
    let channel = Endpoint::from_static("http://node")
        .http2_keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_EVERY * 2)
        .keep_alive_while_idle(true)
        .connect_with_connector(connector)
        .await?;
    let mut client = tonic::client::Grpc::new(channel);
    client.ready().await?;
    let (link, outgoing) = Link::new();
    let request = Request::new(Requests(outgoing));
    let incoming = client.streaming(request, PathAndQuery::from_static(PATH), Raw).await?.into_inner();
    node.add(&link)?;
    hear(&node, &link, incoming).await
}

async fn serve(node: Arc<Node<Link>>, socket: server::TlsStream<TcpStream>) -> Outcome {
    let service = hyper::service::service_fn(move |request: http::Request<Incoming>| {
        let node = Arc::clone(&node);
        async move {
            let accept = service_fn(move |request| ready(accept(&node, request)));
            Ok::<_, Infallible>(tonic::server::Grpc::new(Raw).streaming(accept, request).await)
        }
    });
    Ok(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(socket), service).await?)
}

/// Answers a call with a stream that ends when the link does.
fn accept(node: &Arc<Node<Link>>, request: Request<Streaming<Bytes>>) -> Result<Response<Responses>, Status> {
    let (link, outgoing) = Link::new();
    node.add(&link).map_err(|error| Status::internal(error.to_string()))?;
    let node = Arc::clone(node);
    tokio::spawn(async move { hear(&node, &link, request.into_inner()).await });
    Ok(Response::new(Responses(outgoing)))
}

async fn hear(node: &Node<Link>, link: &Link, mut incoming: Streaming<Bytes>) -> Outcome {
    while let Some(message) = incoming.message().await? {
        node.hear(link, message[..].try_into()?)?;
    }
    Ok(())
}

/// What sends on a stream.
struct Link(UnboundedSender<Bytes>);

impl Link {
    fn new() -> (Arc<Self>, UnboundedReceiver<Bytes>) {
        let (sender, receiver) = unbounded_channel();
        (Arc::new(Self(sender)), receiver)
    }
}

impl echo::Link for Link {
    fn send(&self, frame: &[u8; FRAME_BYTES]) -> Outcome {
        Ok(self.0.send(Bytes::copy_from_slice(frame))?)
    }
}

/// What the node that called sends.
struct Requests(UnboundedReceiver<Bytes>);

impl Stream for Requests {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        self.0.poll_recv(context)
    }
}

/// What the node that was called sends.
struct Responses(UnboundedReceiver<Bytes>);

impl Stream for Responses {
    type Item = Result<Bytes, Status>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|message| message.map(Ok))
    }
}

/// The codec of messages that are bytes.
#[derive(Debug, Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = buffer.remaining();
        Ok(Some(buffer.copy_to_bytes(length)))
    }
}

const PATH: &str = "/bench.Nodes/Link";
