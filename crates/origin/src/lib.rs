//! An HTTP origin that misbehaves on request; for tests.
//!
//! An [`Origin`] listens on a free port of the loopback interface and answers each request with the next
//! [`Reply`] of its script; the last one stays. It writes every byte itself, so that it can break what a
//! server library would not let it break: framing, headers, time, TLS. It keeps a log of what was asked.
//! Threads and sockets end with it.
//!
//! ```
//! use tidegate_origin::{Origin, Reply};
//!
//! let origin = Origin::start();
//! origin.script([
//!     Reply::document(r#"{"features": {}}"#).tag("\"1\""), // 200, then 304 to who has it
//!     Reply::status(503).header("Retry-After", "5"),
//!     Reply::document("{").cut_after(0),
//! ]);
//! println!("{}", origin.url("/flags.json"));
//! assert_eq!(origin.requests().len(), 0);
//! ```
//!
//! [`misbehaviours`] lists everything after which the reader must still see the last good values.
//!
//! [`RedisServer`], [`RedisCluster`], [`RedisSentinel`] and [`ZooKeeperServer`] are real servers, as processes of a test.

mod certificate;
mod misbehaviour;
mod process;
mod proxy;
mod redis_cluster;
mod redis_sentinel;
mod redis_server;
mod reply;
mod request;
mod server;
mod state;
mod wire;
mod zookeeper_server;

pub use certificate::{Authority, Handshake};
pub use misbehaviour::{Blame, Misbehaviour, misbehaviours};
pub use proxy::Proxy;
pub use redis_cluster::RedisCluster;
pub use redis_sentinel::RedisSentinel;
pub use redis_server::RedisServer;
pub use reply::Reply;
pub use request::Request;
pub use server::Origin;
pub use zookeeper_server::ZooKeeperServer;
