//! Watches all flags of a server: a line for each change, as the server reports it.
//!
//! The stream is resumed after the last event, so that a change while the connection is broken is printed once it is back.

use std::sync::mpsc::RecvTimeoutError;
use std::time::Duration;

use reqwest::Method;

use super::inbox::{Inbox, Input};
use super::lines::{ChangeLine, GapLine, HealthLine, SourceLine};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::server::{Address, Event, Server};

pub(super) fn watch(address: &Address, timeout: Duration, output: &mut Output) -> Outcome {
    let server = Server::new(address.clone())?.timeout(timeout);
    let inbox = Inbox::new()?;
    // The server has to be reachable at the start, so that a wrong address is an error at once.
    server.ask(server.request(Method::GET, &["status"], &[]))?;
    inbox.forward_server(address.clone(), Vec::new(), timeout)?;
    // That it is reachable is printed once the stream is connected: every change from then on is printed.
    let (mut is_connected, mut is_told) = (false, false);
    loop {
        output.flush()?;
        match inbox.wait(WAIT_MAX) {
            Ok(Input::Server(Event::Refused(failure))) => return Err(failure),
            Ok(Input::Server(Event::Lost(why))) => {
                if std::mem::take(&mut is_connected) || !std::mem::replace(&mut is_told, true) {
                    output.json(&SourceLine::from_server(address, Some(why)))?;
                }
            }
            Ok(Input::Server(Event::Connected)) => {
                is_told = true;
                if !std::mem::replace(&mut is_connected, true) {
                    output.json(&SourceLine::from_server(address, None))?;
                }
            }
            Ok(Input::Server(Event::Message { name, data })) => print(&server, &name, &data, output)?,
            Ok(Input::Changes(_)) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Input::Stop) | Err(RecvTimeoutError::Disconnected) => return Ok(Exit::Success),
        }
    }
}

fn print(server: &Server, name: &str, data: &str, output: &mut Output) -> Result<(), Failure> {
    let invalid = |error| server.invalid_response(&error);
    match name {
        "change" => output.json(&serde_json::from_str::<ChangeLine>(data).map_err(invalid)?),
        "gap" => output.json(&GapLine::new(serde_json::from_str(data).map_err(invalid)?)),
        "health" => output.json(&HealthLine::new(serde_json::from_str(data).map_err(invalid)?)),
        // The end of the stream, after which it is resumed; and what a newer server adds.
        _ => Ok(()),
    }
}

/// Nothing is due by time.
const WAIT_MAX: Duration = Duration::from_hours(1);
