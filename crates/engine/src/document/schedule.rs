//! The window or the steps of a flag: read, completed, and checked for contradictions.

use super::cursor::Kind;
use super::fields::{StepField, Window};
use super::findings::Findings;
use super::members::{At, Members};
use super::{Curve, Schedule, Step};
use crate::diagnostic::Code;
use crate::{Micros, Share, Span, limits};

/// The schedule of an entry, or of a rule's ramp; [`Schedule::None`] if it is wrong, with a report.
pub(crate) fn read<F: Window>(entry: &Members<'_, '_, F>, findings: &mut Findings) -> Schedule {
    let schedule = match entry.get(F::STEPS) {
        Some(steps) => read_stepped(entry, steps, findings),
        None => read_window(entry, findings),
    };
    schedule.unwrap_or(Schedule::None)
}

fn read_window<F: Window>(entry: &Members<'_, '_, F>, findings: &mut Findings) -> Option<Schedule> {
    let start = entry.get(F::START_TIME).map(|at| at.time(findings));
    let end = entry.get(F::END_TIME).map(|at| at.time(findings));
    let duration = entry.get(F::DURATION).map(|at| at.duration(findings));
    let from = read_percent(entry, F::START_PCT, Share::ZERO, findings);
    let to = read_percent(entry, F::END_PCT, Share::FULL, findings);
    let curve = entry.get(F::CURVE).map_or(Some(Curve::Linear), |at| at.word(CURVES, findings));
    let shares = from.zip(to).and_then(|(from, to)| check_percentages(entry, from, to, curve, findings));
    let window = match (start, end, duration) {
        (None, None, None) => return Some(Schedule::None),
        (Some(start), Some(end), duration) => {
            let (start, end) = (start?, end?);
            check_order(entry, start, end, findings).and_then(|()| match duration {
                Some(duration) => check_duration(entry, start, end, duration?, findings),
                None => Some((start, end)),
            })
        }
        (Some(start), None, Some(duration)) => Some((start?, start?.saturating_add(duration?))),
        (None, Some(end), Some(duration)) => Some((end?.saturating_sub(duration?), end?)),
        (Some(_), None, None) => report_incomplete(entry, F::START_TIME, "`end_time` or `duration`", findings),
        (None, Some(_), None) => report_incomplete(entry, F::END_TIME, "`duration` or `start_time`", findings),
        (None, None, Some(_)) => report_incomplete(entry, F::DURATION, "`end_time` or `start_time`", findings),
    };
    let ((start, end), (from, to)) = window.zip(shares)?;
    Some(Schedule::Window { start, end, from, to, curve: curve? })
}

fn read_percent<F: Window>(
    entry: &Members<'_, '_, F>,
    field: F,
    default: Share,
    findings: &mut Findings,
) -> Option<Share> {
    entry.get(field).map_or(Some(default), |at| at.percent(findings))
}

fn check_percentages<F: Window>(
    entry: &Members<'_, '_, F>,
    from: Share,
    to: Share,
    curve: Option<Curve>,
    findings: &mut Findings,
) -> Option<(Share, Share)> {
    if to < from {
        let at = entry.get(F::END_PCT).or_else(|| entry.get(F::START_PCT))?;
        findings.add(Code::PercentagesReversed, at.trail, at.token.span(), || {
            (
                format!("`end_pct` is {to}, below `start_pct`, which is {from}"),
                "a ramp only rises: swap the two, or use a `rollback` for the way down".to_owned(),
            )
        });
        return None;
    }
    if curve == Some(Curve::Exponential) && from == Share::ZERO {
        let at = entry.get(F::CURVE)?;
        findings.add(Code::ExponentialFromZero, at.trail, at.token.span(), || {
            (
                "`curve` is `exponential`, but `start_pct` is 0, and doubling 0 gives 0".to_owned(),
                "set `start_pct` above 0, such as 1".to_owned(),
            )
        });
        return None;
    }
    Some((from, to))
}

/// A window with all three of start, end and duration.
fn check_duration<F: Window>(
    entry: &Members<'_, '_, F>,
    start: Micros,
    end: Micros,
    duration: Span,
    findings: &mut Findings,
) -> Option<(Micros, Micros)> {
    if start.saturating_add(duration) != end {
        let at = entry.get(F::DURATION)?;
        findings.add(Code::WindowContradicts, at.trail, at.token.span(), || {
            (
                format!("`duration` is not the time from `start_time` to `end_time`, which is `{}`", end.since(start)),
                "leave out one of the three: any two give the third".to_owned(),
            )
        });
        return None;
    }
    Some((start, end))
}

fn check_order<F: Window>(
    entry: &Members<'_, '_, F>,
    start: Micros,
    end: Micros,
    findings: &mut Findings,
) -> Option<()> {
    if start <= end {
        return Some(());
    }
    let at = entry.get(F::END_TIME)?;
    findings.add(Code::WindowReversed, at.trail, at.token.span(), || {
        (
            format!("the window ends at {end}, before it starts at {start}"),
            "swap `start_time` and `end_time`".to_owned(),
        )
    });
    None
}

fn report_incomplete<F: Window>(
    entry: &Members<'_, '_, F>,
    alone: F,
    missing: &str,
    findings: &mut Findings,
) -> Option<(Micros, Micros)> {
    let at = entry.get(alone)?;
    let name = at.field.name;
    findings.add(Code::WindowIncomplete, at.trail, at.token.span(), || {
        (
            format!("`{name}` alone makes no window: {missing} is missing"),
            format!("add {missing}: any two of `start_time`, `end_time` and `duration` give the third"),
        )
    });
    None
}

