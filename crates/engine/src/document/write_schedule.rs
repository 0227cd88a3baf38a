//! Windows and steps as text, and what else all writers of text share.

use super::{Curve, Schedule, Step, time};
use crate::{Micros, Share, Span};

/// The fields of a window or of steps, with their JSON.
pub(super) fn schedule_fields(schedule: &Schedule) -> Vec<(&'static str, String)> {
    let mut fields = Vec::new();
    match schedule {
        Schedule::None => {}
        Schedule::Window { start, end, from, to, curve } => {
            let end_text = time_text(*end).map(|end| ("end_time", end));
            let anchor = end_text.or_else(|| time_text(*start).map(|start| ("start_time", start)));
            fields.extend(anchor.map(|(name, text)| (name, quoted(&text))));
            fields.push(("duration", quoted(&end.since(*start).to_string())));
            if *from != Share::ZERO {
                fields.push(("start_pct", from.to_string()));
            }
            if *to != Share::FULL {
                fields.push(("end_pct", to.to_string()));
            }
            if *curve == Curve::Exponential {
                fields.push(("curve", quoted("exponential")));
            }
        }
        Schedule::Steps { start, steps } => {
            let end = || steps.iter().fold(*start, |end, step| end.saturating_add(step.over).saturating_add(step.hold));
            let start_text = time_text(*start).map(|start| ("start_time", start));
            let anchor = start_text.or_else(|| time_text(end()).map(|end| ("end_time", end)));
            fields.extend(anchor.map(|(name, text)| (name, quoted(&text))));
            fields.push(("steps", list(steps, step_text)));
        }
    }
    fields
}

fn step_text(step: &Step) -> String {
    let part = |name: &str, span: Span| match span {
        Span::ZERO => String::new(),
        _ => format!(", \"{name}\": \"{span}\""),
    };
    format!("{{\"pct\": {}{}{}}}", step.share, part("over", step.over), part("hold", step.hold))
}

/// The instant in slowroll's form, as short as it can be; `None` outside of the calendar of documents.
pub(super) fn time_text(instant: Micros) -> Option<String> {
    let text = time::to_rfc3339(instant)?;
    if text.starts_with('-') || text.starts_with("0000") {
        return None;
    }
    let text = text.strip_suffix('Z').unwrap_or(&text);
    let text = text.strip_suffix(".000000").unwrap_or(text);
    let is_whole_minute = !text.contains('.') && text.ends_with(":00");
    let text = if is_whole_minute { text.strip_suffix(":00").unwrap_or(text) } else { text };
    Some(format!("{}Z", text.replacen('T', " ", 1)))
}

pub(super) fn list<T>(elements: &[T], text: impl Fn(&T) -> String) -> String {
    format!("[{}]", elements.iter().map(text).collect::<Vec<_>>().join(", "))
}

/// The text as a JSON string.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
