//! Carries messages between the nodes of a cluster on [zenoh](https://zenoh.io); decides nothing.
//!
//! A message may be lost, doubled and overtaken on its way, and word of who is there may be late or wrong: the replica
//! expects no more. What this crate owes to those who use it is that nothing here ever waits: what is sent is put into a
//! queue with a limit, and a thread called `tidegate-mesh` takes it from there. Nor does anything of zenoh's show: no clock,
//! no stamp and no storage of its is used.
//!
//! ```no_run
//! use std::sync::Arc;
//! use tidegate_mesh::{Mesh, Options, Receiver};
//! use tidegate_replica::NodeId;
//!
//! #[derive(Debug)]
//! struct Printer;
//!
//! impl Receiver for Printer {
//!     fn message(&self, from: NodeId, bytes: Vec<u8>) {
//!         println!("{} bytes from {from}", bytes.len());
//!     }
//!     fn peer(&self, node: NodeId, _instance: u64, is_up: bool) {
//!         println!("{node} is there: {is_up}");
//!     }
//! }
//!
//! let mut options = Options::new("shop", NodeId::new(1), 7);
//! options.listen = Some("127.0.0.1:7400".parse()?);
//! options.peers = vec!["127.0.0.1:7401".to_owned()];
//! let mesh = Mesh::open(options, Arc::new(Printer))?;
//! mesh.broadcast(b"good morning".to_vec());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod authority;
mod dial;
mod ear;
mod expiry;
mod identity;
mod keys;
mod line;
mod mesh;
mod names;
mod options;
mod patience;
mod queue;
mod seal;
mod session;
mod settings;
mod trust;

pub use dial::are_local;
pub use identity::{AUTHORITY, CERTIFICATE, Identity, IdentityError, KEY};
pub use mesh::{Mesh, MeshError, MeshStatus, Receiver};
pub use options::{Options, RUNTIME, Security};
pub use queue::QUEUE_BYTES_MAX;
pub use trust::Distrust;
