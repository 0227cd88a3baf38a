//! `tidegate watch`: streams changes as JSON lines.

mod changes;
mod inbox;
mod lines;
mod remote;

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use tidegate::{Clock, Health, Tidegate};
use tidegate_engine::{FlagKey, Micros, Moment, Span};

use crate::args::{AttributesArg, KeyArg, Query, QueryArgs, SourceArgs, duration};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::source;
use crate::text::escape;
use inbox::{Inbox, Input};
use lines::{DocumentLine, SourceLine, ValueLine};

/// Stream changes as JSON lines
#[derive(Clone, Debug, clap::Args)]
#[command(
    override_usage = "tidegate watch [OPTIONS] <SOURCE> [SECTION] [FLAG]
       tidegate watch [OPTIONS] --server <URL> [FLAG_KEY]",
    after_help = "\
Examples:
  tidegate watch https://flags.example/app.json features/new_login --key alice
  tidegate watch flags.json features new_login --poll 5s | while read -r event; do ...; done
  tidegate watch flags.json
  tidegate watch --server 127.0.0.1:8080 features/new_login --key alice

With a flag, the first line is its current value, `{\"event\": \"value\", ...}`, and another line follows at each change of \
the value, also when the ramp flips this key; `at` is the instant of the change. An event `document` reports that another \
document has become active, an event `source` that the health of the source has changed: fresh, stale, refused. Without a flag \
both are also printed at the start. A change of the system clock is noticed within a second.

With --server, or with TIDEGATE_SERVER and no SOURCE, changes made on any node are printed at once. An event `source` reports \
that the server is unreachable (stale) or reachable again (fresh). Without a flag, an event `change` reports each \
change with its flag, its kind (activation, definition, document, lock), the old and the new value, actor, reason, node and stamp; \
changes that are made while the connection is broken follow when it is back. With TIDEGATE_SERVER set, a single argument is a SOURCE if it is a URL, `-` or an \
existing file, and otherwise a flag.

The command ends with exit code 0 when it is interrupted, or when its output is closed."
)]
pub(crate) struct Args {
    #[command(flatten)]
    query: QueryArgs,

    #[command(flatten)]
    key: KeyArg,

    #[command(flatten)]
    attributes: AttributesArg,

    /// Poll the source every DURATION [default: 1m; files 1s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    poll: Option<Span>,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let asked = args.query.with_optional_flag()?;
    if matches!(&asked, Query::Document(_, None) | Query::Server(_, None)) && args.key.key.is_some() {
        return Err(Failure::usage("--key needs a flag").help("add the flag"));
    }
    if matches!(&asked, Query::Document(_, None) | Query::Server(_, None)) && args.attributes.text().is_some() {
        return Err(Failure::usage("--attributes needs a flag").help("add the flag"));
    }
    match asked {
        Query::Document(source, flag) => watch_document(&source, flag, args, output),
        Query::Server(..) if args.poll.is_some() => {
            Err(Failure::usage("--poll cannot be used with --server").help("a server sends its changes by itself"))
        }
        Query::Server(address, Some(flag)) => remote::watch(address, flag, args, output),
        Query::Server(address, None) => changes::watch(&address, source::duration(args.query.options.timeout), output),
    }
}

