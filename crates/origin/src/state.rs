//! What the threads of one origin share: its script, its log of requests, its connections.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::certificate::Security;
use crate::{Reply, Request};

/// What the threads of one origin share.
pub(crate) struct Shared {
    pub(crate) security: Security,
    pub(crate) scripts: Mutex<HashMap<String, Script>>,
    pub(crate) requests: Mutex<Vec<Request>>,
    pub(crate) has_requests: Condvar,
    pub(crate) connections: Mutex<HashMap<usize, TcpStream>>,
    pub(crate) connection_count: AtomicUsize,
    pub(crate) sent: AtomicU64,
    pub(crate) is_down: Mutex<bool>,
    pub(crate) goes_down: Condvar,
}

#[derive(Default)]
pub(crate) struct Script {
    pub(crate) coming: VecDeque<Answer>,
    pub(crate) last: Option<Answer>,
}

pub(crate) type Answer = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

impl Shared {
    /// Waits, unless the origin goes down meanwhile.
    pub(crate) fn pause(&self, pause: Duration) -> io::Result<()> {
        let until = Instant::now() + pause;
        let mut is_down = lock(&self.is_down);
        while !*is_down {
            let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) else {
                return Ok(());
            };
            is_down = self.goes_down.wait_timeout(is_down, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        Err(io::ErrorKind::ConnectionAborted.into())
    }

    pub(crate) fn count_sent(&self, bytes: usize) {
        self.sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
