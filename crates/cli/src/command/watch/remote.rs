//! Watches a flag of a server: each event makes it request the current value.
//!
//! An event only says that something has changed; what is printed always comes from a decision of the server. So nothing is lost
//! when the stream breaks, and flips of the ramp are printed at their instants although no event reports them.

use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use tidegate_engine::{FlagKey, Micros};

use super::inbox::{Inbox, Input};
use super::lines::{SourceLine, ValueLine};
use super::{Args, FLIPS_MAX, LastValue};
use crate::args::AttributesArg;
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::server::{Address, Event, Server};
use crate::source;

pub(super) fn watch(address: Address, flag: FlagKey, args: &Args, output: &mut Output) -> Outcome {
    let timeout = source::duration(args.query.options.timeout);
    let server = Server::new(address.clone())?.timeout(timeout);
    let inbox = Inbox::new()?;
    let mut query = vec![("flag".to_owned(), flag.to_string()), ("key".to_owned(), args.key.or_host())];
    query.extend(args.attributes.text().map(|attributes| ("attributes".to_owned(), attributes.to_owned())));
    let (key, attributes) = (args.key.or_host(), args.attributes.clone());
    let mut watch =
        Watch { server, flag, key, attributes, last: None, is_due: false, is_unreachable: false, retry_at: None };
    watch.print_first(output)?;
    inbox.forward_server(address, query, timeout)?;
    loop {
        output.flush()?;
        let time_left = if watch.is_due { Duration::ZERO } else { watch.time_left() };
        match inbox.wait(time_left) {
            Ok(Input::Server(Event::Refused(failure))) => return Err(failure),
            Ok(Input::Server(Event::Lost(why))) => {
                // The stream reconnects, and then everything is requested.
                watch.retry_at = None;
                watch.mark_unreachable(why, output)?;
            }
            Ok(Input::Server(Event::Connected)) => watch.refresh(None, output)?,
            Ok(Input::Server(Event::Message { name, data })) => watch.on_message(&name, &data)?,
            Ok(Input::Changes(_)) => {}
            Err(RecvTimeoutError::Timeout) if watch.is_due || watch.retry_is_due() => watch.refresh(None, output)?,
            Err(RecvTimeoutError::Timeout) => watch.print_due_flips(output)?,
            Ok(Input::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(Exit::Success),
        }
    }
}

/// What is watched, and what was printed last.
struct Watch {
    server: Server,
    flag: FlagKey,
    key: String,
    attributes: AttributesArg,
    last: Option<LastValue>,
    /// Something has changed: it is requested once no more events come.
    is_due: bool,
    is_unreachable: bool,
    /// A request failed although the stream is connected: it is repeated then.
    retry_at: Option<Instant>,
}

impl Watch {
    /// The server has to be reachable at the start, so that a wrong address is an error at once.
    fn print_first(&mut self, output: &mut Output) -> Result<(), Failure> {
        let at = source::now();
        let explanation = self.server.decide(&self.flag, &self.key, self.attributes.text(), None)?;
        let value = ValueLine::new(&explanation, &self.key, at);
        output.json(&value)?;
        self.last = Some(LastValue { value, until: explanation.valid_until });
        Ok(())
    }

    /// The time until a failed request is repeated, or until the next flip; at most [`CLOCK_CHECK_MAX`], because clocks may be
    /// set.
    fn time_left(&self) -> Duration {
        if let Some(at) = self.retry_at {
            return at.saturating_duration_since(Instant::now());
        }
        let until = self.last.as_ref().and_then(|last| last.until).filter(|_| !self.is_unreachable);
        until.map_or(CLOCK_CHECK_MAX, |until| source::duration(until.since(source::now())).min(CLOCK_CHECK_MAX))
    }

    fn retry_is_due(&self) -> bool {
        self.retry_at.is_some_and(|at| at <= Instant::now())
    }

    /// The server has values.
    fn on_message(&mut self, name: &str, data: &str) -> Result<(), Failure> {
        self.check_flag(&self.flag, name, data)?;
        // One request after a burst of events is enough, and a list may be long.
        self.is_due = true;
        Ok(())
    }

    /// Checks that an event is about the flag of the request: something between here and the server may have changed the path.
    fn check_flag(&self, asked: &FlagKey, name: &str, data: &str) -> Result<(), Failure> {
        #[derive(serde::Deserialize)]
        struct About {
            flag: String,
        }
        if name != "decision" {
            return Ok(());
        }
        let about: About = serde_json::from_str(data).map_err(|error| self.server.invalid_response(&error))?;
        if FlagKey::parse(&about.flag) == *asked {
            return Ok(());
        }
        let found = about.flag;
        Err(self.server.invalid_response(&format_args!("the request was about `{asked}`, an event is about `{found}`")))
    }

    /// Prints each flip that is due, at its own instant.
    fn print_due_flips(&mut self, output: &mut Output) -> Result<(), Failure> {
        for _ in 0..FLIPS_MAX {
            let now = source::now();
            match self.last.as_ref().and_then(|last| last.until).filter(|until| *until <= now && !self.is_unreachable) {
                Some(until) => self.refresh(Some(until), output)?,
                None => return Ok(()),
            }
        }
        // After a long sleep of the host only the current value counts.
        self.refresh(None, output)
    }

    /// Requests the value of the key, now or at the instant of a flip, and prints it if it has changed.
    fn refresh(&mut self, at: Option<Micros>, output: &mut Output) -> Result<(), Failure> {
        self.is_due = false;
        self.retry_at = None;
        let explanation = match self.server.decide(&self.flag, &self.key, self.attributes.text(), at) {
            Ok(explanation) => explanation,
            Err(Failure::Reported(report)) if report.exit == Exit::Unreachable => {
                return self.retry(report.message, output);
            }
            Err(failure) => return Err(failure),
        };
        self.mark_reachable(output)?;
        let value = ValueLine::new(&explanation, &self.key, at.unwrap_or_else(source::now));
        if self.last.as_ref().is_none_or(|last| !last.value.is_same(&value)) {
            output.json(&value)?;
        }
        self.last = Some(LastValue { value, until: explanation.valid_until });
        Ok(())
    }

    /// A request failed. Nothing else repeats it while the stream is connected.
    fn retry(&mut self, why: String, output: &mut Output) -> Result<(), Failure> {
        self.retry_at = Some(Instant::now() + RETRY_PAUSE);
        self.mark_unreachable(why, output)
    }

    /// The server is reachable; that is printed if it was not.
    fn mark_reachable(&mut self, output: &mut Output) -> Result<(), Failure> {
        if std::mem::take(&mut self.is_unreachable) {
            output.json(&SourceLine::from_server(self.server.address(), None))?;
        }
        Ok(())
    }

    /// The server is unreachable: that is printed once.
    fn mark_unreachable(&mut self, why: String, output: &mut Output) -> Result<(), Failure> {
        if std::mem::replace(&mut self.is_unreachable, true) {
            return Ok(());
        }
        output.json(&SourceLine::from_server(self.server.address(), Some(why)))
    }
}

/// Between two attempts of a request that fails while the stream of events is connected.
const RETRY_PAUSE: Duration = Duration::from_millis(500);

/// The longest wait without a look at the clock, which may be set.
const CLOCK_CHECK_MAX: Duration = Duration::from_secs(10);
