//! Why two nodes are not connected.

use std::fmt;
use std::io;

use rustls::{AlertDescription, CertificateError, InvalidMessage};
use tidegate_replica::NodeId;

use crate::trust::Distrust;
use crate::wire::Reason;

/// Why a connection to a node could not be made, or ended.
///
/// Each cause has a short [code](Self::code) for programs and a text for people that says what to do. Two failures with
/// equal causes are one problem, which is logged once.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Cause {
    /// The resolver knows no address of the host.
    NameNotResolved(String),
    /// Nothing listens at the address.
    ConnectionRefused,
    /// No answer came in time.
    TimedOut,
    /// There is no way to the address, or the connection broke while it was made.
    Network(String),
    /// The peer closed the connection before it was made.
    Closed,
    /// The peer's certificate is not one of the cluster's authority, or not one of this cluster.
    UnknownAuthority(String),
    /// The peer's certificate has expired.
    Expired,
    /// The peer's certificate is not valid yet, or the clock of this host is wrong.
    NotYetValid,
    /// The peer's certificate does not name the host of the address.
    WrongName(String),
    /// The peer is another node than its certificate or its membership says.
    WrongNode {
        /// The node that was expected.
        expected: NodeId,
        /// The node that it says it is.
        found: NodeId,
    },
    /// The peer uses certificates, and this node does not.
    CertificatesRequired,
    /// This node uses certificates, and the peer does not.
    CertificatesMissing,
    /// The peer belongs to another cluster.
    OtherCluster(String),
    /// The peer's program is too old or too new.
    IncompatibleVersion {
        /// The versions of the wire format that the peer supports, from the oldest to the newest.
        theirs: (u16, u16),
    },
    /// The peer does not accept this node's certificate.
    Refused(&'static str),
    /// The peer ended the connection and said why.
    Ended(Reason),
    /// The peer sent something that is not part of the protocol.
    Protocol(&'static str),
    /// Nothing came from the peer for so long that it counts as gone.
    Silent,
    /// There are as many connections as there may be.
    TooMany,
    /// The address is this node's own. Not a problem.
    Own,
    /// An older process of this process's node is running there: this one has a copy of its certificates.
    RunningElsewhere(String),
    /// The peer is a second process of a node that is running at this address; it was refused while it was starting.
    SecondProcess(String),
}

impl Cause {
    /// A word for programs; it does not change from version to version.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NameNotResolved(_) => "name-not-resolved",
            Self::ConnectionRefused => "connection-refused",
            Self::TimedOut => "timed-out",
            Self::Network(_) => "network",
            Self::Closed => "closed",
            Self::UnknownAuthority(_) => "unknown-authority",
            Self::Expired => "expired",
            Self::NotYetValid => "not-yet-valid",
            Self::WrongName(_) => "wrong-name",
            Self::WrongNode { .. } => "wrong-node",
            Self::CertificatesRequired => "certificates-required",
            Self::CertificatesMissing => "certificates-missing",
            Self::OtherCluster(_) => "other-cluster",
            Self::IncompatibleVersion { .. } => "incompatible-version",
            Self::Refused(_) => "certificate-refused",
            Self::Ended(_) => "ended-by-peer",
            Self::Protocol(_) => "protocol",
            Self::Silent => "silent",
            Self::TooMany => "too-many",
            Self::Own => "own-address",
            Self::RunningElsewhere(_) => "running-elsewhere",
            Self::SecondProcess(_) => "second-process",
        }
    }

    /// Whether trying again soon may help. What is not transient needs a person, or a new certificate, and each attempt costs
    /// both nodes a handshake.
    pub(crate) fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::ConnectionRefused
                | Self::TimedOut
                | Self::Network(_)
                | Self::Closed
                | Self::NameNotResolved(_)
                | Self::Silent
        )
    }

    /// Whether a person should look: somebody tried to join who may not, or is not set up as he should be.
    pub(crate) fn is_suspicious(&self) -> bool {
        !self.is_transient() && !matches!(self, Self::Own | Self::Ended(_) | Self::TooMany)
    }

    /// What the system says of a connection.
    pub(crate) fn from_io(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionRefused => Self::ConnectionRefused,
            io::ErrorKind::TimedOut => Self::TimedOut,
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::BrokenPipe => Self::Closed,
            _ => match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                Some(error) => Self::from_tls(error),
                None => Self::Network(error.to_string()),
            },
        }
    }

    /// What TLS says of a peer.
    pub(crate) fn from_tls(error: &rustls::Error) -> Self {
        use rustls::Error;
        match error {
            Error::InvalidCertificate(error) => Self::from_certificate(error),
            Error::NoCertificatesPresented => Self::UnknownAuthority("it has none".to_owned()),
            Error::AlertReceived(alert) => Self::from_alert(*alert),
            // The first byte of what came is not that of a TLS record.
            Error::InvalidMessage(InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion) => {
                Self::CertificatesMissing
            }
            Error::PeerIncompatible(_) => Self::Protocol("it does not support TLS 1.3 as this node does"),
            Error::InvalidMessage(_)
            | Error::InappropriateMessage { .. }
            | Error::InappropriateHandshakeMessage { .. } => Self::Protocol("it does not speak TLS"),
            error => Self::Network(error.to_string()),
        }
    }

    fn from_certificate(error: &CertificateError) -> Self {
        match error {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => Self::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Self::NotYetValid,
            CertificateError::Other(other) => match other.0.downcast_ref::<Distrust>() {
                Some(distrust) => Self::from(distrust.clone()),
                None => Self::UnknownAuthority(other.0.to_string()),
            },
            error => Self::UnknownAuthority(error.to_string()),
        }
    }

    /// The peer's TLS has ended the handshake and said why, in one byte.
    fn from_alert(alert: AlertDescription) -> Self {
        match alert {
            AlertDescription::UnknownCA => Self::Refused("it does not trust the authority of this node's certificate"),
            AlertDescription::CertificateExpired => {
                Self::Refused("this node's certificate has expired, or is not valid yet, by the peer's clock")
            }
            AlertDescription::CertificateRequired => Self::Refused("it requires a certificate"),
            AlertDescription::AccessDenied
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateUnknown => Self::Refused("it does not accept this node's certificate"),
            _ => Self::Protocol("its TLS ended the handshake"),
        }
    }
}

