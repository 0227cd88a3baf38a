//! A problem of a cluster, or of what it shares changes through.

use serde::{Deserialize, Serialize};

/// Something that is wrong.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ClusterProblem {
    /// What it is, as a word for programs, such as `no-majority`. The reference of the HTTP API lists them.
    pub code: String,
    /// The same for people, with what to do.
    pub message: String,
    /// Whether a person has to act. If not, it passes by itself, or is only to be known.
    pub needs_action: bool,
}
