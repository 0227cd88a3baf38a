//! The reference page of limits, written from the constants of all crates and held against them.
//!
//! It reads source text, so it needs none of the crates and runs in a second. A constant's doc comment says what it limits and
//! why; what happens beyond it is said here.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// The limits of one crate.
struct Section {
    title: &'static str,
    introduction: &'static str,
    /// The files with the constants; with no names, all public constants of the file.
    files: &'static [(&'static str, &'static [&'static str])],
    /// What happens beyond a limit, unless `beyond` says otherwise.
    default: &'static str,
    beyond: &'static [(&'static str, &'static str)],
}

const SECTIONS: &[Section] = &[
    Section {
        title: "Documents (`tidegate-engine`)",
        introduction: "The limits of one document. They are the same for `tidegate check`, the library and the server.",
        files: &[("crates/engine/src/limits.rs", &[])],
        default: "the document is refused as a whole, with a diagnostic that names the limit",
        beyond: &[
            ("REGEX_CACHE_BYTES_MAX", "matching is slower, and still takes linear time"),
            ("DIAGNOSTICS_MAX", "further problems of that code are counted and not listed"),
        ],
    },
    Section {
        title: "Registers and messages (`tidegate-replica`)",
        introduction: "What a cluster replicates, and how fast.",
        files: &[("crates/replica/src/limits.rs", &[])],
        default: "the change is refused, with an error that names the limit",
        beyond: &[
            ("EXTRA_BYTES_MAX", "the register is refused as malformed"),
            ("MESSAGE_BYTES_MAX", "the message is refused as malformed"),
            ("CHUNK_BYTES", "the registers continue in the next message"),
            ("REPAIR_BYTES_PER_SECOND", "repair continues in the next second"),
            ("SNAPSHOT_BYTES_PER_SECOND", "the transfer continues in the next second"),
            ("EPOCHS_MAX", "another repair of the clock is refused"),
            ("DRIFT_MS_MAX", "the configuration is refused"),
            ("CLOCK_WARNING_MS", "a warning in log and status"),
            ("QUARANTINE_MAX", "further registers are dropped; anti-entropy sends them again"),
            ("PENDING_MAX", "further changes are refused as busy"),
            ("NODES_MAX", "further nodes do not become members, and get no link"),
        ],
    },
    Section {
        title: "Links between nodes (`tidegate-mesh`)",
        introduction: "The connections between the nodes of a cluster.",
        files: &[
            ("crates/mesh/src/link.rs", &["QUEUE_BYTES_MAX"]),
            ("crates/mesh/src/wire.rs", &["FRAME_BYTES_MAX", "HELLO_BYTES_MAX", "TEXT_BYTES_MAX"]),
            ("crates/mesh/src/handshake.rs", &["HANDSHAKE_MAX"]),
            ("crates/mesh/src/admission.rs", &["FILES_SHARE", "ROOM_MIN", "ROOM_MAX"]),
            ("crates/mesh/src/registry.rs", &["LINKS_MAX", "ANSWER_MAX"]),
            ("crates/mesh/src/pulse.rs", &["SILENCE_MAX"]),
            ("crates/mesh/src/connect.rs", &["ADDRESSES_MAX", "RESOLVING_MAX"]),
            ("crates/mesh/src/dialer.rs", &["ATTEMPT_MAX"]),
            ("crates/mesh/src/identity.rs", &["CERTIFICATES_MAX", "PEM_BYTES_MAX"]),
        ],
        default: "the connection ends; status and log say why",
        beyond: &[
            ("QUEUE_BYTES_MAX", "further messages to that peer are dropped and counted (`messages_dropped`)"),
            ("FILES_SHARE", "the oldest connection of the host that holds the most of them is closed"),
            ("ROOM_MIN", "the oldest connection of the host that holds the most of them is closed"),
            ("ROOM_MAX", "the oldest connection of the host that holds the most of them is closed"),
            ("LINKS_MAX", "the oldest link to that process is closed"),
            ("ANSWER_MAX", "the older process counts as dead, and the younger one is accepted"),
            ("ADDRESSES_MAX", "further addresses are not tried"),
            ("RESOLVING_MAX", "further names wait for their turn"),
            ("CERTIFICATES_MAX", "the file is refused"),
            ("PEM_BYTES_MAX", "the file is refused"),
        ],
    },
    Section {
        title: "Sources, locks and subscriptions (`tidegate`)",
        introduction: "What the library reads and keeps on one host.",
        files: &[
            ("crates/tidegate/src/ingest/source.rs", &["BODY_BYTES_MAX", "SIGNATURE_BYTES_MAX"]),
            ("crates/tidegate/src/ingest/source/redirect.rs", &["REDIRECTS_MAX"]),
            ("crates/tidegate/src/ingest/source/http/head.rs", &["HEAD_BYTES_MAX", "RETRY_AFTER_MAX"]),
            ("crates/tidegate/src/ingest/source/http.rs", &["HEADERS_MAX"]),
            ("crates/tidegate/src/ingest/schedule.rs", &["BACK_OFF_MAX", "INTERVAL_MAX"]),
            ("crates/tidegate/src/ingest/signature.rs", &["KEYS_MAX"]),
            ("crates/tidegate/src/files/locks.rs", &["LOCKS_MAX", "FILE_BYTES_MAX"]),
            ("crates/tidegate/src/read/subscription.rs", &["LISTED_MAX"]),
        ],
        default: "the poll fails, and the last good document stays active",
        beyond: &[
            ("RETRY_AFTER_MAX", "the next poll comes after that time"),
            ("BACK_OFF_MAX", "the pause grows no further"),
            ("INTERVAL_MAX", "the interval is that long"),
            ("KEYS_MAX", "a further key is refused"),
            ("LOCKS_MAX", "a further lock is refused"),
            ("FILE_BYTES_MAX", "a change that would exceed it is refused; a longer file is an error"),
            ("LISTED_MAX", "the notification says that any flag may have changed"),
        ],
    },
    Section {
        title: "Live changes and the store (`tidegate`, feature `cluster`)",
        introduction: "What one node holds for the cluster, in memory and on its disk.",
        files: &[
            ("crates/tidegate/src/live.rs", &["NAME_BYTES_MAX"]),
            ("crates/tidegate/src/live/driver_handle.rs", &["ACK_TIMEOUT_MAX"]),
            ("crates/tidegate/src/live/inbox.rs", &["REQUESTS_MAX", "MESSAGE_BYTES_MAX"]),
            ("crates/tidegate/src/live/history.rs", &["PAGE_MAX"]),
            ("crates/tidegate/src/store/limits.rs", &[]),
            ("crates/tidegate/src/store/committer.rs", &["QUEUE_WEIGHT_MAX"]),
            ("crates/tidegate/src/store/memory.rs", &["EVENTS_MAX"]),
            ("crates/tidegate/src/store/backup.rs", &["REGISTERS_MAX"]),
        ],
        default: "the oldest events are removed",
        beyond: &[
            ("NAME_BYTES_MAX", "the configuration is refused"),
            ("ACK_TIMEOUT_MAX", "the wait ends after that time"),
            ("REQUESTS_MAX", "further changes are refused as busy"),
            ("MESSAGE_BYTES_MAX", "further messages are dropped and counted; their senders send them again"),
            ("PAGE_MAX", "a page has that many changes, and `next` continues it"),
            ("HISTORY_PAGE_MAX", "a page has that many events"),
            ("ARRIVALS_BYTES_MAX", "the page ends, and the next one goes on"),
            ("ASIDE_ROWS_MAX", "further damaged rows are counted and not kept"),
            ("WAL_PAGES_MAX", "the log is written back into the database"),
            ("QUEUE_WEIGHT_MAX", "changes are refused, and messages of other nodes wait"),
            ("REGISTERS_MAX", "the backup is refused"),
        ],
    },
    Section {
        title: "HTTP (`tidegate-server`)",
        introduction: "What one server does at most. The [HTTP API](http-api.md#limits) says which answer follows.",
        files: &[("crates/server/src/limits.rs", &[])],
        default: "the request waits for its turn, and is answered with 503, `busy`, when that does not come in time",
        beyond: &[
            ("BODY_BYTES_MAX", "413, `too-large`"),
            ("RESTORE_BYTES_MAX", "413, `too-large`"),
            ("MEMORY_BYTES_MAX", "503, `memory`, with `Retry-After`"),
            ("SMALL_BYTES", "the body or answer is counted in the memory budget"),
            ("PART_BYTES", "the next part begins"),
            ("PARTS_MAX", "the next part is made when the client has taken one"),
            ("HISTORY_BYTES_MAX", "the page ends, and `next` continues it"),
            ("REFUSED_BYTES_MAX", "the connection is closed"),
            ("HEAD_BYTES_MAX", "431, and the connection is closed"),
            ("HEADERS_MAX", "431, and the connection is closed"),
            ("CONNECTIONS_MAX", "a connection that waits for its client is closed for the new one"),
            ("CONNECTIONS_MIN", "a connection that waits for its client is closed for the new one"),
            ("CONNECTIONS_SETTING_MAX", "the server does not start"),
            ("FILES_RESERVED", "a connection that waits for its client is closed for the new one"),
            ("FILES_SHARE", "a connection that waits for its client is closed for the new one"),
            ("HEALTH_CONNECTIONS_MAX", "a connection that waits for its client is closed for the new one"),
            ("WATCHERS_MAX", "503, `too-many-streams`"),
            ("WAITS_MAX", "a further change waits for one second at most"),
            ("LONG_SHARE", "as `WATCHERS_MAX` and `WAITS_MAX`"),
            ("SHORT_WAIT", "the change counts among `WAITS_MAX`"),
            (
                "BULKS_AT_ONCE",
                "the request waits for its turn, and is answered with 429 when that does not come in time",
            ),
            ("BULK_FLAGS_INLINE", "the answer takes one of `BULKS_AT_ONCE` turns"),
            ("OFREP_TAGS_MAX", "an earlier tag is forgotten; its client gets 304 all the same, after an evaluation"),
            ("OFREP_STEP_PERIOD", "the next whole per cent is told when the period is over"),
            ("BACKUP_BYTES", "as `MEMORY_BYTES_MAX`"),
            ("TURN_TIMEOUT", "503, `busy`"),
            ("HEAD_TIMEOUT", "the connection is closed"),
            ("BODY_TIMEOUT", "408, `request-timeout`"),
            ("RESTORE_TIMEOUT", "408, `request-timeout`"),
            ("ANSWER_TIMEOUT", "the answer is cut off"),
            (
                "RESTORE_WORK_TIMEOUT",
                "the restore ends; what it has made stands, and sending it again restores the rest",
            ),
            ("WRITE_TIMEOUT", "the connection is closed"),
            ("ACK_TIMEOUT_MAX", "400, `invalid`"),
            ("EVENT_FLAGS_MAX", "one event for all, without a flag"),
            ("FEED_EVENTS_MAX", "the stream is ended with `too-slow`"),
            ("FEED_BYTES_MAX", "the stream is ended with `too-slow`"),
            ("FEED_REST", "what has changed meanwhile is sent together"),
            ("FEED_RETRY", "the history is read again"),
            ("FEED_PAGE", "the next page"),
            ("KEEP_ALIVE_PERIOD", "the stream sends a comment"),
            ("STOP_TIMEOUT", "connections that remain are closed"),
            ("TEXT_BYTES_MAX", "400, `invalid`"),
            ("CONFIG_BYTES_MAX", "the configuration is refused"),
        ],
    },
    Section {
        title: "The command line (`tidegate-cli`)",
        introduction: "What one command reads.",
        files: &[
            ("crates/cli/src/files.rs", &["KEYS_BYTES_MAX", "SMALL_BYTES_MAX"]),
            ("crates/cli/src/server.rs", &["ANSWER_BYTES_MAX"]),
            ("crates/cli/src/server/events.rs", &["EVENT_BYTES_MAX", "SILENCE_MAX"]),
            ("crates/cli/src/command/restore.rs", &["BACKUP_BYTES_MAX"]),
        ],
        default: "the command fails and names the limit",
        beyond: &[
            ("EVENT_BYTES_MAX", "the stream is closed and opened again"),
            ("SILENCE_MAX", "the stream is closed and opened again"),
        ],
    },
];

