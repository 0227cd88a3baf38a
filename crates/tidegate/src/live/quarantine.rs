//! Changes in quarantine: their stamps lie so far in the future that the clock of the node that made them was wrong.
//!
//! A quarantined change is not active. It becomes so when a person accepts it, or when its time has come and nothing newer
//! is there; it never does once a person has dropped it, or once the flag has changed since.

use std::fmt;
use std::str::FromStr;

use serde::Serialize;
use tidegate_engine::{FlagKey, Micros};
use tidegate_replica::{Resolution, Stamp};

use super::change_error::ChangeError;
use super::cluster::{Cluster, ClusterError};
use super::driver_view::DriverView;
use super::names::{NodeName, instant_of};
use super::receipt::Receipt;
use super::request::{Request, Resolve};
use super::text;
use super::value::{ChangeKind, RegisterValue};

/// A change in quarantine on this node; made by [`Cluster::quarantine`].
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct QuarantineEntry {
    /// The flag.
    #[serde(serialize_with = "text::serialize")]
    pub flag: FlagKey,
    /// What it changes.
    pub kind: ChangeKind,
    /// Its stamp.
    #[serde(serialize_with = "text::serialize")]
    pub stamp: Stamp,
    /// The instant that the stamp names: when the change becomes active by itself, less the drift that is allowed.
    pub at: Micros,
    /// The node that made it, whose clock was wrong.
    pub node: NodeName,
    /// The node that it came from.
    pub from: NodeName,
    /// When it came, by this host's clock.
    pub since: Micros,
    /// What it says, as in [`Record`](super::Record); none: it clears or removes.
    pub value: Option<RegisterValue>,
    /// Who made it.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// What becomes of a quarantined change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Verdict {
    /// It becomes active: its value is written again, with a stamp of now.
    Accept,
    /// It never becomes active: what is active here is written again, and supersedes it on all nodes.
    Drop,
}

impl FromStr for ChangeKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        match text {
            "activation" => Ok(Self::Activation),
            "definition" => Ok(Self::Definition),
            _ => Err(UnknownKind),
        }
    }
}

/// A text that names no kind of change.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("is neither `activation` nor `definition`")]
pub struct UnknownKind;

impl ChangeKind {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Activation => "activation",
            Self::Definition => "definition",
        }
    }
}

impl fmt::Display for ChangeKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.as_str())
    }
}

impl Cluster {
    /// The changes in quarantine on this node, in the order of their flags.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # let cluster = tide.cluster().unwrap();
    /// assert!(cluster.quarantine()?.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The thread of live changes has ended.
    pub fn quarantine(&self) -> Result<Vec<QuarantineEntry>, ClusterError> {
        self.query(|view| view.replica.quarantine().filter_map(|held| entry(&held, view)).collect())
    }

    /// Decides about a quarantined change of a flag; `kind` is needed where an activation and a definition of it are both in
    /// quarantine. The decision is a change itself, by `actor` and with `reason` in the history, and counts on all nodes.
    ///
    /// ```
    /// # use tidegate::{Live, Tidegate};
    /// # let tide = Tidegate::builder().live(Live::in_memory().name("one")).without_locks().connect()?;
    /// # let cluster = tide.cluster().unwrap();
    /// for entry in cluster.quarantine()? {
    ///     let flag_key = entry.flag.to_string();
    ///     cluster.resolve_quarantined(&flag_key, Some(entry.kind), tidegate::Verdict::Drop, "dana", "the clock of b was wrong")?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// Nothing of this flag is in quarantine, it is not clear which of two changes is meant, or the change is refused.
    pub fn resolve_quarantined(
        &self,
        flag_key: &str,
        kind: Option<ChangeKind>,
        verdict: Verdict,
        actor: &str,
        reason: &str,
    ) -> Result<Receipt, ClusterError> {
        let flag = FlagKey::parse(flag_key);
        let is_meant = |entry: &QuarantineEntry| entry.flag == flag && kind.is_none_or(|kind| kind == entry.kind);
        let held: Vec<QuarantineEntry> = self.quarantine()?.into_iter().filter(is_meant).collect();
        let [entry] = held.as_slice() else {
            let change = if held.is_empty() {
                ChangeError::NotQuarantined { flag }
            } else {
                ChangeError::QuarantinedTwice { flag }
            };
            return Err(change.into());
        };
        let resolution = match verdict {
            Verdict::Accept => Resolution::Accept,
            Verdict::Drop => Resolution::Drop,
        };
        let key = entry.kind.key(&flag);
        let (actor, reason) = (actor.into(), reason.into());
        let (stamp, changed) = (entry.stamp, flag.clone());
        let done = self.change(|reply| {
            Request::Resolve(Box::new(Resolve { flag: changed, key, stamp, resolution, actor, reason, reply }))
        })?;
        Ok(Receipt::new(flag, done))
    }
}

fn entry(held: &tidegate_replica::Quarantined, view: &DriverView<'_>) -> Option<QuarantineEntry> {
    // Changes of a kind that only a newer version knows are decided about there.
    let (kind, flag) = ChangeKind::from_key(&held.key)?;
    let register = view.replica.quarantined(&held.key)?;
    Some(QuarantineEntry {
        flag,
        kind,
        stamp: held.stamp,
        at: instant_of(held.stamp),
        node: NodeName::new(held.stamp.node(), view.names),
        from: NodeName::new(held.from, view.names),
        since: Micros::new(i64::try_from(held.since_ms).unwrap_or(i64::MAX).saturating_mul(1_000)),
        value: register.value.as_deref().and_then(|value| RegisterValue::from_bytes(kind, value)),
        actor: register.actor.to_string(),
        reason: register.reason.to_string(),
    })
}
