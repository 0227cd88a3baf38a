//! The lease clocks on the disk: when this host last had a successful poll, and where each ramp's own clock was.
//!
//! Without them a restart would forget that the host is blind, and its ramps would jump ahead.

use serde::{Deserialize, Serialize};
use tidegate_engine::lease::{Clocks, LeaseRamp, MovedRamp, RollbackMark};
use tidegate_engine::{Micros, Span};

use crate::files::protected::{Fault, first_line, protected};

/// What the file says: instants and durations in microseconds.
#[derive(Deserialize, Serialize)]
struct File {
    fresh: Option<i64>,
    /// Lease, ramp's instant.
    ramps: Vec<(u64, i64)>,
    /// Lease, start of the rollback, ramp's instant then.
    marks: Vec<(u64, i64, i64)>,
    /// Flag, lease, ramp's instant, start of the rollback, ramp's instant then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    moved: Vec<Moved>,
}

type Moved = (Box<str>, u64, i64, Option<i64>, Option<i64>);

pub(super) fn to_text(clocks: &Clocks) -> String {
    let file = File {
        fresh: clocks.last_poll.map(Micros::get),
        ramps: clocks.ramps.iter().map(|ramp| (ramp.lease.get(), ramp.instant.get())).collect(),
        marks: clocks.marks.iter().map(|mark| (mark.lease.get(), mark.start.get(), mark.instant.get())).collect(),
        moved: clocks.moved.iter().map(moved).collect(),
    };
    // Numbers and names only: there is nothing in it that could fail.
    let mut json = serde_json::to_string(&file).unwrap_or_default();
    json.push('\n');
    first_line(MAGIC, VERSION, &[json.as_bytes()]) + &json
}

pub(super) fn parse(content: &[u8]) -> Result<Clocks, Fault> {
    let file: File = serde_json::from_slice(protected(content, MAGIC, VERSION)?).map_err(|_| Fault::Damaged)?;
    let ramp = |(lease, instant)| LeaseRamp { lease: Span::from_micros(lease), instant: Micros::new(instant) };
    let mark = |(lease, start, instant)| RollbackMark {
        lease: Span::from_micros(lease),
        start: Micros::new(start),
        instant: Micros::new(instant),
    };
    Ok(Clocks {
        last_poll: file.fresh.map(Micros::new),
        ramps: file.ramps.into_iter().map(ramp).collect(),
        marks: file.marks.into_iter().map(mark).collect(),
        moved: file
            .moved
            .into_iter()
            .map(|(flag, lease, instant, rollback, mark)| MovedRamp {
                flag,
                lease: Span::from_micros(lease),
                instant: Micros::new(instant),
                rollback: rollback.map(Micros::new),
                mark: mark.map(Micros::new),
            })
            .collect(),
        additional: Vec::new(),
    })
}

fn moved(ramp: &MovedRamp) -> Moved {
    let MovedRamp { flag, lease, instant, rollback, mark } = ramp;
    (flag.clone(), lease.get(), instant.get(), rollback.map(Micros::get), mark.map(Micros::get))
}

const MAGIC: &str = "tidegate-freshness";
const VERSION: u32 = 1;

/// Size of the largest file; each lease or rollback has about 60 bytes, and each flag with a ramp of its own some hundred
/// more, all flags of a document at most.
pub(super) const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