/// A constant with its doc comment.
struct Limit {
    name: String,
    value: String,
    reason: String,
}

#[test]
fn limits() {
    let mut page = String::from(
        "# Limits\n\n\
         Everything that costs memory or time has a limit, which is checked before the work is done. A message that refuses something\n\
         names the limit. Each limit is a constant of that name in the source.\n",
    );
    for section in SECTIONS {
        let mut limits = Vec::new();
        for (file, names) in section.files {
            let found = constants(&fs::read_to_string(root().join(file)).unwrap(), names);
            let missing: Vec<_> = names.iter().filter(|name| !found.iter().any(|limit| limit.name == **name)).collect();
            assert!(missing.is_empty() && !found.is_empty(), "{file} has no constants {missing:?}");
            limits.extend(found);
        }
        for (name, _) in section.beyond {
            assert!(limits.iter().any(|limit| limit.name == *name), "there is no limit `{name}` in {}", section.title);
        }
        write!(page, "\n## {}\n\n{}\n\n", section.title, section.introduction).unwrap();
        page.push_str("| limit | value | what, and why there | beyond it |\n| --- | ---: | --- | --- |\n");
        for limit in limits {
            let beyond = section.beyond.iter().find(|(name, _)| *name == limit.name);
            let beyond = beyond.map_or(section.default, |(_, text)| text);
            writeln!(page, "| `{}` | {} | {} | {beyond} |", limit.name, limit.value, limit.reason).unwrap();
        }
    }
    let path = root().join("docs/reference/limits.md");
    if std::env::var_os("UPDATE").is_some_and(|update| update == "1") {
        fs::write(&path, &page).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == page, "docs/reference/limits.md is out of date; run `UPDATE=1 cargo xtask generate`");
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The constants of a file with these names, or all public ones.
fn constants(text: &str, names: &[&str]) -> Vec<Limit> {
    let mut values = BTreeMap::from([("MESSAGE_BYTES_MAX".to_owned(), 512 * 1024)]);
    let (mut found, mut reason) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if let Some(text) = line.trim_start().strip_prefix("///") {
            reason.extend(Some(plain(text.trim())).filter(|text| !text.is_empty()));
            continue;
        }
        let constant = line
            .split_once("const ")
            .filter(|(before, _)| matches!(before.trim(), "" | "pub" | "pub(crate)" | "pub(super)"));
        if let Some((name, rest)) = constant.and_then(|(_, rest)| rest.split_once(": "))
            && let Some((kind, value)) = rest.trim_end_matches(';').split_once(" = ")
        {
            let is_wanted = if names.is_empty() { line.starts_with("pub const ") } else { names.contains(&name) };
            if let Some(number) = number(value, &values) {
                values.insert(name.to_owned(), number);
            }
            if is_wanted && kind != "&[Limit]" {
                found.push(Limit {
                    name: name.to_owned(),
                    value: shown(name, value, &values),
                    reason: reason.join(" "),
                });
            }
        }
        if !line.trim_start().starts_with("#[") {
            reason.clear();
        }
    }
    found
}

