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
    /// In a Redis Cluster our keys are moving to another node, which has them already.
    Ask(String),
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

    /// The same of a Sentinel.
    pub(super) fn of_a_sentinel(self) -> Self {
        match self {
            Self::Unreachable(why) => Self::Unreachable(format!("no Sentinel answers: {why}")),
            Self::Lasting { code, message } => Self::Lasting { code, message: format!("a Sentinel: {message}") },
            other => other,
        }
    }
}

/// Of `SELECT` the client hides the code, and in a script some versions of Redis have another one.
fn is_permission_missing(error: &RedisError) -> bool {
    let is_said = |detail: &str| ["no permissions", SCRIPT_REFUSED].iter().any(|words| detail.contains(words));
    error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) || error.detail().is_some_and(is_said)
}

fn is_database_refused(error: &RedisError) -> bool {
    error.to_string().starts_with(DATABASE_REFUSED)
}

/// What the client says when `SELECT` fails.
const DATABASE_REFUSED: &str = "Redis server refused to switch database";

/// What Redis 6.2 and 7.0 say of a command in a script, without its name.
const SCRIPT_REFUSED: &str = "can't run this command";

/// What a user lacks, by the text in which Redis says so. The text itself names the user.
fn missing_permission(error: &RedisError) -> String {
    let detail = error.detail().unwrap_or_default();
    if detail.contains(SCRIPT_REFUSED) {
        return "the user may not run a command of the script; grant `hget`, `hset` and `xadd`".to_owned();
    }
    let command = detail.split('\'').nth(1).filter(|_| detail.contains("command"));
    match command {
        Some(command) => format!("the user may not run `{}`; grant it", command.to_lowercase().escape_debug()),
        None => "the user may not use the keys `{tidegate:NAME}:*`; grant them".to_owned(),
    }
}

/// Whether a handshake failed because of a certificate, and how.
fn certificate_problem(error: &RedisError) -> Option<String> {
    let text = error.to_string();
    let (ours, theirs) = ("invalid peer certificate: ", "received fatal alert: ");
    if let Some((_, why)) = text.split_once(ours) {
        let why = why.trim_end_matches(')').escape_debug();
        return Some(format!(
            "its certificate is not accepted ({why}); name its authority by `Live::redis_root_certificates`, or by `--cacert`"
        ));
    }
    let (_, alert) = text.split_once(theirs)?;
    let alert = alert.trim_end_matches(')').escape_debug();
    Some(format!(
        "it does not accept the certificate of this process, or wants one ({alert}); give one by \
         `Live::redis_client_certificate`, or set `tls-auth-clients optional`"
    ))
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
                _ => Self::Ask(place.to_owned()),
            };
        }
        if let Some(message) = certificate_problem(&error) {
            return lasting("redis-certificate", message);
        }
        if error.is_timeout() {
            return Self::timed_out();
        }
        match (error.kind(), error.code()) {
            (ErrorKind::AuthenticationFailed, _) | (_, Some("WRONGPASS" | "NOAUTH")) => lasting(
                "redis-authentication",
                "it does not accept user and password; correct them in the URL".to_owned(),
            ),
            _ if is_permission_missing(&error) => lasting(
                "redis-permission",
                format!("{}, as in the ACL in docs/guide/redis.md", missing_permission(&error)),
            ),
            _ if is_database_refused(&error) => lasting(
                "redis-database",
                "it has no database with this number; correct the end of the URL (a Redis Cluster has only 0)"
                    .to_owned(),
            ),
            (ErrorKind::Server(ServerErrorKind::TryAgain), _) => {
                Self::Unreachable("the slot of its keys is moving to another node".to_owned())
            }
            (ErrorKind::Server(ServerErrorKind::ClusterDown), _) => {
                Self::Unreachable("the Redis Cluster has no node for some of its slots; see `CLUSTER INFO`".to_owned())
            }
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
