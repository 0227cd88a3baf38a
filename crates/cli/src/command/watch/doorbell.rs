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
pub(super) enum Ring {
    /// The library has news.
    Changes(Changes),
    /// A server has news.
    Server(Event),
    /// It is time to end: an interrupt, or nobody reads any more.
    Over,
}

/// Collects everything that may happen. Its threads end with the process.
pub(super) struct Doorbell {
    rings: mpsc::Receiver<Ring>,
    bell: mpsc::Sender<Ring>,
}

impl Doorbell {
    pub(super) fn new() -> Result<Self, Failure> {
        let (bell, rings) = mpsc::channel();
        let mut signals = Signals::new([SIGINT, SIGTERM]).map_err(|error| failure(&error))?;
        let interrupted = bell.clone();
        spawn("signals", move || {
            for _ in &mut signals {
                let _ = interrupted.send(Ring::Over);
            }
        })?;
        let unread = bell.clone();
        spawn("output", move || {
            wait_for_closed_output();
            let _ = unread.send(Ring::Over);
        })?;
        Ok(Self { rings, bell })
    }

    /// Passes on what a subscription tells.
    pub(super) fn listen_to(&self, mut subscription: Subscription) -> Result<(), Failure> {
        let bell = self.bell.clone();
        spawn("changes", move || {
            while let Ok(changes) = subscription.recv() {
                if bell.send(Ring::Changes(changes)).is_err() {
                    break;
                }
            }
        })
    }

    /// Passes on what a server tells, which has `timeout` to answer each time that it is asked.
    pub(super) fn listen_to_server(
        &self,
        address: Address,
        query: Vec<(String, String)>,
        timeout: Duration,
    ) -> Result<(), Failure> {
        let bell = self.bell.clone();
        listen(address, query, timeout, move |event| bell.send(Ring::Server(event)).is_ok())
    }

    pub(super) fn wait(&self, timeout: Duration) -> Result<Ring, RecvTimeoutError> {
        self.rings.recv_timeout(timeout)
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
                thread::park_timeout(PAUSE);
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
const PAUSE: Duration = Duration::from_secs(1);
