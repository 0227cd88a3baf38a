//! The authority of a cluster: makes the certificates by which its nodes know each other.
//!
//! ```text
//! DIR/authority/ca.pem   the authority's certificate, good for ten years
//! DIR/authority/ca.key   its key, which makes nodes; keep it away from the nodes
//! DIR/NODE/ca.pem        who is to be believed
//! DIR/NODE/node.pem      this node's certificate, good for a year at most, and not to the same day as another node's
//! DIR/NODE/node.key      its key
//! ```
//!
//! A folder `DIR/NODE` is what a node is given. Its certificate has the node's id, which is drawn here, the cluster's name,
//! and every host name and address under which other nodes reach it. Nothing that exists is ever overwritten, but for the
//! certificate of a node that is renewed, whose key and id stay. A folder is there as a whole or not at all: it is made
//! under another name, so that what was cut short can be run again.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SanType,
};
use ring::rand::{SecureRandom, SystemRandom};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tidegate_replica::NodeId;
use time::OffsetDateTime;

use crate::certificate::Fields;
use crate::identity::{AUTHORITY, CERTIFICATE, KEY};
use crate::names;
use crate::regular_file;

/// An authority that can issue certificates.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    cluster: String,
    pem: String,
    expires: u64,
    issuer: Issuer<'static, KeyPair>,
}

/// What was made for a node.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Issued {
    /// The folder to give to the node.
    pub folder: PathBuf,
    /// The node's id.
    pub node: NodeId,
    /// When its certificate ends, in seconds since 1970.
    pub expires: u64,
}

/// A certificate could not be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AuthorityError {
    /// Something is there already. It was left as it is.
    #[error("`{}` is there already and is not overwritten; name another folder, or renew a node with --renew", path.display())]
    Exists {
        /// What is there.
        path: PathBuf,
    },
    /// A file cannot be read or written.
    #[error("`{}` cannot be used: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The authority in this folder is of another cluster.
    #[error("the authority in `{}` is that of the cluster `{found}`; name that cluster, or another folder", path.display())]
    OtherCluster {
        /// The authority's certificate.
        path: PathBuf,
        /// The name of its cluster.
        found: String,
    },
    /// A file does not hold what it should.
    #[error("`{}` does not hold what it should: {source}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Others on this host can read the authority's key, so that anybody may have made nodes.
    #[error("`{}` can be read by others on this host; forbid it with `chmod 600`, and make a new authority if anybody may have", path.display())]
    KeyReadable {
        /// The file of the key.
        path: PathBuf,
    },
    /// The key is not that of the authority's certificate: no node would accept what it signs.
    #[error("the key in `{}` is not that of the certificate beside it; put the right one there", path.display())]
    OtherKey {
        /// The file of the key.
        path: PathBuf,
    },
    /// The authority's own time is over.
    #[error("the authority in `{}` has expired; make a new one in another folder, and give its certificates to all nodes", folder.display())]
    Expired {
        /// The folder of all certificates.
        folder: PathBuf,
    },
    /// This cannot be the name of a node's folder.
    #[error("`{}` is no name for a node's folder; use letters, digits, `-`, `_` and `.`, not `.` at the start", .name.escape_debug())]
    Name {
        /// The name.
        name: String,
    },
    /// This cannot be where a node is.
    #[error("`{}` is neither a host name nor an address; write it like `node-1.example` or `10.0.0.7`", .host.escape_debug())]
    Host {
        /// The host.
        host: String,
    },
    /// The system gives no random number.
    #[error("the system gives no random number")]
    Random,
    /// The certificate could not be made.
    #[error("the certificate could not be made: {0}")]
    Issue(#[from] rcgen::Error),
}

