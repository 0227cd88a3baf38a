//! The program as its users have it: run as a process, in a folder of its own, its output compared whole.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod run;

mod answers;
mod architecture;
mod cache;
mod check;
mod cluster;
mod docs;
mod files;
mod insider;
mod limits;
mod links;
mod listing;
mod locks;
mod logging;
mod network;
mod origin;
mod pages;
mod plan;
mod serve;
mod server;
mod serving;
mod signed;
mod simulate;
mod troubles;
mod watch;
