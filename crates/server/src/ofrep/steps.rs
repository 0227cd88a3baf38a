//! When clients should ask again: after a change, and while a ramp moves, at each whole per cent of it.

use std::collections::{BTreeMap, BTreeSet};

use tidegate::{Changes, FlagKey, Micros, View};
use tidegate_engine::{Flag, Moment};

/// The sections of which clients should ask again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Due {
    /// These.
    Sections(BTreeSet<String>),
    /// More than are named.
    All,
}

/// What clients were told of, so that they hear of what is different.
#[derive(Debug)]
pub(super) struct Steps {
    /// What the last change has left.
    view: View,
    moving: BTreeMap<FlagKey, Moving>,
}

/// A flag that changes by itself, now or later.
#[derive(Clone, Copy, Debug)]
struct Moving {
    /// The whole per cents of its share, and of the shares of its rules that have a ramp.
    percent: u64,
    /// The next turn of one of these shares.
    next: Micros,
}

impl Due {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Sections(sections) if sections.is_empty())
    }
}

impl Steps {
    pub(super) fn new(view: View) -> Self {
        let flags = view.snapshot().flags();
        let moving = flags.filter_map(|flag| Some((flag.key(), Moving::new(&flag, &view.moment())?))).collect();
        Self { view, moving }
    }

    /// Whether any flag changes by itself.
    pub(super) fn is_moving(&self) -> bool {
        !self.moving.is_empty()
    }

    /// The sections with a flag for clients that a change is about, before it or after it.
    pub(super) fn after_change(&mut self, changes: &Changes, view: View) -> Due {
        let Some(listed) = changes.flags.listed() else {
            *self = Self::new(view);
            return Due::All;
        };
        let mut due = BTreeSet::new();
        for key in listed {
            let now = find(&view, key);
            let is_seen = |flag: Option<Flag<'_>>| flag.is_some_and(|flag| flag.is_for_clients());
            if is_seen(now) || is_seen(find(&self.view, key)) {
                due.insert(key.section().to_owned());
            }
            match now.and_then(|flag| Moving::new(&flag, &view.moment())) {
                Some(moving) => self.moving.insert(key.clone(), moving),
                None => self.moving.remove(key),
            };
        }
        self.view = view;
        Due::Sections(due)
    }

    /// The sections with a flag for clients whose share, or the share of a flag that its rules ask for, has come to another
    /// whole per cent or to another stretch of its ramp.
    pub(super) fn after_time(&mut self, view: &View) -> Due {
        let moment = view.moment();
        let mut due = Vec::new();
        self.moving.retain(|key, moving| {
            let now = find(view, key).and_then(|flag| Moving::new(&flag, &moment));
            if now.is_none_or(|now| now.percent != moving.percent) || moving.next <= moment.now {
                due.push(key.clone());
            }
            now.map(|now| *moving = now).is_some()
        });
        let Some(due) = view.snapshot().with_dependents(due, DUE_MAX) else { return Due::All };
        let is_for_clients = |key: &&FlagKey| find(view, key).is_some_and(|flag| flag.is_for_clients());
        Due::Sections(due.iter().filter(is_for_clients).map(|key| key.section().to_owned()).collect())
    }
}

impl Moving {
    /// None for a flag that does not change by itself any more. A flag that clients do not see counts: rules of flags that
    /// they see may ask for it.
    fn new(flag: &Flag<'_>, moment: &Moment<'_>) -> Option<Self> {
        let rules = 0..flag.targeting().map_or(0, |targeting| targeting.rules.len());
        let next_of_rules = rules.clone().filter_map(|rule| flag.next_rule_change(rule, moment));
        let next = flag.next_change(moment).into_iter().chain(next_of_rules).map(|change| change.at).min()?;
        let shares =
            std::iter::once(flag.share_at(moment)).chain(rules.filter_map(|rule| flag.rule_share_at(rule, moment)));
        let percent = shares.map(|share| share.get().saturating_mul(100) >> 32).fold(0, u64::saturating_add);
        Some(Self { percent, next })
    }
}

/// Flags that are due at one instant, above which all clients ask again.
const DUE_MAX: usize = 1_000;

