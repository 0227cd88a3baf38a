//! Which server is asked, and the options of a change: who makes it, why, until when, and how many nodes must have it.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command, FromArgMatches, value_parser};
use tidegate_engine::document::{parse_duration, parse_percent, parse_time};
use tidegate_engine::{FlagKey, Micros, Share, Span};

use super::source::extra_roots;
use super::{FormatArg, duration, host_name};
use crate::exit::Failure;
use crate::server::{Address, LOCAL, Level, Server, Target};

/// Which server is asked; the local one by default.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ServerArgs {
    #[command(flatten)]
    server: ServerOption<true>,

    /// Trust the certificate authorities in FILE (PEM), in addition to those of this machine
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
}

impl ServerArgs {
    /// Prepares the client for the server.
    pub(crate) fn connect(&self) -> Result<Server, Failure> {
        let address = self.server.address.clone().unwrap_or_else(Address::local);
        Server::new(address.trusting(extra_roots(self.cacert.as_deref())?))
    }
}

/// `--server`, or `TIDEGATE_SERVER`. Commands that only servers answer have a default.
#[derive(Clone, Debug)]
pub(super) struct ServerOption<const HAS_DEFAULT: bool> {
    pub(super) address: Option<Address>,
    /// Whether the address is that of the variable.
    pub(super) is_from_environment: bool,
}

impl<const HAS_DEFAULT: bool> ServerOption<HAS_DEFAULT> {
    fn arg() -> Arg {
        let help = if HAS_DEFAULT {
            format!("The server: a URL, or host and port [default: {LOCAL}]")
        } else {
            "Ask the server at URL (or host and port) instead of a document".to_owned()
        };
        let arg = Arg::new(ID).long(ID).value_name("URL").help(help).value_parser(value_parser!(Address));
        // A variable that is set to nothing counts as unset.
        if std::env::var_os(SERVER_VARIABLE).is_some_and(|value| value.is_empty()) {
            return arg;
        }
        arg.env(SERVER_VARIABLE).hide_env_values(true)
    }
}

impl<const HAS_DEFAULT: bool> clap::Args for ServerOption<HAS_DEFAULT> {
    fn augment_args(command: Command) -> Command {
        command.arg(Self::arg())
    }

    fn augment_args_for_update(command: Command) -> Command {
        command.arg(Self::arg())
    }
}

impl<const HAS_DEFAULT: bool> FromArgMatches for ServerOption<HAS_DEFAULT> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let is_from_environment = matches.value_source(ID) == Some(ValueSource::EnvVariable);
        Ok(Self { address: matches.get_one(ID).cloned(), is_from_environment })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The name of the option.
const ID: &str = "server";
/// Names the server where --server does not.
pub(crate) const SERVER_VARIABLE: &str = "TIDEGATE_SERVER";

/// The flag that a command is about, as one word.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct FlagKeyArg {
    /// The flag key, as `features/x`; `x` alone means `flags/x`
    #[arg(value_name = "FLAG")]
    flag: String,
}

impl FlagKeyArg {
    /// The flag's key.
    pub(crate) fn key(&self) -> FlagKey {
        FlagKey::parse(&self.flag)
    }
}

/// Who makes a change, and why.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct AuthorArgs {
    /// Why the change is made, for those who read the history
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) reason: Option<String>,

    /// Who makes the change, for those who read the history [default: the user at this host]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    actor: Option<String>,
}

impl AuthorArgs {
    /// Who makes the change.
    pub(crate) fn actor(&self) -> String {
        self.actor.clone().unwrap_or_else(user_at_host)
    }
}

/// The options of a change.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ChangeArgs {
    #[command(flatten)]
    pub(crate) author: AuthorArgs,

    /// Wait until these members have acknowledged the change: the server itself (local), one more (one), a majority (majority),
    /// every reachable member (all) [default: majority]
    #[arg(long, value_enum, value_name = "LEVEL", hide_possible_values = true)]
    pub(crate) ack: Option<Level>,

    /// Wait at most this long for --ack; the change is kept in any case [default: 500ms]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Span>,

    #[command(flatten)]
    pub(crate) server: ServerArgs,

    #[command(flatten)]
    pub(crate) format: FormatArg,
}

/// Which flags may be changed.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct TargetArgs {
    /// Create a boolean flag if the server knows no flag of this name
    #[arg(long, conflicts_with = "elsewhere")]
    create: bool,

    /// Change a flag that documents of other nodes define; where no document defines it, callers get their own defaults
    #[arg(long)]
    elsewhere: bool,
}

impl TargetArgs {
    /// Which flags the change may name.
    pub(crate) fn target(self) -> Target {
        match (self.create, self.elsewhere) {
            (true, _) => Target::Create,
            (_, true) => Target::Elsewhere,
            _ => Target::Existing,
        }
    }
}

/// When an activation or a lock ends by itself.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct UntilArg {
    /// End it automatically at a time, or after a duration such as `2h`
    #[arg(long, value_name = "TIME", value_parser = until)]
    until: Option<Until>,
}

impl UntilArg {
    /// The instant.
    pub(crate) fn instant(&self, now: Micros) -> Option<Micros> {
        self.until.map(|until| match until {
            Until::At(instant) => instant,
            Until::In(span) => now.saturating_add(span).ceil_to_second(),
        })
    }
}

/// An instant, as it is typed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Until {
    At(Micros),
    In(Span),
}

fn until(text: &str) -> Result<Until, String> {
    match (parse_duration(text), parse_time(text)) {
        (Ok(Span::ZERO), _) => Err("the duration is zero; give one such as `2h`".to_owned()),
        (Ok(span), _) => Ok(Until::In(span)),
        (_, Ok(instant)) => Ok(Until::At(instant)),
        (Err(_), Err(_)) => Err("not a time and not a duration; write it like `2026-12-01 00:00Z` or `2h`".to_owned()),
    }
}

/// A percentage as it is typed: `20`, `12.5`, `20%`.
pub(crate) fn percentage(text: &str) -> Result<Share, String> {
    let number = text.trim_end().trim_end_matches('%').trim_end();
    parse_percent(number).map_err(|error| format!("it {error}; {}", error.help()))
}

/// The user who runs this, and the host.
pub(crate) fn user_at_host() -> String {
    let user = ["USER", "LOGNAME"].iter().find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()));
    let user = user.unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()));
    format!("{user}@{}", host_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentages() {
        let percentages = [
            ("20", Some("20")),
            ("12.5%", Some("12.5")),
            ("100 %", Some("100")),
            ("0", Some("0")),
            ("101", None),
            ("-1", None),
            ("half", None),
            ("%", None),
            ("0.0000001", None),
        ];
        for (text, share) in percentages {
            assert_eq!(percentage(text).ok().map(|share| share.to_string()).as_deref(), share, "{text}");
        }
    }

    #[test]
    fn ends() {
        let ends = [
            ("2h", Some(Until::In(Span::from_micros(7_200_000_000)))),
            ("1970-01-01 00:01Z", Some(Until::At(Micros::new(60_000_000)))),
            ("0s", None),
            ("soon", None),
            ("2026-12-01", None),
        ];
        for (text, end) in ends {
            assert_eq!(until(text).ok(), end, "{text}");
        }
    }
}
