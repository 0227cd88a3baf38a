//! Who this node is, by its certificate.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::sign::{Signer, SigningKey};
use rustls::{SignatureScheme, crypto::ring::sign::any_supported_type};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tidegate_replica::NodeId;

use crate::trust::{Distrust, Known, Trust};

/// A certificate of this cluster, with its key. Made by [`Identity::read`].
pub struct Identity {
    folder: PathBuf,
    known: Known,
    key: Arc<dyn SigningKey>,
    trust: Arc<Trust>,
}

/// The certificates in a folder cannot be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A file is missing or cannot be read.
    #[error("`{}` cannot be read: {source}; name the folder of one node, as `tidegate cluster init` makes it", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others on this host can read the key, so that it may no longer be this node's alone.
    #[error("`{}` can be read by others on this host; forbid it with `chmod 600`, and make a new one if anybody may have", path.display())]
    KeyReadable {
        /// The file of the key.
        path: PathBuf,
    },
    /// A file does not hold what it should.
    #[error("`{}` holds no {what} in PEM", path.display())]
    Pem {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
    },
    /// The key is of a kind that nodes do not use, or of another certificate.
    #[error("the key in `{}` is not that of the certificate beside it", path.display())]
    OtherKey {
        /// The file of the key.
        path: PathBuf,
    },
    /// The certificate is not believed by this cluster.
    #[error("the certificate in `{}` is not good for the cluster `{}`: {distrust}", path.display(), .cluster.escape_debug())]
    Distrusted {
        /// The file of the certificate.
        path: PathBuf,
        /// The cluster.
        cluster: String,
        /// Why.
        distrust: Distrust,
    },
}

impl Identity {
    /// Reads the three files of a node: [`AUTHORITY`], [`CERTIFICATE`] and [`KEY`]. The time is in seconds since 1970.
    ///
    /// # Errors
    /// [`IdentityError`] names the file and the remedy.
    pub fn read(folder: &Path, cluster: &str, now: u64) -> Result<Self, IdentityError> {
        let authority_path = folder.join(AUTHORITY);
        let authority = certificate_in(&authority_path)?;
        let certificate_path = folder.join(CERTIFICATE);
        let certificate = certificate_in(&certificate_path)?;
        let key_path = folder.join(KEY);
        let key = key_in(&key_path)?;
        let distrusted = |path: &Path, distrust| IdentityError::Distrusted {
            path: path.to_owned(),
            cluster: cluster.to_owned(),
            distrust,
        };
        let trust = Trust::new(&authority, cluster).map_err(|distrust| distrusted(&authority_path, distrust))?;
        let known = trust.verify(&certificate, now).map_err(|distrust| distrusted(&certificate_path, distrust))?;
        let identity = Self { folder: folder.to_owned(), known, key, trust: Arc::new(trust) };
        let is_pair =
            identity.sign(b"tidegate").is_some_and(|signature| identity.known.has_signed(b"tidegate", &signature));
        if is_pair { Ok(identity) } else { Err(IdentityError::OtherKey { path: key_path }) }
    }

    /// The node that the certificate names.
    pub fn node(&self) -> NodeId {
        self.known.node
    }

    /// When the certificate ends, in seconds since 1970.
    pub fn expires(&self) -> u64 {
        self.known.expires
    }

    pub(crate) fn certificate(&self) -> &[u8] {
        self.known.certificate()
    }

    pub(crate) fn trust(&self) -> &Arc<Trust> {
        &self.trust
    }

    pub(crate) fn authority_path(&self) -> PathBuf {
        self.folder.join(AUTHORITY)
    }

    pub(crate) fn certificate_path(&self) -> PathBuf {
        self.folder.join(CERTIFICATE)
    }

    pub(crate) fn key_path(&self) -> PathBuf {
        self.folder.join(KEY)
    }

    /// Signs with the key; none if it is of a kind that nodes do not use.
    pub(crate) fn signer(&self) -> Option<Box<dyn Signer>> {
        self.key.choose_scheme(&[SignatureScheme::ECDSA_NISTP256_SHA256])
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.signer()?.sign(message).ok()
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Identity")
            .field("folder", &self.folder)
            .field("node", &self.known.node)
            .finish_non_exhaustive()
    }
}

fn certificate_in(path: &Path) -> Result<CertificateDer<'static>, IdentityError> {
    let pem = read(path)?;
    CertificateDer::from_pem_slice(&pem).map_err(|_| IdentityError::Pem { path: path.to_owned(), what: "certificate" })
}

fn key_in(path: &Path) -> Result<Arc<dyn SigningKey>, IdentityError> {
    let pem = read(path)?;
    let mode = fs::metadata(path).map_err(|source| IdentityError::File { path: path.to_owned(), source })?;
    if mode.permissions().mode() & 0o077 != 0 {
        return Err(IdentityError::KeyReadable { path: path.to_owned() });
    }
    let none = || IdentityError::Pem { path: path.to_owned(), what: "private key" };
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|_| none())?;
    any_supported_type(&key).map_err(|_| none())
}

fn read(path: &Path) -> Result<Vec<u8>, IdentityError> {
    let mut bytes = Vec::new();
    let done = File::open(path).and_then(|file| file.take(PEM_BYTES_MAX).read_to_end(&mut bytes));
    done.map_err(|source| IdentityError::File { path: path.to_owned(), source })?;
    Ok(bytes)
}

/// The certificate of the authority.
pub const AUTHORITY: &str = "ca.pem";

/// The certificate of the node.
pub const CERTIFICATE: &str = "node.pem";

/// The key of the node.
pub const KEY: &str = "node.key";

/// More than any of them needs.
const PEM_BYTES_MAX: u64 = 64 * 1024;

#[cfg(test)]
mod tests;
