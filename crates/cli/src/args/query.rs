//! What is asked of a document or of a server: which of the two, and about which flag.

use std::path::Path;

use tidegate_engine::FlagKey;

use super::server::ServerOption;
use super::{Location, SourceArgs, SourceOptions};
use crate::exit::Failure;
use crate::server::Address;

/// A document or a server, and the flag that is asked about.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct QueryArgs {
    /// The document: a path, `-` for standard input, or a URL; left out where a server is asked
    #[arg(value_hint = clap::ValueHint::AnyPath, required_unless_present_any = ["server", "follow"])]
    source: Option<Location>,

    /// The flag's section; or the whole flag key, as `features/x` (`x` alone means `flags/x`)
    section: Option<String>,

    /// The flag's name in its section
    flag: Option<String>,

    #[command(flatten)]
    server: ServerOption<false>,

    /// Follow the server at this URL: have all its flags, and decide here; can be given several times with servers of one cluster
    #[arg(long, value_name = "URL", conflicts_with = "server")]
    follow: Vec<String>,

    #[command(flatten)]
    pub(crate) options: SourceOptions,
}

/// Who answers, and the flag that is asked about.
#[derive(Clone, Debug)]
pub(crate) enum Query<F> {
    /// This document.
    Document(Box<SourceArgs>, F),
    /// The server at this address.
    Server(Address, F),
}

impl QueryArgs {
    /// Who answers, and about which flag. One word beside `TIDEGATE_SERVER` is the flag.
    pub(crate) fn with_flag(&self) -> Result<Query<FlagKey>, Failure> {
        let missing = || Failure::usage("no flag given").help("give its key, as `features/x`, or section and name");
        match self.query(|_| false)? {
            Query::Document(source, flag) => Ok(Query::Document(source, flag.ok_or_else(missing)?)),
            Query::Server(address, flag) => Ok(Query::Server(address, flag.ok_or_else(missing)?)),
        }
    }

    /// Who answers, and about which flag, if any. One word beside `TIDEGATE_SERVER` is a document if it is a URL, `-` or an
    /// existing file, and otherwise the flag.
    pub(crate) fn with_optional_flag(&self) -> Result<Query<Option<FlagKey>>, Failure> {
        self.query(|word| match word {
            Location::Url(_) | Location::Stdin | Location::Follow(_) => true,
            Location::Path(path) => Path::new(path).exists(),
        })
    }

    /// `is_document` tells whether a single word names a document, where `TIDEGATE_SERVER` is set.
    fn query(&self, is_document: impl Fn(&Location) -> bool) -> Result<Query<Option<FlagKey>>, Failure> {
        let (section, flag) = (self.section.as_deref(), self.flag.as_deref());
        if !self.follow.is_empty() {
            if flag.is_some() {
                return Err(Failure::usage("too many arguments beside --follow")
                    .help("with --follow give the flag alone: there is no document"));
            }
            let first = self.source.as_ref().map(Location::as_typed);
            let source = SourceArgs { source: Location::Follow(self.follow.clone()), options: self.options.clone() };
            return Ok(Query::Document(Box::new(source), flag_key(first.as_deref(), section)));
        }
        let document_option = self.options.only_for_documents();
        let server = self.server.address.as_ref().filter(|_| {
            // The variable is a default: whatever names a document goes before it.
            let names_document = match (&self.source, section) {
                (None, _) => false,
                (Some(_), Some(_)) => true,
                (Some(word), None) => is_document(word),
            };
            !(self.server.is_from_environment && (names_document || document_option.is_some()))
        });
        match (server, &self.source) {
            (None, Some(source)) => {
                let source = SourceArgs { source: source.clone(), options: self.options.clone() };
                Ok(Query::Document(Box::new(source), flag_key(section, flag)))
            }
            (Some(_), Some(_)) if flag.is_some() => Err(Failure::usage("too many arguments beside --server")
                .help("with --server give the flag alone: there is no document")),
            (Some(_), _) if let Some(option) = document_option => {
                Err(Failure::usage(format_args!("{option} cannot be used with --server"))
                    .help("it says how to read a document; leave one of the two out"))
            }
            (Some(server), first) => {
                let first = first.as_ref().map(Location::as_typed);
                let server = server.clone().trusting(self.options.extra_roots()?);
                Ok(Query::Server(server, flag_key(first.as_deref(), section)))
            }
            (None, None) => Err(Failure::usage("no document given, and no server").help("give SOURCE or --server")),
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
