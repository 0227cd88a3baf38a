//! How secure connections are made: rustls with the ring provider, TLS 1.2 and 1.3, and the certificate
//! authorities that this machine trusts. The provider is passed along explicitly; nothing global is set.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::source::SourceError;

/// A configuration, and whether it trusts anybody.
pub(super) struct Tls {
    pub(super) config: ClientConfig,
    pub(super) has_authorities: bool,
}

/// The configuration for a client, with the authorities in `extra_root_pem` besides those of the machine.
///
/// A machine without authorities is no error here: `http` works, and `https` says what is missing.
pub(super) fn client_config(extra_root_pem: Option<&[u8]>) -> Result<Tls, SourceError> {
    let extra = extra_root_pem.map(parse).transpose()?.unwrap_or_default();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| SourceError::Client { reason: error.to_string(), source: error.into() })?;
    let has_extra = !extra.is_empty();
    match Verifier::new_with_extra_roots(extra, provider) {
        Ok(verifier) => {
            let config = builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier));
            Ok(Tls { config: config.with_no_client_auth(), has_authorities: true })
        }
        Err(error) if has_extra => Err(SourceError::RootCertificates { reason: error.to_string() }),
        Err(_) => {
            let config = builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
            Ok(Tls { config, has_authorities: false })
        }
    }
}

fn parse(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    let refused = |reason: String| SourceError::RootCertificates { reason };
    let certificates: Vec<_> =
        CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|error| refused(error.to_string()))?;
    if certificates.is_empty() {
        return Err(refused("there is no `BEGIN CERTIFICATE` in it".to_owned()));
    }
    Ok(certificates)
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
