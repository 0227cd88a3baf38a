//! A function of the user's as a source. Nothing it does is trusted: it may panic, and may answer nonsense.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::{BoxError, FetchError, Fetched, Tag};

/// See [`super::Source::callback`].
pub(super) type CallbackFn = dyn Fn(Option<&Tag>) -> Result<Fetched, BoxError> + Send + Sync;

/// Calls it once, on the calling thread.
pub(super) fn call(callback: &CallbackFn, have: Option<&Tag>, body_bytes_max: usize) -> Result<Fetched, FetchError> {
    let outcome = catch_unwind(AssertUnwindSafe(|| callback(have)))
        .map_err(|panic| FetchError::CallbackPanicked { message: message(&*panic) })?;
    match outcome.map_err(|source| FetchError::Callback { source })? {
        Fetched::Unchanged if have.is_none() => Err(FetchError::NotModifiedUnasked),
        Fetched::Changed { body, .. } | Fetched::Signed { body, .. } if body.len() > body_bytes_max => {
            Err(FetchError::BodyTooBig { limit: body_bytes_max })
        }
        fetched => Ok(fetched),
    }
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").chars().take(MESSAGE_CHARS_MAX).collect()
}

/// A panic's message is shown in one line of status; more does not help.
const MESSAGE_CHARS_MAX: usize = 200;
