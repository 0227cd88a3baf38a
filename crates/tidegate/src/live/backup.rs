//! Backups of all flags, and what becomes of them.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Write};
use std::sync::{Arc, mpsc};

use serde::Serialize;
use tidegate_replica::{Level, Register, Stamp};

use super::change::{ACK_TIMEOUT, ChangeError};
use super::cluster::{Cluster, ClusterError};
use super::request::{Request, What, Write as Wanted};
use super::target::Target;
use super::value::ChangeKind;
use super::{Link, driver};
use crate::store::backup::{self, BackupError, Header};

/// What stands under a key.
type Held = (Stamp, Option<Arc<[u8]>>);

/// What a restore has done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Restored {
    /// Registers that were made anew.
    pub written: u64,
    /// Registers that were as in the backup, or newer.
    pub left: u64,
    /// Registers of which a newer version of this program knows what they are.
    pub unknown: u64,
}

/// A backup could not be restored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// It is not whole, or no backup. Nothing was changed.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// It is of another cluster. Nothing was changed; start with the other cluster's name if it is meant.
    #[error("the backup is of the cluster `{}`, and this is `{}`", found.escape_debug(), own.escape_debug())]
    Cluster {
        /// The cluster of the backup.
        found: String,
        /// This one.
        own: String,
    },
    /// A change was refused. The changes before it stand; run it again when the reason is gone.
    #[error("{written} changes were made, then one was refused: {error}")]
    Refused {
        /// How many had been made.
        written: u64,
        /// Why.
        error: ChangeError,
    },
    /// The caller no longer wanted it. The changes before that stand; run it again to go on.
    #[error("the restore was interrupted after {written} changes, which stand; run it again to go on")]
    Interrupted {
        /// How many had been made.
        written: u64,
    },
    /// The thread of live changes has ended.
    #[error(transparent)]
    Ended(#[from] ClusterError),
}

pub(super) fn write(link: &Link, out: &mut dyn Write, registers: &[Register]) -> io::Result<u64> {
    let header = Header { cluster: link.cluster.clone(), node: link.node, created_at: link.now() };
    backup::write(out, &header, registers)
}

pub(super) fn restore(
    cluster: &Cluster,
    input: impl BufRead,
    overwrites: bool,
    actor: &str,
    reason: &str,
    is_wanted: impl Fn() -> bool,
) -> Result<Restored, RestoreError> {
    let read = backup::read(input)?;
    if read.header.cluster != cluster.link().cluster {
        let (found, own) = (read.header.cluster, cluster.link().cluster.clone());
        return Err(RestoreError::Cluster { found, own });
    }
    let held: BTreeMap<Arc<[u8]>, Held> = cluster.look(|seen| {
        let entry = |register: &Register| (Arc::clone(&register.key), (register.stamp, register.value.clone()));
        seen.replica.iter().map(entry).collect()
    })?;
    let made_at = read.header.created_at;
    let reason = if reason.is_empty() { format!("restored from a backup of {made_at}") } else { reason.to_owned() };
    let mut restored = Restored::default();
    for register in read.registers {
        let Some((_, flag)) = ChangeKind::of(&register.key) else {
            restored.unknown += 1;
            continue;
        };
        let here = held.get(&register.key);
        let is_same = here.map_or(register.value.is_none(), |(_, value)| *value == register.value);
        let is_newer_here = here.is_some_and(|(stamp, _)| *stamp >= register.stamp);
        if is_same || (is_newer_here && !overwrites) {
            restored.left += 1;
            continue;
        }
        if !is_wanted() {
            return Err(RestoreError::Interrupted { written: restored.written });
        }
        let wanted = |reply| Wanted {
            flag,
            what: What::Restore { key: register.key, value: register.value },
            target: Target::Create,
            actor: actor.into(),
            reason: reason.as_str().into(),
            expected: driver::RESTORED,
            level: Level::Local,
            timeout: ACK_TIMEOUT,
            reply,
        };
        ask(cluster, wanted).map_err(|error| RestoreError::Refused { written: restored.written, error })?;
        restored.written += 1;
    }
    Ok(restored)
}

fn ask(cluster: &Cluster, wanted: impl FnOnce(super::request::Reply) -> Wanted) -> Result<(), ChangeError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let reply = Box::new(move |answer| {
        let _ = sender.send(answer);
    });
    cluster.link().inbox.request(Request::Write(Box::new(wanted(reply))))?;
    receiver.recv().unwrap_or(Err(ChangeError::Stopped)).map(drop)
}
