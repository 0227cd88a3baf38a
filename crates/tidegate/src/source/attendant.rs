//! Work that may block, on a thread of its own, with a deadline.
//!
//! Code of others (a callback) and file systems may block for ever. They run on one thread per source, which
//! is never joined: when the deadline passes the asker goes on without it. No second piece of work starts
//! while one is still running, so at most one thread can be stuck.

use std::fmt;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::{FetchError, Fetched, Phase, Tag};

type Outcome = Result<Fetched, FetchError>;
type Work = Box<dyn FnMut(Option<&Tag>) -> Outcome + Send>;

/// One thread that answers one question at a time.
pub(super) struct Attendant {
    state: State,
    timeout: Duration,
    running: Option<Running>,
}

enum State {
    /// The thread starts with the first question.
    New(Option<Work>),
    Started(mpsc::Sender<Question>),
}

struct Question {
    have: Option<Tag>,
    reply: oneshot::Sender<Outcome>,
}

struct Running {
    since: Instant,
    reply: oneshot::Receiver<Outcome>,
}

impl Attendant {
    /// Will do `work` for each question; a question may take `timeout`.
    pub(super) fn new(timeout: Duration, work: impl FnMut(Option<&Tag>) -> Outcome + Send + 'static) -> Self {
        Self { state: State::New(Some(Box::new(work))), timeout, running: None }
    }

    /// Asks, and waits for the answer until the deadline. An answer that comes later is thrown away.
    pub(super) async fn call(&mut self, have: Option<&Tag>) -> Outcome {
        if let Some(running) = &mut self.running {
            if matches!(running.reply.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
                return Err(FetchError::StillRunning { since: running.since.elapsed() });
            }
            self.running = None;
        }
        let (reply, receiver) = oneshot::channel();
        self.send(Question { have: have.cloned(), reply })?;
        let running = self.running.insert(Running { since: Instant::now(), reply: receiver });
        let Ok(answer) = tokio::time::timeout(self.timeout, &mut running.reply).await else {
            return Err(FetchError::TimedOut { phase: Phase::WaitingForCall, after: self.timeout });
        };
        self.running = None;
        answer.unwrap_or_else(|_| Err(gone()))
    }

    fn send(&mut self, question: Question) -> Result<(), FetchError> {
        if let State::New(work) = &mut self.state {
            let mut work = work.take().ok_or_else(gone)?;
            let (questions, inbox) = mpsc::channel::<Question>();
            let spawned = thread::Builder::new().name("tidegate-source".to_owned()).spawn(move || {
                while let Ok(question) = inbox.recv() {
                    // The asker may have gone: then nobody wants the answer.
                    let _ = question.reply.send(work(question.have.as_ref()));
                }
            });
            spawned.map_err(|source| FetchError::Thread { source })?;
            self.state = State::Started(questions);
        }
        match &self.state {
            State::Started(questions) => questions.send(question).map_err(|_| gone()),
            State::New(_) => Err(gone()),
        }
    }
}

fn gone() -> FetchError {
    FetchError::Thread { source: std::io::Error::other("the thread of the source has ended") }
}

impl fmt::Debug for Attendant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attendant").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