impl Authority {
    /// Whether there is an authority in this folder.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(AUTHORITY_FOLDER).join(AUTHORITY).exists()
    }

    /// Makes an authority. The time is in seconds since 1970.
    ///
    /// # Errors
    /// [`AuthorityError`]; there is no authority then, and it can be tried again.
    pub fn create(folder: &Path, cluster: &str, now: u64) -> Result<Self, AuthorityError> {
        let own = folder.join(AUTHORITY_FOLDER);
        make_folder(folder)?;
        let key = KeyPair::generate()?;
        let mut params = authority_params(cluster);
        let expires = now.saturating_add(AUTHORITY_LIFE);
        (params.not_before, params.not_after) = (at(now.saturating_sub(BEFORE)), at(expires));
        let pem = params.self_signed(&key)?.pem();
        let key_pem = key.serialize_pem();
        make_whole(&own, &[(AUTHORITY_KEY, &key_pem, 0o600), (AUTHORITY, &pem, 0o644)])?;
        let issuer = Issuer::new(params, key);
        Ok(Self { folder: folder.to_owned(), cluster: cluster.to_owned(), pem, expires, issuer })
    }

    /// Whether a node could be made with this name and these hosts, as far as this is known without making it.
    ///
    /// # Errors
    /// [`AuthorityError::Name`] and [`AuthorityError::Host`].
    pub fn check(name: &str, hosts: &[String]) -> Result<(), AuthorityError> {
        check_name(name)?;
        hosts.iter().try_for_each(|host| host_name(host).map(|_| ()))
    }

    /// When the authority's own certificate ends, in seconds since 1970.
    pub fn expires(&self) -> u64 {
        self.expires
    }

    /// Takes up the authority in this folder.
    ///
    /// # Errors
    /// [`AuthorityError`]; nothing was changed.
    pub fn open(folder: &Path, cluster: &str) -> Result<Self, AuthorityError> {
        let own = folder.join(AUTHORITY_FOLDER);
        let (path, key_path) = (own.join(AUTHORITY), own.join(AUTHORITY_KEY));
        let pem = read(&path)?;
        let content = |path: &Path, source| AuthorityError::Content { path: path.to_owned(), source };
        let fields = fields_in(&pem).ok_or_else(|| content(&path, "it is not a certificate".into()))?;
        if fields.common_name != cluster {
            return Err(AuthorityError::OtherCluster { path, found: fields.common_name });
        }
        let expires = fields.expires;
        let mode = fs::metadata(&key_path).map_err(|source| AuthorityError::File { path: key_path.clone(), source })?;
        if mode.permissions().mode() & 0o077 != 0 {
            return Err(AuthorityError::KeyReadable { path: key_path });
        }
        let key = KeyPair::from_pem(&read(&key_path)?).map_err(|error| content(&key_path, error.into()))?;
        if fields.public_key != key.public_key_raw() {
            return Err(AuthorityError::OtherKey { path: key_path });
        }
        // Its name and the identifier of its key are what they were when it was made.
        let issuer = Issuer::new(authority_params(cluster), key);
        Ok(Self { folder: folder.to_owned(), cluster: cluster.to_owned(), pem, expires, issuer })
    }

    /// Makes a folder for a new node, which others reach at these hosts: names, or addresses. Its id is drawn.
    ///
    /// # Errors
    /// [`AuthorityError`]; nothing was made for this node then, and it can be tried again.
    pub fn issue(&self, name: &str, hosts: &[String], now: u64) -> Result<Issued, AuthorityError> {
        let mut id = [0; 8];
        SystemRandom::new().fill(&mut id).map_err(|_| AuthorityError::Random)?;
        self.issue_as(NodeId::new(u64::from_be_bytes(id).max(1)), name, hosts, now)
    }

    /// The same for a node that has an id already.
    ///
    /// # Errors
    /// [`AuthorityError`]; nothing was made for this node then, and it can be tried again.
    pub fn issue_as(&self, node: NodeId, name: &str, hosts: &[String], now: u64) -> Result<Issued, AuthorityError> {
        let folder = self.node_folder(name)?;
        let names = hosts.iter().map(|host| host_name(host)).collect::<Result<Vec<_>, _>>()?;
        let key = KeyPair::generate()?;
        let (pem, expires) = self.certify(name, names, node, &key, now)?;
        let key_pem = key.serialize_pem();
        make_whole(&folder, &[(KEY, &key_pem, 0o600), (CERTIFICATE, &pem, 0o644), (AUTHORITY, &self.pem, 0o644)])?;
        Ok(Issued { folder, node, expires })
    }

    /// The nodes in the folder of another authority, by their names, each with its id and its hosts: for an authority that
    /// takes the place of that one.
    ///
    /// # Errors
    /// [`AuthorityError`] names what cannot be read.
    pub fn nodes_in(folder: &Path) -> Result<Vec<(String, NodeId, Vec<String>)>, AuthorityError> {
        let file = |source| AuthorityError::File { path: folder.to_owned(), source };
        let mut nodes = Vec::new();
        for entry in fs::read_dir(folder).map_err(file)? {
            let path = entry.map_err(file)?.path().join(CERTIFICATE);
            let name = path.parent().and_then(Path::file_name).and_then(|name| name.to_str());
            let Some(name) = name.filter(|name| check_name(name).is_ok()) else { continue };
            if !path.exists() {
                continue;
            }
            let content = || AuthorityError::Content { path: path.clone(), source: "it names no node".into() };
            let fields = fields_in(&read(&path)?).ok_or_else(content)?;
            let (_, node) = fields.uris.iter().find_map(|uri| names::read_uri(uri)).ok_or_else(content)?;
            let addresses = fields.addresses.iter().map(ToString::to_string);
            nodes.push((name.to_owned(), node, fields.dns_names.iter().cloned().chain(addresses).collect()));
        }
        nodes.sort();
        Ok(nodes)
    }

    /// Makes a new certificate for a node that has one: its key, its id and its hosts stay.
    ///
    /// # Errors
    /// [`AuthorityError`]; the old certificate is then in place.
    pub fn renew(&self, name: &str, now: u64) -> Result<Issued, AuthorityError> {
        let folder = self.node_folder(name)?;
        let (path, key_path) = (folder.join(CERTIFICATE), folder.join(KEY));
        let content = |path: &Path, source| AuthorityError::Content { path: path.to_owned(), source };
        let key = KeyPair::from_pem(&read(&key_path)?).map_err(|error| content(&key_path, error.into()))?;
        let (node, names) =
            names_in(&read(&path)?).ok_or_else(|| content(&path, "it is no certificate of a node".into()))?;
        let (pem, expires) = self.certify(name, names, node, &key, now)?;
        let new = folder.join("node.pem.new");
        let file = |source| AuthorityError::File { path: new.clone(), source };
        // Left by an attempt that was cut short.
        match fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file(error)),
            _ => {}
        }
        write_new(&new, pem.as_bytes(), 0o644)?;
        fs::rename(&new, &path).and_then(|()| sync_folder(&folder)).map_err(file)?;
        Ok(Issued { folder, node, expires })
    }

    fn certify(
        &self,
        name: &str,
        mut names: Vec<SanType>,
        node: NodeId,
        key: &KeyPair,
        now: u64,
    ) -> Result<(String, u64), AuthorityError> {
        if now >= self.expires {
            return Err(AuthorityError::Expired { folder: self.folder.clone() });
        }
        let mut params = CertificateParams::default();
        names.push(SanType::URI(names::uri(&self.cluster, node).try_into()?));
        params.subject_alt_names = names;
        params.distinguished_name.push(DnType::OrganizationName, ORGANIZATION);
        params.distinguished_name.push(DnType::CommonName, name);
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let expires = self.end_of(name, now);
        (params.not_before, params.not_after) = (at(now.saturating_sub(BEFORE)), at(expires));
        Ok((params.signed_by(key, &self.issuer)?.pem(), expires))
    }

    /// When the certificate of a node is to end: as late as it may, but so far from all others in the folder that an expiry that
    /// the operator forgets costs the cluster one node, and not all. Beyond as many nodes as there is room for, ends come together.
    fn end_of(&self, name: &str, now: u64) -> u64 {
        let latest = now.saturating_add(NODE_LIFE).min(self.expires);
        let others = self.ends_of_others(name);
        let is_free = |end: &u64| others.iter().all(|other| other.abs_diff(*end) >= STAGGER);
        let candidates = (0..STAGGERED_MAX).map(|steps| latest.saturating_sub(steps * STAGGER));
        candidates.take_while(|end| *end > now).find(is_free).unwrap_or(latest)
    }

    /// When the certificates of the other nodes in the folder end, as far as they can be read.
    fn ends_of_others(&self, name: &str) -> Vec<u64> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        let others =
            entries.flatten().filter(|entry| entry.file_name() != *name && entry.file_name() != *AUTHORITY_FOLDER);
        others.filter_map(|entry| Some(fields_in(&read(&entry.path().join(CERTIFICATE)).ok()?)?.expires)).collect()
    }

    fn node_folder(&self, name: &str) -> Result<PathBuf, AuthorityError> {
        check_name(name)?;
        Ok(self.folder.join(name))
    }
}

