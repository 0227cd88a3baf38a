//! Writing on the sender's thread, and what happens when the other end takes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use tokio::io::{DuplexStream, duplex};

use super::*;
use crate::wire::{Frame, message};

/// A link to a process of node 2, and its other end, between which there is room for this number of bytes.
fn link(room: usize) -> (Link, DuplexStream) {
    let (here, there) = duplex(room);
    (Link::new(Box::new(here), peer(2, 20)), there)
}

fn peer(node: u64, instance: u64) -> Peer {
    Peer {
        process: (NodeId::new(node), instance),
        remote: SocketAddr::from(([127, 0, 0, 1], 1)),
        is_outbound: true,
        address: None,
        age: None,
        is_starting: false,
        expires: u64::MAX,
        certificate: Vec::new(),
    }
}

/// The other end as a link, to read frames by.
fn other_end(there: DuplexStream) -> Link {
    Link::new(Box::new(there), peer(1, 10))
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn read(end: &Link, wakes: &Arc<Wakes>) -> Poll<io::Result<Option<BytesMut>>> {
    end.poll_frame(&mut Context::from_waker(&Waker::from(Arc::clone(wakes))))
}

fn next(end: &Link) -> Option<Vec<u8>> {
    match read(end, &Arc::default()) {
        Poll::Ready(Ok(Some(bytes))) => match Frame::decode(bytes) {
            Some(Frame::Message(bytes)) => Some(bytes.to_vec()),
            other => panic!("{other:?}"),
        },
        _ => None,
    }
}

#[test]
fn the_sender_writes_a_frame_itself() {
    let (link, there) = link(1 << 20);
    let there = other_end(there);
    for number in 0..3 {
        assert_eq!(link.send(message(&[number])), Queued::Yes);
        assert_eq!(next(&there), Some(vec![number]), "no other thread had to run");
    }
    assert_eq!(link.counts(), (0, 0));
}

#[test]
fn what_the_socket_does_not_take_is_written_when_it_has_room() {
    let (link, there) = link(1_000);
    let (there, wakes) = (other_end(there), Arc::<Wakes>::default());
    assert!(read(&link, &wakes).is_pending());
    let frames: Vec<Vec<u8>> = (0..20_u8).map(|number| vec![number; 2_000]).collect();
    for frame in &frames {
        assert_eq!(link.send(message(frame)), Queued::Yes);
    }
    assert!(link.counts().0 > 0, "some of it waits");
    let mut got = Vec::new();
    while got.len() < frames.len() {
        let before = wakes.0.load(Ordering::SeqCst);
        while let Some(frame) = next(&there) {
            got.push(frame);
        }
        if got.len() < frames.len() {
            assert!(wakes.0.load(Ordering::SeqCst) > before, "the task is woken when there is room");
            assert!(read(&link, &wakes).is_pending());
        }
    }
    assert_eq!(got, frames);
    assert_eq!(link.counts(), (0, 0));
}

#[test]
fn the_queue_is_bounded_and_what_finds_no_room_is_counted() {
    let (link, _there) = link(1_000);
    let large = message(&vec![0; MESSAGE_BYTES_MAX]);
    let fits = QUEUE_BYTES_MAX / large.len();
    let mut accepted = 0;
    while link.send(large.clone()) == Queued::Yes {
        accepted += 1;
    }
    // One or two are on their way through the socket.
    assert!((fits..=fits + 2).contains(&accepted), "{accepted}");
    assert!(link.counts().0 <= QUEUE_BYTES_MAX);
    assert_eq!(link.counts().1, 1);
    assert_eq!(link.send(large), Queued::Dropped);
    assert_eq!(link.counts().1, 2);
}

#[test]
fn a_frame_that_no_node_takes_is_not_sent() {
    let (link, _there) = link(1 << 20);
    assert_eq!(link.send(message(&vec![0; MESSAGE_BYTES_MAX + 1])), Queued::Dropped);
    assert_eq!(link.counts(), (0, 1));
}

#[test]
fn after_the_end_nothing_is_accepted_but_the_last_frame() {
    let (link, there) = link(1 << 20);
    let there = other_end(there);
    link.close_queue();
    assert_eq!(link.send(message(b"late")), Queued::Dropped);
    link.send_last(message(b"last"));
    let flushed = link.poll_flush(&mut Context::from_waker(Waker::noop()));
    assert!(matches!(flushed, Poll::Ready(Ok(()))));
    assert_eq!(next(&there), Some(b"last".to_vec()));
}

#[test]
fn a_write_error_reaches_the_task() {
    let (link, there) = link(1 << 20);
    let wakes = Arc::<Wakes>::default();
    assert!(read(&link, &wakes).is_pending());
    drop(there);
    link.send(message(b"it is not read"));
    assert!(wakes.0.load(Ordering::SeqCst) > 0);
    assert!(matches!(read(&link, &wakes), Poll::Ready(Err(_) | Ok(None))));
}
