//! The log of a server: one line on standard error for each event.
//!
//! Texts of others stand in it, so that whatever could act on a terminal, or look like a line of its own, is escaped here once
//! more, for messages of every crate.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::exit::Failure;
use crate::text::escape;

/// Starts the log, as the variable says.
///
/// # Errors
/// The variable cannot be read; the failure says why and what can stand there.
pub(crate) fn start() -> Result<(), Failure> {
    let wanted = std::env::var_os(VARIABLE).filter(|text| !text.is_empty()).unwrap_or_else(|| DEFAULT.into());
    let filter = parse(&wanted.to_string_lossy())?;
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| Escaped).try_init();
    Ok(())
}

/// What is logged, as the variable says it. A word alone that is no level would be the name of a part of the program, of which
/// there is none, and nothing would be logged.
fn parse(wanted: &str) -> Result<EnvFilter, Failure> {
    let unreadable = |why: &dyn std::fmt::Display| {
        Failure::usage(format_args!("{VARIABLE} is `{}`, which cannot be read: {why}", escape(wanted)))
            .help("set it to error, warn, info, debug, trace or off, or to parts of the program, like `info,tidegate_mesh=debug`")
    };
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    let directives: Vec<&str> = wanted.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    let is_sound = |directive: &str| match directive.split_once('=') {
        // With fields of spans, the parser is the judge.
        _ if directive.contains('[') => true,
        Some((target, level)) => is_level(level) && !target.is_empty() && !target.contains(char::is_whitespace),
        None => is_level(directive),
    };
    if let Some(directive) = directives.iter().find(|directive| !is_sound(directive)) {
        return Err(unreadable(&format_args!("`{}` is neither a level nor `target=level`", escape(directive))));
    }
    let filter = EnvFilter::builder().parse(directives.join(","));
    filter.map_err(|error| unreadable(&escape(&error.to_string())))
}

/// Standard error, one event at a time.
struct Escaped;

impl Write for Escaped {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        io::stderr().lock().write_all(to_line(&String::from_utf8_lossy(event)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// The event without anything that could act on a terminal, in one line.
fn to_line(event: &str) -> String {
    format!("{}\n", escape(event.strip_suffix('\n').unwrap_or(event)))
}

/// The variable that says what is logged.
const VARIABLE: &str = "TIDEGATE_LOG";

/// What is logged unless it does: what an operator wants to know of this program, and warnings of all that it is made of.
const DEFAULT: &str = "warn,tidegate=info,tidegate_mesh=info,tidegate_replica=info,tidegate_server=info";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for text in ["warn", "tidegate=debug", DEFAULT, "off", "OFF", "info,", "info, tidegate_mesh=trace"] {
            parse(text).unwrap();
        }
        for text in ["tidegate=loud", "inof", "=", "info tidegate=debug", "info,verbose", "["] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_event_is_one_line_and_acts_on_nothing() {
        assert_eq!(to_line("INFO tidegate: `b` is lost\n"), "INFO tidegate: `b` is lost\n");
        assert_eq!(to_line("a\nERROR forged\u{1b}[2J\r\u{202e}x\n"), "a\\u{a}ERROR forged\\u{1b}[2J\\u{d}\\u{202e}x\n");
    }
}
