//! The background thread.

use std::sync::Arc;

use crate::shared::Shared;

/// The client's end of the background thread. When the last one goes, the thread ends.
#[derive(Debug)]
pub(crate) struct Running {
    shared: Arc<Shared>,
}

impl Running {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }
}
