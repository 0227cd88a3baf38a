//! The limits of one server that can be set.

use std::time::Duration;

use crate::limits;

/// How much, and how long. The defaults are those of [`limits`]; tests use less.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// Connections at once.
    pub connections_max: usize,
    /// Connections at once that watch.
    pub watchers_max: usize,
    /// Followers at once.
    pub followers_max: usize,
    /// Changes at once that wait longer than a second for their acknowledgement; one more waits no longer than that.
    pub waits_max: usize,
    /// For the turn of a request to come, while others of its kind are at work.
    pub turn_timeout: Duration,
    /// Bytes for all bodies and answers that are not small.
    pub memory_max: usize,
    /// For the head of a request, and between two requests.
    pub head_timeout: Duration,
    /// For the body of a request.
    pub body_timeout: Duration,
    /// For a client to take some bytes of an answer.
    pub write_timeout: Duration,
    /// Between two signs of life to one who watches.
    pub keep_alive_period: Duration,
    /// For requests under way when the server stops.
    pub stop_timeout: Duration,
    /// Origins whose pages may evaluate flags over OFREP: `*` for every origin, `none`, or origins such as `https://shop.example`.
    pub cors_origins: Vec<String>,
    /// Names, besides those of the loopback interface and the address of the connection, that a request may give in `Host`.
    pub hosts: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            connections_max: limits::CONNECTIONS_MAX,
            watchers_max: limits::WATCHERS_MAX,
            followers_max: limits::FOLLOWERS_MAX,
            waits_max: limits::WAITS_MAX,
            turn_timeout: limits::TURN_TIMEOUT,
            memory_max: limits::MEMORY_BYTES_MAX,
            head_timeout: limits::HEAD_TIMEOUT,
            body_timeout: limits::BODY_TIMEOUT,
            write_timeout: limits::WRITE_TIMEOUT,
            keep_alive_period: limits::KEEP_ALIVE_PERIOD,
            stop_timeout: limits::STOP_TIMEOUT,
            cors_origins: vec!["*".to_owned()],
            hosts: Vec::new(),
        }
    }
}

impl Options {
    /// The defaults for a process that may open this number of files.
    #[must_use]
    pub fn for_files(files: u64) -> Self {
        Self::for_connections(limits::CONNECTIONS_MAX, files)
    }

    /// The defaults for this number of connections at once, in a process that may open this number of files: connections leave
    /// [`limits::FILES_RESERVED`] of them for members of the cluster, the data folder and documents, or half of them where there are few.
    #[must_use]
    pub fn for_connections(connections: usize, files: u64) -> Self {
        let files = usize::try_from(files).unwrap_or(usize::MAX);
        let reserved = limits::FILES_RESERVED.min(files / limits::FILES_SHARE);
        let connections_max = connections.min(files - reserved).max(limits::CONNECTIONS_MIN);
        let share = connections_max / limits::LONG_SHARE;
        let (watchers_max, waits_max) = (share.min(limits::WATCHERS_MAX), share.min(limits::WAITS_MAX));
        let followers_max = (connections_max / limits::FOLLOWERS_SHARE).min(limits::FOLLOWERS_MAX);
        Self { connections_max, watchers_max, followers_max, waits_max, ..Self::default() }
    }

    /// The files that a process has to be allowed to open for this number of connections.
    #[must_use]
    pub fn files_for(connections: usize) -> u64 {
        u64::try_from(connections.saturating_add(limits::FILES_RESERVED)).unwrap_or(u64::MAX)
    }
}
