//! The id of an event: up to where its reader knows all changes.
//!
//! On the node that has sent it, it names a place in that node's history, in the order in which changes came there: everything
//! after it is new. On other nodes the same changes came in another order. There the id's greatest stamp of each writer counts,
//! less a margin: a node may have had a change before an earlier one of the same writer, for as long as anti-entropy takes.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use tidegate::{NodeId, Stamp};

/// Up to where a reader knows all changes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Position {
    /// The node whose history the place is in.
    pub(super) node: NodeId,
    /// The place of the last change in that history; 0 before the first one.
    pub(super) place: u64,
    /// The stamp of the change there: another one stands there if the history is another one, restored from a copy.
    pub(super) stamp: Stamp,
    /// The documents, by their digest.
    pub(super) documents: u128,
    /// The greatest stamp of each writer.
    pub(super) latest: BTreeMap<NodeId, Stamp>,
}

/// The text is not the id of an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not the id of an event")]
pub(super) struct PositionError;

impl Position {
    /// The reader knows this change now.
    pub(super) fn note(&mut self, place: u64, stamp: Stamp) {
        (self.place, self.stamp) = (place, stamp);
        let latest = self.latest.entry(stamp.node()).or_insert(stamp);
        *latest = stamp.max(*latest);
        self.limit();
    }

    /// Keeps the writers with the greatest stamps.
    pub(super) fn limit(&mut self) {
        while self.latest.len() > WRITERS_MAX
            && let Some(oldest) = self.latest.values().min().copied()
        {
            self.latest.remove(&oldest.node());
        }
    }

    /// Whether the reader may not know this change, by the stamps alone.
    pub(super) fn may_lack(&self, stamp: Stamp) -> bool {
        let Some(latest) = self.latest.get(&stamp.node()) else { return true };
        let margin = (stamp.epoch(), stamp.millis().saturating_add(MARGIN_MS));
        *latest < stamp || margin > (latest.epoch(), latest.millis())
    }
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{:x}-{}-{:032x}", self.node, self.place, self.stamp, self.documents)?;
        self.latest.values().try_for_each(|stamp| write!(formatter, "-{stamp}"))
    }
}

impl FromStr for Position {
    type Err = PositionError;

    fn from_str(text: &str) -> Result<Self, PositionError> {
        let mut parts = text.split('-');
        let mut part = || parts.next().ok_or(PositionError);
        let node = part()?.parse().map_err(|_| PositionError)?;
        let place = u64::from_str_radix(part()?, 16).map_err(|_| PositionError)?;
        let stamp = part()?.parse().map_err(|_| PositionError)?;
        let documents = u128::from_str_radix(part()?, 16).map_err(|_| PositionError)?;
        let stamps = parts.map(|part| part.parse().map_err(|_| PositionError));
        let latest = stamps.map(|stamp: Result<Stamp, _>| stamp.map(|stamp| (stamp.node(), stamp)));
        let latest: BTreeMap<_, _> = latest.collect::<Result<_, _>>()?;
        if latest.len() > WRITERS_MAX {
            return Err(PositionError);
        }
        Ok(Self { node, place, stamp, documents, latest })
    }
}

/// Writers that an id lists, those with the greatest stamps: changes of others are sent again on another node. A cluster has some
/// fifty members, and an id of this many takes 2.5 kB of the head of a request.
const WRITERS_MAX: usize = 64;

/// How much later than another change of the same writer, by their stamps, a change may come to a node and still be sent to a
/// reader from another node. Anti-entropy takes seconds.
const MARGIN_MS: u64 = 60_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn stamp(epoch: u16, millis: u64, node: u64) -> Stamp {
        Stamp::new(epoch, millis, 0, NodeId::new(node))
    }

    fn position(latest: &[Stamp]) -> Position {
        let latest = latest.iter().map(|stamp| (stamp.node(), *stamp)).collect();
        Position { node: NodeId::new(1), place: 77, stamp: stamp(0, 5, 2), documents: u128::MAX, latest }
    }

    #[test]
    fn an_id_reads_back() {
        for latest in [&[][..], &[stamp(1, 2, 3)], &[stamp(0, u64::MAX, 1), stamp(9, 0, 2)]] {
            let position = position(latest);
            assert_eq!(position.to_string().parse(), Ok(position));
        }
        let text = position(&[stamp(1, 2, 3)]).to_string();
        for wrong in ["", "x", "1-2-3", &text[1..], &format!("{text}-"), &format!("{text}-00"), "-----"] {
            assert_eq!(wrong.parse::<Position>(), Err(PositionError), "`{wrong}`");
        }
    }

    #[test]
    fn a_change_is_lacked_after_the_writers_latest_stamp_or_shortly_before_it() {
        let position = position(&[stamp(1, 100_000, 3)]);
        for (found, is_lacked) in [
            (stamp(1, 100_001, 3), true),
            (stamp(2, 1, 3), true),
            (stamp(1, 40_001, 3), true),
            (stamp(1, 40_000, 3), false),
            (stamp(0, 200_000, 3), false),
            (stamp(0, 1, 4), true),
        ] {
            assert_eq!(position.may_lack(found), is_lacked, "{found}");
        }
    }

    #[test]
    fn an_id_has_a_bound() {
        let mut position = position(&[]);
        for node in 0..1_000 {
            position.note(node, stamp(0, 1_000_000 + node, node));
        }
        assert_eq!(position.latest.len(), WRITERS_MAX);
        assert!(position.may_lack(stamp(0, 1, 1)) && !position.may_lack(stamp(0, 900, 990)));
        assert!(position.to_string().len() < 2_600);
        assert_eq!(position.to_string().parse(), Ok(position));
    }
}
