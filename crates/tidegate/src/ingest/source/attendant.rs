//! Work that may block, on a thread of its own, with a deadline.
//!
//! Code of others (a callback) and file systems may block for ever. They run on one thread per source, which
//! is never joined: when the deadline passes the asker goes on without it. No second piece of work starts
//! while one is still running, so at most one thread can be stuck.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};
use std::{fmt, io, thread};

use tokio::sync::oneshot;

use super::{FetchError, Fetched, Phase, Tag};

type Outcome = Result<Fetched, FetchError>;
type Work = Box<dyn FnMut(Option<&Tag>) -> Outcome + Send>;
type Body = Box<dyn FnOnce() + Send>;

/// One thread that answers one question at a time.
pub(super) struct Attendant {
    /// Held by the thread while it works. It stays here, so that it is not lost with a thread that could not be started.
    work: Arc<Mutex<Work>>,
    /// To the thread, once there is one: it starts with the first question, and is tried again with the next one where it
    /// could not be started.
    questions: Option<mpsc::Sender<Question>>,
    timeout: Duration,
    running: Option<Running>,
    spawn: fn(Body) -> io::Result<()>,
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
        Self { work: Arc::new(Mutex::new(Box::new(work))), questions: None, timeout, running: None, spawn }
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
        let questions = match &self.questions {
            Some(questions) => questions,
            None => self.questions.insert(self.start()?),
        };
        questions.send(question).map_err(|_| gone())
    }

    fn start(&self) -> Result<mpsc::Sender<Question>, FetchError> {
        let (questions, inbox) = mpsc::channel::<Question>();
        let work = Arc::clone(&self.work);
        let body = move || {
            while let Ok(question) = inbox.recv() {
                let mut work = work.lock().unwrap_or_else(PoisonError::into_inner);
                // A callback's panic is caught where it is called; any other must not end the thread either. The asker is told
                // by the reply, which is dropped then.
                let Ok(outcome) = catch_unwind(AssertUnwindSafe(|| work(question.have.as_ref()))) else { continue };
                // The asker may have gone: then the answer is dropped.
                let _ = question.reply.send(outcome);
            }
        };
        (self.spawn)(Box::new(body)).map_err(|source| FetchError::Thread { source })?;
        Ok(questions)
    }
}

fn spawn(body: Body) -> io::Result<()> {
    thread::Builder::new().name("tidegate-source".to_owned()).spawn(body).map(drop)
}

fn gone() -> FetchError {
    FetchError::Thread { source: io::Error::other("it panicked, which is a fault of this library") }
}

impl fmt::Debug for Attendant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attendant").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn ask(attendant: &mut Attendant) -> Outcome {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(attendant.call(None))
    }

    fn answers() -> Attendant {
        Attendant::new(Duration::from_mins(1), |_| Ok(Fetched::Changed { body: b"{}".to_vec(), tag: None }))
    }

    #[test]
    fn a_thread_that_could_not_be_started_is_started_at_the_next_question() {
        static FAILS: AtomicBool = AtomicBool::new(true);
        let mut attendant = answers();
        attendant.spawn = |body| {
            if FAILS.load(Ordering::SeqCst) { Err(io::ErrorKind::WouldBlock.into()) } else { spawn(body) }
        };
        for _ in 0..2 {
            assert!(matches!(ask(&mut attendant), Err(FetchError::Thread { .. })));
        }
        FAILS.store(false, Ordering::SeqCst);
        for _ in 0..2 {
            assert!(matches!(ask(&mut attendant), Ok(Fetched::Changed { .. })));
        }
    }

    #[test]
    fn a_panic_in_the_work_does_not_end_the_thread() {
        let mut count = 0;
        let mut attendant = Attendant::new(Duration::from_mins(1), move |_| {
            count += 1;
            assert!(count > 1, "the first question");
            Ok(Fetched::Changed { body: b"{}".to_vec(), tag: None })
        });
        assert!(matches!(ask(&mut attendant), Err(FetchError::Thread { .. })));
        assert!(matches!(ask(&mut attendant), Ok(Fetched::Changed { .. })));
    }
}
