//! Failures of the library as problems.

use tidegate::{ChangeError, ChangeSetError, ClusterError, RestoreError, WriteError};
use tidegate_engine::{Diagnostic, Severity};

use super::{Kind, Problem};
use crate::limits;

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        let detail = error.to_string();
        match error {
            ChangeError::NotLive => Self::new(
                Kind::NotLive,
                "this server only serves documents",
                "change the document, or start the server with live changes",
            ),
            ChangeError::Follower { server } => Self::new(
                Kind::Follower,
                detail,
                format!("send the request to {server}, or to another member of its cluster"),
            ),
            ChangeError::Name { problem } => Self::name(problem),
            ChangeError::UnknownFlag { meant, .. } => Self::unknown_target(&detail, meant),
            ChangeError::NotQuarantined { .. } => Self::new(
                Kind::NotQuarantined,
                detail,
                "send GET `/api/v1/cluster/quarantine` for the changes that are quarantined on this node",
            ),
            ChangeError::QuarantinedTwice { .. } => {
                Self::invalid("kind", detail, "send `kind`: `activation` or `definition`")
            }
            ChangeError::NoMatch { .. } => Self::changed("if-match", "the flag has changed since this `ETag`"),
            ChangeError::Match { .. } => Self::changed("if-none-match", "it exists already"),
            ChangeError::NoActivation { .. } => {
                Self::new(Kind::NoActivation, detail, "nothing was changed: the flag follows its ramp already")
            }
            ChangeError::NoDefinition { .. } => Self::new(
                Kind::NoDefinition,
                detail,
                "nothing was changed; send GET `/api/v1/flags` to see where each flag is defined",
            ),
            ChangeError::Percentage { text, problem } => Self::percentage(&text, problem),
            ChangeError::Past { .. } => {
                Self::invalid("until", detail, "send a later instant, or send DELETE to the activation")
            }
            ChangeError::TextTooLong { what, .. } => {
                Self::invalid(what, detail, format!("use at most {} bytes", limits::TEXT_BYTES_MAX))
            }
            ChangeError::Definition(diagnostics) => {
                let is_error = |diagnostic: &&Diagnostic| diagnostic.code.severity() == Severity::Error;
                let errors = diagnostics.iter().filter(is_error).count();
                let detail = format!("the definition is refused: {errors} error{}", if errors == 1 { "" } else { "s" });
                let help = "fix the errors in `diagnostics`, and send the definition again";
                let mut problem = Self::new(Kind::Refused, detail, help);
                problem.0.diagnostics = diagnostics;
                problem
            }
            ChangeError::Entry => Self::new(
                Kind::Refused,
                detail,
                "send only the entry, the JSON that follows the flag's name in a document",
            ),
            ChangeError::Lease => Self::new(Kind::Refused, detail, "send the entry without `lease`").at_field("lease"),
            ChangeError::DefinedByDocument { .. } => Self::new(
                Kind::Conflict,
                detail,
                "change the document, or send PUT `/api/v1/flags/{section}/{flag}/activation`",
            ),
            ChangeError::Refused(error) => Self::from_write(&error),
            ChangeError::Disk { message } => Self::disk(&message),
            ChangeError::Busy => Self::new(Kind::Busy, detail, "send the request again in a moment").retry_after(1),
            ChangeError::Stopped => {
                Self::new(Kind::Ended, detail, "send the request to another node, and restart this one").retry_after(5)
            }
            ChangeError::Repeated { .. } => Self::invalid("flag", detail, "send one change of the two"),
            _ => Self::new(Kind::Invalid, detail, "change the request as the detail says"),
        }
    }
}

impl From<ChangeSetError> for Problem {
    fn from(error: ChangeSetError) -> Self {
        let ChangeSetError { index, error, .. } = error;
        let is_entry = matches!(error, ChangeError::Definition(_) | ChangeError::Entry);
        let is_size =
            matches!(error, ChangeError::Refused(WriteError::ChangeCount { .. } | WriteError::TooLarge { .. }));
        let mut problem = Self::from(error);
        if is_entry {
            problem = problem.at_field("entry");
        } else if is_size {
            problem = problem.at_field("changes");
        }
        match index {
            Some(index) => problem.of_change(index),
            None => problem,
        }
    }
}

impl From<ClusterError> for Problem {
    fn from(error: ClusterError) -> Self {
        let detail = error.to_string();
        match error {
            ClusterError::Change(error) => error.into(),
            ClusterError::Ended { .. } => {
                Self::new(Kind::Ended, detail, "send the request to another node, and restart this one").retry_after(5)
            }
            ClusterError::Ambiguous { .. } => {
                Self::new(Kind::AmbiguousNode, detail, "send GET `/api/v1/cluster` for the members")
            }
            ClusterError::Reachable { .. } => {
                Self::new(Kind::ReachableNode, detail, "stop the node first, or send `force=true`")
            }
            ClusterError::NoMember { .. } => {
                Self::new(Kind::UnknownNode, detail, "send GET `/api/v1/cluster` for the members").at_field("node")
            }
            error => Self::internal(&error),
        }
    }
}

