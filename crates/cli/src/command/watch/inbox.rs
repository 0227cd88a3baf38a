//! One place to wait for everything that may happen: changes, interrupts, and the end of our reader.

use std::io;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tidegate::{Changes, Subscription};

use crate::exit::{Exit, Failure};
use crate::server::{Address, Event, listen};

/// What happened.
#[derive(Debug)]
pub(super) enum Input {
    /// The library has news.
    Changes(Changes),
    /// A server has news.
    Server(Event),
    /// It is time to end: an interrupt, or nobody reads any more.
    Stop,
}

/// Collects everything that may happen. Its threads end with the process.
pub(super) struct Inbox {
    receiver: mpsc::Receiver<Input>,
    sender: mpsc::Sender<Input>,
}

impl Inbox {
    pub(super) fn new() -> Result<Self, Failure> {
        let (sender, receiver) = mpsc::channel();
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(|error| failure(&error))?;
        let interrupted = sender.clone();
        spawn("signals", move || {
            for _ in &mut signals {
                let _ = interrupted.send(Input::Stop);
            }
        })?;
        let unread = sender.clone();
        spawn("output", move || {
            wait_for_closed_output();
            let _ = unread.send(Input::Stop);
        })?;
        Ok(Self { receiver, sender })
    }

    /// Passes on what a subscription tells.
    pub(super) fn forward_subscription(&self, mut subscription: Subscription) -> Result<(), Failure> {
        let sender = self.sender.clone();
        spawn("changes", move || {
            while let Ok(changes) = subscription.recv() {
                if sender.send(Input::Changes(changes)).is_err() {
                    break;
                }
            }
        })
    }

    /// Passes on what a server tells, which has `timeout` to answer each time that it is asked.
    pub(super) fn forward_server(
        &self,
        address: Address,
        query: Vec<(String, String)>,
        timeout: Duration,
    ) -> Result<(), Failure> {
        let sender = self.sender.clone();
        listen(address, query, timeout, move |event| sender.send(Input::Server(event)).is_ok())
    }

    pub(super) fn wait(&self, timeout: Duration) -> Result<Input, RecvTimeoutError> {
        self.receiver.recv_timeout(timeout)
    }
}

/// Returns when standard output is a pipe or a socket that nobody reads any more; for files and terminals
/// that is never.
fn wait_for_closed_output() {
    let stdout = io::stdout();
    loop {
        let mut watched = [PollFd::new(&stdout, PollFlags::empty())];
        match rustix::event::poll(&mut watched, None) {
            Ok(_) => {
                let [watched] = &watched;
                if watched.revents().intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL) {
                    return;
                }
                thread::park_timeout(POLL_PAUSE);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => loop {
                thread::park();
            },
        }
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    thread::Builder::new().name(name.to_owned()).spawn(body).map(drop).map_err(|error| failure(&error))
}

fn failure(error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, format_args!("it cannot be waited for interrupts: {error}"))
}

/// Between two looks at an output that has something else to say; not expected.
const POLL_PAUSE: Duration = Duration::from_secs(1);
