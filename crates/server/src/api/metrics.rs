//! Metrics in the text format of Prometheus: followers of this server, and this server as a follower.

use std::fmt::{Display, Write as _};

use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::response::IntoResponse as _;
use tidegate::FollowStatus;

use super::ask::Query;
use super::follow::Followers;
use super::{Answer, Shared};

/// Get metrics
///
/// Followers of this server and, if this server follows another one, how it is doing as a follower. In the text format of Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "health", operation_id = "getMetrics",
    responses((status = 200, description = "the metrics", body = String, content_type = "text/plain; version=0.0.4; charset=utf-8")),
)]
pub(super) async fn metrics(State(api): Shared, request: Request) -> Answer {
    Query::read(request.uri(), &[])?;
    let mut text = Text::default();
    if api.tide.feed().is_some() {
        text.followers(&api.followers);
    }
    if let Some(follower) = api.tide.follower() {
        text.follower(&follower.status());
    }
    let kind = (header::CONTENT_TYPE, HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"));
    Ok(([kind], text.0).into_response())
}

/// Metrics as they are written.
#[derive(Debug, Default)]
struct Text(String);

impl Text {
    fn followers(&mut self, followers: &Followers) {
        let traffic = followers.traffic().counts();
        self.gauge("followers", "Followers that are connected.", followers.count());
        self.counter("followers_stream_bytes", "Bytes of the streams of all followers.", traffic.stream_bytes);
        self.counter("followers_snapshots", "Snapshots that were sent to followers.", traffic.snapshots);
        self.counter("followers_snapshot_bytes", "Bytes of these snapshots.", traffic.snapshot_bytes);
        self.head("followers_refused_total", "Requests of followers that were refused.", "counter");
        for (reason, count) in traffic.refused {
            let _ = writeln!(self.0, "{PREFIX}followers_refused_total{{reason=\"{reason}\"}} {count}");
        }
    }

    fn follower(&mut self, status: &FollowStatus) {
        let is_connected = u8::from(status.is_connected);
        self.gauge("follower_connected", "Whether this process has a stream of changes from its server.", is_connected);
        if let Some(age) = status.age {
            let help = "How old the data of this process may be, in seconds.";
            self.gauge("follower_age_seconds", help, age.as_secs_f64());
        }
        self.counter("follower_changes", "Changes that this process has received by its stream.", status.changes);
        self.counter("follower_snapshots", "Snapshots that this process has taken.", status.snapshots);
        let help = "How often the digest of this process differed from that of its server.";
        self.counter("follower_differences", help, status.differences);
        let help = "How often the server no longer had the position of this process.";
        self.counter("follower_lost_positions", help, status.lost_positions);
    }

    fn gauge(&mut self, name: &str, help: &str, value: impl Display) {
        self.head(name, help, "gauge");
        let _ = writeln!(self.0, "{PREFIX}{name} {value}");
    }

    fn counter(&mut self, name: &str, help: &str, value: u64) {
        let name = format!("{name}_total");
        self.head(&name, help, "counter");
        let _ = writeln!(self.0, "{PREFIX}{name} {value}");
    }

    fn head(&mut self, name: &str, help: &str, kind: &str) {
        let _ = writeln!(self.0, "# HELP {PREFIX}{name} {help}\n# TYPE {PREFIX}{name} {kind}");
    }
}

/// Before the name of each metric.
const PREFIX: &str = "tidegate_";
