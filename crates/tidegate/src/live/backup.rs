//! Backups of all flags, and what becomes of them.

use std::io::{self, BufRead, Write};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use serde::Serialize;
use tidegate_engine::FlagKey;
use tidegate_replica::{Expected, Level, Register, Stamp, WriteError};

use super::change_error::ChangeError;
use super::change_request::{ChangeRequest, Operation};
use super::cluster::{Cluster, ClusterError};
use super::driver_handle::DriverHandle;
use super::request::Request;
use super::value::{self, ChangeKind};
use crate::store::backup::{self, BackupError, Header};

/// What stands under a key.
type Held = (Stamp, Option<Arc<[u8]>>);

/// What a restore has done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Restored {
    /// Registers that were made again, and are on the disk of this node.
    pub written: u64,
    /// Registers that were as in the backup, or newer.
    pub left: u64,
    /// Registers of which a newer version of this program knows what they are, or how to read them.
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
    /// Changes were made, and the disk has not confirmed them in time. They are active, and a crash may take them away; run it again
    /// when the disk takes what it is given.
    #[error("{unconfirmed} changes were made, and the disk has not confirmed them in time; {written} others are on it")]
    Unconfirmed {
        /// How many are on the disk.
        written: u64,
        /// How many may not be.
        unconfirmed: u64,
    },
    /// The caller no longer wanted it. The changes before that stand; run it again to go on.
    #[error("the restore was interrupted after {written} changes, which are kept; run it again to continue")]
    Interrupted {
        /// How many had been made.
        written: u64,
    },
    /// The thread of live changes has ended.
    #[error(transparent)]
    Ended(#[from] ClusterError),
}

impl Cluster {
    /// Writes all registers as a backup, and says how many there were. It is whole when this returns; flushing it to a disk is
    /// the caller's.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// let mut backup = Vec::new();
    /// assert!(cluster.backup(&mut backup)? >= 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The writer failed. What it has is refused when it is read.
    pub fn backup(&self, mut out: impl Write) -> Result<u64, ClusterError> {
        let registers = self.query(|view| view.replica.iter().cloned().collect::<Vec<_>>())?;
        Ok(write(self.driver(), &mut out, &registers)?)
    }

    /// Reads a backup, and makes its changes again, each with a stamp of now. Without `overwrites`, only those that are newer
    /// than what stands here, or of which nothing stands here; with it, all that differ.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// let mut backup = Vec::new();
    /// cluster.backup(&mut backup)?;
    /// tide.deactivate("x").send()?;
    /// cluster.restore(&*backup, true, "dana")?;
    /// assert!(tide.is_active("x"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The backup is not whole or not one, and nothing was changed; or a change was refused, and those before it stand.
    pub fn restore(&self, input: impl BufRead, overwrites: bool, actor: &str) -> Result<Restored, RestoreError> {
        self.restore_because(input, overwrites, actor, "")
    }

    /// The same with a reason for the history, in place of one that names the backup's date.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// let mut backup = Vec::new();
    /// cluster.backup(&mut backup)?;
    /// cluster.restore_because(&*backup, true, "dana", "the disk was replaced")?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`Cluster::restore`].
    pub fn restore_because(
        &self,
        input: impl BufRead,
        overwrites: bool,
        actor: &str,
        reason: &str,
    ) -> Result<Restored, RestoreError> {
        self.restore_while(input, overwrites, actor, reason, || true)
    }

    /// The same for as long as `is_wanted` says so, which is asked before each change.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # tide.activate("x").send()?;
    /// # let cluster = tide.cluster().unwrap();
    /// let mut backup = Vec::new();
    /// cluster.backup(&mut backup)?;
    /// cluster.restore_while(&*backup, true, "dana", "", || true)?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// See [`Cluster::restore`]; and [`RestoreError::Interrupted`] when it is no longer wanted.
    pub fn restore_while(
        &self,
        input: impl BufRead,
        overwrites: bool,
        actor: &str,
        reason: &str,
        is_wanted: impl Fn() -> bool,
    ) -> Result<Restored, RestoreError> {
        restore(self, input, overwrites, actor, reason, is_wanted)
    }
}

fn write(driver: &DriverHandle, out: &mut dyn Write, registers: &[Register]) -> io::Result<u64> {
    let header = Header { cluster: driver.cluster.clone(), node: driver.node, created_at: driver.now() };
    backup::write(out, &header, registers)
}

