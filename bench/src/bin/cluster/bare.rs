//! The floor: blocking sockets with TLS, a thread for each, and nothing around them. Each node has a connection to each other; one
//! sends 300 bytes to all, and each sends them back.

use std::io::{Read as _, Write as _, stdin, stdout};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rustls::{ClientConfig, Connection, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::Outcome;
use crate::process::now;

/// What a node has to do with others.
#[derive(Clone)]
struct Node {
    /// Whether it is the one that sends.
    is_first: bool,
    links: Arc<Mutex<Vec<Arc<Link>>>>,
    seen: Arc<Mutex<Vec<(u64, Duration)>>>,
    answers: mpsc::Sender<u64>,
}

struct Link {
    tls: Mutex<Connection>,
    socket: TcpStream,
}

pub(crate) fn run(words: &[&str]) -> Outcome {
    let [_, certificates, port, peers @ ..] = words else { return Err("a node wants more words".into()) };
    let (server, client) = configs(Path::new(certificates))?;
    let (answers, answered) = mpsc::channel();
    let is_first = peers.first() == Some(port);
    let node = Node { is_first, links: Arc::default(), seen: Arc::default(), answers };
    let port: u16 = port.parse()?;
    let listener = TcpListener::bind(("127.0.0.1", port))?;
    {
        let node = node.clone();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let (node, server) = (node.clone(), Arc::clone(&server));
                thread::spawn(move || node.serve(socket, rustls::ServerConnection::new(server)?.into()));
            }
        });
    }
    for peer in peers {
        let peer: u16 = peer.parse()?;
        let (node, client) = (node.clone(), Arc::clone(&client));
        if peer > port {
            thread::spawn(move || -> Outcome {
                let socket = loop {
                    match TcpStream::connect(("127.0.0.1", peer)) {
                        Ok(socket) => break socket,
                        Err(_) => thread::sleep(Duration::from_millis(20)),
                    }
                };
                node.serve(socket, rustls::ClientConnection::new(client, "127.0.0.1".try_into()?)?.into())
            });
        }
    }
    for line in stdin().lines() {
        let line = line?;
        let answer = match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["peers"] => node.links.lock().map_err(|_| "a thread panicked")?.len().to_string(),
            ["seen"] => {
                let seen = std::mem::take(&mut *node.seen.lock().map_err(|_| "a thread panicked")?);
                seen.iter().map(|(number, at)| format!("{number}:{} ", at.as_nanos())).collect()
            }
            ["write", others, count, pause_us] => {
                node.write(&answered, others.parse()?, count.parse()?, pause_us.parse()?)?
            }
            _ => return Err(format!("what is `{line}`?").into()),
        };
        writeln!(stdout(), "{answer}")?;
    }
    Ok(())
}

impl Node {
    /// Reads what comes on a connection until it ends.
    fn serve(&self, mut socket: TcpStream, mut tls: Connection) -> Outcome {
        socket.set_nodelay(true)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)?;
        }
        let link = Arc::new(Link { tls: Mutex::new(tls), socket: socket.try_clone()? });
        self.links.lock().map_err(|_| "a thread panicked")?.push(Arc::clone(&link));
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
                self.hear(&link, &frame)?;
            }
        }
    }

    fn hear(&self, link: &Link, frame: &[u8; FRAME_BYTES]) -> Outcome {
        let at = now();
        let number = frame.first_chunk().map_or(0, |number| u64::from_be_bytes(*number));
        if self.is_first {
            return Ok(self.answers.send(number)?);
        }
        self.seen.lock().map_err(|_| "a thread panicked")?.push((number, at));
        link.send(frame)
    }

    /// When each frame was sent, how long two of four took to answer, and how long all.
    fn write(&self, answers: &mpsc::Receiver<u64>, others: usize, count: u64, pause_us: u64) -> Outcome<String> {
        let mut times = String::new();
        for number in 1..=count {
            let mut frame = [0; FRAME_BYTES];
            frame[..8].copy_from_slice(&number.to_be_bytes());
            let began = now();
            for link in self.links.lock().map_err(|_| "a thread panicked")?.iter() {
                link.send(&frame)?;
            }
            let (mut heard, mut half) = (0, Duration::ZERO);
            while heard < others {
                heard += usize::from(answers.recv_timeout(Duration::from_secs(5))? == number);
                if heard == others / 2 && half.is_zero() {
                    half = now() - began;
                }
            }
            let all = now() - began;
            times.push_str(&format!("{number}:{}:{}:{} ", began.as_nanos(), half.as_nanos(), all.as_nanos()));
            thread::sleep(Duration::from_micros(pause_us));
        }
        Ok(times)
    }
}

impl Link {
    fn send(&self, frame: &[u8]) -> Outcome {
        let mut tls = self.tls.lock().map_err(|_| "a thread panicked")?;
        tls.writer().write_all(frame)?;
        let mut socket = &self.socket;
        while tls.wants_write() {
            tls.write_tls(&mut socket)?;
        }
        Ok(())
    }

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

/// TLS 1.3 in both directions, as nodes have it.
fn configs(folder: &Path) -> Outcome<(Arc<ServerConfig>, Arc<ClientConfig>)> {
    let certificate = CertificateDer::from_pem_file(folder.join("node.pem"))?;
    let key = PrivateKeyDer::from_pem_file(folder.join("node.key"))?;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(folder.join("ca.pem"))?)?;
    let roots = Arc::new(roots);
    let verifier = rustls::server::WebPkiClientVerifier::builder(Arc::clone(&roots)).build()?;
    let versions = &[&rustls::version::TLS13];
    let mut server = ServerConfig::builder_with_protocol_versions(versions)
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.clone()], key.clone_key())?;
    server.send_tls13_tickets = 0;
    let client = ClientConfig::builder_with_protocol_versions(versions)
        .with_root_certificates(roots)
        .with_client_auth_cert(vec![certificate], key)?;
    Ok((Arc::new(server), Arc::new(client)))
}

/// What a change with everything around it comes to.
const FRAME_BYTES: usize = 300;