fn check_name(name: &str) -> Result<(), AuthorityError> {
    let is_fit = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let is_good = (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(is_fit);
    if is_good && name != AUTHORITY_FOLDER { Ok(()) } else { Err(AuthorityError::Name { name: name.to_owned() }) }
}

fn host_name(host: &str) -> Result<SanType, AuthorityError> {
    let wrong = || AuthorityError::Host { host: host.to_owned() };
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse() {
        return Ok(SanType::IpAddress(address));
    }
    rustls_pki_types::DnsName::try_from(host).map_err(|_| wrong())?;
    Ok(SanType::DnsName(host.try_into().map_err(|_| wrong())?))
}

/// What every authority of a cluster has in common.
fn authority_params(cluster: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::OrganizationName, ORGANIZATION);
    params.distinguished_name.push(DnType::CommonName, cluster);
    params
}

/// The node and the hosts of a certificate.
fn names_in(pem: &str) -> Option<(NodeId, Vec<SanType>)> {
    let fields = fields_in(pem)?;
    let (_, node) = fields.uris.iter().find_map(|uri| names::read_uri(uri))?;
    let names = fields.dns_names.into_iter().map(|name| Some(SanType::DnsName(name.try_into().ok()?)));
    let addresses = fields.addresses.into_iter().map(|address| Some(SanType::IpAddress(address)));
    Some((node, names.chain(addresses).collect::<Option<_>>()?))
}