fn read_stepped<F: Window>(entry: &Members<'_, '_, F>, at: At<'_, '_>, findings: &mut Findings) -> Option<Schedule> {
    for beside in [F::DURATION, F::START_PCT, F::END_PCT, F::CURVE] {
        let Some(other) = entry.get(beside) else { continue };
        findings.add(Code::StepsBeside, other.trail, other.token.span(), || {
            (
                format!("`{}` stands beside `steps`, which say the whole ramp", other.field.name),
                format!("remove `{}`, or the `steps`", other.field.name),
            )
        });
    }
    let steps = read_steps(at, findings);
    let start = entry.get(F::START_TIME).map(|at| at.time(findings));
    let end = entry.get(F::END_TIME).map(|at| at.time(findings));
    if start.is_none() && end.is_none() {
        findings.add(Code::StepsWithoutAnchor, at.trail, at.token.span(), || {
            (
                "`steps` need `start_time` or `end_time`; both are missing".to_owned(),
                "add one of the two: the other follows from the steps".to_owned(),
            )
        });
    }
    let steps = steps?;
    let sum = steps.iter().fold(Span::ZERO, |sum, step| sum.saturating_add(step.over).saturating_add(step.hold));
    if sum.get() > limits::DURATION_MICROS_MAX {
        findings.add(Code::DurationTooLong, at.trail, at.token.span(), || {
            (
                "the `steps` together are longer than the limit of 10,000 years (DURATION_MICROS_MAX)".to_owned(),
                "check the units of `over` and `hold`".to_owned(),
            )
        });
        return None;
    }
    let start = match (start, end) {
        (Some(start), None) => start?,
        (None, Some(end)) => end?.saturating_sub(sum),
        (Some(start), Some(end)) => {
            let (start, end) = (start?, end?);
            check_order(entry, start, end, findings)?;
            if start.saturating_add(sum) != end {
                let at = entry.get(F::END_TIME)?;
                findings.add(Code::StepsContradict, at.trail, at.token.span(), || {
                    (
                        format!(
                            "the `steps` take `{sum}`, but `start_time` and `end_time` are `{}` apart",
                            end.since(start)
                        ),
                        "leave out one of the two times: it follows from the steps".to_owned(),
                    )
                });
                return None;
            }
            start
        }
        (None, None) => return None,
    };
    Some(Schedule::Steps { start, steps })
}

fn read_steps(at: At<'_, '_>, findings: &mut Findings) -> Option<Vec<Step>> {
    if !at.is(Kind::List, findings) {
        return None;
    }
    let mut elements = at.token.inside();
    let mut steps = Vec::new();
    let mut last = Share::ZERO;
    let mut count = 0;
    while let Some(token) = elements.value() {
        if count == limits::STEPS_MAX {
            findings.add(Code::TooManySteps, at.trail, token.span(), || {
                (
                    format!("there are more steps than the limit of {} (STEPS_MAX)", limits::STEPS_MAX),
                    "join steps, or use a `curve`".to_owned(),
                )
            });
            return None;
        }
        let trail = at.trail.index(count);
        count += 1;
        if !(At { token, trail, field: STEP_ITSELF }).is(Kind::Object, findings) {
            continue;
        }
        let members = Members::<StepField>::read(token.inside(), token, &trail, findings);
        let Some(step) = read_step(&members, last, findings) else { continue };
        last = step.share;
        steps.push(step);
    }
    if count == 0 {
        findings.add(Code::StepsEmpty, at.trail, at.token.span(), || {
            ("`steps` is empty, so there is no ramp".to_owned(), "add a step, or remove `steps`".to_owned())
        });
    }
    (count > 0 && steps.len() == count).then_some(steps)
}

fn read_step(members: &Members<'_, '_, StepField>, last: Share, findings: &mut Findings) -> Option<Step> {
    let pct = members.require(StepField::Pct, findings);
    let share = pct.and_then(|at| at.percent(findings));
    let over = members.get(StepField::Over).map_or(Some(Span::ZERO), |at| at.duration(findings));
    let hold = members.get(StepField::Hold).map_or(Some(Span::ZERO), |at| at.duration(findings));
    let (share, at) = (share?, pct?);
    if share < last {
        findings.add(Code::StepsFall, at.trail, at.token.span(), || {
            (
                format!("`pct` falls to {share} from {last} in the step before"),
                "a ramp only rises: use a `rollback` for the way down".to_owned(),
            )
        });
        return None;
    }
    Some(Step { share, over: over?, hold: hold? })
}

/// The instant and the share at which a schedule begins and the share at which it ends, if it is one.
pub(crate) fn extent(schedule: &Schedule) -> Option<(Micros, Share)> {
    match schedule {
        Schedule::None => None,
        Schedule::Window { start, to, .. } => Some((*start, *to)),
        Schedule::Steps { start, steps } => Some((*start, steps.last()?.share)),
    }
}

/// What an element of `steps` is, for messages.
const STEP_ITSELF: &super::fields::Field = &super::fields::Field {
    name: "steps",
    kind: "object",
    range: "",
    default: "",
    meaning: "",
    example: "[{\"pct\": 10, \"over\": \"1d\", \"hold\": \"12h\"}]",
    schema: "true",
};

const CURVES: &[(&str, Curve)] = &[("linear", Curve::Linear), ("exponential", Curve::Exponential)];
