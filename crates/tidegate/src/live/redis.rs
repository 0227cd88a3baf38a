//! Registers that processes share through Redis or Valkey, where there is no cluster or beside one.
//!
//! Redis is a copy of what the processes hold, and no authority: it decides nothing, and the replica remains the only place that
//! stamps and merges. One thread, `tidegate-redis`, owns the connections. It loads what Redis has and hands it to the driver, writes
//! there what becomes active here, and follows a stream of what other processes write. Whenever Redis may have lost something (after
//! a reconnect, an older copy, an emptied database), the thread compares all of it with memory and writes what is missing.

mod address;
mod connection;
mod entry;
mod lost;
mod place;
mod sentinel;
mod server;
mod session;
mod thread;
mod tls;

pub(super) use address::Address;
pub use address::{RedisUrlError, check_redis_url};
pub(super) use thread::RedisThread;
pub(super) use tls::RedisTls;
