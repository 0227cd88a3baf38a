//! Any accepted document, asked by any key at any instant: evaluate, explain, plan and flips agree.
//!
//! The first line of the input is an instant in microseconds, the second a key, the rest a document.

use tidegate_engine::lease::Clocks;
use tidegate_engine::{
    CompileOptions, Flag, Micros, Moment, PlanKind, Rule, Snapshot, Span, Subject, Variant, compile, read,
};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let mut lines = text.splitn(3, '\n');
    let (Some(now), Some(key), Some(document)) = (lines.next(), lines.next(), lines.next()) else { return };
    let Ok(now) = now.parse().map(Micros::new) else { return };
    let Ok((document, _)) = read(document.as_bytes()) else { return };
    let snapshot = compile(&document, &CompileOptions::default());
    let mut clocks = Clocks::synced();
    clocks.note_poll(now, &snapshot.leases());
    for flag in snapshot.flags().take(FLAGS) {
        assert_eq!(snapshot.find(flag.section(), flag.name()), Some(flag.index()));
        assert_eq!(snapshot.find_key(&flag.key().to_string()), Some(flag.index()));
        for instant in instants(&flag, now, key, &clocks) {
            let moment = Moment { now: instant, leases: &clocks };
            for subject in [Subject::key(key), Subject::key(""), Subject::absent()] {
                ask(&snapshot, &flag, &subject, &moment);
            }
            ask_plan(&snapshot, &flag, key, &moment);
        }
    }
}

/// The instant asked for, the extremes, and those around the next turns of the flag and the flips of the key.
fn instants(flag: &Flag<'_>, now: Micros, key: &str, clocks: &Clocks) -> Vec<Micros> {
    let moment = |now| Moment { now, leases: clocks };
    let turns = std::iter::successors(Some(now), |at| Some(flag.next_change(&moment(*at))?.at)).take(TURNS);
    let flips = flag.flips(&Subject::key(key), &moment(now));
    let micro = Span::from_micros(1);
    let around = |at: Micros| [at.saturating_sub(micro), at, at.saturating_add(micro)];
    turns.chain(flips.on).chain(flips.off).flat_map(around).chain([Micros::MIN, Micros::MAX]).collect()
}

fn ask(snapshot: &Snapshot, flag: &Flag<'_>, subject: &Subject<'_>, moment: &Moment<'_>) {
    let decision = snapshot.evaluate(Some(flag.index()), subject, moment);
    let explained = snapshot.explain(flag.section(), flag.name(), subject, moment);
    assert_eq!(decision.answer.to_json().map(String::from), explained.value);
    assert_eq!(
        (decision.variant, decision.reason, decision.error),
        (explained.variant, explained.reason, explained.error)
    );
    assert!(explained.valid_until.is_none_or(|until| until > moment.now));
    if let Some(value) = &explained.value {
        serde_json::from_str::<serde::de::IgnoredAny>(value).expect("a value is JSON");
    }
    serde_json::to_string(&explained).expect("an explanation can be shown");
    if matches!(explained.rule, Rule::Ramp | Rule::Rollback)
        && flag.new_value().is_some()
        && let (Some(position), Some(share)) = (explained.position, explained.share)
    {
        assert_eq!(share.includes(position), decision.variant == Some(Variant::New), "{explained:?}");
    }
}

fn ask_plan(snapshot: &Snapshot, flag: &Flag<'_>, key: &str, moment: &Moment<'_>) {
    let plan = flag.plan(moment);
    assert!(plan.from <= moment.now && plan.until.is_none_or(|until| moment.now < until), "{plan:?}");
    let decision = snapshot.evaluate(Some(flag.index()), &Subject::key(key), moment);
    match plan.kind {
        PlanKind::Ask => {}
        PlanKind::Fixed(variant, _) => assert_eq!(variant, decision.variant),
        _ => assert_eq!(plan.has_new(key, moment.now), Some(decision.variant == Some(Variant::New)), "{plan:?}"),
    }
}

/// How many flags of a document are evaluated, so that a large one does not slow the fuzzer down.
const FLAGS: usize = 8;

/// How many changes of a share are followed. A ramp that stands still gets no nearer to its next point.
const TURNS: usize = 12;
