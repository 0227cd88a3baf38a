//! Whom the nodes of a cluster believe: whoever has a certificate that the cluster's authority has issued.

use std::slice::from_ref;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use tidegate_replica::NodeId;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::names;

/// The authority of one cluster.
#[derive(Debug)]
pub(crate) struct Trust {
    anchor: TrustAnchor<'static>,
    cluster: String,
}

/// A node whose certificate is good.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) node: NodeId,
    /// Seconds since 1970.
    pub(crate) expires: u64,
    certificate: CertificateDer<'static>,
}

/// Why a certificate is not believed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Distrust {
    /// It is none.
    #[error("it is no certificate")]
    Malformed,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not come.
    #[error("it is not valid yet; look at the clock of this host")]
    Early,
    /// Another authority has issued it, or none.
    #[error("the cluster's authority has not issued it ({0})")]
    NotIssued(String),
    /// It names no node.
    #[error("it names no node of a cluster")]
    NoNode,
    /// It names a node of another cluster.
    #[error("it is of the cluster `{0}`")]
    OtherCluster(String),
}

impl Trust {
    pub(crate) fn new(authority: &CertificateDer<'_>, cluster: &str) -> Result<Self, Distrust> {
        let anchor = anchor_from_trusted_cert(authority).map_err(|_| Distrust::Malformed)?.to_owned();
        Ok(Self { anchor, cluster: cluster.to_owned() })
    }

    /// Whose certificate this is, if it is good at this time.
    pub(crate) fn verify(&self, der: &[u8], now: u64) -> Result<Known, Distrust> {
        let certificate = CertificateDer::from(der.to_vec());
        let entity = EndEntityCert::try_from(&certificate).map_err(|_| Distrust::Malformed)?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let usage = KeyUsage::client_auth();
        entity
            .verify_for_usage(webpki::ALL_VERIFICATION_ALGS, from_ref(&self.anchor), &[], time, usage, None, None)
            .map_err(|error| match error {
                webpki::Error::CertExpired { .. } => Distrust::Expired,
                webpki::Error::CertNotValidYet { .. } => Distrust::Early,
                error => Distrust::NotIssued(error.to_string()),
            })?;
        let (cluster, node) = entity.valid_uri_names().find_map(names::read_uri).ok_or(Distrust::NoNode)?;
        if cluster != names::escape(&self.cluster) {
            return Err(Distrust::OtherCluster(cluster.to_owned()));
        }
        let expires = expires(der).ok_or(Distrust::Malformed)?;
        Ok(Known { node, expires, certificate: certificate.clone() })
    }
}

impl Known {
    /// Whether this node has signed this.
    pub(crate) fn has_signed(&self, message: &[u8], signature: &[u8]) -> bool {
        EndEntityCert::try_from(&self.certificate)
            .is_ok_and(|entity| entity.verify_signature(webpki::ring::ECDSA_P256_SHA256, message, signature).is_ok())
    }

    pub(crate) fn certificate(&self) -> &[u8] {
        &self.certificate
    }
}

fn expires(der: &[u8]) -> Option<u64> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    u64::try_from(certificate.validity().not_after.timestamp()).ok()
}
