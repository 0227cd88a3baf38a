//! What the commands have in common that change a flag.

use tidegate_engine::{FlagKey, Micros, Share};

use super::list::rounded;
use crate::args::{ChangeArgs, Format, Target, UntilArg};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::relative::{relative, short};
use crate::server::{Change, Effect, Numeral, Receipt, Server, What};
use crate::source;
use crate::text::escape;

/// Sets the activation of a flag.
pub(super) fn activate(
    flag: FlagKey,
    share: Share,
    until: &UntilArg,
    target: Target,
    args: &ChangeArgs,
    output: &mut Output,
) -> Outcome {
    let server = args.server.connect()?;
    let until = until.instant(source::now());
    let done = match share {
        Share::ZERO => "deactivated".to_owned(),
        share => format!("activated for {share} %"),
    };
    make(&server, flag, What::Activate(share, target), until, &done, args, output)
}

/// Makes a change, and says what became of it: `done` completes "`flag` is ...".
pub(super) fn make(
    server: &Server,
    flag: FlagKey,
    what: What,
    until: Option<Micros>,
    done: &str,
    args: &ChangeArgs,
    output: &mut Output,
) -> Outcome {
    let (reason, actor) = (args.author.reason.clone(), args.author.actor());
    let change = Change { flag, what, until, actor, reason, ack: args.ack, timeout: args.timeout };
    let (receipt, json) = server.change(&change).map_err(|failure| unknown_target(failure, &change.what))?;
    match args.format.format {
        Format::Json => output.json(&json)?,
        Format::Human => {
            let flag = change.flag.to_string();
            let flag = escape(&flag);
            output.word(format_args!(
                "`{flag}` is {done}{}{}; {}",
                ends(until),
                effect(&receipt),
                acknowledged(&receipt)
            ));
            if receipt.created {
                output.note(format_args!("the server knew no flag `{flag}`: it is a new boolean flag"));
            }
            if matches!(&receipt.effect, Some(Effect { to: None, .. })) && matches!(change.what, What::Activate(..)) {
                output.note(format_args!(
                    "the server has no definition of `{flag}` loaded: each caller has its own default there"
                ));
            }
        }
    }
    if receipt.reached {
        return Ok(Exit::Done);
    }
    output.warning(format_args!(
        "accepted, but not acknowledged in time{}; the change stands, and reaches the others by itself",
        level(&receipt)
    ));
    Ok(Exit::Unacknowledged)
}

/// The same failure; of an activation of a flag that the server does not know, with the options that allow it.
fn unknown_target(failure: Failure, what: &What) -> Failure {
    match failure {
        Failure::Stopped(stopped) if stopped.exit == Exit::NoFlag && matches!(what, What::Activate(..)) => {
            Failure::Stopped(stopped).help(
                "--create makes it a boolean flag; --elsewhere changes a flag of other nodes' documents; \
                 `tidegate flags` lists the flags of a server",
            )
        }
        failure => failure,
    }
}

/// When it ends by itself.
fn ends(until: Option<Micros>) -> String {
    until.map_or(String::new(), |until| format!(" until {}, {}", short(until), relative(until, source::now())))
}

/// What it did to the share of keys with new, on the node that was asked.
fn effect(receipt: &Receipt) -> String {
    let Some(Effect { from, to }) = &receipt.effect else { return String::new() };
    let shown = |share: &Option<Numeral>| match share {
        Some(share) => format!("{} %", rounded(share.0)),
        None => "caller's default".to_owned(),
    };
    format!(": {} -> {}", shown(from), shown(to))
}

/// How many members have acknowledged it, and which have not yet.
fn acknowledged(receipt: &Receipt) -> String {
    let (has, all) = (receipt.durable_on.len(), receipt.durable_on.len() + receipt.pending.len());
    if all == 0 {
        return "no member has acknowledged it".to_owned();
    }
    let members = if all == 1 { "member" } else { "members" };
    let level = if receipt.ack.is_empty() { String::new() } else { format!(" ({})", escape(&receipt.ack)) };
    let missing: Vec<_> = receipt.pending.iter().map(|name| escape(name)).collect();
    let missing = if missing.is_empty() { String::new() } else { format!("; {}: not yet", missing.join(", ")) };
    format!("acknowledged by {has} of {all} {members}{level}{missing}")
}

/// What was asked for.
fn level(receipt: &Receipt) -> &'static str {
    match &*receipt.ack {
        "local" => " by this node",
        "one" => " by one more node",
        "majority" => " by most members",
        "all" => " by every reachable member",
        _ => "",
    }
}
