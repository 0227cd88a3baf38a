//! Why a session with Redis ended, in words that say what to do.

use redis::{ErrorKind, RedisError, ServerErrorKind};

/// Why a session ended, or did not begin.
#[derive(Debug)]
pub(super) enum Lost {
    /// Redis cannot be reached, or does not answer. It may come back.
    Unreachable(String),
    /// A person has to act.
    Lasting { code: &'static str, message: String },
    /// In a Redis Cluster another node has our keys.
    Moved(String),
    /// All is to be loaded again: the stream has moved past what was read, or has gone back.
    Reload,
    /// This process ends.
    Ended,
}

impl Lost {
    pub(super) fn unexpected() -> Self {
        Self::Unreachable(
            "it has answered something unexpected; check that it is Redis 6.2 or newer, or Valkey".to_owned(),
        )
    }

    pub(super) fn timed_out() -> Self {
        Self::Unreachable("it did not answer in time".to_owned())
    }

    pub(super) fn wrong_type(key: &str, found: &str) -> Self {
        Self::Lasting {
            code: "redis-wrong-type",
            message: format!(
                "the key `{}` is a {found} that this library has not written; rename or delete it, or give the processes \
                 another cluster name",
                key.escape_debug()
            ),
        }
    }
}

/// Of a write in a script, Redis says so in the text.
fn is_out_of_memory(error: &RedisError) -> bool {
    error.code() == Some("OOM") || error.detail().is_some_and(|detail| detail.contains("OOM command not allowed"))
}

impl From<RedisError> for Lost {
    fn from(error: RedisError) -> Self {
        let lasting = |code, message: String| Self::Lasting { code, message };
        if let Some((place, _)) = error.redirect_node() {
            return match error.kind() {
                ErrorKind::Server(ServerErrorKind::Moved) => Self::Moved(place.to_owned()),
                _ => Self::Unreachable("the slot of its keys is moving to another node".to_owned()),
            };
        }
        if error.is_timeout() {
            return Self::timed_out();
        }
        match (error.kind(), error.code()) {
            (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS" | "NOAUTH")) => lasting(
                "redis-authentication",
                "it does not accept user and password; correct them in the URL".to_owned(),
            ),
            (ErrorKind::Server(ServerErrorKind::NoPerm), _) => lasting(
                "redis-permission",
                format!(
                    "the user may not do what this library needs: {}; see the ACL in docs/guide/redis.md",
                    error.detail().unwrap_or("no permission").escape_debug()
                ),
            ),
            _ if is_out_of_memory(&error) => lasting(
                "redis-full",
                "it has no memory left for writes; raise `maxmemory`, or give it to other keys".to_owned(),
            ),
            (_, Some("MISCONF")) => {
                lasting("redis-disk", "it accepts no writes because it cannot save to its disk; see its log".to_owned())
            }
            (ErrorKind::Server(ServerErrorKind::ReadOnly), _) => {
                Self::Unreachable("it is a replica, which accepts no writes; name the master".to_owned())
            }
            (ErrorKind::Server(ServerErrorKind::BusyLoading), _) => {
                Self::Unreachable("it is loading its data".to_owned())
            }
            // Of a text that Redis answers only the code is shown: the rest may repeat arguments.
            (_, Some(code)) => Self::Unreachable(format!("it has answered {}", code.escape_debug())),
            _ if error.is_connection_refusal() => Self::Unreachable("connection refused; start it".to_owned()),
            _ if error.is_connection_dropped() => Self::Unreachable("it has closed the connection".to_owned()),
            _ => Self::Unreachable(error.to_string()),
        }
    }
}
