//! Two documents in turn: an origin behind a balancer with one stale machine, or a deployment under way.
//!
//! A fleet that follows it moves back and forth with every poll. Going back to a document that was active
//! a moment ago is legal once or twice (an operator undoes a change, and redoes it); after that, a change must
//! be seen at two polls in a row before it is taken.

use std::collections::VecDeque;

use tidegate_engine::{Micros, Span};

/// Watches the order of documents. Digests are those of [`crate::ingest::source::body_digest`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Damper {
    /// Documents taken lately, the active one last.
    taken: VecDeque<u128>,
    /// When each of the latest returns happened.
    returns: VecDeque<Micros>,
    /// A document that was held back, to be taken if the next poll shows it again.
    held: Option<u128>,
    returns_total: u64,
}

/// What to do with a document.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// It is the active one already.
    Same,
    /// Take it.
    Take,
    /// Leave it for now, and keep the tag of the active one.
    Hold,
}

impl Damper {
    /// Judges the document that a poll has brought at `now`. Only documents that pass all other checks are
    /// asked about; a refused one is not a word about the order.
    pub(crate) fn check(&mut self, digest: u128, now: Micros) -> Verdict {
        if self.taken.back() == Some(&digest) {
            self.held = None;
            return Verdict::Same;
        }
        let is_return = self.taken.contains(&digest);
        let is_confirmed = self.held == Some(digest);
        while self.returns.front().is_some_and(|at| now.since(*at) > MEMORY) {
            self.returns.pop_front();
        }
        if is_return && !is_confirmed {
            self.returns_total += 1;
            self.returns.push_back(now);
            if self.returns.len() > RETURNS_FREE {
                self.returns.pop_front();
                self.held = Some(digest);
                return Verdict::Hold;
            }
        }
        self.held = None;
        self.taken.push_back(digest);
        if self.taken.len() > DOCUMENTS_REMEMBERED {
            self.taken.pop_front();
        }
        Verdict::Take
    }

    /// Says that a poll has found the active document unchanged.
    pub(crate) fn unchanged(&mut self) {
        self.held = None;
    }

    /// How often an earlier document came back, since the start.
    pub(crate) fn returns(&self) -> u64 {
        self.returns_total
    }
}

/// Returns within [`MEMORY`] that are taken at once.
const RETURNS_FREE: usize = 2;

/// How long a return counts.
const MEMORY: Span = Span::from_micros(60 * 60 * 1_000_000);

/// Documents of which a return is recognised.
const DOCUMENTS_REMEMBERED: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    /// `script`: letters are documents seen by polls a minute apart, `=` a poll that found nothing new.
    fn check(script: &str, verdicts: &str) {
        let mut damper = Damper::default();
        let mut given = String::new();
        for (minute, letter) in (0..).zip(script.chars()) {
            let now = Micros::new(minute * 60_000_000);
            given.push(match letter {
                '=' => {
                    damper.unchanged();
                    '='
                }
                letter => match damper.check(u128::from(u32::from(letter)), now) {
                    Verdict::Same => '=',
                    Verdict::Take => 't',
                    Verdict::Hold => 'h',
                },
            });
        }
        assert_eq!(given, verdicts, "{script}");
    }

    #[test]
    fn new_documents_are_taken_at_once() {
        check("abcdefghijkl", "tttttttttttt");
        check("aabbbc", "t=t==t");
    }

    #[test]
    fn undo_and_redo_are_taken_at_once() {
        check("aba=b", "ttt=t");
    }

    #[test]
    fn two_in_turn_are_damped_and_the_last_to_stay_wins() {
        check("abababababab", "tttth=h=h=h=");
        check("ababaabb", "tttththt");
        check("abababbaa", "tttth==ht");
    }

    #[test]
    fn returns_are_forgotten_after_an_hour() {
        let quiet = "=".repeat(61);
        check(&format!("abab{quiet}a"), &format!("tttt{quiet}t"));
    }

    #[test]
    fn returns_are_counted() {
        let mut damper = Damper::default();
        for (minute, digest) in [1, 2, 1, 2, 1, 2, 3].into_iter().enumerate() {
            damper.check(digest, Micros::new(i64::try_from(minute).unwrap() * 60_000_000));
        }
        assert_eq!(damper.returns(), 3);
    }
}
