//! Whom the nodes of a cluster trust: the holders of certificates that the cluster's own authority has issued.
//!
//! No public authority is trusted. There may be more than one certificate authority of the cluster for a while, so that
//! an authority can be replaced without an interruption; see `docs/guide/cluster.md`.

use std::time::Duration;

use rustls_pki_types::{CertificateDer, TrustAnchor, UnixTime};
use tidegate_replica::NodeId;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use crate::certificate::Fields;
use crate::names;

/// The authorities of one cluster.
#[derive(Debug)]
pub(crate) struct Trust {
    anchors: Vec<TrustAnchor<'static>>,
    cluster: String,
}

/// A node whose certificate is valid.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Known {
    pub(crate) node: NodeId,
    /// Seconds since 1970.
    pub(crate) expires: u64,
    /// The hosts at which the node is reached, DNS names first.
    pub(crate) hosts: Vec<String>,
}

/// What a node uses its certificate for on a link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Role {
    /// It connects.
    Client,
    /// It listens.
    Server,
}

/// Why a certificate is not trusted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Distrust {
    /// It cannot be read.
    #[error("it is not a certificate")]
    Malformed,
    /// It is no longer valid.
    #[error("it has expired")]
    Expired,
    /// It is not valid yet.
    #[error("it is not valid yet; check the clock of this host")]
    NotYetValid,
    /// Another authority has issued it, or none.
    #[error("the cluster's authority has not issued it ({0})")]
    UnknownAuthority(String),
    /// It names no node.
    #[error("it does not name a node of a cluster")]
    NoNode,
    /// It names a node of another cluster.
    #[error("it belongs to the cluster `{0}`")]
    OtherCluster(String),
}

impl Trust {
    /// Trusts these authorities.
    pub(crate) fn new(authorities: &[CertificateDer<'_>], cluster: &str) -> Result<Self, Distrust> {
        let anchor = |authority| anchor_from_trusted_cert(authority).map(|anchor| anchor.to_owned());
        let anchors = authorities.iter().map(anchor).collect::<Result<Vec<_>, _>>().map_err(|_| Distrust::Malformed)?;
        Ok(Self { anchors, cluster: cluster.to_owned() })
    }

    /// Whose certificate this is, if it was or will be valid in its last second.
    pub(crate) fn verify_as_of_its_end(&self, certificate: &CertificateDer<'_>, role: Role) -> Result<Known, Distrust> {
        let fields = Fields::read(certificate).ok_or(Distrust::Malformed)?;
        self.verify(certificate, role, fields.expires.saturating_sub(1))
    }

    /// Whose certificate this is, if it is valid at this time, in seconds since 1970.
    pub(crate) fn verify(&self, certificate: &CertificateDer<'_>, role: Role, now: u64) -> Result<Known, Distrust> {
        let entity = EndEntityCert::try_from(certificate).map_err(|_| Distrust::Malformed)?;
        let time = UnixTime::since_unix_epoch(Duration::from_secs(now));
        let usage = match role {
            Role::Client => KeyUsage::client_auth(),
            Role::Server => KeyUsage::server_auth(),
        };
        entity.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &self.anchors, &[], time, usage, None, None).map_err(
            |error| match error {
                webpki::Error::CertExpired { .. } => Distrust::Expired,
                webpki::Error::CertNotValidYet { .. } => Distrust::NotYetValid,
                error => Distrust::UnknownAuthority(error.to_string()),
            },
        )?;
        let fields = Fields::read(certificate).ok_or(Distrust::Malformed)?;
        let (cluster, node) = fields.uris.iter().find_map(|uri| names::read_uri(uri)).ok_or(Distrust::NoNode)?;
        if cluster != names::escape(&self.cluster) {
            return Err(Distrust::OtherCluster(cluster.to_owned()));
        }
        let addresses = fields.addresses.iter().map(ToString::to_string);
        let hosts = fields.dns_names.iter().cloned().chain(addresses).collect();
        Ok(Known { node, expires: fields.expires, hosts })
    }
}
