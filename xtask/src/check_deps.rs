//! `cargo xtask check-deps`: the arrows between crates point one way, and so do those between the modules of a crate.
//!
//! Reads what `cargo tree` prints, for all features and targets, and holds it against [`RULES`]: which
//! members of the workspace a crate may reach, and which foreign crates it must never reach. It also counts the crates that
//! the program is built from. The modules of a member import each other in no circle; see [`cycles`].

mod cycles;
mod modules;
mod tokens;

use std::collections::BTreeSet;
use std::fs;

use crate::run::{self, Failure, cargo};

/// What one member of the workspace may depend on, directly or not.
struct Rule {
    member: &'static str,
    /// The members it may reach; all others are forbidden.
    members: &'static [&'static str],
    /// Foreign crates it must not reach, besides those of [`EVERYWHERE`].
    forbidden: &'static [&'static str],
    because: &'static str,
}

/// A member without a rule is an error: a new crate needs a row here.
const RULES: &[Rule] = &[
    Rule {
        member: "tidegate-engine",
        members: &[],
        forbidden: SANS_IO,
        because: "the engine does no input or output, draws no random number and knows no caller",
    },
    Rule {
        member: "tidegate-replica",
        members: &[],
        forbidden: SANS_IO,
        because: "the replica does no input or output, draws no random number and knows no flags",
    },
    Rule {
        member: "tidegate-mesh",
        members: &["tidegate-replica"],
        forbidden: &["axum", "clap", "hyper", "reqwest", "rusqlite"],
        because: "the mesh carries bytes between nodes: it knows no flags, no disk and no HTTP",
    },
    Rule {
        member: "tidegate",
        members: &["tidegate-engine", "tidegate-mesh", "tidegate-replica"],
        forbidden: &["axum", "clap"],
        because: "the library is embedded: it serves nothing and parses no arguments",
    },
    Rule {
        member: "tidegate-openfeature",
        members: &["tidegate", "tidegate-engine"],
        forbidden: &["axum", "clap", "rusqlite"],
        because: "the provider stands on the library with its default features, and decides nothing itself",
    },
    Rule {
        member: "tidegate-server",
        members: &["tidegate", "tidegate-engine", "tidegate-mesh", "tidegate-replica"],
        forbidden: &["clap"],
        because: "the server stands above the library, and parses no arguments",
    },
    Rule {
        member: "tidegate-origin",
        members: &[],
        forbidden: &["tokio", "hyper", "reqwest"],
        because: "the origin of the tests shares no code with what it tests",
    },
    Rule {
        member: "tidegate-cli",
        members: &["tidegate", "tidegate-engine", "tidegate-mesh", "tidegate-replica", "tidegate-server"],
        forbidden: &[],
        because: "the command line stands above the library, and nothing above it",
    },
    Rule {
        member: "xtask",
        members: &[],
        forbidden: &[],
        because: "tasks use std only, so that they build in a second",
    },
];

/// Foreign crates that a state machine must not reach: runtimes, network, disk, randomness, logs, arguments.
const SANS_IO: &[&str] = &[
    "tokio",
    "mio",
    "async-std",
    "smol",
    "hyper",
    "reqwest",
    "ureq",
    "rustls",
    "axum",
    "rusqlite",
    "rand",
    "getrandom",
    "tracing",
    "anyhow",
    "clap",
];

/// Foreign crates that no member may reach. `deny.toml` forbids the same ones in the whole lock file, with the reasons; a test
/// compares the two.
const EVERYWHERE: &[&str] = &["openssl-sys", "aws-lc-sys"];

/// The member that is the program.
const PROGRAM: &str = "tidegate-cli";

/// Crates of all systems that the program is built from, its own among them: what it is now, and some to spare. A dependency
/// that brings more is a decision.
const CRATES_MAX: usize = 320;

/// Members that may have no foreign dependency at all.
const STD_ONLY: &[&str] = &["xtask"];

/// With arguments, only the import cycles of the crates with these root files.
pub(crate) fn run(arguments: &[String]) -> Result<(), Failure> {
    let roots = arguments.iter().map(String::as_str);
    let problems = if arguments.is_empty() { all_problems()? } else { cycles_of(roots)? };
    if problems.is_empty() {
        eprintln!("every arrow points the right way");
        return Ok(());
    }
    Err(Failure::new(format!("the rules of xtask/src/check_deps.rs are broken:\n  {}", problems.join("\n  "))))
}

