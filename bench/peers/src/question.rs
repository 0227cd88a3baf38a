//! What every library is asked, and the check that its answers are the expected ones.

use std::fmt;
use std::hint::black_box;

use crate::flags::{KEYS, OFF, ON, ROLLOUT, Rule, STEPS, flags, keys};
use crate::library::eppo::Eppo;
use crate::library::flagd::Flagd;
use crate::library::flagsmith::Flagsmith;
use crate::library::launchdarkly::LaunchDarkly;
use crate::library::posthog::PostHog;
use crate::library::tidegate::{Engine, Whole};
use crate::library::yggdrasil::Yggdrasil;
use crate::library::{Library, growthbook};

/// The libraries in the order of the tables.
pub const LIBRARIES: [&str; 11] = [
    TIDEGATE,
    HANDLE,
    INDEX,
    "unleash-yggdrasil",
    "eppo_core",
    "launchdarkly-server-sdk-evaluation",
    "posthog-rs",
    "growthbook-rust, its core",
    "growthbook-rust, its client",
    "flagd-evaluation-engine",
    "flagsmith-flag-engine",
];

/// The ratios of the tables are to this one.
pub const TIDEGATE: &str = "Tidegate, by name";
const HANDLE: &str = "Tidegate, by handle";
const INDEX: &str = "Tidegate, by index";

/// The questions in the order of the tables.
pub const QUESTIONS: [&str; 6] = [CHECK_ON, CHECK_ROLLOUT, CHECK_STEPS, CHECK_ALL, LOAD_SMALL, LOAD_LARGE];

const CHECK_ON: &str = "on/off";
const CHECK_ROLLOUT: &str = "50 % rollout";
const CHECK_STEPS: &str = "ramp in four steps";
const CHECK_ALL: &str = "all 1,000 flags of one key";
const LOAD_SMALL: &str = "load 1,000 flags";
const LOAD_LARGE: &str = "load 10,000 flags";

const FLAGS: usize = 1_000;
const MANY_FLAGS: usize = 10_000;

/// One question to one library, repeated.
pub struct Case {
    /// The question, one of [`QUESTIONS`].
    pub question: &'static str,
    /// The library, one of [`LIBRARIES`].
    pub library: &'static str,
    run: Box<dyn Fn(usize) -> usize>,
}

impl Case {
    /// Asks so often, each time for another key. The number is how often something was on: no question can be left out.
    pub fn run(&self, times: usize) -> usize {
        (self.run)(times)
    }

    /// A question about one key.
    fn check(question: &'static str, library: &'static str, check: impl Fn(&str) -> usize + 'static) -> Self {
        let keys = keys();
        let run = move |times| (0..times).map(|time: usize| check(&keys[time % KEYS])).sum();
        Self { question, library, run: Box::new(run) }
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}, {}", self.question, self.library)
    }
}

/// Every question to every library. The answers are checked first.
///
/// # Panics
///
/// Where a library's answers are not the expected ones.
pub fn cases() -> Vec<Case> {
    let mut cases = tidegate_cases();
    add::<Yggdrasil>("unleash-yggdrasil", &mut cases);
    add::<Eppo>("eppo_core", &mut cases);
    add::<LaunchDarkly>("launchdarkly-server-sdk-evaluation", &mut cases);
    add::<PostHog>("posthog-rs", &mut cases);
    add::<growthbook::Core>("growthbook-rust, its core", &mut cases);
    // Its other costs are those of the core: a look at all flags takes a thousand copies of all flags.
    verify::<growthbook::Client>("growthbook-rust, its client", str::to_owned);
    checks::<growthbook::Client>("growthbook-rust, its client", &mut cases);
    add::<Flagd>("flagd-evaluation-engine", &mut cases);
    add::<Flagsmith>("flagsmith-flag-engine", &mut cases);
    cases
}

/// What each library keeps in memory of 1,000 and of 10,000 flags; `measure` gives the bytes that are left after a load.
pub fn memory(measure: impl Fn(&mut dyn FnMut()) -> u64) -> Vec<(&'static str, [Memory; 2])> {
    vec![
        ("Tidegate, its engine", [FLAGS, MANY_FLAGS].map(|count| kept::<Engine>(count, &measure))),
        ("unleash-yggdrasil", [FLAGS, MANY_FLAGS].map(|count| kept::<Yggdrasil>(count, &measure))),
        ("eppo_core", [FLAGS, MANY_FLAGS].map(|count| kept::<Eppo>(count, &measure))),
        ("launchdarkly-server-sdk-evaluation", [FLAGS, MANY_FLAGS].map(|count| kept::<LaunchDarkly>(count, &measure))),
        ("posthog-rs", [FLAGS, MANY_FLAGS].map(|count| kept::<PostHog>(count, &measure))),
        ("growthbook-rust, its core", [FLAGS, MANY_FLAGS].map(|count| kept::<growthbook::Core>(count, &measure))),
        ("flagd-evaluation-engine", [FLAGS, MANY_FLAGS].map(|count| kept::<Flagd>(count, &measure))),
        ("flagsmith-flag-engine", [FLAGS, MANY_FLAGS].map(|count| kept::<Flagsmith>(count, &measure))),
    ]
}

/// What one library keeps of a document.
#[derive(Clone, Copy, Debug)]
pub struct Memory {
    /// Bytes of text for each flag, in the library's own format.
    pub text: usize,
    /// Bytes on the heap for each flag, after the load.
    pub live: u64,
}

