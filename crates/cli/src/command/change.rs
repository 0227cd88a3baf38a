//! What the commands have in common that change a flag.

use tidegate_engine::{FlagKey, Micros, Share};

use crate::args::{ChangeArgs, Format, UntilArg};
use crate::exit::{Exit, Failure, Outcome};
use crate::output::Output;
use crate::relative::{relative, short};
use crate::server::{Change, Receipt, Server, What};
use crate::source;
use crate::text::escape;

/// Sets the dial of a flag.
pub(super) fn dial(flag: FlagKey, share: Share, until: &UntilArg, args: &ChangeArgs, output: &mut Output) -> Outcome {
    let server = args.server.connect()?;
    let until = until.instant(source::now());
    make(&server, flag, What::Dial(share), until, &format!("dialled to {share} %"), args, output)
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
    let (receipt, json) = server.change(&change)?;
    match args.format.format {
        Format::Json => output.json(&json)?,
        Format::Human => {
            let flag = change.flag.to_string();
            output.word(format_args!("`{}` is {done}{}; {}", escape(&flag), ends(until), durable(&receipt)));
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

/// Why a command needs a flag that the server knows.
pub(super) fn unknown(failure: Failure) -> Failure {
    match failure {
        Failure::Stopped(stopped) if stopped.exit == Exit::NoFlag && stopped.help.is_empty() => {
            Failure::Stopped(stopped).help("`tidegate flags` shows the flags of a server")
        }
        failure => failure,
    }
}

/// When it ends by itself.
fn ends(until: Option<Micros>) -> String {
    until.map_or(String::new(), |until| format!(" until {}, {}", short(until), relative(until, source::now())))
}

/// Which nodes have it, and which have not said so yet.
fn durable(receipt: &Receipt) -> String {
    let names = |nodes: &[String]| {
        let names: Vec<_> = nodes.iter().map(|name| escape(name)).collect();
        names.join(", ")
    };
    let durable = match &*receipt.durable_on {
        [] => "durable nowhere".to_owned(),
        nodes => format!("durable on {}", names(nodes)),
    };
    if receipt.pending.is_empty() { durable } else { format!("{durable}, pending on {}", names(&receipt.pending)) }
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
