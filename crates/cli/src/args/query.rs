//! What commands ask that answer from a document or from a server: which one, and about which flag.

use tidegate_engine::FlagKey;

use super::{Location, SourceArgs, SourceOptions};
use crate::exit::Failure;
use crate::server::Address;

/// A document or a server, and the flag that is asked about.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct QueryArgs {
    /// The document: a path, `-` for standard input, or a URL; there is none with --server
    #[arg(value_hint = clap::ValueHint::AnyPath, required_unless_present = "server")]
    source: Option<Location>,

    /// The flag's section; or the whole flag key, as `features/x` (`x` alone means `flags/x`)
    section: Option<String>,

    /// The flag's name in its section
    flag: Option<String>,

    /// Ask the server at URL (or host and port) instead of a document
    #[arg(long, value_name = "URL", conflicts_with_all = DOCUMENT_OPTIONS)]
    server: Option<Address>,

    #[command(flatten)]
    pub(crate) options: SourceOptions,
}

/// Who is asked about which flag.
#[derive(Clone, Debug)]
pub(crate) enum Query<F> {
    /// This document.
    Document(Box<SourceArgs>, F),
    /// The server at this address.
    Server(Address, F),
}

impl QueryArgs {
    /// Who is asked, and about which flag: there has to be one.
    pub(crate) fn with_flag(&self) -> Result<Query<FlagKey>, Failure> {
        let missing = || {
            Failure::usage("it is not said which flag is meant")
                .help("give its key, as `features/x`, or section and name")
        };
        match self.with_optional_flag()? {
            Query::Document(source, flag) => Ok(Query::Document(source, flag.ok_or_else(missing)?)),
            Query::Server(address, flag) => Ok(Query::Server(address, flag.ok_or_else(missing)?)),
        }
    }

    /// Who is asked, and about which flag, if any.
    pub(crate) fn with_optional_flag(&self) -> Result<Query<Option<FlagKey>>, Failure> {
        let (section, flag) = (self.section.as_deref(), self.flag.as_deref());
        match (&self.server, &self.source) {
            (None, Some(source)) => {
                let source = SourceArgs { source: source.clone(), options: self.options.clone() };
                Ok(Query::Document(Box::new(source), flag_key(section, flag)))
            }
            (Some(_), Some(_)) if flag.is_some() => Err(Failure::usage("there is both a --server and a word too many")
                .help("with --server give the flag alone: there is no document")),
            (Some(server), first) => {
                let first = first.as_ref().map(Location::as_typed);
                let server = server.clone().trusting(self.options.extra_roots()?);
                Ok(Query::Server(server, flag_key(first.as_deref(), section)))
            }
            // The parser does not let that pass.
            (None, None) => Err(Failure::usage("there is neither a document nor a --server")),
        }
    }
}

/// The flag of one word or two.
fn flag_key(first: Option<&str>, second: Option<&str>) -> Option<FlagKey> {
    match (first, second) {
        (Some(section), Some(flag)) => Some(FlagKey::new(section, flag)),
        (Some(key), None) => Some(FlagKey::parse(key)),
        (None, _) => None,
    }
}

/// Options that say how to read a document.
const DOCUMENT_OPTIONS: &[&str] = &["cache", "offline", "headers", "header_file", "trusted_keys", "environment"];
