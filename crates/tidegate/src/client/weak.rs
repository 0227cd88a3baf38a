//! A handle that does not keep its instance alive.

use std::fmt;
use std::sync::{Arc, Weak};

use crate::client::Tidegate;
use crate::read::publish::Board;
use crate::threads::Threads;

/// A handle that does not keep its instance alive; made by [`Tidegate::downgrade`].
#[derive(Clone)]
pub struct WeakTidegate {
    board: Weak<Board>,
    threads: Weak<Threads>,
}

impl WeakTidegate {
    pub(super) fn new(tide: &Tidegate) -> Self {
        Self { board: Arc::downgrade(&tide.board), threads: Arc::downgrade(&tide.threads) }
    }

    /// The instance; `None` once its last handle is gone. While the value lives, so does the instance.
    ///
    /// ```
    /// use tidegate::{Tidegate, WeakTidegate};
    ///
    /// fn is_blue(tide: &WeakTidegate, user: &str) -> bool {
    ///     tide.upgrade().is_some_and(|tide| tide.is_active_for("blue", user))
    /// }
    /// let tide = Tidegate::builder().text(r#"{"flags": {"blue": {"stable": true}}}"#).without_locks().connect()?;
    /// assert!(is_blue(&tide.downgrade(), "user-17"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn upgrade(&self) -> Option<Tidegate> {
        Some(Tidegate { board: self.board.upgrade()?, threads: self.threads.upgrade()? })
    }
}

impl fmt::Debug for WeakTidegate {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("WeakTidegate")
    }
}
