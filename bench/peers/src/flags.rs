//! The flags and the keys that every library gets.

/// The number of different keys, of 16 bytes each, that are asked for in turn.
pub(crate) const KEYS: usize = 1_024;

/// A flag that is true for every key.
pub(crate) const ON: &str = "on";
/// A flag that is false for every key.
pub(crate) const OFF: &str = "off";
/// A flag that is true for half of the keys.
pub(crate) const ROLLOUT: &str = "rollout";
/// A flag whose share grows in steps and is 25 per cent from 2022 to 2037.
pub(crate) const STEPS: &str = "steps";

/// One step of [`STEPS`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step {
    /// The percentage of keys for which it is true.
    pub(crate) share: u32,
    /// The Unix second at which the next step begins.
    pub(crate) end: i64,
    /// The same instant as text.
    pub(crate) end_text: &'static str,
}

/// The beginning of the first step.
pub(crate) const BEGIN: Step = Step { share: 0, end: 1_577_836_800, end_text: "2020-01-01T00:00:00Z" };

/// The steps of [`STEPS`].
pub(crate) const SCHEDULE: [Step; 4] = [
    Step { share: 10, end: 1_640_995_200, end_text: "2022-01-01T00:00:00Z" },
    Step { share: 25, end: 2_114_380_800, end_text: "2037-01-01T00:00:00Z" },
    Step { share: 50, end: 2_145_916_800, end_text: "2038-01-01T00:00:00Z" },
    Step { share: 75, end: 2_177_452_800, end_text: "2039-01-01T00:00:00Z" },
];

/// What a flag answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Rule {
    On,
    Off,
    /// True for this percentage of the keys.
    Share(u32),
    /// [`SCHEDULE`], where a library has such a thing.
    Steps,
}

/// One flag.
#[derive(Clone, Debug)]
pub(crate) struct Flag {
    pub(crate) name: String,
    pub(crate) rule: Rule,
}

/// This number of flags: of ten, two are on, two are off, and six are true for half of the keys. The flags of the checks are
/// among them, spread over the document.
pub(crate) fn flags(count: usize, has_steps: bool) -> Vec<Flag> {
    let flag = |number| {
        let (name, rule) = match number {
            150 => (ON, Rule::On),
            350 => (OFF, Rule::Off),
            550 => (ROLLOUT, Rule::Share(50)),
            750 if has_steps => (STEPS, Rule::Steps),
            _ => ("", rule(number)),
        };
        let name = if name.is_empty() { format!("flag_{number:06}") } else { name.to_owned() };
        Flag { name, rule }
    };
    (0..count).map(flag).collect()
}

fn rule(number: usize) -> Rule {
    match number % 10 {
        0 | 4 => Rule::On,
        2 | 6 => Rule::Off,
        _ => Rule::Share(50),
    }
}

/// Keys of 16 bytes.
pub(crate) fn keys() -> Vec<String> {
    (0..KEYS).map(|number| format!("user-{:011}", number * 7_919 % 99_999_989)).collect()
}
