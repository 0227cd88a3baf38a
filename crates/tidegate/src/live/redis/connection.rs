//! One connection to Redis, each of whose commands has a deadline, and the replies as data.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Cmd, Pipeline, RedisError, Value, cmd};
use tokio::time::timeout;

use super::lost::Lost;
use super::place::Place;

/// A connection, for commands one after the other.
pub(super) struct Connection {
    inner: MultiplexedConnection,
    patience: Duration,
    /// Whether the server has the slot of our keys only for commands that ask for it.
    is_asking: bool,
}

impl Connection {
    /// Connects. No command waits longer than `patience` for its reply.
    pub(super) async fn open(place: &Place, patience: Duration) -> Result<Self, Lost> {
        if place.is_tls() {
            // The crate takes the provider of the process. One that the program has installed stays.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let client = Client::open(place.info())?;
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(patience));
        // Signing in is not part of the crate's own timeout.
        let opening = client.get_multiplexed_async_connection_with_config(&config);
        let inner = timeout(CONNECT_TIMEOUT + patience, opening).await.map_err(|_| Lost::timed_out())??;
        Ok(Self { inner, patience, is_asking: place.is_asking() })
    }

    pub(super) async fn query(&mut self, command: &Cmd) -> Result<Value, RedisError> {
        if self.is_asking {
            let mut commands = Pipeline::new();
            commands.add_command(command.clone());
            let mut replies = self.query_all(&commands).await?;
            return Ok(replies.pop().unwrap_or(Value::Nil));
        }
        self.inner.set_response_timeout(self.patience);
        command.query_async(&mut self.inner).await
    }

    /// Several commands in one round trip.
    pub(super) async fn query_all(&mut self, commands: &Pipeline) -> Result<Vec<Value>, RedisError> {
        self.inner.set_response_timeout(self.patience);
        // The error of a pipeline hides the code of what failed.
        let first = |error: RedisError| match error.clone().into_server_errors().as_deref() {
            Some([(_, first), ..]) => first.clone().into(),
            _ => error,
        };
        if !self.is_asking {
            return commands.query_async(&mut self.inner).await.map_err(first);
        }
        // It holds for one command.
        let mut asking = Pipeline::new();
        for command in commands.cmd_iter() {
            asking.add_command(cmd("ASKING")).ignore().add_command(command.clone());
        }
        asking.query_async(&mut self.inner).await.map_err(first)
    }
}

/// The items of a reply; none where it is nil.
pub(super) fn items(value: Value) -> Result<Vec<Value>, Lost> {
    match value {
        Value::Array(items) => Ok(items),
        Value::Nil => Ok(Vec::new()),
        _ => Err(Lost::unexpected()),
    }
}

/// The bytes of a reply; none where it is nil.
pub(super) fn bytes(value: Value) -> Result<Option<Vec<u8>>, Lost> {
    match value {
        Value::BulkString(bytes) => Ok(Some(bytes)),
        Value::SimpleString(text) => Ok(Some(text.into_bytes())),
        Value::Nil => Ok(None),
        _ => Err(Lost::unexpected()),
    }
}

pub(super) fn text(value: Value) -> Result<String, Lost> {
    match value {
        Value::VerbatimString { text, .. } => Ok(text),
        value => Ok(String::from_utf8_lossy(&bytes(value)?.unwrap_or_default()).into_owned()),
    }
}

pub(super) fn number(value: Value) -> Result<u64, Lost> {
    match value {
        Value::Int(number) => u64::try_from(number).map_err(|_| Lost::unexpected()),
        value => text(value)?.parse().map_err(|_| Lost::unexpected()),
    }
}

/// The id of an entry of a stream: milliseconds by the clock of Redis, and a number within them.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct EntryId(u64, u64);

impl EntryId {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (millis, number) = text.split_once('-')?;
        Some(Self(millis.parse().ok()?, number.parse().ok()?))
    }

    pub(super) fn to_text(self) -> String {
        format!("{}-{}", self.0, self.1)
    }
}

/// The entries of a reply of `XRANGE` and its like: their ids and the first of their values.
pub(super) fn entries(value: Value) -> Result<Vec<(EntryId, Vec<u8>)>, Lost> {
    let read = |entry: Value| {
        let mut parts = items(entry)?.into_iter();
        let id = parts.next().map(text).transpose()?.and_then(|id| EntryId::parse(&id)).ok_or_else(Lost::unexpected)?;
        let mut fields = parts.next().map(items).transpose()?.unwrap_or_default().into_iter();
        let value = fields.nth(1).map(bytes).transpose()?.flatten().unwrap_or_default();
        Ok((id, value))
    };
    items(value)?.into_iter().map(read).collect()
}

/// To connect over a slow network takes less.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
