//! One channel for everything that `watch` waits for: changes, interrupts, and the end of its output.

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

/// What has happened.
#[derive(Debug)]
pub(super) enum Input {
    /// The library reports changes.
    Changes(Changes),
    /// A server reports an event.
    Server(Event),
    /// The command has to end: it was interrupted, or its output was closed.
    Stop,
}

/// Receives what its threads send. They end with the process.
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

    /// Forwards the changes of a subscription.
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

    /// Forwards the events of a server, which has `timeout` to answer each request.
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

/// Returns when standard output is a pipe or a socket and its reader has closed it; never for files and terminals.
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
    Failure::new(Exit::Failed, format_args!("cannot wait for signals: {error}"))
}

/// Between two polls of an output that reports something else; not expected.
const POLL_PAUSE: Duration = Duration::from_secs(1);