/// A line of a doc comment as Markdown of a page: links to items are their names.
fn plain(text: &str) -> String {
    text.replace("[`", "`").replace("`]", "`").replace('|', "\\|")
}

/// The value of a product or sum of numbers and constants.
fn number(value: &str, values: &BTreeMap<String, u64>) -> Option<u64> {
    let value = value.replace(" as u64", "");
    let factor = |text: &str| text.replace('_', "").parse().ok().or_else(|| values.get(text).copied());
    let product =
        |text: &str| text.split(" * ").map(|text| factor(text.trim())).try_fold(1_u64, |one, other| Some(one * other?));
    value.split(" + ").map(product).try_fold(0_u64, |one, other| Some(one + other?))
}

/// A value as people read it.
fn shown(name: &str, value: &str, values: &BTreeMap<String, u64>) -> String {
    for (call, unit) in [("from_millis(", "ms"), ("from_secs(", "s"), ("from_mins(", "min"), ("from_hours(", "h")] {
        if let Some(number) = value.strip_prefix("Duration::").and_then(|value| value.strip_prefix(call)) {
            return format!("{} {unit}", grouped(&number.trim_end_matches(')').replace('_', "")));
        }
    }
    let number = number(value, values).unwrap_or_else(|| panic!("`{name}` is `{value}`, which this page cannot show"));
    if !name.contains("BYTES") {
        return grouped(&number.to_string());
    }
    match number {
        bytes if bytes % (1 << 20) == 0 => format!("{} MiB", grouped(&(bytes >> 20).to_string())),
        bytes if bytes % (1 << 10) == 0 => format!("{} KiB", grouped(&(bytes >> 10).to_string())),
        bytes => format!("{} bytes", grouped(&bytes.to_string())),
    }
}

/// The number with a comma before every three digits.
fn grouped(digits: &str) -> String {
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}