impl From<RestoreError> for Problem {
    fn from(error: RestoreError) -> Self {
        let detail = error.to_string();
        match error {
            RestoreError::Backup(_) => {
                Self::new(Kind::Malformed, detail, "send the whole answer of GET `/api/v1/backup`, unchanged")
            }
            RestoreError::Cluster { .. } => Self::new(
                Kind::Conflict,
                detail,
                "send a backup of this cluster, or start a node with the other cluster's name",
            ),
            RestoreError::Refused { error, .. } => {
                let mut problem = Self::from(error);
                problem.0.detail = detail;
                problem
            }
            RestoreError::Unconfirmed { .. } => {
                let mut problem = Self::disk("");
                problem.0.detail = detail;
                problem
            }
            RestoreError::Interrupted { .. } => Self::new(
                Kind::Ended,
                detail,
                "send the backup again: registers that were restored are left as they are",
            )
            .retry_after(5),
            RestoreError::Ended(error) => error.into(),
            error => Self::internal(&error),
        }
    }
}

impl Problem {
    fn from_write(error: &WriteError) -> Self {
        let detail = error.to_string();
        match error {
            WriteError::ClockOff { .. } => {
                Self::new(Kind::Clock, detail, "correct the clock of this host, or send the change to another node")
                    .retry_after(30)
            }
            WriteError::ClockPoisoned { .. } => Self::new(
                Kind::Clock,
                detail,
                "correct the clocks of all hosts, then send POST `/api/v1/cluster/repair-clock`",
            )
            .retry_after(30),
            WriteError::DuplicateNode { .. } => {
                Self::new(Kind::DuplicateNode, detail, "send changes to another node meanwhile").retry_after(30)
            }
            WriteError::ReadOnly { .. } => Self::new(
                Kind::Disk,
                detail,
                "fix the disk and restart the server; send changes to another node meanwhile",
            ),
            WriteError::Conflict { .. } => Self::changed("if-match", "the flag has changed since its `ETag` was read"),
            WriteError::Busy => ChangeError::Busy.into(),
            WriteError::Starting => Self::new(Kind::Busy, detail, "send the request again in a moment").retry_after(1),
            WriteError::NotMember { .. } => {
                Self::new(Kind::UnknownNode, detail, "send GET `/api/v1/cluster` for the members").at_field("node")
            }
            WriteError::ForgetsItself { .. } => {
                Self::new(Kind::OwnNode, detail, "stop this node, and send the request to another one").at_field("node")
            }
            WriteError::TooLarge { .. } => {
                Self::new(Kind::TooLarge, detail, "send fewer changes, or smaller definitions")
            }
            _ => Self::new(Kind::Invalid, detail, "send a smaller change"),
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::http::header;
    use axum::response::IntoResponse as _;
    use tidegate::NodeId;

    use super::*;

    fn check(problem: impl Into<Problem>, status: u16, retry_after: Option<u32>) {
        let response = problem.into().into_response();
        let after = response.headers().get(header::RETRY_AFTER).map(|value| value.to_str().unwrap().parse().unwrap());
        assert_eq!((response.status().as_u16(), after), (status, retry_after));
    }

    #[test]
    fn what_is_no_fault_of_the_caller() {
        let refused = |error| Problem::from(ChangeError::Refused(error));
        check(refused(WriteError::ClockOff { offset_ms: 70_000 }), 503, Some(30));
        check(refused(WriteError::ClockPoisoned { ahead_ms: 70_000 }), 503, Some(30));
        check(refused(WriteError::DuplicateNode { node: NodeId::new(1) }), 503, Some(30));
        check(refused(WriteError::Busy), 503, Some(1));
        check(refused(WriteError::Starting), 503, Some(1));
        check(ChangeError::Busy, 503, Some(1));
        check(ChangeError::Stopped, 503, Some(5));
        check(ClusterError::Ended { message: String::new() }, 503, Some(5));
        check(refused(WriteError::ReadOnly { message: "EIO".to_owned() }), 507, None);
        check(Problem::disk("no space left"), 507, Some(10));
        check(Problem::internal(&"x"), 500, None);
        check(RestoreError::Refused { written: 1, error: ChangeError::Busy }, 503, Some(1));
        check(RestoreError::Unconfirmed { written: 1, unconfirmed: 2 }, 507, Some(10));
    }

    #[test]
    fn what_the_caller_can_fix() {
        check(ChangeError::Refused(WriteError::Conflict { index: 0, found: None }), 412, None);
        check(ChangeError::Refused(WriteError::NotMember { node: NodeId::new(1) }), 404, None);
        check(ChangeError::Refused(WriteError::ForgetsItself { node: NodeId::new(1) }), 409, None);
        check(ChangeError::Refused(WriteError::Invalid { index: 0 }), 400, None);
        check(ChangeError::Definition(Vec::new()), 422, None);
        check(RestoreError::Cluster { found: "a".to_owned(), own: "b".to_owned() }, 409, None);
        check(ChangeError::NotLive, 501, None);
    }
}
