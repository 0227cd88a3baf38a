//! Who this node is, by its certificate.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ring::digest::{Context, SHA256};
use rustls::crypto::ring::sign::any_supported_type;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tidegate_replica::NodeId;

use crate::regular_file;
use crate::trust::{Distrust, Known, Role, Trust};

/// A certificate of this cluster, with its key and the authorities that this node trusts. Made by [`Identity::read`].
pub struct Identity {
    folder: PathBuf,
    cluster: String,
    known: Known,
    key: Arc<CertifiedKey>,
    trust: Arc<Trust>,
    /// Why no other node accepts the certificate at this time, although it is this node's.
    invalid: Option<Distrust>,
    /// A hash of the three files.
    fingerprint: Vec<u8>,
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
    /// A certificate that has expired, or is not valid yet, is no error: the node is cut off from the others until it is replaced,
    /// and goes on with what it has. [`Identity::invalid`] says so.
    ///
    /// [`AUTHORITY`] may hold up to 8 certificates, each of which is trusted: while an authority is replaced, the old one
    /// and the new one.
    ///
    /// # Errors
    /// [`IdentityError`] names the file and the remedy.
    pub fn read(folder: &Path, cluster: &str, now: u64) -> Result<Self, IdentityError> {
        let authority_path = folder.join(AUTHORITY);
        let authority_pem = read(&authority_path)?;
        let authorities = certificates_in(&authority_path, &authority_pem)?;
        let certificate_path = folder.join(CERTIFICATE);
        let certificate_pem = read(&certificate_path)?;
        let chain = certificates_in(&certificate_path, &certificate_pem)?;
        let key_path = folder.join(KEY);
        let key_pem = read(&key_path)?;
        let key = key_in(&key_path, &key_pem)?;
        let fingerprint = fingerprint(&[&authority_pem, &certificate_pem, &key_pem]);
        let distrusted = |path: &Path, distrust| IdentityError::Distrusted {
            path: path.to_owned(),
            cluster: cluster.to_owned(),
            distrust,
        };
        let trust = Trust::new(&authorities, cluster).map_err(|distrust| distrusted(&authority_path, distrust))?;
        let certificate =
            chain.first().ok_or_else(|| IdentityError::Pem { path: certificate_path.clone(), what: "certificate" })?;
        let (known, invalid) = match trust.verify(certificate, Role::Client, now) {
            Ok(known) => (known, None),
            Err(invalid @ (Distrust::Expired | Distrust::NotYetValid)) => {
                let good = trust.verify_as_of_its_end(certificate, Role::Client);
                (good.map_err(|distrust| distrusted(&certificate_path, distrust))?, Some(invalid))
            }
            Err(distrust) => return Err(distrusted(&certificate_path, distrust)),
        };
        let key = CertifiedKey::new(vec![certificate.clone()], key);
        key.keys_match().map_err(|_| IdentityError::OtherKey { path: key_path })?;
        Ok(Self {
            folder: folder.to_owned(),
            cluster: cluster.to_owned(),
            known,
            key: Arc::new(key),
            trust: Arc::new(trust),
            invalid,
            fingerprint,
        })
    }

    /// Why no other node accepted the certificate at the time when it was read: it had expired, or was not valid yet.
    pub fn invalid(&self) -> Option<&Distrust> {
        self.invalid.as_ref()
    }

    /// The error for a certificate that no node accepts.
    pub(crate) fn refused(&self) -> Option<IdentityError> {
        let distrust = self.invalid.clone()?;
        let path = self.folder.join(CERTIFICATE);
        Some(IdentityError::Distrusted { path, cluster: self.cluster.clone(), distrust })
    }

    /// Whether both were read from files of the same content.
    pub(crate) fn has_same_files(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint
    }

    /// The same files, read again.
    pub(crate) fn read_again(&self, now: u64) -> Result<Self, IdentityError> {
        Self::read(&self.folder, &self.cluster, now)
    }

    /// The node that the certificate names.
    pub fn node(&self) -> NodeId {
        self.known.node
    }

    /// When the certificate expires, in seconds since 1970.
    pub fn expires(&self) -> u64 {
        self.known.expires
    }

    /// The hosts that the certificate names, DNS names first.
    pub(crate) fn hosts(&self) -> &[String] {
        &self.known.hosts
    }

    /// The folder that the files are in.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    pub(crate) fn trust(&self) -> &Arc<Trust> {
        &self.trust
    }

    /// The certificate and its key, as TLS wants them.
    pub(crate) fn key(&self) -> &Arc<CertifiedKey> {
        &self.key
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

/// A hash of some files, each preceded by its length.
fn fingerprint(files: &[&[u8]]) -> Vec<u8> {
    let mut context = Context::new(&SHA256);
    for file in files {
        context.update(&file.len().to_be_bytes());
        context.update(file);
    }
    context.finish().as_ref().to_vec()
}

fn certificates_in(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let none = || IdentityError::Pem { path: path.to_owned(), what: "certificate" };
    let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>().map_err(|_| none())?;
    if certificates.is_empty() || certificates.len() > CERTIFICATES_MAX { Err(none()) } else { Ok(certificates) }
}

fn key_in(path: &Path, pem: &[u8]) -> Result<Arc<dyn rustls::sign::SigningKey>, IdentityError> {
    let mode = fs::metadata(path).map_err(|source| IdentityError::File { path: path.to_owned(), source })?;
    if mode.permissions().mode() & 0o077 != 0 {
        return Err(IdentityError::KeyReadable { path: path.to_owned() });
    }
    let none = || IdentityError::Pem { path: path.to_owned(), what: "private key" };
    let key = PrivateKeyDer::from_pem_slice(pem).map_err(|_| none())?;
    any_supported_type(&key).map_err(|_| none())
}

fn read(path: &Path) -> Result<Vec<u8>, IdentityError> {
    regular_file::read(path, PEM_BYTES_MAX).map_err(|source| IdentityError::File { path: path.to_owned(), source })
}

/// The certificate of the authority.
pub const AUTHORITY: &str = "ca.pem";

/// The certificate of the node.
pub const CERTIFICATE: &str = "node.pem";

/// The key of the node.
pub const KEY: &str = "node.key";

/// Certificates in one file: an authority and those that it replaces or is replaced by.
const CERTIFICATES_MAX: usize = 8;

/// More than any of them needs.
const PEM_BYTES_MAX: u64 = 64 * 1024;

#[cfg(test)]
mod tests;