impl From<Distrust> for Cause {
    fn from(distrust: Distrust) -> Self {
        match distrust {
            Distrust::Expired => Self::Expired,
            Distrust::NotYetValid => Self::NotYetValid,
            Distrust::OtherCluster(cluster) => Self::OtherCluster(cluster),
            distrust @ (Distrust::Malformed | Distrust::NoNode | Distrust::UnknownAuthority(_)) => {
                Self::UnknownAuthority(distrust.to_string())
            }
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NameNotResolved(why) => write!(formatter, "name not resolved ({why})"),
            Self::ConnectionRefused => formatter.write_str("connection refused: nothing listens there"),
            Self::TimedOut => formatter.write_str("timed out"),
            Self::Network(why) => formatter.write_str(why),
            Self::Closed => formatter.write_str("the peer closed the connection"),
            Self::UnknownAuthority(why) => write!(
                formatter,
                "unknown authority: the peer's certificate is not trusted ({why}); give both nodes certificates of one \
                 `tidegate cluster init` folder"
            ),
            Self::Expired => formatter.write_str(
                "the peer's certificate has expired; renew it with `tidegate cluster init --renew`, or check this clock",
            ),
            Self::NotYetValid => {
                formatter.write_str("the peer's certificate is not valid yet; check the clock of this host")
            }
            Self::WrongName(host) => write!(
                formatter,
                "wrong name: the peer's certificate does not name `{}`; issue it with that host, or dial a host that it \
                 names",
                host.escape_debug()
            ),
            Self::WrongNode { expected, found } => {
                write!(formatter, "wrong node: {expected} was expected there, and {found} answered")
            }
            Self::CertificatesRequired => {
                formatter.write_str("the peer requires certificates; start this node with --certificates")
            }
            Self::CertificatesMissing => {
                formatter.write_str("the peer does not use certificates; start it with --certificates")
            }
            Self::OtherCluster(cluster) => {
                write!(formatter, "the peer belongs to the cluster `{}`", cluster.escape_debug())
            }
            Self::IncompatibleVersion { theirs: (oldest, newest) } => write!(
                formatter,
                "the peer supports versions {oldest} to {newest} of the wire format, and this node {} to {}; upgrade \
                 the older one",
                crate::wire::OLDEST_VERSION,
                crate::wire::VERSION
            ),
            Self::Refused(why) => write!(formatter, "the peer refused this node: {why}"),
            Self::Ended(reason) => write!(formatter, "the peer ended the connection: {reason}"),
            Self::Protocol(why) => write!(formatter, "not a node of this program: {why}"),
            Self::Silent => formatter.write_str("no traffic from the peer"),
            Self::TooMany => formatter.write_str("too many connections"),
            Self::Own => formatter.write_str("the address of this node itself"),
            Self::RunningElsewhere(address) => write!(
                formatter,
                "this node is already running at {}; a certificate is one node: stop that process, or give this one \
                 certificates of its own",
                address.escape_debug()
            ),
            Self::SecondProcess(address) => write!(
                formatter,
                "a second process of the node that is running at {} was starting there, with a copy of its certificates",
                address.escape_debug()
            ),
        }
    }
}
