//! The native part of the Elixir application `tidegate`: a thin layer over the library.
//!
//! Invariants: a function on a regular scheduler reads memory and never waits; what waits is marked `DirtyIo`. Threads of Rust send
//! messages to processes and call nothing. rustler catches each panic and raises it as an error in the calling process.

mod changes;
mod error;
mod handles;
mod instance;
mod logs;
mod options;
mod read;
mod served;
mod term;
mod write;

rustler::init!("Elixir.Tidegate.Native");
