//! What was acknowledged, held against what the nodes have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

/// All changes of a run.
#[derive(Debug, Default)]
pub(super) struct Ledger(Mutex<Pages>);

#[derive(Debug, Default)]
struct Pages {
    /// Of each flag the greatest stamp that was acknowledged, and the percentage under it.
    last: BTreeMap<usize, (String, String)>,
    /// Changes whose outcome is unknown: there was no answer, or no member had them on its disk yet.
    doubtful: BTreeSet<(usize, String)>,
    acknowledged: u64,
    refused: u64,
}

/// What stands at a node.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Standing {
    pub(super) stamp: String,
    pub(super) percentage: String,
}

impl Ledger {
    /// A change that is on at least one disk.
    pub(super) fn acknowledged(&self, flag: usize, percentage: &str, stamp: &str) {
        let mut pages = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        pages.acknowledged += 1;
        let last = pages.last.entry(flag).or_default();
        if stamp > last.0.as_str() {
            *last = (stamp.to_owned(), percentage.to_owned());
        }
    }

    /// A change whose outcome is unknown.
    pub(super) fn doubtful(&self, flag: usize, percentage: &str) {
        let mut pages = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        pages.doubtful.insert((flag, percentage.to_owned()));
    }

    /// A change that was refused, and must not be there.
    pub(super) fn refused(&self) {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).refused += 1;
    }

    /// How many were acknowledged, and how many refused.
    pub(super) fn counts(&self) -> (u64, u64) {
        let pages = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        (pages.acknowledged, pages.refused)
    }

    /// Flags whose standing is not what was acknowledged: lost, or never asked for.
    pub(super) fn wrong(&self, standing: &BTreeMap<usize, Standing>) -> Vec<String> {
        let pages = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut wrong = Vec::new();
        for (flag, (stamp, percentage)) in &pages.last {
            match standing.get(flag) {
                None => wrong.push(format!("f{flag} is gone; {percentage} % was acknowledged under {stamp}")),
                Some(found) if found.stamp < *stamp => {
                    wrong.push(format!("f{flag} lost {percentage} % of {stamp}: it stands at {found:?}"));
                }
                Some(found) if found.stamp == *stamp && found.percentage != *percentage => {
                    wrong.push(format!("f{flag} has two values under {stamp}: {percentage} % and {found:?}"));
                }
                Some(found) if found.stamp > *stamp => {
                    if !pages.doubtful.contains(&(*flag, found.percentage.clone())) {
                        wrong.push(format!("f{flag} stands at {found:?}, which no client has requested since {stamp}"));
                    }
                }
                Some(_) => {}
            }
        }
        wrong
    }
}
