//! Watching a server: it says that something has changed, and is asked what the key has now.
//!
//! The stream of events only rings; the answer always comes from the decision. So nothing is lost when the
//! stream breaks, and what the ramp does at its own instants is told without a word from the server.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use tidegate_engine::{FlagKey, Micros};

use super::doorbell::{Doorbell, Ring};
use super::events::{SourceLine, ValueLine};
use super::{Args, FLIPS_MOST, LOOK_MOST, Told};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::server::{Address, Event, Server};
use crate::source;

pub(super) fn watch(address: Address, flag: Option<FlagKey>, args: &Args, output: &mut Output) -> Outcome {
    let timeout = source::duration(args.asked.options.timeout);
    let server = Server::new(address.clone())?.timeout(timeout);
    let doorbell = Doorbell::new()?;
    let mut query = Vec::new();
    if let Some(flag) = &flag {
        query = vec![("flag".to_owned(), flag.to_string()), ("key".to_owned(), args.key.or_host())];
    }
    let mut watch = Watch { server, flag, key: args.key.or_host(), last: None, is_away: false };
    watch.begin(output)?;
    doorbell.listen_to_server(address, query, timeout)?;
    loop {
        output.flush()?;
        match doorbell.wait(watch.time_left()) {
            Ok(Ring::Server(Event::Refused(failure))) => return Err(failure),
            Ok(Ring::Server(Event::Lost(why))) => watch.lose(why, output)?,
            Ok(Ring::Server(Event::Connected)) => watch.look(None, output)?,
            Ok(Ring::Server(Event::News { name, data })) => watch.hear(&name, &data, output)?,
            Ok(Ring::Changes(_)) => {}
            Err(RecvTimeoutError::Timeout) => watch.catch_up(output)?,
            Ok(Ring::Over) | Err(RecvTimeoutError::Disconnected) => return Ok(Exit::Done),
        }
    }
}

/// What is watched, and what was last told of it.
struct Watch {
    server: Server,
    flag: Option<FlagKey>,
    key: String,
    last: Option<Told>,
    is_away: bool,
}

impl Watch {
    /// At the start the server has to be there: a wrong address is seen at once.
    fn begin(&mut self, output: &mut Output) -> Result<(), Failure> {
        match &self.flag {
            Some(flag) => {
                let at = source::now();
                let explanation = self.server.decide(flag, &self.key, None)?;
                let value = ValueLine::new(&explanation, &self.key, at);
                output.json(&value)?;
                self.last = Some(Told { value, until: explanation.valid_until });
            }
            None => output.json(&SourceLine::of_server(self.server.address(), None))?,
        }
        Ok(())
    }

    /// How long nothing happens by itself; at most [`LOOK_MOST`], because clocks may be set.
    fn time_left(&self) -> Duration {
        let until = self.last.as_ref().and_then(|last| last.until).filter(|_| !self.is_away);
        until.map_or(LOOK_MOST, |until| source::duration(until.since(source::now())).min(LOOK_MOST))
    }

    /// The server has news.
    fn hear(&mut self, name: &str, data: &str, output: &mut Output) -> Result<(), Failure> {
        if self.flag.is_some() {
            return self.look(None, output);
        }
        let _ = (name, data);
        Ok(())
    }

    /// Tells of each flip that has come, at its own instant.
    fn catch_up(&mut self, output: &mut Output) -> Result<(), Failure> {
        for _ in 0..FLIPS_MOST {
            let now = source::now();
            match self.last.as_ref().and_then(|last| last.until).filter(|until| *until <= now && !self.is_away) {
                Some(until) => self.look(Some(until), output)?,
                None => return Ok(()),
            }
        }
        // After a long sleep of the host only the present counts.
        self.look(None, output)
    }

    /// Asks what the key has, now or at the instant of a flip, and tells of it if it is another value than before.
    fn look(&mut self, at: Option<Micros>, output: &mut Output) -> Result<(), Failure> {
        let Some(flag) = &self.flag else { return self.find(output) };
        let explanation = match self.server.decide(flag, &self.key, at) {
            Ok(explanation) => explanation,
            Err(Failure::Stopped(stopped)) if stopped.exit == Exit::Unreachable => {
                return self.lose(stopped.message, output);
            }
            Err(failure) => return Err(failure),
        };
        self.find(output)?;
        let value = ValueLine::new(&explanation, &self.key, at.unwrap_or_else(source::now));
        if self.last.as_ref().is_none_or(|last| !last.value.is_same(&value)) {
            output.json(&value)?;
        }
        self.last = Some(Told { value, until: explanation.valid_until });
        Ok(())
    }

    /// The server is there.
    fn find(&mut self, output: &mut Output) -> Result<(), Failure> {
        if std::mem::take(&mut self.is_away) {
            output.json(&SourceLine::of_server(self.server.address(), None))?;
        }
        Ok(())
    }

    /// The server is away: that is told once.
    fn lose(&mut self, why: String, output: &mut Output) -> Result<(), Failure> {
        if std::mem::replace(&mut self.is_away, true) {
            return Ok(());
        }
        output.json(&SourceLine::of_server(self.server.address(), Some(why)))
    }
}
