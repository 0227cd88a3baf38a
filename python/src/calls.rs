//! Calls of a source that is a function of Python: they wait in a queue, and a thread of Python makes them.

use std::collections::VecDeque;
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::pybacked::{PyBackedBytes, PyBackedStr};
use tidegate::{BoxError, Fetched, Source, Tag};

type Answer = Result<Fetched, BoxError>;

#[derive(Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    filled: Condvar,
}

#[derive(Default)]
struct Waiting {
    questions: VecDeque<Question>,
    is_closed: bool,
}

struct Question {
    tag: Option<String>,
    reply: Sender<Answer>,
}

/// The calls of one source.
#[derive(Clone)]
#[pyclass(frozen, module = "tidegate._native")]
pub(crate) struct Calls(Arc<Queue>);

/// One call, which waits for its answer.
#[pyclass(frozen, module = "tidegate._native")]
pub(crate) struct Call {
    /// The tag of the active document.
    #[pyo3(get)]
    tag: Option<String>,
    reply: Mutex<Option<Sender<Answer>>>,
}

impl Calls {
    pub(crate) fn new() -> Self {
        Self(Arc::default())
    }

    /// A source whose calls go into this queue.
    pub(crate) fn source(&self) -> Source {
        let queue = Arc::clone(&self.0);
        Source::callback(move |tag| queue.ask(tag))
    }

    /// No call is made any more.
    pub(crate) fn close(&self) {
        let mut waiting = self.0.lock();
        waiting.is_closed = true;
        waiting.questions.clear();
        drop(waiting);
        self.0.filled.notify_all();
    }
}

#[pymethods]
impl Calls {
    /// Waits for the next call; none once there will be none.
    fn next(&self, py: Python<'_>) -> Option<Call> {
        py.detach(|| {
            let mut waiting = self.0.lock();
            loop {
                if let Some(Question { tag, reply }) = waiting.questions.pop_front() {
                    return Some(Call { tag, reply: Mutex::new(Some(reply)) });
                }
                if waiting.is_closed {
                    return None;
                }
                waiting = self.0.filled.wait(waiting).unwrap_or_else(PoisonError::into_inner);
            }
        })
    }
}

#[pymethods]
impl Call {
    /// A document, with its tag where it has one.
    #[pyo3(signature = (body, tag=None, signature=None))]
    fn changed(&self, body: PyBackedBytes, tag: Option<PyBackedStr>, signature: Option<PyBackedStr>) -> PyResult<()> {
        let tag = match tag.as_deref().map(Tag::new).transpose() {
            Ok(tag) => tag,
            Err(problem) => return self.answer(Err(problem.into())),
        };
        let body = body.to_vec();
        self.answer(Ok(match signature {
            Some(signature) => Fetched::Signed { body, signature: signature.to_string(), tag },
            None => Fetched::Changed { body, tag },
        }))
    }

    /// The document that the caller has is still the one.
    fn unchanged(&self) -> PyResult<()> {
        self.answer(Ok(Fetched::Unchanged))
    }

    /// The function raised an exception.
    fn failed(&self, message: PyBackedStr) -> PyResult<()> {
        self.answer(Err(message.to_string().into()))
    }
}

impl Call {
    fn answer(&self, answer: Answer) -> PyResult<()> {
        let reply = self.reply.lock().unwrap_or_else(PoisonError::into_inner).take();
        let reply = reply.ok_or_else(|| PyRuntimeError::new_err("this call has its answer"))?;
        // Who asked may have ended.
        let _ = reply.send(answer);
        Ok(())
    }
}

impl Queue {
    fn ask(&self, tag: Option<&Tag>) -> Answer {
        let (reply, answer) = mpsc::channel();
        {
            let mut waiting = self.lock();
            if waiting.is_closed {
                return Err("the instance is closed".into());
            }
            waiting.questions.push_back(Question { tag: tag.map(|tag| tag.as_str().to_owned()), reply });
        }
        self.filled.notify_all();
        answer.recv().unwrap_or_else(|_| Err("the instance is closed".into()))
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
