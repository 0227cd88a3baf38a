//! Why an envelope is not opened.

use tidegate_replica::NodeId;

use crate::trust::Distrust;

/// See the module.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Refused {
    #[error("it is no message of a node")]
    Malformed,
    #[error("it is larger than any that a node sends")]
    Oversized,
    #[error("it is in version {0} of the envelope")]
    Version(u8),
    #[error("it is of another cluster")]
    OtherCluster,
    #[error("it comes from this process")]
    Own,
    #[error("one of both nodes has certificates, the other has none")]
    Unsigned,
    #[error("node {from} has not introduced itself yet")]
    UnknownCertificate { from: NodeId },
    #[error("the certificate that claims to be of node {from} is not believed: {distrust}")]
    Distrusted { from: NodeId, distrust: Distrust },
    #[error("the certificate is of another node than {from}")]
    OtherNode { from: NodeId },
    #[error("the signature or the tag of node {from} does not fit")]
    Signature { from: NodeId },
    #[error("no key is agreed with this process of node {from}")]
    UnknownKey { from: NodeId },
    #[error("with the public key of node {from} everybody could tag for it")]
    WeakKey { from: NodeId },
    #[error("it was here before, or is older than many that were")]
    Replayed,
}

impl Refused {
    /// What it is called in the status.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Oversized => "oversized",
            Self::Version(_) => "version",
            Self::OtherCluster => "other_cluster",
            Self::Own => "own",
            Self::Unsigned => "unsigned",
            Self::UnknownCertificate { .. } => "unknown_certificate",
            Self::Distrusted { .. } => "distrusted_certificate",
            Self::OtherNode { .. } => "other_node",
            Self::Signature { .. } => "signature",
            Self::UnknownKey { .. } => "unknown_key",
            Self::WeakKey { .. } => "weak_key",
            Self::Replayed => "replayed",
        }
    }
}
