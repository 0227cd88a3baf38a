//! Tidegate: the library, and the engine alone for what is loaded.

use tidegate::Tidegate;
use tidegate_engine::lease::Clocks;
use tidegate_engine::{Micros, Moment, Snapshot, Subject};

use crate::flags::{BEGIN, Flag, Rule, SCHEDULE, Step};
use crate::library::Library;

/// The library as a program uses it, with the flag keys of all flags.
pub(crate) struct Whole {
    pub(crate) tide: Tidegate,
    flag_keys: Vec<String>,
}

/// A loaded document without the threads that keep it up to date.
pub(crate) struct Engine(Snapshot);

impl Library for Whole {
    const HAS_STEPS: bool = true;

    fn text(flags: &[Flag]) -> String {
        let entries: Vec<String> = flags.iter().map(|flag| format!("\"{}\":{}", flag.name, entry(flag))).collect();
        format!("{{\"features\":{{{}}}}}", entries.join(","))
    }

    fn load(text: &str) -> Self {
        let tide = Tidegate::builder().text(text).without_locks().connect().expect("a text is always there");
        let flag_keys = tide.view().snapshot().flags().map(|flag| flag.key().to_string()).collect();
        Self { tide, flag_keys }
    }

    fn is_on(&self, flag: &str, key: &str) -> bool {
        self.tide.is_active_for(flag, key)
    }

    fn count_on(&self, key: &str) -> usize {
        let view = self.tide.view();
        let user = view.for_key(key);
        self.flag_keys.iter().filter(|flag_key| user.is_active_for_key(flag_key)).count()
    }
}

impl Whole {
    /// The same as `count_on` without the names.
    pub(crate) fn count_by_index(&self, key: &str) -> usize {
        let view = self.tide.view();
        count(view.snapshot(), key, &view.moment())
    }
}

impl Library for Engine {
    const HAS_STEPS: bool = true;

    fn text(flags: &[Flag]) -> String {
        Whole::text(flags)
    }

    fn load(text: &str) -> Self {
        Self(tidegate_bench::load(text))
    }

    fn is_on(&self, flag: &str, key: &str) -> bool {
        let decision = self.0.evaluate(self.0.find("features", flag), &Subject::key(key), &now());
        decision.answer.as_bool() == Some(true)
    }

    fn count_on(&self, key: &str) -> usize {
        count(&self.0, key, &now())
    }
}

/// An instant in the second of the steps, for the checks of what the engine answers.
fn now() -> Moment<'static> {
    static CLOCKS: Clocks = Clocks::synced();
    Moment { now: Micros::new(1_767_225_600_000_000), leases: &CLOCKS }
}

fn count(snapshot: &Snapshot, key: &str, moment: &Moment<'_>) -> usize {
    let subject = Subject::key(key);
    let is_on = |index| snapshot.evaluate(Some(index), &subject, moment).answer.as_bool() == Some(true);
    snapshot.flags().filter(|flag| is_on(flag.index())).count()
}

fn entry(flag: &Flag) -> String {
    match flag.rule {
        Rule::On => r#"{"stable":false,"new":true,"lock":"new"}"#.to_owned(),
        Rule::Off => r#"{"stable":false,"new":true,"lock":"stable"}"#.to_owned(),
        Rule::Share(share) => format!(
            r#"{{"stable":false,"new":true,"start_time":"2020-01-01 00:00Z","duration":"1d","end_pct":{share},"salt":"{}"}}"#,
            flag.name
        ),
        Rule::Steps => {
            let mut begin = BEGIN.end;
            let step = |step: Step| {
                let days = (step.end - begin) / 86_400;
                begin = step.end;
                format!(r#"{{"pct":{},"hold":"{days}d"}}"#, step.share)
            };
            let steps: Vec<String> = SCHEDULE.into_iter().map(step).collect();
            format!(
                r#"{{"stable":false,"new":true,"start_time":"2020-01-01 00:00Z","steps":[{}],"salt":"{}"}}"#,
                steps.join(","),
                flag.name
            )
        }
    }
}
