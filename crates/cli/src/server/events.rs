//! Reads the events of a server (server-sent events), and reconnects when the connection breaks.

use std::thread;
use std::time::Duration;

use reqwest::Method;

use super::{Address, Server};
use crate::exit::{Exit, Failure};

/// What the stream delivers.
#[derive(Debug)]
pub(crate) enum Event {
    /// The stream is connected; what happened before has to be requested.
    Connected,
    /// A message: the name of the event and its data.
    Message { name: String, data: String },
    /// The connection failed, and why. A new attempt follows.
    Lost(String),
    /// The server refuses the request; no attempt follows.
    Refused(Failure),
}

/// Reads the events of this query on a thread of its own, which ends when `deliver` returns `false`. A server that has accepted
/// a connection has `timeout` to answer.
pub(crate) fn listen(
    address: Address,
    query: Vec<(String, String)>,
    timeout: Duration,
    deliver: impl Fn(Event) -> bool + Send + 'static,
) -> Result<(), Failure> {
    let server = Server::new(address)?.timeout(timeout);
    let body = move || {
        let (mut delay, mut last_id) = (RETRY_DELAY_MIN, String::new());
        loop {
            let ended = server.stream(&query, &mut last_id, &mut |event| {
                delay = RETRY_DELAY_MIN;
                deliver(event)
            });
            match ended {
                Ended::NoReceiver => return,
                Ended::Refused(failure) => {
                    deliver(Event::Refused(failure));
                    return;
                }
                Ended::Lost(why) => {
                    if !deliver(Event::Lost(why)) {
                        return;
                    }
                }
            }
            thread::sleep(delay);
            delay = (delay * 2).min(RETRY_DELAY_MAX);
        }
    };
    thread::Builder::new()
        .name("events".to_owned())
        .spawn(body)
        .map(drop)
        .map_err(|error| Failure::new(Exit::Failed, format_args!("cannot start a thread for events: {error}")))
}

/// How a stream ended.
enum Ended {
    /// `deliver` returned `false`.
    NoReceiver,
    /// The connection broke or failed.
    Lost(String),
    /// The server refuses the request.
    Refused(Failure),
}

impl Server {
    /// Reads one connection until it ends, from the event on that comes after `last_id`.
    fn stream(
        &self,
        query: &[(String, String)],
        last_id: &mut String,
        deliver: &mut dyn FnMut(Event) -> bool,
    ) -> Ended {
        let query: Vec<(&str, &str)> = query.iter().map(|(name, value)| (&**name, &**value)).collect();
        let request = self.request(Method::GET, &["watch"], &query).accept_event_stream(last_id);
        self.runtime().block_on(async {
            let timeout = request.timeout;
            let mut response = match tokio::time::timeout(timeout, self.send(request)).await {
                Ok(Ok(response)) => response,
                Ok(Err(Failure::Reported(report))) => return Ended::Lost(report.message),
                Ok(Err(Failure::ClosedPipe)) => return Ended::NoReceiver,
                Err(_) => return Ended::Lost(format!("the server at `{}` does not answer", self.address)),
            };
            if !response.status().is_success() {
                let (status, headers) = (response.status(), response.headers().clone());
                // A body that does not come in time counts as empty: the status says enough.
                let body = tokio::time::timeout(timeout, self.body(response)).await;
                let body = body.map_or_else(|_| Vec::new(), Result::unwrap_or_default);
                let failure = super::problem::failure(&self.address, status, &headers, &body, None, None);
                return if status.is_server_error() {
                    Ended::Lost(format!("the server at `{}` answers {status}", self.address))
                } else {
                    Ended::Refused(failure)
                };
            }
            if !deliver(Event::Connected) {
                return Ended::NoReceiver;
            }
            let mut parser = Parser { id: last_id.clone(), last_id: last_id.clone(), ..Parser::default() };
            loop {
                match tokio::time::timeout(SILENCE_MAX, response.chunk()).await {
                    Ok(Ok(Some(chunk))) => {
                        if parser.bytes.len() + chunk.len() > EVENT_BYTES_MAX {
                            return Ended::Lost("an event is too large".to_owned());
                        }
                        let events = parser.push(&chunk);
                        last_id.clone_from(&parser.last_id);
                        if !events.into_iter().all(&mut *deliver) {
                            return Ended::NoReceiver;
                        }
                    }
                    Ok(Ok(None)) => {
                        return Ended::Lost(format!("the server at `{}` has closed the connection", self.address));
                    }
                    Ok(Err(_)) => {
                        return Ended::Lost(format!("the connection to the server at `{}` is lost", self.address));
                    }
                    Err(_) => return Ended::Lost(format!("no traffic from the server at `{}`", self.address)),
                }
            }
        })
    }
}

/// From bytes to events, as the WHATWG says it: parser, fields, an empty line at the end.
#[derive(Default)]
struct Parser {
    bytes: Vec<u8>,
    name: String,
    data: String,
    /// The id of the event that is being read, and that of the last one that is whole.
    id: String,
    last_id: String,
}

impl Parser {
    fn push(&mut self, chunk: &[u8]) -> Vec<Event> {
        self.bytes.extend_from_slice(chunk);
        let mut events = Vec::new();
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            if line.is_empty() {
                let (name, data) = (std::mem::take(&mut self.name), std::mem::take(&mut self.data));
                self.last_id.clone_from(&self.id);
                if !data.is_empty() || !name.is_empty() {
                    events.push(Event::Message { name, data });
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => value.clone_into(&mut self.name),
                "id" if !value.contains('\0') => value.clone_into(&mut self.id),
                "data" => {
                    if !self.data.is_empty() {
                        self.data.push('\n');
                    }
                    self.data.push_str(value);
                }
                // A comment keeps the connection alive; other fields are not used.
                _ => {}
            }
        }
        events
    }
}

/// The server sends a comment more often than that.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// A server that restarts is reachable again within a second.
const RETRY_DELAY_MIN: Duration = Duration::from_millis(100);
/// A server that is unreachable for long is not asked more often.
const RETRY_DELAY_MAX: Duration = Duration::from_secs(5);
/// A value has 64 KiB at most, and there are two of them in an event.
const EVENT_BYTES_MAX: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_parsed_from_chunks_of_any_size() {
        let text =
            b": hello\r\nevent: change\r\ndata: {\"a\":\ndata: 1}\nid: 7\n\n\ndata:x\n\n: alive\nid: 8\n\nid: 9\n";
        let expected = [("change", "{\"a\":\n1}"), ("", "x")];
        for size in 1..text.len() {
            let mut parser = Parser::default();
            let events: Vec<Event> = text.chunks(size).flat_map(|chunk| parser.push(chunk)).collect();
            let found: Vec<(&str, &str)> = events
                .iter()
                .map(|event| match event {
                    Event::Message { name, data } => (&**name, &**data),
                    other => panic!("{other:?}"),
                })
                .collect();
            assert_eq!(found, expected, "in pieces of {size}");
            assert_eq!(
                parser.last_id, "8",
                "that of an event without data counts, that of one which is not whole does not"
            );
        }
    }
}
