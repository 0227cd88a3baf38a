//! How secure connections are made: rustls with the ring provider, TLS 1.2 and 1.3, and the certificate
//! authorities that this machine trusts. The provider is passed along explicitly; nothing global is set.
//!
//! The authorities are read from the disk at the first handshake: a document over plain `http` does without,
//! and a machine that has none says so where it matters and is asked again each time.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::files::regular_file::{FileProblem, read_file};
use crate::ingest::source::SourceError;

/// The configuration for a client, with the authorities in `extra_root_pem` besides those of the machine.
pub fn client_config(extra_root_pem: Option<&[u8]>) -> Result<ClientConfig, SourceError> {
    let extra = extra_root_pem.map(parse).transpose()?.unwrap_or_default();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| SourceError::Client { reason: error.to_string(), source: error.into() })?;
    let verifier = LateVerifier { extra, provider, verifier: OnceLock::new() };
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

/// No certificate authority is known.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoAuthorities {
    /// The machine has none.
    #[error("no certificate authorities are installed on this machine; install the package `ca-certificates`")]
    OfMachine,
    /// The file that is to be used in their place cannot be used.
    #[error("the certificate authorities in `{path}`, which SSL_CERT_FILE names, cannot be used: {reason}")]
    InFile { path: String, reason: String },
}

fn parse(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    let refused = |reason: String| SourceError::RootCertificates { reason };
    // Some editors put a byte order mark before a text.
    let pem = pem.strip_prefix(b"\xef\xbb\xbf").unwrap_or(pem);
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| refused(error.to_string()))?;
    if certificates.is_empty() {
        return Err(refused("there is no `BEGIN CERTIFICATE` in it".to_owned()));
    }
    let mut store = RootCertStore::empty();
    for certificate in &certificates {
        store.add(certificate.clone()).map_err(|error| refused(error.to_string()))?;
    }
    Ok(certificates)
}

/// The platform's verifier, made when it is first needed.
struct LateVerifier {
    extra: Vec<CertificateDer<'static>>,
    provider: Arc<CryptoProvider>,
    verifier: OnceLock<Verifier>,
}

impl LateVerifier {
    fn get(&self) -> Result<&Verifier, Error> {
        if let Some(verifier) = self.verifier.get() {
            return Ok(verifier);
        }
        let failed = |problem: NoAuthorities| Error::Other(OtherError(Arc::new(problem)));
        check_named_file().map_err(failed)?;
        // The extra ones were checked before, so that what fails is finding any of the machine's.
        let verifier = Verifier::new_with_extra_roots(self.extra.clone(), Arc::clone(&self.provider))
            .map_err(|_| failed(NoAuthorities::OfMachine))?;
        Ok(self.verifier.get_or_init(|| verifier))
    }
}

/// The library below takes a file that it cannot read for an empty one, and waits for one that is a pipe.
fn check_named_file() -> Result<(), NoAuthorities> {
    let Some(path) = std::env::var_os(FILE_VARIABLE).filter(|path| !path.is_empty()) else { return Ok(()) };
    let path = Path::new(&path);
    let refused = |reason: String| NoAuthorities::InFile { path: path.display().to_string(), reason };
    let pem = read_file(path, FILE_BYTES_MAX).map_err(|problem| match problem {
        FileProblem::NotFound => refused("it does not exist".to_owned()),
        problem => refused(format!("it {problem}")),
    })?;
    let has_some = CertificateDer::pem_slice_iter(&pem).any(|certificate| certificate.is_ok());
    if has_some { Ok(()) } else { Err(refused("there is no `BEGIN CERTIFICATE` in it".to_owned())) }
}

impl ServerCertVerifier for LateVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.get()?.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.get()?.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.get()?.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl fmt::Debug for LateVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LateVerifier").field("extra", &self.extra.len()).finish_non_exhaustive()
    }
}

/// Names a file with certificate authorities that are trusted in place of the machine's.
const FILE_VARIABLE: &str = "SSL_CERT_FILE";

/// All public authorities take a quarter of a megabyte.
const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pem: &str, part: &str) {
        let Err(error) = client_config(Some(pem.as_bytes())) else { panic!("{pem} was accepted") };
        assert!(error.to_string().contains(part), "{error}");
    }

    #[test]
    fn bad_authorities_are_refused() {
        check("", "there is no `BEGIN CERTIFICATE`");
        check("words", "there is no `BEGIN CERTIFICATE`");
        check("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", "not valid PEM");
        check("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "not valid PEM");
    }
}
