//! The library as programs see it: over real HTTP, real files and real threads.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

mod allocations;
mod callback;
mod change_set;
mod conditional;
#[cfg(feature = "conformance")]
mod conformance;
mod examples;
mod faults;
mod generated;
#[cfg(feature = "cluster")]
mod live;
mod locks;
mod programs;
#[cfg(feature = "redis")]
mod redis;
mod restart;
mod runtimes;
mod signed;
mod status;
mod support;
#[cfg(feature = "cluster")]
mod targets;
mod time;
mod typed;
#[cfg(all(feature = "conformance", feature = "zookeeper"))]
mod zookeeper;
