//! `tidegate lock`: pins a flag on this host.

use tidegate::locks::{LockError, LockFile};
use tidegate::{FlagKey, HostLock, Pin, Variant};
use tidegate_engine::Span;

use crate::args::{duration, json, user_at_host};
use crate::exit::{Exit, Failure, Outcome, chain};
use crate::output::Output;
use crate::relative::{relative, short};
use crate::source;
use crate::text::{escape, escape_json, shorten};

/// Pin a flag on this host, to one of its values or to any value
#[derive(Clone, Debug, clap::Args)]
#[command(
    override_usage = "tidegate lock [OPTIONS] --why <TEXT> <SECTION> <FLAG> <stable|new>
       tidegate lock [OPTIONS] --why <TEXT> <SECTION> <FLAG> --value <JSON>
       tidegate lock [OPTIONS] --why <TEXT> <FLAG_KEY> <stable|new>",
    after_help = "\
Examples:
  tidegate lock features new_login stable --why 'INC-1234: sign-in fails' --for 2h
  tidegate lock limits/batch --value 100 --why 'try a smaller batch'

A lock goes before everything that a document says, for every key asked about on this host, at once and in \
programs that are running too. A lock with a value works for a flag that no document knows. Locks are kept \
in $TIDEGATE_LOCKS, or in tidegate/locks.json in $XDG_STATE_HOME or ~/.local/state."
)]
pub(crate) struct Args {
    /// The flag, as section and name or as one flag key; then `stable` or `new`, unless there is a --value
    #[arg(required = true, num_args = 1..=3, value_name = "FLAG")]
    words: Vec<String>,

    /// Pin it to this value
    #[arg(long, value_name = "JSON", value_parser = json, allow_hyphen_values = true)]
    value: Option<Box<str>>,

    /// Why, for those who find the lock
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    why: String,

    /// Let the lock end by itself after that time
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    lasting: Option<Span>,

    /// Who locks [default: the user at this host]
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    let (flag, pin) = parse_words(&words, args.value.as_deref())?;
    let now = source::now();
    if args.lasting == Some(Span::ZERO) {
        return Err(Failure::usage("--for is no time at all").help("give a duration such as `2h`, or leave it out"));
    }
    let until = args.lasting.map(|lasting| now.saturating_add(lasting).ceil_to_second());
    let who = args.who.clone().unwrap_or_else(user_at_host);
    let lock = HostLock { flag, pin, who, why: args.why.clone(), until };
    let replaced = lock_file()?.add(&lock).map_err(|error| failure(&error))?;
    if let Some(replaced) = replaced.filter(|replaced| replaced.until.is_none_or(|until| now < until)) {
        let why = if replaced.why.is_empty() { String::new() } else { format!(": {}", escape(&replaced.why)) };
        output.note(format_args!(
            "it replaces the lock to {} by {}{why}",
            pin_text(&replaced.pin),
            escape(&replaced.who)
        ));
    }
    let until = match until {
        Some(until) => format!("until {}, {}", short(until), relative(until, now)),
        None => "until it is unlocked".to_owned(),
    };
    let flag = lock.flag.to_string();
    output.message(format_args!("`{}` is locked to {} on this host {until}", escape(&flag), pin_text(&lock.pin)));
    Ok(Exit::Success)
}

/// What the words mean, by their number: a flag key or section and flag, and then a variant unless there is
/// a value.
fn parse_words(words: &[&str], value: Option<&str>) -> Result<(FlagKey, Pin), Failure> {
    let variant = |word: &str| match word {
        "stable" => Ok(Pin::Variant(Variant::Stable)),
        "new" => Ok(Pin::Variant(Variant::New)),
        _ => Err(Failure::usage(format_args!("`{}` is neither `stable` nor `new`", escape(word)))
            .help("say which one to lock the flag to, or give any value with --value")),
    };
    match (words, value) {
        ([key], Some(value)) => Ok((FlagKey::parse(key), Pin::Value(value.into()))),
        ([section, flag], Some(value)) => Ok((FlagKey::new(*section, *flag), Pin::Value(value.into()))),
        ([key, word], None) => Ok((FlagKey::parse(key), variant(word)?)),
        ([section, flag, word], None) => Ok((FlagKey::new(*section, *flag), variant(word)?)),
        (_, Some(_)) => Err(Failure::usage("there is both a --value and a word too many")
            .help("leave out `stable` or `new`, or --value")),
        (_, None) => Err(Failure::usage("it is not said what to lock the flag to")
            .help("add `stable` or `new`, or give any value with --value")),
    }
}

/// The file with the locks of this host.
pub(crate) fn lock_file() -> Result<LockFile, Failure> {
    LockFile::of_this_host().map_err(|error| failure(&error))
}

pub(crate) fn failure(error: &LockError) -> Failure {
    let exit = if matches!(error, LockError::Lock { .. }) { Exit::Usage } else { Exit::Failed };
    Failure::new(exit, escape(&chain(error)))
}

/// What a lock pins to, for people.
pub(crate) fn pin_text(pin: &Pin) -> String {
    match pin {
        Pin::Variant(variant) => variant.to_string(),
        Pin::Value(value) => shorten(&escape_json(value), VALUE_COLUMNS).into_owned(),
    }
}

/// Longer values are shortened.
const VALUE_COLUMNS: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[&str], value: Option<&str>, expected: Option<(&str, &str)>) {
        let found = parse_words(words, value).ok().map(|(flag, pin)| (flag.to_string(), pin_text(&pin)));
        let expected = expected.map(|(flag, pin)| (flag.to_owned(), pin.to_owned()));
        assert_eq!(found, expected, "{words:?} {value:?}");
    }

    #[test]
    fn words_are_told_apart_by_their_number() {
        check(&["features", "x", "stable"], None, Some(("features/x", "stable")));
        check(&["features/x", "new"], None, Some(("features/x", "new")));
        check(&["x", "new"], None, Some(("flags/x", "new")));
        check(&["stable", "new", "new"], None, Some(("stable/new", "new")));
        check(&["features", "stable"], Some("1"), Some(("features/stable", "1")));
        check(&["features/x"], Some("{\"a\":1}"), Some(("features/x", "{\"a\":1}")));
        check(&["features", "x", "stable"], Some("1"), None);
        check(&["features", "x"], None, None);
        check(&["features/x"], None, None);
        check(&["features", "x", "on"], None, None);
    }
}
