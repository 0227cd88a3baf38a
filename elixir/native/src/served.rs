//! The instance that reads ask. A scheduler keeps a pointer to it, so that a read takes no lock and no argument.

use std::cell::RefCell;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use crate::handles::Handles;

static SERVED: Mutex<Option<Shared>> = Mutex::new(None);

/// How often another instance was served; 0: none yet.
static GENERATION: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// What this thread last saw, and in which generation.
    static SEEN: RefCell<(u64, Option<Shared>)> = const { RefCell::new((0, None)) };
}

/// From here on reads ask this instance.
pub(crate) fn serve(instance: &Shared) {
    let mut served = SERVED.lock().unwrap_or_else(PoisonError::into_inner);
    let former = served.replace(instance.clone());
    GENERATION.fetch_add(1, Ordering::Release);
    drop(served);
    drop(former);
}

/// Reads from the instance that is served; `None` as long as there is none.
#[inline]
pub(crate) fn read<R>(read: impl FnOnce(&Handles) -> R) -> Option<R> {
    SEEN.with(|cell| {
        let mut seen = cell.borrow();
        if seen.0 != GENERATION.load(Ordering::Acquire) {
            drop(seen);
            look_again(cell);
            seen = cell.borrow();
        }
        seen.1.as_deref().map(read)
    })
}

#[cold]
fn look_again(seen: &RefCell<(u64, Option<Shared>)>) {
    let served = SERVED.lock().unwrap_or_else(PoisonError::into_inner);
    let current = (GENERATION.load(Ordering::Acquire), served.clone());
    drop(served);
    let former = seen.replace(current);
    drop(former);
}

/// An instance with its handles, which several owners share.
#[derive(Clone)]
pub(crate) struct Shared(Option<Arc<Handles>>);

impl Shared {
    pub(crate) fn new(handles: Handles) -> Self {
        Self(Some(Arc::new(handles)))
    }
}

impl Deref for Shared {
    type Target = Handles;

    #[inline]
    fn deref(&self) -> &Handles {
        match &self.0 {
            Some(handles) => handles,
            None => unreachable!("only `drop` takes it"),
        }
    }
}

impl Drop for Shared {
    /// The last handle of an instance waits for its threads, which a scheduler must not do.
    fn drop(&mut self) {
        if let Some(last) = self.0.take().and_then(Arc::into_inner) {
            // Without a thread it waits here: `Tidegate.Node` has ended the threads before, unless it was killed.
            let _ = thread::Builder::new().name("tidegate-drop".to_owned()).spawn(move || drop(last));
        }
    }
}
