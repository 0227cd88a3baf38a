//! What a follower keeps on the disk: the registers of its server, and its place in the stream. Documents have files of their own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tidegate_replica::{NodeId, Register};

use super::held::Held;
use super::limits::{FILE_BYTES_MAX, SAVE_PERIOD};
use super::wire::RegisterJson;
use crate::files::atomic_file::{FileError, Folder};
use crate::files::file_name::stem;
use crate::files::paths;
use crate::files::protected::{Fault, first_line, protected};
use crate::registry::DocumentId;

/// The file of one follower.
#[derive(Debug)]
pub(crate) struct Disk {
    folder: Option<(Folder, String)>,
    /// Whether memory has what the file has not.
    is_behind: bool,
    /// A file of a newer version is left alone.
    is_foreign: bool,
    saved: Instant,
    pause: Duration,
}

/// What an earlier process has left.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) position: Option<String>,
    pub(crate) cluster: String,
    pub(crate) floor: String,
    pub(crate) nodes: BTreeMap<NodeId, String>,
    pub(crate) documents: Vec<DocumentId>,
    pub(crate) registers: Vec<Register>,
}

#[derive(Deserialize, Serialize)]
struct FileJson {
    position: Option<String>,
    cluster: String,
    floor: String,
    nodes: BTreeMap<String, String>,
    documents: Vec<DocumentIdJson>,
    registers: Vec<RegisterJson>,
}

#[derive(Deserialize, Serialize)]
struct DocumentIdJson {
    source: String,
    digest: String,
    default_lease_us: Option<u64>,
    signature: Option<String>,
}

impl Disk {
    /// Opens the file of this name; in no place at all, nothing is kept.
    pub(crate) fn open(place: Option<(String, Option<PathBuf>)>) -> (Self, Option<String>) {
        let opened = place.map(|(name, folder)| {
            let folder = folder.or_else(paths::cache_dir).ok_or_else(|| NO_HOME.to_owned())?;
            let file = format!("{}.registers", stem("follow-", &name));
            let folder = Folder::create(&folder).map_err(|error| error.to_string())?;
            folder.sweep(&file);
            Ok::<_, String>((folder, file))
        });
        let (folder, error) = match opened {
            None => (None, None),
            Some(Ok(opened)) => (Some(opened), None),
            Some(Err(error)) => (None, Some(error)),
        };
        let saved = Instant::now();
        (Self { folder, is_behind: false, is_foreign: false, saved, pause: SAVE_PERIOD }, error)
    }

    /// What an earlier process has left; none if there is nothing, or nothing that can be used, and then why.
    pub(crate) fn load(&mut self) -> Result<Option<Kept>, String> {
        let Some((folder, file)) = &self.folder else { return Ok(None) };
        let content = match folder.read(file, FILE_BYTES_MAX) {
            Ok(None) => return Ok(None),
            Ok(Some(content)) => content,
            Err(error) => return Err(error.to_string()),
        };
        let read = protected(&content, MAGIC, VERSION).map(|text| serde_json::from_slice::<FileJson>(text).ok());
        match read {
            Ok(Some(json)) => Ok(json.read()),
            Err(Fault::Newer { .. }) => {
                self.is_foreign = true;
                Err(format!("`{}` was written by a newer version of this program", folder.path_of(file).display()))
            }
            // The next snapshot replaces it.
            Ok(None) | Err(Fault::Damaged) => {
                Err(format!("`{}` is damaged, and is written again", folder.path_of(file).display()))
            }
        }
    }

    /// Memory has something that the file has not.
    pub(crate) fn note_change(&mut self) {
        self.is_behind = true;
    }

    /// Whether to write now. A large file is written less often, so that writing takes a twentieth of the time at most.
    pub(crate) fn is_due(&self) -> bool {
        self.is_behind && self.folder.is_some() && !self.is_foreign && self.saved.elapsed() >= self.pause
    }

    /// Whether the file lacks something, however short ago it was written.
    pub(crate) fn is_behind(&self) -> bool {
        self.is_behind && self.folder.is_some() && !self.is_foreign
    }

    /// Writes what is held.
    pub(crate) fn save(&mut self, held: &Held, position: Option<&str>) -> Result<(), FileError> {
        let Some((folder, file)) = &self.folder else { return Ok(()) };
        let began = Instant::now();
        let text = serde_json::to_vec(&FileJson::new(held, position)).unwrap_or_default();
        let first = first_line(MAGIC, VERSION, &[&text]);
        let written = folder.replace(file, FILE_BYTES_MAX, &[first.as_bytes(), &text]);
        (self.saved, self.pause) = (Instant::now(), SAVE_PERIOD.max(began.elapsed() * 20));
        if written.is_ok() {
            self.is_behind = false;
        }
        written
    }
}

impl FileJson {
    fn new(held: &Held, position: Option<&str>) -> Self {
        let document = |id: &DocumentId| DocumentIdJson {
            source: id.source.clone(),
            digest: format!("{:032x}", id.digest),
            default_lease_us: id.default_lease_us,
            signature: id.signature.clone(),
        };
        Self {
            position: position.map(str::to_owned),
            cluster: held.cluster.clone(),
            floor: held.floor.to_string(),
            nodes: held.nodes.iter().map(|(node, name)| (node.to_string(), name.clone())).collect(),
            documents: held.documents().iter().map(document).collect(),
            registers: held.registers().map(RegisterJson::new).collect(),
        }
    }

    fn read(self) -> Option<Kept> {
        let document = |json: DocumentIdJson| {
            let digest = u128::from_str_radix(&json.digest, 16).ok()?;
            let DocumentIdJson { source, default_lease_us, signature, .. } = json;
            Some(DocumentId { source, digest, default_lease_us, signature })
        };
        Some(Kept {
            position: self.position,
            cluster: self.cluster,
            floor: self.floor,
            nodes: read_nodes(self.nodes),
            documents: self.documents.into_iter().map(document).collect::<Option<_>>()?,
            registers: self.registers.into_iter().map(RegisterJson::read).collect::<Option<_>>()?,
        })
    }
}

/// What nodes are called, as it was sent.
pub(crate) fn read_nodes(nodes: BTreeMap<String, String>) -> BTreeMap<NodeId, String> {
    nodes.into_iter().filter_map(|(node, name)| Some((node.parse().ok()?, name))).collect()
}

const MAGIC: &str = "tidegate-follow";
const VERSION: u32 = 1;
const NO_HOME: &str = "there is no home folder for the cache; name a folder for it";
