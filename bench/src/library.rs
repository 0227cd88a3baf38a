//! The library as a program uses it: by handle, by name, by view.

use std::hint::black_box;
use std::rc::Rc;

use tidegate::{FlagHandle, Subject, Tidegate};

use crate::case::Case;
use crate::floor;
use crate::inputs::{ATTRIBUTES, FLAGS, SECTION, document};

pub(crate) fn add(cases: &mut Vec<Case>) {
    let tide = connect();
    handles(&tide, cases);
    names(&tide, cases);
    views(&tide, cases);
}

/// An instance over the document of the checks, without disk or network.
///
/// # Panics
///
/// Where no thread can be started.
pub fn connect() -> Tidegate {
    Tidegate::builder().text(document(FLAGS)).without_locks().connect().expect("a text is always there")
}

fn handles(tide: &Tidegate, cases: &mut Vec<Case>) {
    let handle = |name: &'static str, flag: &str| {
        let handle = tide.flag(SECTION, flag);
        Case::check(name, move |key| handle.is_active_for(key))
    };
    cases.push(handle("on/off by handle", "on").against(floor::HANDLE_ON, 2.0));
    cases.push(handle("xxh3 rollout by handle", "rollout").against(floor::HANDLE_ROLLOUT, 2.0));
    cases.push(handle("ramp by handle", "ramp").against(floor::HANDLE_RAMP, 2.0));
    cases.push(handle("rollback by handle", "rollback").beside(floor::HANDLE_RAMP));
    cases.push(handle("sha1 rollout by handle", "sha1").against(floor::SHA1, 1.3));
    cases.push(handle("early adopters by handle, not one of them", "adopters").beside(floor::NAME_ROLLOUT));
    let rule: FlagHandle = tide.flag(SECTION, "rule");
    let has_rule = move |key: &str| rule.is_active_to(&Subject::key(key).with_attributes(black_box(&ATTRIBUTES)));
    cases.push(Case::check("a rule with three conditions by handle", has_rule).beside(floor::HANDLE_RULE));
    let rollout: FlagHandle = tide.flag(SECTION, "rollout");
    let variant = move |key: &str| rollout.variant_for(key) == Some(tidegate::Variant::New);
    cases.push(Case::check("variant of an xxh3 rollout by handle", variant).beside(floor::HANDLE_ROLLOUT));
}

fn names(tide: &Tidegate, cases: &mut Vec<Case>) {
    let active = |name: &'static str, flag_key: &'static str| {
        let tide = tide.clone();
        Case::check(name, move |key| tide.is_active_for(black_box(flag_key), key))
    };
    cases.push(active("on/off by name", "features/on").against(floor::NAME_ON, 1.5));
    cases.push(active("xxh3 rollout by name", "features/rollout").against(floor::NAME_ROLLOUT, 1.5));
    cases.push(active("ramp by name", "features/ramp").beside(floor::NAME_RAMP));
    cases.push(active("sha1 rollout by name", "features/sha1").against(floor::SHA1, 1.3));
    cases.push(active("early adopters by name, not one of them", "features/adopters").beside(floor::NAME_ROLLOUT));
    cases.push(active(BARE_ON, "bare_on").against(floor::NAME_ON, 1.5));
    cases.push(active("xxh3 rollout by a name without a section", "bare_rollout").against(floor::NAME_ROLLOUT, 1.5));
    // The background thread logs an unknown flag once, with the flag that was probably meant. Often enough, that is nothing.
    let unknown = |name, flag_key| active(name, flag_key).against(BARE_ON, 1.5).counted_over(400_000);
    cases.push(unknown("unknown flag by name", "features/nothing"));
    cases.push(unknown("unknown flag by a name without a section", "nothing"));
    let typed = tide.clone();
    let boolean = move |key: &str| typed.get(black_box(SECTION), black_box("rollout"), key, false);
    cases.push(Case::check("xxh3 rollout as a typed value", boolean).against(floor::NAME_ROLLOUT, 1.5));
    let typed = tide.clone();
    let integer = move |key: &str| typed.get(black_box("flags"), black_box("whole"), key, 0_u32) > 1_500;
    cases.push(Case::check("xxh3 rollout as a typed integer", integer).against(floor::NAME_ROLLOUT, 1.5));
    let typed = tide.clone();
    let float = move |key: &str| typed.get(black_box("flags"), black_box("fraction"), key, 0.0_f64) > 0.5;
    cases.push(Case::check("xxh3 rollout as a typed float", float).against(floor::NAME_ROLLOUT, 1.5));
    let view = tide.view();
    let text = move |key: &str| view.get(black_box(SECTION), black_box("text"), key, "").len() > 11;
    cases.push(Case::check("xxh3 rollout as a `&str`, through a view", text).against(floor::NAME_ROLLOUT, 1.5));
    let typed = tide.clone();
    let number = move |key: &str| typed.get(black_box(SECTION), black_box("interpolated"), key, 0_u32) > 2_000;
    cases.push(Case::check("interpolated number by name", number).beside(floor::NAME_RAMP));
    let tide = tide.clone();
    let explained = move |key: &str| tide.explain(black_box(SECTION), black_box("ramp"), key).position.is_some();
    cases.push(Case::check("explain a ramp", explained));
}

const BARE_ON: &str = "on/off by a name without a section";

/// The flags that are asked for each key: the second and all further ones are what is of interest.
const FURTHER: u64 = 100;

fn views(tide: &Tidegate, cases: &mut Vec<Case>) {
    let decided = Rc::new(tide.view());
    let view = Rc::clone(&decided);
    let reasoned = move |key: &str| {
        let decision = black_box(view.decide(black_box(SECTION), black_box("rollout"), key));
        decision.variant == Some(tidegate::Variant::New)
    };
    cases.push(
        Case::check("xxh3 rollout through a view, with reason and variant", reasoned).beside(floor::NAME_ROLLOUT),
    );
    let further = |name: &'static str, flag_key: &'static str| {
        let view = Rc::clone(&decided);
        let work = move || {
            let user = view.for_key(black_box("user-00000000001"));
            (0..FURTHER).filter(|_| user.is_active_for_key(black_box(flag_key))).count() as u64
        };
        Case::work(name, work).of(FURTHER)
    };
    cases.push(further("a further on/off flag of one key, through a view", "features/on"));
    let on = "a further on/off flag of one key, through a view";
    cases.push(further("a further sha1 rollout of one key, through a view", "features/sha1").beside(on));
}
