//! Asks a server where it has a flag from, and how old that data is.

use reqwest::Method;
use serde::Deserialize;
use tidegate_engine::FlagKey;

use super::{FlagState, Server};
use crate::data::{Data, ServerSource};
use crate::exit::Failure;

/// The status of a server.
#[derive(Debug, Deserialize)]
struct Answer {
    status: Status,
}

#[derive(Debug, Deserialize)]
struct Status {
    #[serde(flatten)]
    first: ServerSource,
    #[serde(default)]
    digest: Option<String>,
    #[serde(default)]
    additional_sources: Vec<ServerSource>,
}

impl Server {
    /// Where the server has a flag from, and how old that is. An error becomes part of the result.
    pub(crate) fn data_for(&self, flag: &FlagKey) -> Data {
        let address = self.address().to_string();
        match self.try_data_for(flag) {
            Ok((source, digest)) => Data::from_server(address, source, digest),
            Err(Failure::Reported(report)) => Data::from_server_without_age(address, report.message),
            Err(Failure::ClosedPipe) => Data::from_server_without_age(address, String::new()),
        }
    }

    fn try_data_for(&self, flag: &FlagKey) -> Result<(ServerSource, Option<String>), Failure> {
        let Answer { status } = self.ask_for(self.request(Method::GET, &["status"], &[]))?;
        let Status { first, digest, additional_sources } = status;
        if additional_sources.is_empty() {
            return Ok((first, digest));
        }
        let place = self.document_of(flag);
        let found = additional_sources.into_iter().find(|source| place.as_deref() == Some(&*source.source));
        Ok((found.unwrap_or(first), digest))
    }

    /// The document that defines the flag, if one does.
    fn document_of(&self, flag: &FlagKey) -> Option<String> {
        let flag: FlagState = self.ask_for(self.flag_request(flag, Method::GET, &[], &[]).ok()?).ok()?;
        flag.source.strip_prefix("document ").map(str::to_owned)
    }
}
