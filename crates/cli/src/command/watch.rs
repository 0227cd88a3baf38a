//! `tidegate watch`: stays, and prints a line for each change.

mod doorbell;
mod events;
mod remote;

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use tidegate::{Health, Tidegate};
use tidegate_engine::{FlagKey, Micros, Moment, Span, Subject};

use crate::args::{Asked, AskedArgs, KeyArg, SourceArgs, duration};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::source;
use doorbell::{Doorbell, Ring};
use events::{DocumentLine, SourceLine, ValueLine};

/// Stay, and print one line of JSON for each change
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

With a flag the first line is the value it has, `{\"event\": \"value\", ...}`, and there is another one at each \
change, also at the instant at which the ramp flips this key; `at` is that instant. `document` tells of \
another document in force, `source` of another health of the source: fresh, stale, refused. Without a flag \
both are printed at the start, too. With --server a line follows each change of any node at once; `source` tells that \
the server is away, and `fresh` when it is back. It ends with exit code 0 when it is interrupted, or when nobody reads \
its output any more."
)]
pub(crate) struct Args {
    #[command(flatten)]
    asked: AskedArgs,

    #[command(flatten)]
    key: KeyArg,

    /// Ask the source every so often [default: 1m; files 1s]
    #[arg(long, value_name = "DURATION", value_parser = duration, conflicts_with = "server")]
    poll: Option<Span>,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let asked = args.asked.about_some_flag()?;
    if matches!(&asked, Asked::Document(_, None) | Asked::Server(_, None)) && args.key.key.is_some() {
        return Err(Failure::usage("--key asks about a flag, and there is none").help("add the flag"));
    }
    match asked {
        Asked::Document(source, flag) => watch_document(&source, flag, args, output),
        Asked::Server(address, flag) => remote::watch(address, flag, args, output),
    }
}

fn watch_document(source: &SourceArgs, flag: Option<FlagKey>, args: &Args, output: &mut Output) -> Outcome {
    let mut builder = source::open(&source.source, &source.options, output)?.builder;
    if let Some(poll) = args.poll {
        if poll < POLL_LEAST {
            return Err(Failure::usage(format_args!("--poll is below {POLL_LEAST}")).help("give it more time"));
        }
        builder = builder.poll_interval(source::duration(poll));
    }
    let tide = source::connect(builder.startup_wait(source::duration(source.options.timeout)))?;
    let doorbell = Doorbell::new()?;
    doorbell.listen_to(tide.subscribe())?;
    let mut watch = Watch { tide, flag, key: args.key.or_host(), last: None, health: None };
    watch.begin(output)?;
    loop {
        output.flush()?;
        match doorbell.wait(watch.time_left()) {
            Ok(Ring::Changes(changes)) => {
                // What was put in force may have changed the value, so the document is told of first.
                if changes.document {
                    watch.tell_document(output)?;
                }
                if changes.health {
                    watch.tell_source(output)?;
                }
                watch.tell_value_now(output)?;
            }
            Err(RecvTimeoutError::Timeout) => watch.catch_up(output)?,
            Ok(Ring::Server(_)) => {}
            Ok(Ring::Over) | Err(RecvTimeoutError::Disconnected) => return Ok(Exit::Done),
        }
    }
}

/// What is watched, and what was last told of it.
struct Watch {
    tide: Tidegate,
    flag: Option<FlagKey>,
    key: String,
    last: Option<Told>,
    health: Option<Health>,
}

/// The last value that was told.
struct Told {
    value: ValueLine,
    /// It holds until then, unless the document or the locks change.
    until: Option<Micros>,
}

impl Watch {
    fn begin(&mut self, output: &mut Output) -> Result<(), Failure> {
        self.tell_value_now(output)?;
        if self.flag.is_none() {
            self.tell_document(output)?;
        }
        let is_fresh = self.tide.status().health == Health::Fresh;
        if self.flag.is_none() || !is_fresh { self.tell_source(output) } else { Ok(()) }
    }

    /// How long nothing happens by itself; at most [`LOOK_MOST`], because clocks may be set.
    fn time_left(&self) -> Duration {
        let until = self.last.as_ref().and_then(|last| last.until);
        until.map_or(LOOK_MOST, |until| source::duration(until.since(source::now())).min(LOOK_MOST))
    }

    /// Tells of each flip that has come, at its own instant.
    fn catch_up(&mut self, output: &mut Output) -> Result<(), Failure> {
        for _ in 0..FLIPS_MOST {
            let now = source::now();
            match self.last.as_ref().and_then(|last| last.until).filter(|until| *until <= now) {
                Some(until) => self.tell_value(until, output)?,
                None => return Ok(()),
            }
        }
        // After a long sleep of the host only the present counts.
        self.tell_value_now(output)
    }

    fn tell_value_now(&mut self, output: &mut Output) -> Result<(), Failure> {
        self.tell_value(source::now(), output)
    }

    /// Tells of the value at an instant if it is another one than before.
    fn tell_value(&mut self, at: Micros, output: &mut Output) -> Result<(), Failure> {
        let Some(flag) = &self.flag else { return Ok(()) };
        let view = self.tide.view();
        let moment = Moment { now: at, ..view.moment() };
        let explanation = view.snapshot().explain(flag.section(), flag.flag(), &Subject::key(&self.key), &moment);
        let value = ValueLine::new(&explanation, &self.key, at);
        let is_news = self.last.as_ref().is_none_or(|last| !last.value.is_same(&value));
        if is_news {
            output.json(&value)?;
        }
        self.last = Some(Told { value, until: explanation.valid_until });
        Ok(())
    }

    fn tell_document(&self, output: &mut Output) -> Result<(), Failure> {
        output.json(&DocumentLine::new(&self.tide.status()))
    }

    fn tell_source(&mut self, output: &mut Output) -> Result<(), Failure> {
        let status = self.tide.status();
        if self.health != Some(status.health) {
            self.health = Some(status.health);
            output.json(&SourceLine::new(&status))?;
        }
        Ok(())
    }
}

/// The library asks no more often.
const POLL_LEAST: Span = Span::from_micros(100_000);
/// The longest sleep without a look at the clock.
const LOOK_MOST: Duration = Duration::from_secs(10);
/// Flips told one by one before it is given up: an interpolated number has one each second.
const FLIPS_MOST: usize = 1_000;
