//! Errors of the library as `{:error, {kind, message}}`: the texts are the library's own.

use std::fmt::Display;

use rustler::{Atom, Encoder, Env, Term};
use tidegate::{ChangeError, ClusterError, ConnectError};

rustler::atoms! {
    busy,
    connect_failed = "connect",
    disk,
    invalid,
    not_live,
    refused,
    stopped,
    timeout,
    unknown_flag,
}

/// What went wrong: a word to act on, and a text for people.
#[derive(Debug)]
pub(crate) struct Problem {
    kind: Atom,
    message: String,
}

impl Problem {
    pub(crate) fn new(kind: Atom, message: &dyn Display) -> Self {
        Self { kind, message: message.to_string() }
    }

    pub(crate) fn invalid(message: &dyn Display) -> Self {
        Self::new(invalid(), message)
    }
}

impl Encoder for Problem {
    fn encode<'a>(&self, env: Env<'a>) -> Term<'a> {
        (rustler::types::atom::error(), (self.kind, self.message.as_str())).encode(env)
    }
}

pub(crate) fn connect(error: &ConnectError) -> Problem {
    Problem::new(connect_failed(), error)
}

pub(crate) fn change(error: &ChangeError) -> Problem {
    Problem::new(change_kind(error), error)
}

pub(crate) fn cluster(error: &ClusterError) -> Problem {
    let kind = match error {
        ClusterError::Change(error) => change_kind(error),
        ClusterError::Ended { .. } => stopped(),
        ClusterError::Store(_) | ClusterError::Write(_) => disk(),
        _ => invalid(),
    };
    Problem::new(kind, error)
}

fn change_kind(error: &ChangeError) -> Atom {
    match error {
        ChangeError::NotLive | ChangeError::Follower { .. } => not_live(),
        ChangeError::UnknownFlag { .. } => unknown_flag(),
        ChangeError::Refused(_) => refused(),
        ChangeError::Disk { .. } => disk(),
        ChangeError::Busy => busy(),
        ChangeError::Stopped => stopped(),
        _ => invalid(),
    }
}
