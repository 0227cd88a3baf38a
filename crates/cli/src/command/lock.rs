//! `tidegate lock`: locks a flag on this host to a value.

use tidegate::locks::{LockError, LockFile};
use tidegate::{FlagKey, HostLock, Pin, Variant};

use crate::args::{UntilArg, json, user_at_host};
use crate::exit::{Exit, Failure, Outcome, chain};
use crate::output::Output;
use crate::relative::{relative, short};
use crate::source;
use crate::text::{escape, escape_json, shorten};

/// Lock a flag on this host to its stable or new value, or to any value
#[derive(Clone, Debug, clap::Args)]
#[command(
    override_usage = "tidegate lock [OPTIONS] --reason <TEXT> <SECTION> <FLAG> <stable|new>
       tidegate lock [OPTIONS] --reason <TEXT> <SECTION> <FLAG> --value <JSON>
       tidegate lock [OPTIONS] --reason <TEXT> <FLAG_KEY> <stable|new>",
    after_help = "\
Examples:
  tidegate lock features new_login stable --reason 'INC-1234: sign-in fails' --until 2h
  tidegate lock limits/batch --value 100 --reason 'try a smaller batch'

A lock takes precedence over documents and activations, for every key on this host, at once and also in running programs. \
A lock to a --value works for a flag that no document defines, too. Locks are stored in the file $TIDEGATE_LOCKS, or in \
tidegate/locks.json in $XDG_STATE_HOME or ~/.local/state."
)]
pub(crate) struct Args {
    /// The flag, as section and name or as one flag key; then `stable` or `new`, unless --value is given
    #[arg(required = true, num_args = 1..=3, value_name = "FLAG")]
    words: Vec<String>,

    /// Lock it to this value
    #[arg(long, value_name = "JSON", value_parser = json, allow_hyphen_values = true)]
    value: Option<Box<str>>,

    /// Why the flag is locked, for those who find the lock
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    reason: String,

    #[command(flatten)]
    until: UntilArg,

    /// Who locks it [default: the user at this host]
    #[arg(long, value_name = "NAME", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    actor: Option<String>,
}

pub(crate) fn run(args: &Args, output: &mut Output) -> Outcome {
    let words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    let (flag, pin) = parse_words(&words, args.value.as_deref())?;
    let now = source::now();
    let until = args.until.instant(now);
    let actor = args.actor.clone().unwrap_or_else(user_at_host);
    let lock = HostLock { flag, pin, actor, reason: args.reason.clone(), until };
    let replaced = lock_file()?.add(&lock).map_err(|error| failure(&error))?;
    if let Some(replaced) = replaced.filter(|replaced| replaced.until.is_none_or(|until| now < until)) {
        let why = if replaced.reason.is_empty() { String::new() } else { format!(": {}", escape(&replaced.reason)) };
        output.note(format_args!(
            "this replaces the lock to {} by {}{why}",
            pin_text(&replaced.pin),
            escape(&replaced.actor)
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

/// Parses the words by their number: a flag key, or section and flag; then a variant unless there is a value.
fn parse_words(words: &[&str], value: Option<&str>) -> Result<(FlagKey, Pin), Failure> {
    let variant = |word: &str| match word {
        "stable" => Ok(Pin::Variant(Variant::Stable)),
        "new" => Ok(Pin::Variant(Variant::New)),
        _ => Err(Failure::usage(format_args!("`{}` is not `stable` or `new`", escape(word)))
            .help("name the one to lock the flag to, or give any value with --value")),
    };
    match (words, value) {
        ([key], Some(value)) => Ok((FlagKey::parse(key), Pin::Value(value.into()))),
        ([section, flag], Some(value)) => Ok((FlagKey::new(*section, *flag), Pin::Value(value.into()))),
        ([key, word], None) => Ok((FlagKey::parse(key), variant(word)?)),
        ([section, flag, word], None) => Ok((FlagKey::new(*section, *flag), variant(word)?)),
        (_, Some(_)) => {
            Err(Failure::usage("too many arguments beside --value")
                .help("leave out either `stable` or `new`, or --value"))
        }
        (_, None) => Err(Failure::usage("no value to lock the flag to")
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

/// What a lock locks to, as text.
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
