//! What came of it.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

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
    /// From the end of the fault until all nodes held the same.
    pub(super) convergence: Duration,
}

/// What came of all rounds.
#[derive(Debug, Default)]
pub(super) struct Report(BTreeMap<&'static str, (u64, Outcome)>);

impl Outcome {
    fn holds(&self) -> bool {
        self.lost.is_empty() && self.divergent == 0 && self.failed_reads == 0
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
        sum.convergence = sum.convergence.max(outcome.convergence);
    }

    pub(super) fn holds(&self) -> bool {
        self.0.values().all(|(_, outcome)| outcome.holds())
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { faults, acknowledged, refused, lost, divergent, reads, failed_reads, convergence } = self;
        let ms = convergence.as_millis();
        write!(
            formatter,
            "{faults} faults, {acknowledged} acknowledged, {refused} refused, {reads} reads, agreed after {ms} ms"
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
            "| fault | rounds | faults | acknowledged | refused | lost | divergent | reads | failed reads | agreed after, at most |"
        )?;
        writeln!(formatter, "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")?;
        for (fault, (rounds, outcome)) in &self.0 {
            let Outcome { faults, acknowledged, refused, lost, divergent, reads, failed_reads, convergence } = outcome;
            let (lost, seconds) = (lost.len(), convergence.as_secs_f64());
            writeln!(
                formatter,
                "| {fault} | {rounds} | {faults} | {acknowledged} | {refused} | {lost} | {divergent} | {reads} | {failed_reads} | {seconds:.1} s |"
            )?;
        }
        Ok(())
    }
}