fn fields_in(pem: &str) -> Option<Fields> {
    Fields::read(&CertificateDer::from_pem_slice(pem.as_bytes()).ok()?)
}

fn at(seconds: u64) -> OffsetDateTime {
    OffsetDateTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

fn make_folder(path: &Path) -> Result<(), AuthorityError> {
    let made = DirBuilder::new().mode(0o700).recursive(true).create(path);
    made.map_err(|source| AuthorityError::File { path: path.to_owned(), source })
}

/// Makes a folder with these files, by name, content and mode: all of them, or none.
fn make_whole(path: &Path, files: &[(&str, &str, u32)]) -> Result<(), AuthorityError> {
    let file = |source| AuthorityError::File { path: path.to_owned(), source };
    match fs::symlink_metadata(path) {
        Ok(_) => return Err(AuthorityError::Exists { path: path.to_owned() }),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file(error)),
        Err(_) => {}
    }
    let (Some(outer), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(file(io::ErrorKind::InvalidInput.into()));
    };
    // No node has a name that begins with a full stop.
    let new = outer.join(format!(".{}.new", name.display()));
    // Left by an attempt that was cut short: no node was ever given what is in it.
    match fs::remove_dir_all(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(file(error)),
        _ => {}
    }
    make_folder(&new)?;
    for (name, content, mode) in files {
        write_new(&new.join(name), content.as_bytes(), *mode)?;
    }
    fs::rename(&new, path).and_then(|()| sync_folder(path)).and_then(|()| sync_folder(outer)).map_err(file)
}

/// Makes the names in a folder durable.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), AuthorityError> {
    let written = OpenOptions::new().write(true).create_new(true).mode(mode).open(path).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    written.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => AuthorityError::Exists { path: path.to_owned() },
        _ => AuthorityError::File { path: path.to_owned(), source },
    })
}

fn read(path: &Path) -> Result<String, AuthorityError> {
    let bytes = regular_file::read(path, PEM_BYTES_MAX);
    bytes
        .and_then(|bytes| String::from_utf8(bytes).map_err(|_| io::Error::other("it is not text")))
        .map_err(|source| AuthorityError::File { path: path.to_owned(), source })
}

/// More than a certificate or a key needs.
const PEM_BYTES_MAX: u64 = 64 * 1024;

/// The authority's own folder.
const AUTHORITY_FOLDER: &str = "authority";

const AUTHORITY_KEY: &str = "ca.key";

const ORGANIZATION: &str = "Tidegate";

/// Certificates begin a little in the past, because clocks differ.
const BEFORE: u64 = 3_600;

/// The authority outlives the hardware of the nodes.
const AUTHORITY_LIFE: u64 = 10 * 365 * 86_400;

/// A node's certificate is renewed once a year: often enough to be practised, and a lost key ends by itself.
const NODE_LIFE: u64 = 365 * 86_400;

/// Between the ends of two nodes' certificates: time to notice that one node is cut off, and to renew the others.
const STAGGER: u64 = 7 * 86_400;

/// As many nodes as end one after the other. The last of them has three quarters of a year.
const STAGGERED_MAX: u64 = 13;

#[cfg(test)]
mod tests;