fn all_problems() -> Result<Vec<String>, Failure> {
    let members =
        packages(&run::output(&mut cargo(&["tree", "--locked", "--workspace", "--depth", "0", "--prefix", "none"]))?);
    let mut problems = members_and_rules(&members);
    for rule in RULES.iter().filter(|rule| members.contains(rule.member)) {
        let tree = run::output(&mut cargo(&[
            "tree",
            "--locked",
            "--package",
            rule.member,
            "--edges",
            "normal,build",
            "--all-features",
            "--target",
            "all",
            "--prefix",
            "none",
        ]))?;
        problems.extend(turned_arrows(rule, &packages(&tree), &members));
        if rule.member == PROGRAM {
            problems.extend(too_many(&tree));
        }
    }
    for rule in RULES {
        problems.extend(cycles_of([&*root_of(rule.member)?].into_iter())?);
    }
    Ok(problems)
}

/// The root file of a member.
fn root_of(member: &str) -> Result<String, Failure> {
    let folder = format!("crates/{}", member.strip_prefix("tidegate-").unwrap_or(member));
    let folders = [&*folder, member];
    let mut roots = folders.iter().flat_map(|folder| ["lib", "main"].map(|file| format!("{folder}/src/{file}.rs")));
    roots
        .find(|root| fs::exists(root).unwrap_or(false))
        .ok_or_else(|| Failure::new(format!("`{member}` has no root file in {}", folders.join(" or "))))
}

/// The import cycles of the crates with these root files.
fn cycles_of<'r>(roots: impl Iterator<Item = &'r str>) -> Result<Vec<String>, Failure> {
    let read = |file: &str| fs::read_to_string(file).ok();
    let mut problems = Vec::new();
    for root in roots {
        if read(root).is_none() {
            return Err(Failure::new(format!(
                "`{root}` cannot be read; name the root file of a crate, as seen from the workspace's root"
            )));
        }
        problems.extend(cycles::cycles(root, &read));
    }
    Ok(problems)
}

/// Whether the program is built from more crates than it should be.
fn too_many(tree: &str) -> Option<String> {
    let crates: BTreeSet<(&str, &str)> = tree
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?))
        })
        .collect();
    let count = crates.len();
    (count > CRATES_MAX).then(|| {
        format!(
            "`{PROGRAM}` is built from {count} crates, more than {CRATES_MAX}; look at `cargo tree`, or raise the limit in \
             the commit that says what they are for. If `icu_provider` is among them, see docs/decisions/0048"
        )
    })
}

