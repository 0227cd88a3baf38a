//! A holder of a certificate of the cluster that speaks by hand: it speaks only for itself, and repeating or
//! altering what others have said changes nothing.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use crate::cluster::Cluster;
use crate::run::until;
use crate::server_process::ServerProcess;

/// A link to a node, made by hand from the tables of the wire format in `docs/reference/wire-format.md`.
struct Insider {
    stream: StreamOwned<ClientConnection, TcpStream>,
    received: Vec<u8>,
}

impl Insider {
    /// Says that it is this node, whatever its certificate says.
    fn connect(cluster: &Cluster, certificate: &str, to: &ServerProcess, claims: u64, instance: u64) -> Self {
        let folder = cluster.host.path(&format!("certs/{certificate}"));
        let socket = TcpStream::connect(cluster.address(to)).unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
        let client = ClientConnection::new(Arc::new(config(&folder)), "127.0.0.1".try_into().unwrap()).unwrap();
        let mut insider = Self { stream: StreamOwned::new(client, socket), received: Vec::new() };
        insider.write(&hello(claims, instance));
        insider
    }

    /// Writes a frame: its length, and then this. Whether the other end still takes it.
    fn write(&mut self, frame: &[u8]) -> bool {
        let length = u32::try_from(frame.len()).unwrap().to_be_bytes();
        self.stream.write_all(&[&length, frame].concat()).and_then(|()| self.stream.flush()).is_ok()
    }

    /// The frames that have come by now; none once the other end has closed and all were read.
    fn read(&mut self) -> Option<Vec<Vec<u8>>> {
        let mut part = [0; 16 * 1024];
        let is_open = loop {
            match self.stream.read(&mut part) {
                Ok(0) => break false,
                Ok(length) => self.received.extend(&part[..length]),
                Err(error) => break matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
            }
        };
        let mut frames = Vec::new();
        while let Some(length) = self.received.first_chunk() {
            let length = usize::try_from(u32::from_be_bytes(*length)).unwrap();
            if self.received.len() < 4 + length {
                break;
            }
            frames.push(self.received[4..4 + length].to_vec());
            self.received.drain(..4 + length);
        }
        (is_open || !frames.is_empty()).then_some(frames)
    }
}

/// The kinds of frames.
const MESSAGE: u8 = 2;
const GOODBYE: u8 = 5;

/// The reason in a goodbye to one who claims to be another node.
const WRONG_NODE: u8 = 4;

fn hello(node: u64, instance: u64) -> Vec<u8> {
    let mut bytes = b"\x01TIDEGATE".to_vec();
    let (node, instance) = (node.to_be_bytes(), instance.to_be_bytes());
    let fields: [(u8, &[u8]); 5] = [(1, &[0, 1]), (2, &[0, 1]), (3, b"shop"), (4, &node), (5, &instance)];
    for (tag, content) in fields {
        bytes.push(tag);
        bytes.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        bytes.extend(content);
    }
    bytes
}

#[test]
fn a_member_speaks_for_itself_and_repeating_what_others_said_changes_nothing() {
    let cluster = Cluster::new();
    let made = cluster.host.run("cluster init certs --cluster shop d=127.0.0.1 --format json").code(0).said().json();
    let own = u64::from_str_radix(made[0]["id"].as_str().unwrap(), 16).unwrap();
    let nodes = cluster.start_all();
    let id_of = |node: &ServerProcess| cluster.state(node)["node"]["id"].as_str().unwrap().to_owned();
    let everywhere = |line: &str| {
        cluster.host.run(&format!("{line} --ack all --timeout 20s --server {}", nodes[0].url)).code(0).said()
    };
    // A node that claims another name than its certificate has is refused, with the reason.
    let another = u64::from_str_radix(&id_of(&nodes[1]), 16).unwrap();
    let mut liar = Insider::connect(&cluster, "d", &nodes[0], another, 1);
    let mut frames = Vec::new();
    until("the liar to be let go", || {
        match liar.read() {
            Some(more) => frames.extend(more),
            None => return Some(()),
        }
        frames.iter().any(|frame| frame[0] == GOODBYE).then_some(())
    });
    assert!(frames.contains(&vec![GOODBYE, WRONG_NODE]), "{frames:?}");
    until("it to be counted", || {
        (cluster.state(&nodes[0])["connections_refused"]["wrong-node"].as_u64() > Some(0)).then_some(())
    });
    // As itself it hears what is for all, and says it again, to all and on every link.
    let mut links: Vec<Insider> = nodes
        .iter()
        .enumerate()
        .map(|(index, node)| Insider::connect(&cluster, "d", node, own, 10 + index as u64))
        .collect();
    let mut heard: Vec<Vec<u8>> = Vec::new();
    let mut count = 0;
    until("the insider to hear changes", || {
        everywhere(&format!("percentage x {} --create", 10 + count % 80));
        count += 1;
        for link in &mut links {
            heard.extend(link.read().expect("a member is let in"));
        }
        (heard.iter().filter(|frame| frame[0] == MESSAGE).count() > 20).then_some(())
    });
    everywhere("deactivate x --create");
    let before = digests(&cluster, &nodes);
    for frame in heard.iter().filter(|frame| frame[0] == MESSAGE) {
        for link in &mut links {
            assert!(link.write(frame));
            for place in (HEADER_BYTES..frame.len()).step_by(7) {
                let mut altered = frame.clone();
                altered[place] ^= 1;
                assert!(link.write(&altered));
                assert!(link.write(&frame[..place]));
            }
        }
    }
    // The nodes answer when they have taken all of it.
    let sent = Instant::now();
    for link in &mut links {
        link.write(&[3, 0, 0, 0, 0, 0, 0, 0, 77]);
        until("the answer", || {
            let frames = link.read().expect("it is still connected");
            frames.contains(&vec![4, 0, 0, 0, 0, 0, 0, 0, 77]).then_some(())
        });
    }
    assert!(sent.elapsed() < Duration::from_mins(1));
    assert_eq!(digests(&cluster, &nodes), before, "nothing has changed");
    // They still hear each other, and agree.
    everywhere("activate y --create");
    assert_eq!(digests(&cluster, &nodes).len(), 1);
    for node in &nodes {
        cluster.host.run(&format!("on --server {} x", node.url)).code(1).said();
        cluster.host.run(&format!("on --server {} y", node.url)).code(0).said();
        let history = cluster.host.run(&format!("history x --server {}", node.url)).code(0).said();
        assert!(history.stdout.lines().nth(1).unwrap().contains("deactivated"), "{}", history.stdout);
        let state = cluster.state(node);
        assert_eq!(state["members"].as_array().unwrap().len(), 3, "the insider has no disk: {state}");
    }
}

fn digests(cluster: &Cluster, nodes: &[ServerProcess; 3]) -> BTreeSet<String> {
    nodes.iter().map(|node| cluster.state(node)["node"]["digest"].as_str().unwrap().to_owned()).collect()
}

/// What a member says of itself in every message: its process, and up to where it has collected tombstones. Others rely on
/// it, as they rely on its acknowledgements: a member that lies about itself is not what this is about.
const HEADER_BYTES: usize = 1 + 1 + 8 + 18;

fn config(folder: &Path) -> ClientConfig {
    let certificate = CertificateDer::from_pem_file(folder.join("node.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(folder.join("node.key")).unwrap();
    ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anybody))
        .with_client_auth_cert(vec![certificate], key)
        .unwrap()
}

/// It does not matter to an insider who the other end is.
#[derive(Debug)]
struct Anybody;

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        default_provider().signature_verification_algorithms.supported_schemes()
    }
}
