//! The floor: blocking sockets with TLS, a thread for each, and nothing around them. Each node has a connection to each
//! other.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use rustls::Connection;

use crate::echo::{self, FRAME_BYTES, Node, Seat};
use crate::{Outcome, tls};

struct Link {
    tls: Mutex<Connection>,
    socket: TcpStream,
}

pub(crate) fn run(words: &[&str]) -> Outcome {
    echo::run(words, open)
}

fn open(seat: &Seat, node: &Arc<Node<Link>>) -> Outcome {
    let (server, client) = tls::configs(&seat.certificates)?;
    let listener = TcpListener::bind(("127.0.0.1", seat.port))?;
    {
        let node = Arc::clone(node);
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (node, server) = (Arc::clone(&node), Arc::clone(&server));
                thread::spawn(move || serve(&node, socket, rustls::ServerConnection::new(server)?.into()));
            }
        });
    }
    for peer in seat.dialed() {
        let (node, client) = (Arc::clone(node), Arc::clone(&client));
        thread::spawn(move || -> Outcome {
            let socket = loop {
                match TcpStream::connect(("127.0.0.1", peer)) {
                    Ok(socket) => break socket,
                    Err(_) => thread::sleep(Duration::from_millis(20)),
                }
            };
            serve(&node, socket, rustls::ClientConnection::new(client, "127.0.0.1".try_into()?)?.into())
        });
    }
    Ok(())
}

/// Reads what comes on a connection until it ends.
fn serve(node: &Node<Link>, mut socket: TcpStream, mut tls: Connection) -> Outcome {
    socket.set_nodelay(true)?;
    while tls.is_handshaking() {
        tls.complete_io(&mut socket)?;
    }
    let link = Arc::new(Link { tls: Mutex::new(tls), socket: socket.try_clone()? });
    node.add(&link)?;
    let (mut record, mut text) = (vec![0; 64 * 1024], Vec::new());
    loop {
        let length = socket.read(&mut record)?;
        if length == 0 {
            return Ok(());
        }
        link.decrypt(&record[..length], &mut text)?;
        while let Some(frame) = text.first_chunk::<FRAME_BYTES>() {
            let frame = *frame;
            text.drain(..FRAME_BYTES);
            node.hear(&link, &frame)?;
        }
    }
}

impl echo::Link for Link {
    fn send(&self, frame: &[u8; FRAME_BYTES]) -> Outcome {
        let mut tls = self.tls.lock().map_err(|_| "a thread panicked")?;
        tls.writer().write_all(frame)?;
        let mut socket = &self.socket;
        while tls.wants_write() {
            tls.write_tls(&mut socket)?;
        }
        Ok(())
    }
}

impl Link {
    fn decrypt(&self, mut bytes: &[u8], text: &mut Vec<u8>) -> Outcome {
        let mut tls = self.tls.lock().map_err(|_| "a thread panicked")?;
        let mut part = [0; 16 * 1024];
        while !bytes.is_empty() {
            tls.read_tls(&mut bytes)?;
            tls.process_new_packets()?;
            while let Ok(length @ 1..) = tls.reader().read(&mut part) {
                text.extend_from_slice(&part[..length]);
            }
        }
        Ok(())
    }
}