/// The names of the packages that `cargo tree --prefix none` printed: each line begins with one.
fn packages(tree: &str) -> BTreeSet<String> {
    tree.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// Members without a rule, and rules without a member.
fn members_and_rules(members: &BTreeSet<String>) -> Vec<String> {
    let ruled: BTreeSet<String> = RULES.iter().map(|rule| rule.member.to_owned()).collect();
    let without_rule =
        members.difference(&ruled).map(|member| format!("`{member}` has no rule; say what it may depend on"));
    let without_member =
        ruled.difference(members).map(|rule| format!("rule for `{rule}`, which is not a member; remove it"));
    without_rule.chain(without_member).collect()
}

/// What `rule` forbids among the packages that its member reaches.
fn turned_arrows(rule: &Rule, reached: &BTreeSet<String>, members: &BTreeSet<String>) -> Vec<String> {
    let is_forbidden = |package: &str| {
        if members.contains(package) {
            !rule.members.contains(&package)
        } else {
            rule.forbidden.contains(&package) || EVERYWHERE.contains(&package) || STD_ONLY.contains(&rule.member)
        }
    };
    reached
        .iter()
        .filter(|package| *package != rule.member && is_forbidden(package))
        .map(|package| format!("`{}` reaches `{package}`, but {}", rule.member, rule.because))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `cargo tree` prints of the members.
    fn members_tree() -> String {
        let lines = RULES.iter().map(|rule| format!("{} v0.1.0 (/src/{})\n", rule.member, rule.member));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn check(member: &str, tree: &str, expected: &[&str]) {
        let rule = RULES.iter().find(|rule| rule.member == member).unwrap();
        let reached: Vec<String> = turned_arrows(rule, &packages(tree), &packages(&members_tree()))
            .iter()
            .map(|problem| problem.split('`').nth(3).unwrap().to_owned())
            .collect();
        assert_eq!(reached, expected, "{member}: {tree}");
    }

    #[test]
    fn arrows() {
        check("tidegate-engine", "tidegate-engine v0.1.0\nserde v1.0.0\nserde v1.0.0 (*)\n", &[]);
        check("tidegate-engine", "tidegate-engine v0.1.0\ntokio v1.54.1\nmio v1.0.0\n", &["mio", "tokio"]);
        check("tidegate-engine", "tidegate-engine v0.1.0\ntidegate v0.1.0 (/src/crates/tidegate)\n", &["tidegate"]);
        check("tidegate", "tidegate v0.1.0\ntidegate-engine v0.1.0\ntokio v1.54.1\n", &[]);
        check("tidegate", "tidegate v0.1.0\ntidegate-cli v0.1.0\nclap v4.6.7\n", &["clap", "tidegate-cli"]);
        check("tidegate-cli", "tidegate-cli v0.1.0\naws-lc-sys v0.38.0\n", &["aws-lc-sys"]);
        check("tidegate-replica", "tidegate-replica v0.1.0\nureq v3.0.0\n", &["ureq"]);
        check("tidegate-cli", "tidegate-cli v0.1.0\ntidegate v0.1.0\ntidegate-engine v0.1.0\nclap v4.6.7\n", &[]);
        check("xtask", "xtask v0.1.0\n", &[]);
        check("xtask", "xtask v0.1.0\nserde v1.0.0\n", &["serde"]);
    }

    /// A file of the workspace.
    fn read(file: &str) -> String {
        fs::read_to_string(format!("{}/../{file}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    #[test]
    fn cargo_deny_forbids_the_same_crates() {
        let text = read("deny.toml");
        let list = text.split("\ndeny = [").nth(1).unwrap().split("\n]").next().unwrap();
        let denied: Vec<&str> =
            list.split("crate = \"").skip(1).map(|entry| entry.split('"').next().unwrap()).collect();
        assert_eq!(denied, EVERYWHERE, "deny.toml and xtask/src/check_deps.rs");
    }

    #[test]
    fn clippy_forbids_the_same_functions_in_all_state_machines() {
        let forbidden = |member: &str| -> Vec<String> {
            let text = read(&format!("crates/{member}/clippy.toml"));
            text.split("path = \"").skip(1).map(|entry| entry.split('"').next().unwrap().to_owned()).collect()
        };
        let members = RULES.iter().filter(|rule| rule.forbidden == SANS_IO).map(|rule| rule.member);
        let lists: Vec<Vec<String>> =
            members.map(|member| forbidden(member.strip_prefix("tidegate-").unwrap())).collect();
        assert_eq!(lists.len(), 2, "engine and replica");
        assert!(lists[0].contains(&"std::time::Instant::now".to_owned()), "{lists:?}");
        assert_eq!(lists[0], lists[1]);
    }

    #[test]
    fn crates_are_counted_once_each() {
        let tree = |count: usize| {
            let lines = (0..count).map(|number| format!("c{number} v1.0.0\nc{number} v1.0.0 (*)\n\n"));
            lines.collect::<String>()
        };
        assert_eq!(too_many(&tree(CRATES_MAX)), None);
        assert!(too_many(&tree(CRATES_MAX + 1)).unwrap().contains("more than"));
    }

    #[test]
    fn each_member_has_a_rule_and_each_rule_a_member() {
        assert_eq!(members_and_rules(&packages(&members_tree())), Vec::<String>::new());
        assert_eq!(members_and_rules(&packages(&(members_tree() + "tidegate-new v0.1.0\n"))).len(), 1);
        assert_eq!(members_and_rules(&packages("xtask v0.1.0\n")).len(), RULES.len() - 1);
    }
}
