//! TLS 1.3 in both directions, as nodes have it.

use std::path::Path;
use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::Outcome;

/// What a node accepts with, and what it connects with, by the certificates in a folder.
pub(crate) fn configs(folder: &Path) -> Outcome<(Arc<ServerConfig>, Arc<ClientConfig>)> {
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
