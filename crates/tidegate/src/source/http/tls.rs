//! How secure connections are made: rustls with the ring provider, TLS 1.2 and 1.3, and the certificate
//! authorities that this machine trusts. The provider is passed along explicitly; nothing global is set.
//!
//! The authorities are read from the disk at the first handshake: a document over plain `http` does without,
//! and a machine that has none says so where it matters and is asked again each time.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::source::SourceError;

/// The configuration for a client, with the authorities in `extra_root_pem` besides those of the machine.
pub(super) fn client_config(extra_root_pem: Option<&[u8]>) -> Result<ClientConfig, SourceError> {
    let extra = extra_root_pem.map(parse).transpose()?.unwrap_or_default();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| SourceError::Client { reason: error.to_string(), source: error.into() })?;
    let verifier = LateVerifier { extra, provider, verifier: OnceLock::new() };
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

/// The machine has no certificate authorities.
#[derive(Debug, thiserror::Error)]
#[error("no certificate authorities on this machine")]
pub(super) struct NoAuthorities;

fn parse(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    let refused = |reason: String| SourceError::RootCertificates { reason };
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
        // The extra ones were checked before, so that what fails is finding any of the machine's.
        let verifier = Verifier::new_with_extra_roots(self.extra.clone(), Arc::clone(&self.provider))
            .map_err(|_| Error::Other(OtherError(Arc::new(NoAuthorities))))?;
        Ok(self.verifier.get_or_init(|| verifier))
    }
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
