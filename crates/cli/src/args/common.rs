//! Arguments that several commands have in common.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use tidegate_engine::{AttributesError, FlagKey, JsonAttributes, Micros, Subject};

/// The flag that a command is about.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct FlagArgs {
    /// The flag's section; or the whole flag key, as `features/x` (`x` alone means `flags/x`)
    pub(crate) section: String,

    /// The flag's name in its section
    pub(crate) flag: Option<String>,
}

impl FlagArgs {
    /// The flag's key.
    pub(crate) fn key(&self) -> FlagKey {
        match &self.flag {
            Some(flag) => FlagKey::new(&*self.section, &**flag),
            None => FlagKey::parse(&self.section),
        }
    }
}

/// The key that a command is about.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct KeyArg {
    /// Evaluate for this key: a user, a host, anything with a name [default: this host's name]
    #[arg(long)]
    pub(crate) key: Option<String>,
}

impl KeyArg {
    /// The key, or the name of this host.
    pub(crate) fn or_host(&self) -> String {
        self.key.clone().unwrap_or_else(host_name)
    }
}

/// What is known of the subject besides its key.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct AttributesArg {
    /// Evaluate for a subject with these attributes, which rules read: a JSON object
    #[arg(long, value_name = "JSON")]
    attributes: Option<AttributesText>,
}

impl AttributesArg {
    /// The attributes as they were given.
    pub(crate) fn text(&self) -> Option<&str> {
        self.attributes.as_ref().map(|attributes| &*attributes.text)
    }

    /// The subject of this key with the attributes.
    pub(crate) fn subject<'a>(&'a self, key: &'a str) -> Subject<'a> {
        let subject = Subject::key(key);
        match &self.attributes {
            Some(attributes) => subject.with_attributes(&attributes.parsed),
            None => subject,
        }
    }
}

/// Attributes as they were given, and as they were read.
#[derive(Clone, Debug)]
pub(crate) struct AttributesText {
    text: String,
    parsed: JsonAttributes,
}

impl FromStr for AttributesText {
    type Err = AttributesError;

    fn from_str(text: &str) -> Result<Self, AttributesError> {
        Ok(Self { text: text.to_owned(), parsed: JsonAttributes::parse(text)? })
    }
}

/// A list of keys.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct KeyFileArg {
    /// Read the keys from FILE, one per line; `-` for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) keys_from: Option<PathBuf>,
}

/// The instant to evaluate at.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct AtArg {
    /// Evaluate at TIME instead of now, to the microsecond; RFC 3339, or as documents write it
    #[arg(long, value_name = "TIME", value_parser = super::time)]
    pub(crate) at: Option<Micros>,
}

/// How to show a result.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct FormatArg {
    /// Show the result as text for people (human) or as JSON for programs (json)
    #[arg(long, value_enum, default_value_t, value_name = "FORMAT", hide_possible_values = true)]
    pub(crate) format: Format,
}

/// How to show a result.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, ValueEnum)]
pub(crate) enum Format {
    #[default]
    Human,
    Json,
}

/// The name of this host, as `uname -n` prints it.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
