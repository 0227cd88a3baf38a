//! Certificates, good and bad, and handshakes that fail.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// A certificate authority of the test's own.
#[derive(Debug)]
pub struct Authority {
    pem: String,
    params: CertificateParams,
    key: KeyPair,
    validity: Validity,
}

#[derive(Clone, Copy, Debug)]
enum Validity {
    Now,
    Past,
    Future,
    SelfSigned,
}

impl Authority {
    /// An authority whose certificates are good.
    ///
    /// # Panics
    /// Making a key fails.
    pub fn new() -> Self {
        Self::with(Validity::Now)
    }

    /// An authority whose certificates have expired.
    ///
    /// # Panics
    /// Making a key fails.
    pub fn expired() -> Self {
        Self::with(Validity::Past)
    }

    /// An authority whose certificates are not valid yet.
    ///
    /// # Panics
    /// Making a key fails.
    pub fn early() -> Self {
        Self::with(Validity::Future)
    }

    /// No authority: each certificate signs itself.
    ///
    /// # Panics
    /// Making a key fails.
    pub fn self_signed() -> Self {
        Self::with(Validity::SelfSigned)
    }

    fn with(validity: Validity) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let key = KeyPair::generate().expect("a key can be made");
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = date_time_ymd(2000, 1, 1);
        // Two authorities of one name would be told apart by their signatures only.
        let name = format!("Authority {} of a test", COUNT.fetch_add(1, Ordering::Relaxed));
        params.distinguished_name.push(DnType::CommonName, name);
        let pem = params.self_signed(&key).expect("a certificate can be made").pem();
        Self { pem, params, key, validity }
    }

    /// The authority's own certificate, for those who are to trust it.
    pub fn pem(&self) -> Vec<u8> {
        self.pem.clone().into_bytes()
    }

    /// A certificate of this authority for these hosts or addresses, and its key, both in PEM.
    ///
    /// # Panics
    /// Making a key fails, or a host is none.
    pub fn issue(&self, hosts: &[&str]) -> (String, String) {
        let key = KeyPair::generate().expect("a key can be made");
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("host names are legal");
        params.not_before = date_time_ymd(2000, 1, 1);
        let certificate = params.signed_by(&key, &Issuer::from_params(&self.params, &self.key));
        (certificate.expect("a certificate can be made").pem(), key.serialize_pem())
    }

    pub(crate) fn server(&self, hosts: &[&str]) -> Arc<ServerConfig> {
        let key = KeyPair::generate().expect("a key can be made");
        let hosts: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let mut params = CertificateParams::new(hosts).expect("host names are legal");
        (params.not_before, params.not_after) = match self.validity {
            Validity::Now | Validity::SelfSigned => (date_time_ymd(2000, 1, 1), date_time_ymd(4000, 1, 1)),
            Validity::Past => (date_time_ymd(2000, 1, 1), date_time_ymd(2001, 1, 1)),
            Validity::Future => (date_time_ymd(3000, 1, 1), date_time_ymd(4000, 1, 1)),
        };
        let certificate = match self.validity {
            Validity::SelfSigned => params.self_signed(&key),
            _ => params.signed_by(&key, &Issuer::from_params(&self.params, &self.key)),
        };
        let certificate: CertificateDer<'static> = certificate.expect("a certificate can be made").der().clone();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("the provider has the default versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .expect("the key is the certificate's");
        Arc::new(config)
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

/// What goes wrong before a secure connection is there.
#[derive(Clone, Copy, Debug)]
pub enum Handshake {
    /// The connection is closed after the client's first message.
    Closes,
    /// The server speaks TLS 1.1 at most, and says so.
    Old,
    /// The server answers with a TLS 1.1 hello of its own.
    OldHello,
    /// The server speaks plain HTTP.
    Plain,
    /// Nothing comes.
    Hangs,
}

pub(crate) enum Security {
    None,
    Tls(Arc<ServerConfig>),
    Broken(Handshake),
}

impl Handshake {
    pub(crate) fn fail(self, mut socket: TcpStream) -> io::Result<()> {
        let mut hello = [0; 4096];
        let _ = socket.read(&mut hello)?;
        match self {
            Self::Closes => Ok(()),
            Self::Hangs => {
                while socket.read(&mut hello)? > 0 {}
                Ok(())
            }
            // Alert: fatal, protocol version.
            Self::Old => socket.write_all(&[21, 3, 2, 0, 2, 2, 70]),
            Self::OldHello => {
                // Server hello: version 3.2, 32 bytes of random, no session, a CBC cipher, no compression.
                let mut hello = vec![22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
                hello.extend_from_slice(&[7; 32]);
                hello.extend_from_slice(&[0, 0, 0x2f, 0]);
                socket.write_all(&hello)
            }
            Self::Plain => socket.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"),
        }
    }
}
