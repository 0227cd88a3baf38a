//! From the client library's layered errors to the one cause that a person can act on.
//!
//! Nothing of the URL but its host gets into a message: the library's own would print all of it.

use std::error::Error;
use std::io;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError};

use super::head;
use super::resolver::{NameError, RefusedAddress};
use super::tls::NoAuthorities;
use crate::ingest::source::{FetchError, Phase, RedirectError, TlsProblem};

/// What is known of the request that failed.
pub(super) struct Context {
    pub(super) host: String,
    pub(super) connect_timeout: Duration,
}

impl Context {
    pub(super) fn sort(&self, error: reqwest::Error, phase: Phase) -> FetchError {
        let host = self.host.clone();
        let error = error.without_url();
        if let Some(RefusedAddress { address }) = find(&error) {
            return RedirectError::Address { host: format!("{host} ({address})") }.into();
        }
        if find::<NameError>(&error).is_some() {
            return FetchError::NameNotFound { host, source: error.into() };
        }
        if let Some(problem) = find::<rustls::Error>(&error) {
            let problem = tls_problem(problem);
            return FetchError::Tls { host, problem, source: error.into() };
        }
        if error.is_connect() {
            return self.sort_connect(error);
        }
        if error.is_builder() {
            return FetchError::Request { reason: reason(&error), source: error.into() };
        }
        if let Some(hyper) = find::<hyper::Error>(&error) {
            // The library tells this case apart for servers only; a test notices if its words change.
            if hyper.is_parse() && hyper.to_string().contains("head is too large") {
                return head::too_big();
            }
            if hyper.is_parse() {
                return FetchError::NotHttp { reason: reason(&error), source: error.into() };
            }
        }
        FetchError::Broken { phase, reason: reason(&error), source: error.into() }
    }

    fn sort_connect(&self, error: reqwest::Error) -> FetchError {
        let host = self.host.clone();
        if error.is_timeout() {
            return FetchError::TimedOut { phase: Phase::Connecting, after: self.connect_timeout };
        }
        let text = reason(&error);
        if text.contains("tls handshake eof") {
            return FetchError::Tls { host, problem: TlsProblem::Closed, source: error.into() };
        }
        FetchError::Unreachable { host, reason: text, source: error.into() }
    }
}

fn tls_problem(error: &rustls::Error) -> TlsProblem {
    use rustls::Error as Tls;
    match error {
        Tls::InvalidCertificate(certificate) => match certificate {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => TlsProblem::Expired,
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => TlsProblem::NotYetValid,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                TlsProblem::WrongHost
            }
            // A self-signed certificate is an authority's where a server's is due.
            CertificateError::UnknownIssuer => TlsProblem::UnknownIssuer,
            other => TlsProblem::Certificate(other.to_string()),
        },
        Tls::PeerIncompatible(_)
        | Tls::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure) => {
            TlsProblem::Version
        }
        Tls::InvalidMessage(_) => TlsProblem::NotTls,
        Tls::Other(other) => match other.0.downcast_ref::<NoAuthorities>() {
            Some(NoAuthorities::OfMachine) => TlsProblem::NoAuthorities,
            Some(NoAuthorities::InFile { path, reason }) => {
                TlsProblem::AuthoritiesFile { path: path.clone(), reason: reason.clone() }
            }
            None => TlsProblem::Other(other.to_string()),
        },
        other => TlsProblem::Other(other.to_string()),
    }
}

/// The innermost words of an error: the layers above only say that something went wrong.
fn reason(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(inner) = inner(innermost) {
        innermost = inner;
    }
    let text: String = innermost.to_string().chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect();
    match text.strip_suffix(')').and_then(|text| text.rsplit_once(" (os error ")) {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

/// The error of type `T` among an error and those below it.
fn find<'e, T: Error + 'static>(error: &'e (dyn Error + 'static)) -> Option<&'e T> {
    let mut current = Some(error);
    while let Some(error) = current {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        current = inner(error);
    }
    None
}

/// The error below. An `io::Error` shows the one that it was made from, not the one below that.
fn inner<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>() {
        Some(io) => io.get_ref().map(|inner| inner as &(dyn Error + 'static)),
        None => error.source(),
    }
}

/// Longest reason that goes into a message.
const REASON_CHARS_MAX: usize = 200;
