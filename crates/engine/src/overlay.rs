//! What stands above the document: locks of this host, and the operator's dial.

use crate::{FlagKey, Micros, Share, Variant};

/// Everything that overrides the document of a snapshot.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overlay {
    /// Overrides of single flags on this host. Of two locks on one flag the later in the list counts.
    pub locks: Vec<HostLock>,
    /// Live dials of single flags. Of two dials on one flag the later in the list counts.
    pub activations: Vec<(FlagKey, Activation)>,
    /// The shares of flags of which nobody has said anything: no document defines them, and no dial of theirs is in
    /// force. Of two for one flag the later in the list counts.
    pub defaults: Vec<(FlagKey, Share)>,
}

/// A pin of one flag on this host; it goes before everything else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostLock {
    /// The flag.
    pub flag: FlagKey,
    /// What it is locked to.
    pub pin: Pin,
    /// Who locked it.
    pub who: String,
    /// Why.
    pub why: String,
    /// The lock is in force while now is before this; `None`: until it is taken away.
    pub until: Option<Micros>,
}

/// What a host lock overrides a flag to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Pin {
    /// One of the flag's own values. Of a flag that nobody knows it says nothing.
    Variant(Variant),
    /// This value, compact JSON text; works for a flag that nobody knows yet.
    Value(Box<str>),
}

/// The operator's live dial on a flag: a share that takes over from the ramp.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Activation {
    /// The share; [`Share::ZERO`] is `stable` for everyone, [`Share::FULL`] is `new` for everyone.
    pub share: Share,
    /// The dial is in force while now is before this; `None`: until it is cleared.
    pub until: Option<Micros>,
    /// Whether the flag had a definition when the dial was set. If it had and none is loaded, the answer is
    /// the caller's default; if it had none, the flag is the boolean flag `false`/`true`.
    pub defined: bool,
}
