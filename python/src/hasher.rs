//! A hash function of Python, called in the middle of a read: on the thread of the reader, which has the GIL.

use std::cell::RefCell;

use pyo3::prelude::*;

thread_local! {
    static RAISED: RefCell<Option<PyErr>> = const { RefCell::new(None) };
}

/// The function as the library calls it. What it raises is kept for [`raised`].
pub(crate) fn function(hasher: Py<PyAny>) -> impl Fn(&str) -> u32 + Send + Sync + 'static {
    move |key| {
        let position = Python::try_attach(|py| {
            let position = hasher.call1(py, (key,)).and_then(|position| position.extract::<u32>(py));
            position.map_err(|error| RAISED.with(|raised| raised.replace(Some(error))))
        });
        position.and_then(Result::ok).unwrap_or_default()
    }
}

/// What the function raised during the read that has just been made.
pub(crate) fn raised() -> PyResult<()> {
    RAISED.with(|raised| raised.take().map_or(Ok(()), Err))
}
