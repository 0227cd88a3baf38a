//! Overrides: locks of this host and operators' activations, which take precedence over documents.

use crate::{FlagKey, Micros, Share, Variant};

/// Everything that overrides the documents of a snapshot, for [`Snapshot::overlaid`](crate::Snapshot::overlaid).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay {
    /// Locks of this host. Of two locks on one flag the later in the list counts.
    pub locks: Vec<HostLock>,
    /// Activations by operators. Of two activations of one flag the later in the list counts.
    pub activations: Vec<(FlagKey, Activation)>,
    /// Shares that the embedding program gives to flags which no document defines and which have no active activation.
    /// Of two for one flag the later in the list counts.
    pub defaults: Vec<(FlagKey, Share)>,
}

/// A lock: pins one flag on this host. It takes precedence over everything else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostLock {
    /// The flag.
    pub flag: FlagKey,
    /// What it is locked to.
    pub pin: Pin,
    /// Who locked it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The lock is active while now is before this instant; `None`: until the lock is removed.
    pub until: Option<Micros>,
}

/// What a lock pins a flag to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Pin {
    /// One of the flag's own values. It has no effect on a flag that is not defined.
    Variant(Variant),
    /// This value, compact JSON text; it has an effect on flags that are not defined, too.
    Value(Box<str>),
}

/// An activation: an operator's override of one flag. Its share replaces the ramp's while it is active.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Activation {
    /// The share; [`Share::ZERO`] is `stable` for everyone, [`Share::FULL`] is `new` for everyone.
    pub share: Share,
    /// The activation is active while now is before this instant; `None`: until the activation is removed.
    pub until: Option<Micros>,
    /// Whether the flag had a definition when the activation was set. If it had one and none is loaded, the answer is
    /// the caller's default, because its values are unknown; if it had none, the flag is the boolean flag `false`/`true`.
    pub defined: bool,
}
