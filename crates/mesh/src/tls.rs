//! TLS as links use it: 1.3 only, certificates in both directions, no resumption, only the cluster's authority.

use std::fmt;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls13_signature};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::version::TLS13;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, OtherError, ServerConfig,
    SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::EndEntityCert;

use crate::cause::Cause;
use crate::identity::Identity;
use crate::trust::{Distrust, Known, Role, Trust};

/// Both halves of TLS for one identity. Replaced when the certificates were reloaded; links keep what they began with.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) server: Arc<ServerConfig>,
    pub(crate) client: Arc<ClientConfig>,
    pub(crate) trust: Arc<Trust>,
    /// When this node's own certificate expires, in seconds since 1970.
    pub(crate) expires: u64,
}

impl Tls {
    pub(crate) fn new(identity: &Identity) -> Result<Self, Error> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(Members { trust: Arc::clone(identity.trust()), provider: Arc::clone(&provider) });
        let key = Arc::new(SingleCertAndKey::from(Arc::clone(identity.key())));
        let mut server = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&[&TLS13])?
            .with_client_cert_verifier(Arc::clone(&verifier) as _)
            .with_cert_resolver(Arc::clone(&key) as _);
        // A link is rare and lives long: a full handshake each time shows both certificates.
        server.send_tls13_tickets = 0;
        server.alpn_protocols = vec![PROTOCOL.to_vec()];
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_client_cert_resolver(key);
        client.resumption = Resumption::disabled();
        client.alpn_protocols = vec![PROTOCOL.to_vec()];
        Ok(Self {
            server: Arc::new(server),
            client: Arc::new(client),
            trust: Arc::clone(identity.trust()),
            expires: identity.expires(),
        })
    }

    /// Whose certificate a peer has shown in a finished handshake.
    pub(crate) fn identify(
        &self,
        certificates: Option<&[CertificateDer<'_>]>,
        role: Role,
        now: u64,
    ) -> Result<Known, Cause> {
        let certificate =
            certificates.and_then(<[_]>::first).ok_or(Cause::UnknownAuthority("it has none".to_owned()))?;
        Ok(self.trust.verify(certificate, role, now)?)
    }
}

/// Whether a certificate names this host.
pub(crate) fn names_host(certificates: Option<&[CertificateDer<'_>]>, host: &ServerName<'_>) -> bool {
    certificates
        .and_then(<[_]>::first)
        .and_then(|certificate| EndEntityCert::try_from(certificate).ok())
        .is_some_and(|entity| entity.verify_is_valid_for_subject_name(host).is_ok())
}

impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tls").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Accepts the members of the cluster only. Which node it is, and whether it is the one at the address, is
/// checked when the handshake is finished.
#[derive(Debug)]
struct Members {
    trust: Arc<Trust>,
    provider: Arc<CryptoProvider>,
}

impl Members {
    fn verify(&self, certificate: &CertificateDer<'_>, role: Role, now: UnixTime) -> Result<(), Error> {
        self.trust.verify(certificate, role, now.as_secs()).map(|_| ()).map_err(|distrust| {
            Error::InvalidCertificate(match distrust {
                Distrust::Malformed => CertificateError::BadEncoding,
                Distrust::Expired => CertificateError::Expired,
                Distrust::NotYetValid => CertificateError::NotValidYet,
                Distrust::UnknownAuthority(_) => CertificateError::UnknownIssuer,
                distrust => CertificateError::Other(OtherError(Arc::new(distrust))),
            })
        })
    }

    fn verify_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }
}

impl ServerCertVerifier for Members {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verify(end_entity, Role::Server, now)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

impl ClientCertVerifier for Members {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.verify(end_entity, Role::Client, now)?;
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(only_tls13())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn only_tls13() -> Error {
    Error::General("only TLS 1.3 is supported".to_owned())
}

/// The protocol name of a link (ALPN, RFC 7301): a connection of anything else ends in the handshake.
const PROTOCOL: &[u8] = b"tidegate-link";
