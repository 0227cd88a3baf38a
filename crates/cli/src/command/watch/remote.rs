//! Watching a server: it says that something has changed, and is asked what the key has now.
//!
//! The stream of events only rings; the answer always comes from the decision. So nothing is lost when the
//! stream breaks, and what the ramp does at its own instants is told without a word from the server.

use std::collections::BTreeMap;
use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Map, Value};
use tidegate_engine::{FlagKey, Micros};

use super::doorbell::{Doorbell, Ring};
use super::events::{ChangeLine, SourceLine, ValueLine};
use super::{Args, FLIPS_MOST, Told};
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
    let mut watch =
        Watch { server, flag, key: args.key.or_host(), last: None, flags: None, is_due: false, is_away: false };
    watch.begin(output)?;
    doorbell.listen_to_server(address, query, timeout)?;
    loop {
        output.flush()?;
        let time_left = if watch.is_due { Duration::ZERO } else { watch.time_left() };
        match doorbell.wait(time_left) {
            Ok(Ring::Server(Event::Refused(failure))) => return Err(failure),
            Ok(Ring::Server(Event::Lost(why))) => watch.lose(why, output)?,
            Ok(Ring::Server(Event::Connected)) => watch.look(None, output)?,
            Ok(Ring::Server(Event::News { name, data })) => watch.hear(&name, &data)?,
            Ok(Ring::Changes(_)) => {}
            Err(RecvTimeoutError::Timeout) if watch.is_due => watch.look(None, output)?,
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
    /// Without a flag: all of them, as they were told or found last.
    flags: Option<Flags>,
    /// Something has changed, and is to be asked for once nothing more comes.
    is_due: bool,
    is_away: bool,
}

/// Flags by their keys, each without what moves by itself.
type Flags = BTreeMap<String, Map<String, Value>>;

impl Watch {
    /// At the start the server has to be there: a wrong address is seen at once.
    fn begin(&mut self, output: &mut Output) -> Result<(), Failure> {
        if let Some(flag) = &self.flag {
            let at = source::now();
            let explanation = self.server.decide(flag, &self.key, None)?;
            let value = ValueLine::new(&explanation, &self.key, at);
            output.json(&value)?;
            self.last = Some(Told { value, until: explanation.valid_until });
        } else {
            self.flags = Some(self.list()?);
            output.json(&SourceLine::of_server(self.server.address(), None))?;
        }
        Ok(())
    }

    /// How long nothing happens by itself; at most [`LOOK_MOST`], because clocks may be set.
    fn time_left(&self) -> Duration {
        let until = self.last.as_ref().and_then(|last| last.until).filter(|_| !self.is_away);
        until.map_or(LOOK_MOST, |until| source::duration(until.since(source::now())).min(LOOK_MOST))
    }

    /// The server has news.
    fn hear(&mut self, name: &str, data: &str) -> Result<(), Failure> {
        if let Some(flag) = &self.flag {
            self.check_flag(flag, name, data)?;
        }
        // Of a burst of events the last one is enough: the answer is of then, and a list may be long.
        self.is_due = true;
        Ok(())
    }

    /// An event names the flag that was asked for, or something between here and the server has changed the question.
    fn check_flag(&self, asked: &FlagKey, name: &str, data: &str) -> Result<(), Failure> {
        #[derive(serde::Deserialize)]
        struct About {
            flag: String,
        }
        if name != "decision" {
            return Ok(());
        }
        let about: About = serde_json::from_str(data).map_err(|error| self.server.senseless(&error))?;
        if FlagKey::parse(&about.flag) == *asked {
            return Ok(());
        }
        let found = about.flag;
        Err(self.server.senseless(&format_args!("`{asked}` was asked for, and an event is about `{found}`")))
    }

    /// All flags of the server.
    fn list(&self) -> Result<Flags, Failure> {
        #[derive(serde::Deserialize)]
        struct List {
            flags: Vec<Map<String, Value>>,
        }
        let list: List = self.server.ask_for(self.server.request(Method::GET, &["flags"], &[]))?;
        let flags = list.flags.into_iter().filter_map(|mut flag| {
            flag.retain(|name, _| !MOVING.contains(&name.as_str()));
            match flag.remove("flag") {
                Some(Value::String(key)) => Some((key, flag)),
                _ => None,
            }
        });
        Ok(flags.collect())
    }

    /// Tells of each flag that is another than before.
    fn compare(&mut self, output: &mut Output) -> Result<(), Failure> {
        let now = match self.list() {
            Ok(flags) => flags,
            Err(Failure::Stopped(stopped)) if stopped.exit == Exit::Unreachable => {
                return self.lose(stopped.message, output);
            }
            Err(failure) => return Err(failure),
        };
        self.find(output)?;
        let before = self.flags.take().unwrap_or_default();
        for (key, state) in now.iter().filter(|(key, state)| before.get(*key) != Some(state)) {
            output.json(&ChangeLine::new(key.clone(), Some(state.clone())))?;
        }
        for key in before.keys().filter(|key| !now.contains_key(*key)) {
            output.json(&ChangeLine::new(key.clone(), None))?;
        }
        self.flags = Some(now);
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
        self.is_due = false;
        let Some(flag) = &self.flag else { return self.compare(output) };
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

/// What of a flag moves by itself along its ramp: no change of the flag.
const MOVING: &[&str] = &["share", "next_change"];

/// The longest sleep without a look at the clock, which may be set.
const LOOK_MOST: Duration = Duration::from_secs(10);