fn kept<L: Library>(count: usize, measure: &impl Fn(&mut dyn FnMut()) -> u64) -> Memory {
    let text = L::text(&flags(count, L::HAS_STEPS));
    // What a library makes once for the process does not count.
    drop(L::load(&L::text(&flags(1, L::HAS_STEPS))));
    let mut loaded = None;
    let live = measure(&mut || loaded = Some(L::load(&text)));
    drop(black_box(loaded));
    Memory { text: text.len() / count, live: live / count as u64 }
}

fn add<L: Library>(library: &'static str, cases: &mut Vec<Case>) {
    verify::<L>(library, str::to_owned);
    checks::<L>(library, cases);
    let all = L::load(&L::text(&flags(FLAGS, L::HAS_STEPS)));
    cases.push(Case::check(CHECK_ALL, library, move |key| all.count_on(key)));
    cases.push(load::<L>(LOAD_SMALL, library, FLAGS));
    cases.push(load::<L>(LOAD_LARGE, library, MANY_FLAGS));
}

/// The questions about one flag.
fn checks<L: Library>(library: &'static str, cases: &mut Vec<Case>) {
    let questions = [(CHECK_ON, ON), (CHECK_ROLLOUT, ROLLOUT), (CHECK_STEPS, STEPS)];
    for (question, flag) in questions.into_iter().take(if L::HAS_STEPS { 3 } else { 2 }) {
        let loaded = L::load(&L::text(&flags(FLAGS, L::HAS_STEPS)));
        let check = move |key: &str| usize::from(loaded.is_on(black_box(flag), key));
        cases.push(Case::check(question, library, check));
    }
}

/// What is loaded is dropped within the time, as the document before it is after an update.
fn load<L: Library>(question: &'static str, library: &'static str, count: usize) -> Case {
    let text = L::text(&flags(count, L::HAS_STEPS));
    let run = move |times| {
        for _ in 0..times {
            drop(black_box(L::load(black_box(&text))));
        }
        times
    };
    Case { question, library, run: Box::new(run) }
}

fn tidegate_cases() -> Vec<Case> {
    let in_section: fn(&str) -> String = |name| format!("features/{name}");
    verify::<Whole>(TIDEGATE, in_section);
    verify::<Engine>(TIDEGATE, str::to_owned);
    let loaded = || Whole::load(&Whole::text(&flags(FLAGS, true)));
    let mut cases = Vec::new();
    for (question, flag) in [(CHECK_ON, ON), (CHECK_ROLLOUT, ROLLOUT), (CHECK_STEPS, STEPS)] {
        let (by_name, by_handle) = (loaded(), loaded());
        let name = in_section(flag);
        cases.push(Case::check(question, TIDEGATE, move |key| usize::from(by_name.is_on(black_box(&name), key))));
        let handle = by_handle.tide.flag("features", flag);
        let check = move |key: &str| {
            let _ = &by_handle;
            usize::from(handle.is_active_for(key))
        };
        cases.push(Case::check(question, HANDLE, check));
    }
    let (by_name, by_index) = (loaded(), loaded());
    cases.push(Case::check(CHECK_ALL, TIDEGATE, move |key| by_name.count_on(key)));
    cases.push(Case::check(CHECK_ALL, INDEX, move |key| by_index.count_by_index(key)));
    cases.push(load::<Engine>(LOAD_SMALL, TIDEGATE, FLAGS));
    cases.push(load::<Engine>(LOAD_LARGE, TIDEGATE, MANY_FLAGS));
    cases
}

/// Checks the answers: on, off, the shares of keys, and that all flags at once answer as single ones do.
fn verify<L: Library>(library: &str, named: fn(&str) -> String) {
    let flags = flags(FLAGS, L::HAS_STEPS);
    let loaded = L::load(&L::text(&flags));
    let keys = keys();
    let share = |flag: &str| {
        let flag = named(flag);
        100 * keys.iter().filter(|key| loaded.is_on(&flag, key)).count() / KEYS
    };
    assert_eq!(share(ON), 100, "{library}: a flag is not on for every key");
    assert_eq!(share(OFF), 0, "{library}: a flag is not off for every key");
    // Four standard deviations of 1,024 keys are 6 per cent.
    let is_about = |flag, wanted: usize| share(flag).abs_diff(wanted) <= 6;
    assert!(is_about(ROLLOUT, 50), "{library}: a rollout of 50 % is on for {} % of the keys", share(ROLLOUT));
    if L::HAS_STEPS {
        assert!(is_about(STEPS, 25), "{library}: a ramp at 25 % is on for {} % of the keys", share(STEPS));
    }
    let always = flags.iter().filter(|flag| matches!(flag.rule, Rule::On)).count();
    let halves = flags.iter().filter(|flag| matches!(flag.rule, Rule::Share(_))).count();
    for key in &keys[..5] {
        let single = flags.iter().filter(|flag| loaded.is_on(&named(&flag.name), key)).count();
        assert_eq!(loaded.count_on(key), single, "{library}: all flags at once answer otherwise than one by one");
        let wanted = always + halves / 2;
        assert!(single.abs_diff(wanted) <= 60, "{library}: {single} flags are on for {key}, not about {wanted}");
    }
}