fn watch_document(source: &SourceArgs, flag: Option<FlagKey>, args: &Args, output: &mut Output) -> Outcome {
    let mut builder = source::open(&source.source, &source.options, output)?.builder;
    if let Some(poll) = args.poll {
        if poll < POLL_MIN {
            return Err(Failure::usage(format_args!("--poll is below {POLL_MIN}")).help("use a longer interval"));
        }
        builder = builder.poll_interval(source::duration(poll));
    }
    let tide = source::connect(builder.startup_wait(source::duration(source.options.timeout)))?;
    source::refuse_unknown_locks(&tide.status())?;
    let inbox = Inbox::new()?;
    inbox.forward_subscription(tide.subscribe())?;
    let clock = Clock::system();
    let mut watch = Watch {
        tide,
        clock,
        flag,
        key: args.key.or_host(),
        attributes: args.attributes.clone(),
        last: None,
        health: None,
    };
    watch.print_first(output)?;
    loop {
        output.flush()?;
        match inbox.wait(watch.time_left()) {
            Ok(Input::Changes(changes)) => {
                // A new document may have changed the value, so its line comes first.
                if changes.document {
                    watch.print_document(output)?;
                }
                if changes.health {
                    watch.print_source(output)?;
                }
                if changes.locks {
                    watch.warn_of_locks(output);
                }
                watch.print_value_now(output)?;
            }
            Err(RecvTimeoutError::Timeout) => watch.print_due_flips(output)?,
            Ok(Input::Server(_)) => {}
            Ok(Input::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(Exit::Success),
        }
    }
}

/// What is watched, and what was printed last.
struct Watch {
    tide: Tidegate,
    clock: Clock,
    flag: Option<FlagKey>,
    key: String,
    attributes: AttributesArg,
    last: Option<LastValue>,
    health: Option<Health>,
}

/// The last value that was printed.
struct LastValue {
    value: ValueLine,
    /// When it changes by itself; the document or the locks may change it earlier.
    until: Option<Micros>,
}

impl Watch {
    fn print_first(&mut self, output: &mut Output) -> Result<(), Failure> {
        self.print_value_now(output)?;
        if self.flag.is_none() {
            self.print_document(output)?;
        }
        let is_fresh = self.tide.status().health == Health::Fresh;
        if self.flag.is_none() || !is_fresh { self.print_source(output) } else { Ok(()) }
    }

    /// The time until the next flip; at most [`CLOCK_CHECK_MAX`], because clocks may be set.
    fn time_left(&self) -> Duration {
        let until = self.last.as_ref().and_then(|last| last.until);
        until.map_or(CLOCK_CHECK_MAX, |until| source::duration(until.since(self.clock.now())).min(CLOCK_CHECK_MAX))
    }

    /// Prints each flip that is due, at its own instant, and then the current value.
    fn print_due_flips(&mut self, output: &mut Output) -> Result<(), Failure> {
        self.new_values().iter().try_for_each(|value| output.json(value))
    }

    fn print_value_now(&mut self, output: &mut Output) -> Result<(), Failure> {
        match self.value_at(self.clock.now()) {
            Some(value) => output.json(&value),
            None => Ok(()),
        }
    }

    /// The values since the last one that was printed: one for each flip that is due, at its own instant, and then the current
    /// value, which also differs if the clock was set back.
    fn new_values(&mut self) -> Vec<ValueLine> {
        let now = self.clock.now();
        let mut values = Vec::new();
        // After a long sleep of the host only the current value counts.
        for _ in 0..FLIPS_MAX {
            let Some(until) = self.last.as_ref().and_then(|last| last.until).filter(|until| *until <= now) else {
                break;
            };
            values.extend(self.value_at(until));
        }
        values.extend(self.value_at(now));
        values
    }

    /// The value at an instant, if it differs from the last one.
    fn value_at(&mut self, at: Micros) -> Option<ValueLine> {
        let flag = self.flag.as_ref()?;
        let view = self.tide.view();
        let moment = Moment { now: at, ..view.moment() };
        let explanation =
            view.snapshot().explain(flag.section(), flag.flag(), &self.attributes.subject(&self.key), &moment);
        let value = ValueLine::new(&explanation, &self.key, at);
        let is_new = self.last.as_ref().is_none_or(|last| !last.value.is_same(&value));
        self.last = Some(LastValue { value: value.clone(), until: explanation.valid_until });
        is_new.then_some(value)
    }

    fn warn_of_locks(&self, output: &mut Output) {
        if let Some(error) = self.tide.status().locks.error {
            output.warning(format_args!("{}; the last good locks stay active", escape(&error.message)));
        }
    }

    fn print_document(&self, output: &mut Output) -> Result<(), Failure> {
        output.json(&DocumentLine::new(&self.tide.status()))
    }

    fn print_source(&mut self, output: &mut Output) -> Result<(), Failure> {
        let status = self.tide.status();
        if self.health != Some(status.health) {
            self.health = Some(status.health);
            output.json(&SourceLine::new(&status))?;
        }
        Ok(())
    }
}

/// The shortest interval of the library.
const POLL_MIN: Span = Span::from_micros(100_000);
/// The longest wait without a look at the clock, which may be set: a flip is printed within that time.
const CLOCK_CHECK_MAX: Duration = Duration::from_secs(1);
/// At most this many flips are printed one by one: an interpolated number has one each second.
const FLIPS_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use tidegate_engine::document::parse_time;

    use super::*;

    const DOCUMENT: &str = r#"{"f": {"x": {"stable": 1, "new": 2, "end_time": "2026-06-01 12:00Z", "duration": "0s",
        "rollback": {"start_time": "2026-06-01 13:00Z"}}}}"#;

    /// Checks what is printed when the clock shows one time after the other.
    fn check(steps: &[(&str, &[(&str, &str)])]) {
        let at = |time: &str| parse_time(&format!("2026-06-01T{time}Z")).unwrap();
        let clock = Clock::manual(at(steps[0].0));
        let tide = Tidegate::builder().text(DOCUMENT).without_locks().clock(clock.clone()).connect().unwrap();
        let flag = Some(FlagKey::parse("f/x"));
        let (key, attributes) = ("k".to_owned(), AttributesArg::default());
        let mut watch = Watch { tide, clock: clock.clone(), flag, key, attributes, last: None, health: None };
        for (time, expected) in steps {
            clock.set(at(time));
            let told: Vec<(String, String)> = watch
                .new_values()
                .iter()
                .map(|line| serde_json::to_value(line).unwrap())
                .map(|line| (line["at"].as_str().unwrap()[11..19].to_owned(), line["value"].to_string()))
                .collect();
            let told: Vec<(&str, &str)> = told.iter().map(|(at, value)| (&**at, &**value)).collect();
            assert_eq!(told, *expected, "at {time}");
        }
    }

    #[test]
    fn flips_in_both_directions_are_printed_when_the_clock_is_set() {
        check(&[
            ("11:59:00", &[("11:59:00", "1")]),
            ("12:00:01", &[("12:00:00", "2")]),
            ("11:58:00", &[("11:58:00", "1")]),
            ("11:59:59", &[]),
            ("12:00:00", &[("12:00:00", "2")]),
            // Two flips in one step.
            ("11:00:00", &[("11:00:00", "1")]),
            ("14:00:00", &[("12:00:00", "2"), ("13:00:00", "1")]),
            ("12:30:00", &[("12:30:00", "2")]),
            ("13:00:00", &[("13:00:00", "1")]),
        ]);
    }
}
