//! A node that is written by hand, from the tables of `src/wire.rs`: without certificates, and as rude as a test wants it.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// One end of a link.
#[derive(Debug)]
pub(crate) struct Raw {
    socket: TcpStream,
}

impl Raw {
    /// A connection on which nothing was said yet.
    pub(crate) fn connect(to: SocketAddr) -> Self {
        let socket = TcpStream::connect(to).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self { socket }
    }

    /// A link of this node of the cluster `shop`.
    pub(crate) fn join(to: SocketAddr, node: u64, instance: u64) -> Self {
        let mut raw = Self::connect(to);
        raw.frame(&hello(&[(1, &[0, 1]), (2, &[0, 1])], "shop", node, instance));
        assert_eq!(raw.read()[0], 1, "a hello");
        raw
    }

    /// Writes a frame: its length, and then this.
    pub(crate) fn frame(&mut self, frame: &[u8]) {
        let length = u32::try_from(frame.len()).unwrap();
        self.write(&[&length.to_be_bytes(), frame].concat());
    }

    /// Writes these bytes as they are.
    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).unwrap();
    }

    /// Reads a frame without its length.
    pub(crate) fn read(&mut self) -> Vec<u8> {
        let mut length = [0; 4];
        self.socket.read_exact(&mut length).unwrap();
        let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap()];
        self.socket.read_exact(&mut frame).unwrap();
        frame
    }

    /// Reads frames until one is of this kind.
    pub(crate) fn read_kind(&mut self, kind: u8) -> Vec<u8> {
        loop {
            let frame = self.read();
            if frame[0] == kind {
                return frame;
            }
        }
    }

    /// Waits until the other end has closed the connection, and says how long that took.
    pub(crate) fn is_closed_after(&mut self) -> Duration {
        let began = Instant::now();
        let mut rest = [0; 4096];
        loop {
            match self.socket.read(&mut rest) {
                Ok(0) => return began.elapsed(),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return began.elapsed(),
                Err(error) => panic!("it is still open: {error}"),
            }
        }
    }
}

/// A hello with these fields in front of those that name the node.
pub(crate) fn hello(fields: &[(u8, &[u8])], cluster: &str, node: u64, instance: u64) -> Vec<u8> {
    let mut bytes = b"\x01TIDEGATE".to_vec();
    let (node, instance) = (node.to_be_bytes(), instance.to_be_bytes());
    let own: [(u8, &[u8]); 3] = [(3, cluster.as_bytes()), (4, &node), (5, &instance)];
    for (tag, content) in fields.iter().chain(&own) {
        bytes.push(*tag);
        bytes.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        bytes.extend(*content);
    }
    bytes
}