fn restore(
    cluster: &Cluster,
    input: impl BufRead,
    overwrites: bool,
    actor: &str,
    reason: &str,
    is_wanted: impl Fn() -> bool,
) -> Result<Restored, RestoreError> {
    let read = backup::read(input)?;
    if read.header.cluster != cluster.driver().cluster {
        let (found, own) = (read.header.cluster, cluster.driver().cluster.clone());
        return Err(RestoreError::Cluster { found, own });
    }
    let made_at = read.header.created_at;
    let reason = if reason.is_empty() { format!("restored from a backup of {made_at}") } else { reason.to_owned() };
    let mut restore = Restore::new(cluster, overwrites, actor, &reason);
    let mut registers = read.registers.into_iter();
    loop {
        let batch: Vec<Register> = registers.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return Ok(restore.done);
        }
        if !is_wanted() {
            return Err(RestoreError::Interrupted { written: restore.done.written });
        }
        restore.batch(batch)?;
    }
}

/// A restore under way.
struct Restore<'c> {
    cluster: &'c Cluster,
    overwrites: bool,
    actor: Arc<str>,
    reason: Arc<str>,
    done: Restored,
    /// Registers that were made again, and may not be on the disk.
    unconfirmed: u64,
}

impl<'c> Restore<'c> {
    fn new(cluster: &'c Cluster, overwrites: bool, actor: &str, reason: &str) -> Self {
        let done = Restored::default();
        Self { cluster, overwrites, actor: actor.into(), reason: reason.into(), done, unconfirmed: 0 }
    }

    /// Writes the registers of a batch that are to be written, all at once, so that they share commits. A register that was
    /// changed between the look at it and the write is looked at again: each write names what was view.
    fn batch(&mut self, registers: Vec<Register>) -> Result<(), RestoreError> {
        let mut left = registers;
        for _ in 0..ATTEMPTS_MAX {
            let writes = self.choose(left)?;
            if writes.is_empty() {
                return Ok(());
            }
            left = self.write(writes)?;
        }
        if left.is_empty() { Ok(()) } else { Err(self.refused(ChangeError::Busy)) }
    }

    /// The registers that are to be written, each with what stands in its place now.
    fn choose(
        &mut self,
        registers: Vec<Register>,
    ) -> Result<Vec<(Register, ChangeKind, FlagKey, Expected)>, RestoreError> {
        let keys: Vec<Arc<[u8]>> = registers.iter().map(|register| Arc::clone(&register.key)).collect();
        let held: Vec<Option<Held>> = self.cluster.query(move |view| {
            let entry = |register: &Register| (register.stamp, register.value.clone());
            keys.iter().map(|key| view.replica.get(key).map(entry)).collect()
        })?;
        let mut writes = Vec::new();
        for (register, held) in registers.into_iter().zip(held) {
            let Some((kind, flag)) = ChangeKind::from_key(&register.key) else {
                self.done.unknown += 1;
                continue;
            };
            // A node writes nothing that nodes of its version cannot make active.
            if register.value.as_deref().is_some_and(|value| value::check(kind, &flag, value).is_err()) {
                self.done.unknown += 1;
                continue;
            }
            let is_same = held.as_ref().map_or(register.value.is_none(), |(_, value)| *value == register.value);
            let is_newer_here = held.as_ref().is_some_and(|(stamp, _)| *stamp >= register.stamp);
            if is_same || (is_newer_here && !self.overwrites) {
                self.done.left += 1;
                continue;
            }
            let expected = held.map_or(Expected::Nothing, |(stamp, _)| Expected::Stamp(stamp));
            writes.push((register, kind, flag, expected));
        }
        Ok(writes)
    }

    /// Makes these changes, and gives back those that found something else in their place, or no room.
    fn write(&mut self, writes: Vec<(Register, ChangeKind, FlagKey, Expected)>) -> Result<Vec<Register>, RestoreError> {
        let mut waiting = Vec::with_capacity(writes.len());
        let mut left = Vec::new();
        for (register, kind, flag, expected) in writes {
            let (sender, receiver) = mpsc::sync_channel(1);
            let operation = Operation::Restore { kind, value: register.value.clone() };
            let change = ChangeRequest {
                actor: Arc::clone(&self.actor),
                reason: Arc::clone(&self.reason),
                expected,
                level: Level::Local,
                timeout: DISK_TIMEOUT,
                ..ChangeRequest::new(flag, operation)
            };
            let reply = Box::new(move |answer| {
                let _ = sender.send(answer);
            });
            match self.cluster.driver().intake.request(Request::Change(vec![change], reply)).map_err(ChangeError::from)
            {
                Ok(()) => waiting.push((register, receiver)),
                Err(ChangeError::Busy) => left.push(register),
                Err(error) => return Err(self.refused(error)),
            }
        }
        let mut refused = None;
        for (register, receiver) in waiting {
            match receiver.recv().unwrap_or(Err(ChangeError::Stopped.into())).map_err(ChangeError::from) {
                Ok(done) => self.note(done.written.is_reached),
                Err(ChangeError::Busy | ChangeError::Refused(WriteError::Conflict { .. })) => left.push(register),
                Err(error) => refused = Some(error),
            }
        }
        match refused {
            None if self.unconfirmed == 0 => Ok(left),
            None => Err(RestoreError::Unconfirmed { written: self.done.written, unconfirmed: self.unconfirmed }),
            Some(error) => Err(self.refused(error)),
        }
    }

