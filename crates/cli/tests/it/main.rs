//! The program as its users have it: run as a process, in a folder of its own, its output compared whole.
#![expect(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod run;

mod architecture;
mod cache;
mod check;
mod cluster;
mod cluster_links;
mod docs;
mod exit_codes;
mod files;
mod follow;
mod forged_messages;
mod help;
mod limits;
mod list;
mod locks;
mod log;
mod log_messages;
mod plan;
mod problems;
mod proxies;
mod reads;
mod redis;
mod scripted_server;
mod serve;
mod server_process;
mod signed;
mod simulate;
mod watch;
mod web_server;
mod words;
mod zookeeper;
