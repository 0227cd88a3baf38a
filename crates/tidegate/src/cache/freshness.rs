//! The lease clocks on the disk: when this host last had a fresh word, and where each ramp's own clock was.
//!
//! Without them a restart would forget that the host is blind, and its ramps would jump ahead.

use serde::{Deserialize, Serialize};

use super::Fault;
use super::record::{checksum, protected};

/// The state of the lease clocks, in plain numbers: instants and durations in microseconds.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Freshness {
    /// The instant of the last fresh word.
    pub(crate) fresh: i64,
    /// For each lease in use (its duration) the ramp's instant at the last fresh word.
    pub(crate) ramps: Vec<(u64, i64)>,
    /// For rollbacks that have begun: which one, the ramp's instant at its start, and its start.
    pub(crate) marks: Vec<(u64, i64, i64)>,
}

impl Freshness {
    pub(super) fn to_text(&self) -> String {
        // Numbers only: there is nothing in it that could fail.
        let mut json = serde_json::to_string(self).unwrap_or_default();
        json.push('\n');
        format!("{MAGIC} {VERSION} {:032x}\n{json}", checksum(VERSION, &[json.as_bytes()]))
    }

    pub(super) fn parse(content: &[u8]) -> Result<Self, Fault> {
        let json = protected(content, MAGIC, VERSION)?;
        serde_json::from_slice(json).map_err(|_| Fault::Damaged)
    }
}

const MAGIC: &str = "tidegate-freshness";
const VERSION: u32 = 1;

/// Size of the largest file; each lease or rollback has about 40 bytes.
pub(super) const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;
