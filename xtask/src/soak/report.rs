//! What came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::fleet::Healed;

/// What came of one round.
#[derive(Clone, Debug, Default)]
pub(super) struct Outcome {
    /// How often the fault was done.
    pub(super) faults: u64,
    pub(super) acknowledged: u64,
    pub(super) refused: u64,
    /// Flags that lost what was acknowledged.
    pub(super) lost: Vec<String>,
    /// Flags that are not the same on all nodes.
    pub(super) divergent: u64,
    pub(super) reads: u64,
    /// Reads that were not answered by a node that was up.
    pub(super) failed_reads: u64,
    /// How long each round took to heal.
    pub(super) healed: Vec<Healed>,
}

/// What came of all rounds.
#[derive(Debug, Default)]
pub(super) struct Report(BTreeMap<&'static str, (u64, Outcome)>);

impl Outcome {
    fn holds(&self) -> bool {
        self.lost.is_empty() && self.divergent == 0 && self.failed_reads == 0
    }

    /// Seconds within which `percent` of a hundred rounds have healed.
    fn seconds(&self, percent: usize, of: impl Fn(&Healed) -> Duration) -> f64 {
        let mut all: Vec<Duration> = self.healed.iter().map(of).collect();
        all.sort_unstable();
        all.get((all.len() * percent).div_ceil(100).saturating_sub(1)).map_or(0.0, Duration::as_secs_f64)
    }
}

impl Report {
    pub(super) fn add(&mut self, fault: &'static str, outcome: &Outcome) {
        let (rounds, sum) = self.0.entry(fault).or_default();
        *rounds += 1;
        sum.faults += outcome.faults;
        sum.acknowledged += outcome.acknowledged;
        sum.refused += outcome.refused;
        sum.lost.extend(outcome.lost.iter().cloned());
        sum.divergent += outcome.divergent;
        sum.reads += outcome.reads;
        sum.failed_reads += outcome.failed_reads;
        sum.healed.extend(&outcome.healed);
    }

    pub(super) fn holds(&self) -> bool {
        self.0.values().all(|(_, outcome)| outcome.holds())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { faults, acknowledged, refused, lost, divergent, reads, failed_reads, .. } = self;
        let (agreed, in_reach) = (self.seconds(100, |one| one.agreed), self.seconds(100, |one| one.in_reach));
        write!(
            formatter,
            "{faults} faults, {acknowledged} acknowledged, {refused} refused, {reads} reads, agreed after {agreed:.2} s, \
             all in reach after {in_reach:.2} s"
        )?;
        if !self.holds() {
            write!(formatter, "; FAILED: {divergent} divergent, {failed_reads} failed reads, {} lost", lost.len())?;
            lost.iter().try_for_each(|lost| write!(formatter, "\n     {lost}"))?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "| fault | rounds | faults | acknowledged | refused | lost | divergent | reads | failed reads | agreed after: half, 99 %, all | connected |"
        )?;
        writeln!(formatter, "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")?;
        for (fault, (rounds, outcome)) in &self.0 {
            let Outcome { faults, acknowledged, refused, lost, divergent, reads, failed_reads, .. } = outcome;
            let lost = lost.len();
            let [half, most, all] = [50, 99, 100].map(|percent| outcome.seconds(percent, |one| one.agreed));
            let reach = outcome.seconds(100, |one| one.in_reach);
            writeln!(
                formatter,
                "| {fault} | {rounds} | {faults} | {acknowledged} | {refused} | {lost} | {divergent} | {reads} | {failed_reads} | {half:.1}, {most:.1}, {all:.1} s | {reach:.1} s |"
            )?;
        }
        Ok(())
    }
}
