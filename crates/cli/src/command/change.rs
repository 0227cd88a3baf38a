//! Sends a change of a flag, and reports its receipt; shared by the commands that change flags.

use serde_json::value::RawValue;
use tidegate::RedisReceipt;
use tidegate_engine::{FlagKey, Micros, Share};

use super::list::rounded;
use crate::args::{ChangeArgs, Format, UntilArg};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::relative::{relative, short};
use crate::server::{Change, Effect, Operation, Outranked, Percentage, Receipt, Server, Target};
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
    apply(&server, flag, Operation::Activate(share, target), until, &done, args, output)
}

/// Makes a change, and reports its receipt: `done` completes "`flag` is ...".
pub(super) fn apply(
    server: &Server,
    flag: FlagKey,
    operation: Operation,
    until: Option<Micros>,
    done: &str,
    args: &ChangeArgs,
    output: &mut Output,
) -> Outcome {
    let (reason, actor) = (args.author.reason.clone(), args.author.actor());
    let change = Change { flag, operation, until, actor, reason, ack: args.ack, timeout: args.timeout };
    let (receipt, json) = server.change(&change).map_err(|failure| unknown_target(failure, &change.operation))?;
    let done = format!("{done}{}", until_text(until));
    let exit = report(&change.flag, &done, &receipt, &json, args.format.format, output)?;
    let has_no_answer = matches!(&receipt.effect, Some(Effect { to: None, .. }));
    if has_no_answer
        && matches!(change.operation, Operation::Activate(..) | Operation::Hold(..))
        && args.format.format == Format::Human
    {
        output.note(format_args!(
            "the server has no definition of `{}`: callers get their own defaults there",
            escape(&change.flag.to_string())
        ));
    }
    Ok(exit)
}

/// Reports the receipt of a change: `done` completes "`flag` is ...".
pub(super) fn report(
    flag: &FlagKey,
    done: &str,
    receipt: &Receipt,
    json: &RawValue,
    format: Format,
    output: &mut Output,
) -> Outcome {
    match format {
        Format::Json => output.json(&json)?,
        Format::Human => {
            let flag = flag.to_string();
            let flag = escape(&flag);
            output.message(format_args!(
                "`{flag}` is {done}{}; {}",
                effect_text(receipt),
                acknowledgement_text(receipt)
            ));
            if receipt.created {
                output.note(format_args!("created the boolean flag `{flag}`, which the server did not know"));
            }
        }
    }
    Ok(report_level(receipt, "tidegate history", "change", output))
}

/// Reports the receipt of a change of the cluster itself: `done` is the sentence that says what was done.
pub(super) fn report_to_operator(
    done: &str,
    receipt: &Receipt,
    json: &RawValue,
    format: Format,
    output: &mut Output,
) -> Outcome {
    match format {
        Format::Json => output.json(&json)?,
        Format::Human => output.message(format_args!("{done}; {}", acknowledgement_text(receipt))),
    }
    Ok(report_level(receipt, "tidegate cluster status", "command", output))
}

/// Warns if the level was not reached; `command` shows what outranks the change, and `what` is to be repeated then.
fn report_level(receipt: &Receipt, command: &str, what: &str, output: &mut Output) -> Exit {
    if receipt.reached {
        return Exit::Success;
    }
    if receipt.outranked.is_empty() {
        output.warning(format_args!(
            "accepted, but not acknowledged in time{}; the change is kept, and reaches the other nodes later",
            if receipt.redis.is_some() { " by Redis" } else { level_text(receipt) }
        ));
    } else {
        let losses: Vec<_> = receipt.outranked.iter().map(Outranked::describe).collect();
        output.warning(format_args!(
            "stored, but outranked {}; see `{command}`, and repeat the {what} if needed",
            losses.join(", ")
        ));
    }
    for peer in &receipt.unreached {
        output.note(format_args!("not connected to {}: {}", escape(&peer.address), escape(&peer.problem)));
    }
    Exit::Unacknowledged
}

/// The same failure; for a flag that the server does not know, it suggests the options that allow the change.
fn unknown_target(failure: Failure, what: &Operation) -> Failure {
    match failure {
        Failure::Reported(report) if report.exit == Exit::NoFlag && matches!(what, Operation::Activate(..)) => {
            Failure::Reported(report).help(
                "`tidegate flags` lists the flags of the server; --create creates a boolean flag; --elsewhere changes a flag that \
                 documents of other nodes define",
            )
        }
        failure => failure,
    }
}

/// When the change ends by itself.
fn until_text(until: Option<Micros>) -> String {
    until.map_or(String::new(), |until| format!(" until {}, {}", short(until), relative(until, source::now())))
}

impl Outranked {
    /// On which member, and by which change.
    fn describe(&self) -> String {
        let state = if self.quarantined { "a quarantined change" } else { "a change" };
        format!("on {} by {state} of node {} (stamp {})", escape(&self.on), escape(&self.by), escape(&self.stamp))
    }
}

/// The share before and after, on the server that made the change.
fn effect_text(receipt: &Receipt) -> String {
    let Some(Effect { from, to }) = &receipt.effect else { return String::new() };
    let shown = |share: &Option<Percentage>| match share {
        Some(share) => format!("{} %", rounded(share.0)),
        None => "caller's default".to_owned(),
    };
    format!(": {} -> {}", shown(from), shown(to))
}

/// How many members have acknowledged the change, and which have not yet.
fn acknowledgement_text(receipt: &Receipt) -> String {
    if let Some(redis) = &receipt.redis {
        return redis_text(redis);
    }
    let (has, all) = (receipt.durable_on.len(), receipt.durable_on.len() + receipt.pending.len());
    if all == 0 {
        return "no member has acknowledged it".to_owned();
    }
    let members = if all == 1 { "member" } else { "members" };
    let level = if receipt.ack.is_empty() { String::new() } else { format!(" ({})", escape(&receipt.ack)) };
    let missing: Vec<_> = receipt.pending.iter().map(|name| escape(name)).collect();
    let missing = if missing.is_empty() { String::new() } else { format!("; {}: not yet", missing.join(", ")) };
    if has == all && !receipt.reached && all == 1 {
        // It has peers configured: alone it is no majority.
        return format!("acknowledged by the server alone, which knows no other member yet{level}");
    }
    format!("acknowledged by {has} of {all} {members}{level}{missing}")
}

/// What Redis has said of the change, and what its acknowledgement is worth.
fn redis_text(redis: &RedisReceipt) -> String {
    if !redis.is_acknowledged {
        let problem = redis.problem.as_deref().map_or(String::new(), |problem| format!(": {}", escape(problem)));
        return format!("Redis has not acknowledged it{problem}");
    }
    let replicas = match redis.replicas {
        0 => String::new(),
        1 => " and 1 replica".to_owned(),
        count => format!(" and {count} replicas"),
    };
    let sync = redis.appendfsync.as_deref().map_or(String::new(), |sync| format!(" (appendfsync {})", escape(sync)));
    format!("acknowledged by Redis{replicas}{sync}")
}

/// The level that was requested, in words.
fn level_text(receipt: &Receipt) -> &'static str {
    match &*receipt.ack {
        "local" => " by the server",
        "one" => " by one more member",
        "majority" => " by a majority",
        "all" => " by every reachable member",
        _ => "",
    }
}
