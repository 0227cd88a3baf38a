//! The task of a link: reads frames, answers pings, notices when the peer is gone, and ends the link in good order.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep_until, timeout};

use crate::cause::Cause;
use crate::clock;
use crate::link::Link;
use crate::registry::{Counted, Registry};
use crate::wire::{Frame, Reason, goodbye, ping, pong};

/// Runs a link that is registered until it has ended.
pub(crate) async fn run(link: Arc<Link>, registry: Arc<Registry>, _counted: Counted) {
    // Whatever happens, nobody goes on sending to a link whose task is gone.
    let registered = Registered { link: &link, registry: &registry };
    let ending = exchange(&link, &registry).await;
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

/// Both directions, until one of them ends.
async fn exchange(link: &Link, registry: &Registry) -> Ending {
    let mut end = link.watch_end();
    let mut pulse = Pulse::new(link.peer().is_outbound, Instant::now());
    let mut timer = pin!(sleep_until(Instant::now().into()));
    loop {
        tokio::select! {
            frame = poll_fn(|context| link.poll_frame(context)) => {
                match frame {
                    Ok(Some(bytes)) => {
                        pulse.heard(Instant::now());
                        match Frame::decode(bytes) {
                            Some(frame) => {
                                if let Some(reason) = take(frame, link, registry) {
                                    return Ending::Theirs(reason);
                                }
                            }
                            None => return Ending::Broken(Cause::Protocol("a frame was cut short")),
                        }
                    }
                    Ok(None) => return Ending::Broken(Cause::Closed),
                    Err(error) => return Ending::Broken(Cause::of_io(&error)),
                }
            }
            () = timer.as_mut() => {
                if clock::now() >= link.peer().expires {
                    return Ending::Ours(Reason::Distrusted);
                }
                match pulse.check(Instant::now(), link.last_sent()) {
                    Verdict::Wait(at) => timer.as_mut().reset(at.into()),
                    Verdict::Ping => _ = link.send(ping(0)),
                    Verdict::Silent => return Ending::Broken(Cause::Silent),
                }
            }
            // Also if it was asked for before this task ran for the first time.
            reason = end.wait_for(Option::is_some) => {
                return Ending::Ours(reason.ok().and_then(|reason| *reason).unwrap_or(Reason::Leaving));
            }
        }
    }
}

/// What follows from a frame; a reason if it was the last one.
fn take(frame: Frame, link: &Link, registry: &Registry) -> Option<Reason> {
    match frame {
        Frame::Message(bytes) => registry.receiver().message(link.peer().process.0, bytes.into()),
        Frame::Ping(number) => _ = link.send(pong(number)),
        Frame::Goodbye(reason) => return Some(reason),
        Frame::Pong(_) | Frame::Unknown(_) => {}
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

/// When to ping, and when a peer counts as gone.
///
/// Each end sends something at least every few seconds: a message, a ping, or the pong to one. At rest one end pings and the
/// other answers, because the one that was dialled waits a little longer. A peer of which nothing came for three intervals is
/// gone. What came counts, not which ping was answered: on a slow link a pong may wait behind messages for long.
#[derive(Debug)]
struct Pulse {
    interval: Duration,
    heard: Instant,
    /// Nothing came in time. What waits in the socket is read once more before the peer counts as gone: it may be this
    /// process that was stopped.
    is_suspected: bool,
}

#[derive(Debug, Eq, PartialEq)]
enum Verdict {
    /// Look again then.
    Wait(Instant),
    Ping,
    Silent,
}

impl Pulse {
    fn new(is_outbound: bool, now: Instant) -> Self {
        let interval = if is_outbound { PING_INTERVAL } else { PING_INTERVAL + PING_GRACE };
        Self { interval, heard: now, is_suspected: false }
    }

    fn heard(&mut self, now: Instant) {
        self.heard = now;
        self.is_suspected = false;
    }

    fn check(&mut self, now: Instant, sent: Instant) -> Verdict {
        let gone = self.heard + SILENCE_MAX;
        if now >= gone {
            if std::mem::replace(&mut self.is_suspected, true) {
                return Verdict::Silent;
            }
            return Verdict::Wait(now + SUSPICION);
        }
        let due = sent + self.interval;
        if now >= due { Verdict::Ping } else { Verdict::Wait(due.min(gone)) }
    }
}

/// A link that has nothing to carry sends something so often. These pings are most of what a cluster at rest costs.
pub(crate) const PING_INTERVAL: Duration = Duration::from_secs(3);

/// The end that was dialled waits so much longer, so that at rest only one of the two pings.
const PING_GRACE: Duration = Duration::from_millis(750);

/// A peer of which nothing came for so long is gone: three pings were not answered. A process that dies is noticed at once,
/// because its system closes its connections; this is for hosts that vanish and processes that are stopped.
pub(crate) const SILENCE_MAX: Duration = Duration::from_secs(9);

/// How long reading what waits in a socket may take.
const SUSPICION: Duration = Duration::from_millis(100);

/// How long a link may take to end in good order.
const CLOSE_MAX: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_that_dials_pings_at_rest_and_the_other_answers() {
        let start = Instant::now();
        let (mut dials, mut listens) = (Pulse::new(true, start), Pulse::new(false, start));
        let (mut sent, mut answered, mut pings) = (start, start, 0);
        // Ten minutes in steps of a hundredth of a second; an answer takes one of them.
        for step in 1..60_000 {
            let now = start + Duration::from_millis(10 * step);
            if dials.check(now, sent) == Verdict::Ping {
                (sent, pings) = (now, pings + 1);
                listens.heard(now);
                answered = now;
                dials.heard(now);
            }
            assert!(matches!(listens.check(now, answered), Verdict::Wait(_)), "the one that was dialled pings too");
        }
        assert_eq!(pings, 199);
    }

    #[test]
    fn three_pings_without_an_answer_end_a_link() {
        let start = Instant::now();
        let mut pulse = Pulse::new(true, start);
        let (mut now, mut sent, mut pings) = (start, start, Vec::new());
        loop {
            match pulse.check(now, sent) {
                Verdict::Wait(at) => now = at,
                Verdict::Ping => {
                    sent = now;
                    pings.push((now - start).as_secs());
                }
                Verdict::Silent => break,
            }
        }
        assert_eq!(pings, [3, 6]);
        assert_eq!(now - start, SILENCE_MAX + SUSPICION);
    }

    #[test]
    fn a_process_that_was_stopped_reads_first() {
        let start = Instant::now();
        let mut pulse = Pulse::new(true, start);
        let woken = start + Duration::from_mins(1);
        assert_eq!(pulse.check(woken, start), Verdict::Wait(woken + SUSPICION));
        pulse.heard(woken);
        assert_eq!(pulse.check(woken, start), Verdict::Ping);
    }

    #[test]
    fn an_end_that_only_receives_pings_all_the_same() {
        let start = Instant::now();
        let mut pulse = Pulse::new(false, start);
        let mut pings = 0;
        let mut sent = start;
        for step in 1..60 {
            let now = start + Duration::from_secs(step);
            pulse.heard(now);
            if pulse.check(now, sent) == Verdict::Ping {
                (sent, pings) = (now, pings + 1);
            }
        }
        assert!(pings >= 14, "{pings}");
    }
}
