//! The task of a link: reads frames, answers pings, and ends the link in good order.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use crate::cause::Cause;
use crate::link::{End, Link};
use crate::registry::{Counted, Registry};
use crate::wire::{Frame, Reason, goodbye, pong};

/// Runs a link that is registered until it has ended.
pub(crate) async fn run(link: Arc<Link>, registry: Arc<Registry>, _counted: Counted) {
    // Whatever happens, no thread goes on sending to a link whose task has ended.
    let registered = Registered { link: &link, registry: &registry };
    let peer = link.peer();
    tracing::debug!("connected to node {} at {}", peer.process.0, peer.remote);
    let ending = exchange(&link, &registry).await;
    tracing::debug!("disconnected from node {} at {}: {}", peer.process.0, peer.remote, ending.cause());
    link.note_ended(ending.cause());
    drop(registered);
    // Who is slow to close is cut off.
    let _ = timeout(CLOSE_MAX, close(&link, &registry, &ending)).await;
    registry.count_dropped(&link);
}

/// Tells the peer of a link that is not registered why it ends.
pub(crate) async fn refuse(link: Arc<Link>) {
    let _ = timeout(CLOSE_MAX, poll_fn(|context| link.poll_close(context))).await;
}

/// Removes a link from the registry when it is dropped.
struct Registered<'a> {
    link: &'a Arc<Link>,
    registry: &'a Registry,
}

impl Drop for Registered<'_> {
    fn drop(&mut self) {
        self.registry.remove(self.link);
    }
}

/// How a link ends.
#[derive(Debug)]
enum Ending {
    /// The connection is of no more use.
    Broken(Cause),
    /// This node ends it.
    Ours(Reason),
    /// The peer ends it.
    Theirs(Reason),
}

impl Ending {
    fn cause(&self) -> Cause {
        match self {
            Self::Broken(cause) => cause.clone(),
            Self::Ours(Reason::Distrusted) => Cause::Expired,
            Self::Ours(_) => Cause::Closed,
            Self::Theirs(reason) => Cause::Ended(*reason),
        }
    }
}

impl From<End> for Ending {
    fn from(end: End) -> Self {
        match end {
            End::Goodbye(reason) => Self::Ours(reason),
            End::Broken(cause) => Self::Broken(cause),
        }
    }
}

/// Both directions, until one of them ends.
async fn exchange(link: &Link, registry: &Registry) -> Ending {
    let mut end = link.watch_end();
    loop {
        tokio::select! {
            frame = poll_fn(|context| link.poll_frame(context)) => {
                match frame {
                    Ok(Some(bytes)) => {
                        link.note_heard();
                        match Frame::decode(bytes) {
                            Some(frame) => {
                                if let Some(reason) = receive(frame, link, registry) {
                                    return Ending::Theirs(reason);
                                }
                            }
                            None => return Ending::Broken(Cause::Protocol("a frame was cut short")),
                        }
                    }
                    Ok(None) => return Ending::Broken(Cause::Closed),
                    Err(error) => return Ending::Broken(Cause::from_io(&error)),
                }
            }
            // Also if it was asked for before this task ran for the first time.
            asked = end.wait_for(Option::is_some) => {
                return asked.ok().and_then(|end| end.clone()).map_or(Ending::Ours(Reason::Leaving), Ending::from);
            }
        }
    }
}

/// What follows from a frame; a reason if it was the last one.
fn receive(frame: Frame, link: &Link, registry: &Registry) -> Option<Reason> {
    match frame {
        Frame::Message(bytes) => registry.receiver().message(link.peer().process.0, bytes.into()),
        Frame::Ping(number) => _ = link.send(pong(number)),
        Frame::Goodbye(reason, detail) => {
            if reason == Reason::RunningElsewhere {
                registry.receiver().running_elsewhere(&detail);
            }
            return Some(reason);
        }
        Frame::Pong(number) => link.note_pong(number),
        Frame::Unknown(_) => {}
    }
    None
}

/// Ends the connection in good order.
async fn close(link: &Link, registry: &Registry, ending: &Ending) {
    match ending {
        Ending::Broken(_) => {}
        // What the peer has sent before it hears of the end still counts.
        Ending::Ours(reason) => {
            link.send_last(goodbye(*reason));
            if poll_fn(|context| link.poll_flush(context)).await.is_err() {
                return;
            }
            while let Ok(Some(bytes)) = poll_fn(|context| link.poll_frame(context)).await {
                if let Some(Frame::Message(bytes)) = Frame::decode(bytes) {
                    registry.receiver().message(link.peer().process.0, bytes.into());
                }
            }
        }
        Ending::Theirs(_) => _ = poll_fn(|context| link.poll_close(context)).await,
    }
}

/// How long a link may take to end in good order.
const CLOSE_MAX: Duration = Duration::from_secs(1);
