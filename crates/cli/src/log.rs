//! The log of a server: one line on standard error for each event.
//!
//! Messages of every crate pass through here. They contain text from outside, so that control characters, which could act on a
//! terminal or forge a line, are escaped.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::exit::Failure;
use crate::text::escape;

/// Starts the log, with the filter of `TIDEGATE_LOG`.
///
/// # Errors
/// The variable is not a filter; the failure says why, and what a filter looks like.
pub(crate) fn start() -> Result<(), Failure> {
    let wanted = std::env::var_os(VARIABLE).filter(|text| !text.is_empty()).unwrap_or_else(|| DEFAULT.into());
    let filter = parse(&wanted.to_string_lossy())?;
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(|| Escaped).try_init();
    Ok(())
}

/// Parses the filter. A single word that is not a level is refused: `tracing` would read it as the name of a module, match
/// nothing, and log nothing.
fn parse(wanted: &str) -> Result<EnvFilter, Failure> {
    let unreadable = |why: &dyn std::fmt::Display| {
        Failure::usage(format_args!("{VARIABLE} is `{}`, which is not a log filter: {why}", escape(wanted)))
            .help("set it to error, warn, info, debug, trace or off, or to levels of modules, as in `info,tidegate_mesh=debug`")
    };
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    let directives: Vec<&str> = wanted.split(',').map(str::trim).filter(|directive| !directive.is_empty()).collect();
    let is_sound = |directive: &str| match directive.split_once('=') {
        // Directives with fields of spans are left to the parser.
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

/// The event in one line, with everything escaped that could act on a terminal.
fn to_line(event: &str) -> String {
    format!("{}\n", escape(event.strip_suffix('\n').unwrap_or(event)))
}

/// Has the filter.
const VARIABLE: &str = "TIDEGATE_LOG";

/// The default filter: what an operator wants to know of this program, and the warnings of its dependencies.
const DEFAULT: &str = "warn,tidegate=info,tidegate_mesh=info,tidegate_replica=info,tidegate_server=info";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_parsed_is_an_error() {
        for text in ["warn", "tidegate=debug", DEFAULT, "off", "OFF", "info,", "info, tidegate_mesh=trace"] {
            parse(text).unwrap();
        }
        for text in ["tidegate=loud", "inof", "=", "info tidegate=debug", "info,verbose", "["] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn an_event_is_one_line_without_control_characters() {
        assert_eq!(to_line("INFO tidegate: `b` is lost\n"), "INFO tidegate: `b` is lost\n");
        assert_eq!(to_line("a\nERROR forged\u{1b}[2J\r\u{202e}x\n"), "a\\u{a}ERROR forged\\u{1b}[2J\\u{d}\\u{202e}x\n");
    }
}
