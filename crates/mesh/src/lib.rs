//! Carries messages between the nodes of a cluster; decides nothing.
//!
//! Each two nodes have one link: a TCP connection under TLS 1.3, with certificates of the cluster's own authority in both
//! directions. What comes on a link comes from the node that its certificate names.
//!
//! A message may be lost, doubled and overtaken on its way, and what is said about who is connected may be late: the replica
//! expects no more. What this crate owes its caller is that nothing here ever waits. A message goes into the queue of its
//! peer, which is bounded in bytes; a peer that is slow loses messages, and no other one does. All other work is done by one
//! thread, `tidegate-mesh`.
//!
//! ```no_run
//! use std::sync::Arc;
//! use tidegate_mesh::{Mesh, Options, PeerEvent, Receiver};
//! use tidegate_replica::NodeId;
//!
//! #[derive(Debug)]
//! struct Printer;
//!
//! impl Receiver for Printer {
//!     fn message(&self, from: NodeId, bytes: Vec<u8>) {
//!         println!("{} bytes from {from}", bytes.len());
//!     }
//!     fn peer(&self, node: NodeId, _instance: u64, event: PeerEvent) {
//!         match event {
//!             PeerEvent::Connected { remote } => println!("{node} is connected at {remote}"),
//!             PeerEvent::Lost { cause } => println!("{node} is lost: {cause}"),
//!         }
//!     }
//! }
//!
//! let mut options = Options::new("shop", NodeId::new(1), 7);
//! options.listen = Some("127.0.0.1:7400".parse()?);
//! options.peers = vec!["127.0.0.1:7401".to_owned()];
//! let mesh = Mesh::open(options, Arc::new(Printer))?;
//! mesh.broadcast(b"good morning");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod address;
mod admission;
pub mod authority;
mod cause;
mod certificate;
mod clock;
mod connect;
mod dialer;
mod exchange;
mod expiry;
mod handshake;
mod identity;
mod link;
mod listener;
mod mesh;
mod names;
mod options;
mod pulse;
mod receiver;
mod registry;
mod regular_file;
mod reload;
mod socket_options;
mod startup;
mod tls;
mod trust;
mod wire;

pub use address::{AddressError, are_local, check_address};
pub use cause::Cause;
pub use dialer::AddressStatus;
pub use identity::{AUTHORITY, CERTIFICATE, Identity, IdentityError, KEY};
pub use link::QUEUE_BYTES_MAX;
pub use mesh::{LinkStatus, Mesh, MeshError, MeshStatus};
pub use options::{Options, Security};
pub use receiver::{PeerEvent, Receiver};
pub use startup::Startup;
pub use trust::Distrust;
pub use wire::Reason;
