//! The HTTP server of Tidegate: flags, live changes and decisions under `/api/v1`, for any language.
//!
//! ```text
//! client -> serve (connections, limits) -> api (one handler for each request) -> tidegate (the library)
//!                                            |-> problem: every failure as RFC 9457, and its status
//! ```
//!
//! Start with [`serve`], which serves an instance of the library until it is told to stop. [`Server`] does the same in steps, and
//! answers health probes while the instance still connects. [`Config`] reads the configuration of `tidegate serve` from a file, the
//! environment and arguments; [`Options`] has the limits of one server.
//!
//! ```
//! use tidegate::{Live, Tidegate};
//! use tidegate_server::{Options, serve};
//!
//! # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
//! # runtime.block_on(async {
//! let tide = Tidegate::builder().live(Live::in_memory()).without_locks().connect_async().await?;
//! let listener = tidegate_server::listen("127.0.0.1:0".parse()?)?;
//! let shutdown = async {}; // Stop at once; a program waits for a signal here.
//! serve(listener, tide, Options::default(), shutdown).await?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! What the server never does: it evaluates no flag itself, it queues no event for a slow reader, it lets no client block
//! another one, and it allocates no more than its [`limits`] say, whatever clients send.
#![warn(missing_docs)]
#![expect(unused_qualifications, reason = "utoipa's attribute writes them for the types of parameters")]

mod api;
pub mod config;
mod content;
#[cfg(test)]
mod generated;
pub mod limits;
mod ofrep;
mod openapi;
mod options;
mod serve;
mod stop;
mod tasks;

pub use api::CheckReport;
pub use config::{Arguments, Config, ConfigError};
pub use options::Options;
pub use serve::{Listeners, Server, listen, serve};