fn find<'v>(view: &'v View, key: &FlagKey) -> Option<Flag<'v>> {
    let snapshot = view.snapshot();
    snapshot.find(key.section(), key.flag()).map(|index| snapshot.flag(index))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidegate::{Clock, Live, Tidegate, parse_time};

    use super::*;

    const DOCUMENT: &str = r#"{
        "shop": {"ramp": {"stable": 1, "new": 2, "start_time": "2040-01-01 00:00Z", "duration": "100h"}, "fixed": {"stable": 1}},
        "hidden": {"ramp": {"stable": 1, "new": 2, "start_time": "2040-01-01 00:00Z", "duration": "100h", "visibility": "server"}}
    }"#;

    fn sections(due: Due) -> Vec<String> {
        match due {
            Due::Sections(sections) => sections.into_iter().collect(),
            Due::All => vec!["*".to_owned()],
        }
    }

    #[test]
    fn a_ramp_is_due_at_its_start_at_each_per_cent_and_at_its_end() {
        let clock = Clock::manual(parse_time("2039-12-31 23:00Z").unwrap());
        let tide = Tidegate::builder().text(DOCUMENT).clock(clock.clone()).without_locks().connect().unwrap();
        let mut steps = Steps::new(tide.view());
        let mut after = |minutes: u64| {
            clock.advance(Duration::from_mins(minutes));
            sections(steps.after_time(&tide.view()))
        };
        assert_eq!(after(59), Vec::<String>::new(), "before the start");
        assert_eq!(after(1), ["shop"], "at the start");
        assert_eq!(after(58), Vec::<String>::new(), "within a per cent");
        assert_eq!(after(3), ["shop"], "the first per cent");
        assert_eq!(after(1), Vec::<String>::new());
        assert_eq!(after(60 * 50), ["shop"], "many at once");
        assert_eq!(after(60 * 50), ["shop"], "the end");
        assert_eq!(after(60 * 50), Vec::<String>::new());
        assert!(!steps.is_moving());
    }

    #[test]
    fn the_ramp_of_a_rule_is_due_like_that_of_its_flag() {
        let text = r#"{"shop": {"x": {"stable": 1, "new": 2, "rules": [{"name": "r", "when": {"attribute": "plan", "is": "p"},
            "serve": {"ramp": {"start_time": "2040-01-01 00:00Z", "duration": "100h"}}}]}}}"#;
        let clock = Clock::manual(parse_time("2040-01-01 00:30Z").unwrap());
        let tide = Tidegate::builder().text(text).clock(clock.clone()).without_locks().connect().unwrap();
        let mut steps = Steps::new(tide.view());
        let mut after = |minutes: u64| {
            clock.advance(Duration::from_mins(minutes));
            sections(steps.after_time(&tide.view()))
        };
        assert_eq!(after(10), Vec::<String>::new(), "within a per cent");
        assert_eq!(after(60), ["shop"], "a per cent");
        assert_eq!(after(60 * 100), ["shop"], "the end");
    }

    #[test]
    fn what_moves_a_hidden_flag_is_due_for_the_flags_that_ask_for_it() {
        let text = r#"{
            "hidden": {"ramp": {"stable": 1, "new": 2, "start_time": "2040-01-01 00:00Z", "duration": "100h", "visibility": "server"}},
            "shop": {"x": {"stable": 1, "new": 2, "rules": [{"name": "r", "when": {"flag": "hidden/ramp", "is": "new"}, "serve": "new"}]}}
        }"#;
        let clock = Clock::manual(parse_time("2040-01-01 00:30Z").unwrap());
        let live = Live::in_memory().name("one");
        let builder = Tidegate::builder().text(text).live(live).without_locks().without_cache();
        let tide = builder.clock(clock.clone()).connect().unwrap();
        let (mut subscription, mut steps) = (tide.subscribe(), Steps::new(tide.view()));
        clock.advance(Duration::from_mins(10));
        assert_eq!(sections(steps.after_time(&tide.view())), Vec::<String>::new(), "within a per cent");
        clock.advance(Duration::from_hours(1));
        assert_eq!(sections(steps.after_time(&tide.view())), ["shop"], "a per cent of the hidden ramp");
        tide.deactivate("hidden/ramp").send().unwrap();
        let due = steps.after_change(&subscription.recv().unwrap(), tide.view());
        assert_eq!(sections(due), ["shop"]);
    }

    #[test]
    fn a_change_is_due_for_sections_whose_clients_see_it() {
        let live = Live::in_memory().name("one");
        let tide = Tidegate::builder().text(DOCUMENT).live(live).without_locks().without_cache().connect().unwrap();
        let (mut subscription, mut steps) = (tide.subscribe(), Steps::new(tide.view()));
        let mut after = |change: tidegate::Change| {
            change.send().unwrap();
            sections(steps.after_change(&subscription.recv().unwrap(), tide.view()))
        };
        assert_eq!(after(tide.activate("shop/fixed")), ["shop"]);
        assert_eq!(after(tide.activate("hidden/ramp")), Vec::<String>::new());
        assert_eq!(after(tide.define("a/b", r#"{"stable": 1}"#)), ["a"]);
        assert_eq!(after(tide.define("a/b", r#"{"stable": 1, "visibility": "server"}"#)), ["a"], "it vanishes");
        assert_eq!(after(tide.define("a/b", r#"{"stable": 2, "visibility": "server"}"#)), Vec::<String>::new());
        assert_eq!(after(tide.define("a/b", r#"{"stable": 2}"#)), ["a"], "it appears");
        assert_eq!(after(tide.remove("a/b")), ["a"]);
    }
}
