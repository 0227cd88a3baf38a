//! Where a server is, and what goes along with a change.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use tidegate_engine::document::{parse_duration, parse_percent, parse_time};
use tidegate_engine::{FlagKey, Micros, Share, Span};

use super::source::extra_roots;
use super::{FormatArg, duration, host_name};
use crate::exit::Failure;
use crate::server::{Address, Level, Server, Target};

/// Which server is asked.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ServerArgs {
    /// The server: a URL, or host and port [default: `$TIDEGATE_SERVER`, or `http://127.0.0.1:8080`]
    #[arg(long, value_name = "URL")]
    pub(crate) server: Option<Address>,

    /// Trust the certificate authorities in FILE, in PEM, besides those of this machine
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,
}

impl ServerArgs {
    /// Makes ready to ask.
    pub(crate) fn connect(&self) -> Result<Server, Failure> {
        let address = match &self.server {
            Some(address) => address.clone(),
            None => Address::from_environment().map_err(Failure::usage)?,
        };
        Server::new(address.trusting(extra_roots(self.cacert.as_deref())?))
    }
}

/// Which flag is meant, in one word.
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

/// Who does something, and why.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct AuthorArgs {
    /// Why, for those who read the history
    #[arg(long, value_name = "TEXT", value_parser = NonEmptyStringValueParser::new())]
    pub(crate) reason: Option<String>,

    /// Who does it [default: the user at this host]
    #[arg(long, value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    actor: Option<String>,
}

impl AuthorArgs {
    /// Who does it.
    pub(crate) fn actor(&self) -> String {
        self.actor.clone().unwrap_or_else(user_at_host)
    }
}

/// Who makes a change, why, and how sure it has to be.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ChangeArgs {
    #[command(flatten)]
    pub(crate) author: AuthorArgs,

    /// Wait until it is on the disks of: this node (local), one more (one), most members (majority), every member
    /// that is reachable (all) [default: majority]
    #[arg(long, value_enum, value_name = "LEVEL", hide_possible_values = true)]
    pub(crate) ack: Option<Level>,

    /// Wait no longer than that for --ack; the change stands all the same [default: 500ms]
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
    /// Make a boolean flag where the server knows no flag of this name
    #[arg(long, conflicts_with = "elsewhere")]
    create: bool,

    /// The flag is in documents of other nodes; where none defines it, each caller has its own default
    #[arg(long)]
    elsewhere: bool,
}

impl TargetArgs {
    /// Which flags are meant.
    pub(crate) fn target(self) -> Target {
        match (self.create, self.elsewhere) {
            (true, _) => Target::Create,
            (_, true) => Target::Elsewhere,
            _ => Target::Existing,
        }
    }
}

/// When a dial ends by itself.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct UntilArg {
    /// Let it end by itself at a time, or after a duration such as `2h`
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
        (Ok(Span::ZERO), _) => Err("it is no time at all; give a duration such as `2h`".to_owned()),
        (Ok(span), _) => Ok(Until::In(span)),
        (_, Ok(instant)) => Ok(Until::At(instant)),
        (Err(_), Err(_)) => {
            Err("it is neither a time nor a duration; write it like `2026-12-01 00:00Z` or `2h`".to_owned())
        }
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
