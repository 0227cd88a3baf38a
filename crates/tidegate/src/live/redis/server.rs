//! What Redis says of itself: whether it keeps what it is given, and whether it may drop it.

use std::collections::BTreeMap;

use crate::live::problem::ClusterProblem;

/// What matters of `INFO`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct ServerInfo {
    pub(super) eviction: Option<String>,
    pub(super) is_append_only: bool,
    pub(super) is_master: bool,
    pub(super) replicas: u32,
}

impl ServerInfo {
    pub(super) fn parse(text: &str) -> Self {
        let fields: BTreeMap<&str, &str> = text.lines().filter_map(|line| line.trim().split_once(':')).collect();
        let field = |name: &str| fields.get(name).copied();
        Self {
            eviction: field("maxmemory_policy").map(str::to_owned),
            is_append_only: field("aof_enabled") == Some("1"),
            is_master: field("role").is_none_or(|role| role == "master"),
            replicas: field("connected_slaves").and_then(|count| count.parse().ok()).unwrap_or(0),
        }
    }

    /// Why nothing that it acknowledges counts, if so.
    pub(super) fn eviction_problem(&self) -> Option<String> {
        let policy = self.eviction.as_deref().filter(|policy| policy.starts_with("allkeys"))?;
        Some(format!(
            "its eviction policy is `{policy}`, so it may drop every flag when its memory is full, and no change counts as \
             acknowledged by it; set `maxmemory-policy` to `noeviction`, or use another Redis"
        ))
    }
}

/// What is wrong with a Redis that is connected.
pub(super) fn problems(
    info: &ServerInfo,
    clock_offset_ms: i64,
    max_drift_ms: u64,
    unreadable: u64,
) -> Vec<ClusterProblem> {
    let mut problems = Vec::new();
    let mut add = |code: &str, message: String, needs_action| {
        problems.push(ClusterProblem { code: code.to_owned(), message: format!("Redis: {message}"), needs_action });
    };
    if let Some(problem) = info.eviction_problem() {
        add("redis-eviction", problem, true);
    }
    if !info.is_append_only {
        add(
            "redis-not-durable",
            "`appendonly` is off, so it loses acknowledged changes when it ends; they come back from processes that live. \
             Set `appendonly yes`"
                .to_owned(),
            false,
        );
    }
    if clock_offset_ms.unsigned_abs() > max_drift_ms {
        let (by, where_to) = (clock_offset_ms.unsigned_abs(), if clock_offset_ms < 0 { "behind" } else { "ahead of" });
        add(
            "redis-clock",
            format!(
                "its clock is {by} ms {where_to} this host's, and other processes may quarantine what is changed here; set \
                 whichever of the two is wrong"
            ),
            true,
        );
    }
    if unreadable > 0 {
        add(
            "redis-unreadable",
            format!(
                "{unreadable} of its entries cannot be read: they are damaged, or of a newer version. What memory has takes \
                 the place of damaged ones"
            ),
            true,
        );
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_that_may_drop_our_keys_are_named_with_the_remedy() {
        for (policy, is_refused) in [
            ("noeviction", false),
            ("volatile-lru", false),
            ("volatile-ttl", false),
            ("allkeys-lru", true),
            ("allkeys-lfu", true),
            ("allkeys-random", true),
        ] {
            let info = ServerInfo::parse(&format!("# Memory\r\nmaxmemory_policy:{policy}\r\n"));
            assert_eq!(info.eviction_problem().is_some(), is_refused, "{policy}");
        }
        let info =
            ServerInfo::parse("maxmemory_policy:allkeys-lru\r\naof_enabled:1\r\nrole:master\r\nconnected_slaves:2\r\n");
        assert_eq!((info.is_append_only, info.is_master, info.replicas), (true, true, 2));
        let codes: Vec<String> = problems(&info, -6_000, 5_000, 1).into_iter().map(|problem| problem.code).collect();
        assert_eq!(codes, ["redis-eviction", "redis-clock", "redis-unreadable"]);
    }
}