    /// A register was made again; whether it is on the disk.
    fn note(&mut self, is_durable: bool) {
        if is_durable { self.done.written += 1 } else { self.unconfirmed += 1 }
    }

    fn refused(&self, error: ChangeError) -> RestoreError {
        RestoreError::Refused { written: self.done.written, error }
    }
}

/// Registers that are written at once: enough to share a commit, few beside what others may have waiting.
const BATCH: usize = 256;

/// For the disk to confirm a batch. A disk that takes longer is full, or fails.
const DISK_TIMEOUT: Duration = Duration::from_secs(10);

/// How often a batch is tried, while others change the same registers or take all room.
const ATTEMPTS_MAX: u32 = 100;

#[cfg(test)]
mod tests {
    use crate::{Live, Tidegate};

    use super::*;

    fn tide() -> Tidegate {
        Tidegate::builder().live(Live::in_memory()).without_locks().connect().unwrap()
    }

    fn backup_of(tide: &Tidegate) -> Vec<Register> {
        let mut text = Vec::new();
        tide.cluster().unwrap().backup(&mut text).unwrap();
        backup::read(&*text).unwrap().registers
    }

    #[test]
    fn a_kill_switch_that_is_used_while_a_restore_runs_stays_used() {
        let (one, other) = (tide(), tide());
        one.activate("known").send().unwrap();
        one.activate("new").send().unwrap();
        let registers = backup_of(&one);
        let newest = registers.iter().map(|register| register.stamp).max().unwrap();
        // Of two writes in the same millisecond the node with the greater id, a random one, has the newer.
        while backup_of(&other).iter().all(|register| register.stamp <= newest) {
            other.activate_percentage("known", 50).send().unwrap();
        }
        let cluster = other.cluster().unwrap();
        for overwrites in [false, true] {
            let mut restore = Restore::new(&cluster, overwrites, "dana", "a trial");
            // As if the flags were changed after the look at them and before the writes.
            let writes = restore.choose(registers.clone()).unwrap();
            assert_eq!(
                writes.len(),
                if overwrites { 2 } else { 1 },
                "what is newer here is left, but for `--overwrite`"
            );
            for flag in ["known", "new"] {
                other.deactivate(flag).send().unwrap();
            }
            let count = writes.len();
            let left = restore.write(writes).unwrap();
            assert_eq!((left.len(), restore.done.written), (count, 0), "each write found something else");
            assert!(!other.is_active("known") && !other.is_active("new"));
            other.clear("new").send().unwrap();
        }
        let restored = restored_into(&cluster, &registers);
        assert_eq!((restored.written, restored.left), (0, 2), "the kill switches are newer than the backup");
    }

    #[test]
    fn a_register_that_the_disk_has_not_confirmed_does_not_count_as_written() {
        let tide = Tidegate::builder().live(Live::in_memory()).without_locks().connect().unwrap();
        let cluster = tide.cluster().unwrap();
        let mut restore = Restore::new(&cluster, false, "dana", "a trial");
        for is_durable in [true, false, true] {
            restore.note(is_durable);
        }
        let ended = restore.write(Vec::new());
        assert!(matches!(ended, Err(RestoreError::Unconfirmed { written: 2, unconfirmed: 1 })), "{ended:?}");
    }

    fn restored_into(cluster: &Cluster, registers: &[Register]) -> Restored {
        let mut restore = Restore::new(cluster, false, "dana", "a trial");
        restore.batch(registers.to_vec()).unwrap();
        restore.done
    }

    #[test]
    fn a_restore_goes_on_where_one_before_it_stopped() {
        let (one, other) = (tide(), tide());
        for number in 0..600 {
            let entry = format!(r#"{{"stable": {number}}}"#);
            one.define(&format!("f{number}"), &entry).ack(Level::Local).send().unwrap();
        }
        let registers = backup_of(&one);
        let cluster = other.cluster().unwrap();
        assert_eq!(restored_into(&cluster, &registers[..400]).written, 400);
        let rest = restored_into(&cluster, &registers);
        assert_eq!((rest.written, rest.left), (200, 400));
        assert_eq!(other.get("flags", "f599", "k", 0), 599);
    }

    #[test]
    fn what_no_node_could_activate_is_not_restored() {
        let (one, other) = (tide(), tide());
        one.activate("x").send().unwrap();
        let mut registers = backup_of(&one);
        registers[0].value = Some(Arc::from(&br#"{"percentage":"half"}"#[..]));
        let cluster = other.cluster().unwrap();
        assert_eq!((restored_into(&cluster, &registers).unknown, cluster.status().unwrap().node.registers), (1, 0));
    }
}
