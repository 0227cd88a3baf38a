//! Carries messages between the nodes of a cluster. It decides nothing.
//!
//! ```text
//!           dialer ----\
//! address ->            > handshake (TLS 1.3, hello) -> registry -> link (queue) <-> the other node
//!           listener --/                                   |
//!                                                          v
//!                                       Receiver: messages, connected and lost peers
//! ```
//!
//! Each two nodes have one link: a TCP connection, with TLS 1.3 and certificates of the cluster's own authority in both directions.
//! A message on a link comes from the node that its certificate names.
//!
//! Start with [`Mesh::open`], which takes [`Options`] and a [`Receiver`]. [`Mesh::send`] and [`Mesh::broadcast`] queue messages,
//! [`Mesh::learn`] says where members are, and [`Mesh::status`] says why there is no link. [`authority`] makes certificates.
//!
//! A message may be lost, duplicated and reordered, and a report that a peer is connected may be late: the replica expects no more.
//!
//! What the mesh never does: a call never waits for the network. Each peer has a queue that is bounded in bytes; a slow peer
//! loses messages, and no other peer does. One thread, `tidegate-mesh`, does everything that is not done by the caller. The mesh
//! never reads a message, and never trusts a hello over a certificate.
//!
//! ```
//! use std::sync::{Arc, mpsc};
//! use tidegate_mesh::{Mesh, Options, PeerEvent, Receiver};
//! use tidegate_replica::NodeId;
//!
//! #[derive(Debug)]
//! struct Events(mpsc::Sender<String>);
//!
//! impl Receiver for Events {
//!     fn message(&self, from: NodeId, bytes: Vec<u8>) {
//!         let _ = self.0.send(format!("{} from {from}", String::from_utf8_lossy(&bytes)));
//!     }
//!     fn peer(&self, node: NodeId, _instance: u64, event: PeerEvent) {
//!         if let PeerEvent::Connected { .. } = event {
//!             let _ = self.0.send(format!("{node} is connected"));
//!         }
//!     }
//! }
//!
//! let node = |id: u64, peers: Vec<String>| {
//!     let (sender, events) = mpsc::channel();
//!     let mut options = Options::new("shop", NodeId::new(id), 7);
//!     (options.listen, options.peers) = (Some(([127, 0, 0, 1], 0).into()), peers);
//!     Mesh::open(options, Arc::new(Events(sender))).map(|mesh| (mesh, events))
//! };
//! let (first, first_events) = node(1, vec![])?;
//! let address = first.address().ok_or("it listens")?;
//! let (_second, second_events) = node(2, vec![address.to_string()])?;
//! assert_eq!(first_events.recv()?, "0000000000000002 is connected");
//! first.broadcast(b"good morning");
//! assert_eq!(second_events.recv()?, "0000000000000001 is connected");
//! assert_eq!(second_events.recv()?, "good morning from 0000000000000001");
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
