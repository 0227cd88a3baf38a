//! One kind of work, repeated.

use std::fmt;

use crate::inputs;

/// One kind of work that can be repeated any number of times.
pub struct Case {
    /// What it is, the same in every table.
    pub name: &'static str,
    /// The case that does the same with nothing around it.
    pub floor: Option<&'static str>,
    /// The most that the ratio to the floor may be.
    pub target: Option<f64>,
    is_large: bool,
    /// How often it is repeated for a count of instructions, if not as usual.
    weight: Option<Times>,
    each: Times,
    run: Box<dyn Fn(Times) -> u64>,
}

/// How often work is repeated.
pub type Times = u64;

impl Case {
    /// A check of one flag for one key, repeated over [`inputs::KEYS`] different keys.
    pub(crate) fn check(name: &'static str, check: impl Fn(&str) -> bool + 'static) -> Self {
        let keys = inputs::keys();
        #[expect(clippy::cast_possible_truncation, reason = "only the low bits of the count choose a key")]
        let run =
            move |times: Times| (0..times).map(|time| u64::from(check(&keys[time as usize % inputs::KEYS]))).sum();
        Self { name, floor: None, target: None, is_large: false, weight: None, each: 1, run: Box::new(run) }
    }

    /// Work without a key.
    pub(crate) fn work(name: &'static str, work: impl Fn() -> u64 + 'static) -> Self {
        let run = move |times: Times| (0..times).fold(0, |sum: u64, _| sum.wrapping_add(work()));
        Self { name, floor: None, target: None, is_large: false, weight: None, each: 1, run: Box::new(run) }
    }

    /// Held against another case: the ratio to it may be at most `target`.
    pub(crate) fn against(self, floor: &'static str, target: f64) -> Self {
        Self { floor: Some(floor), target: Some(target), ..self }
    }

    /// Held against another case, without a target.
    pub(crate) fn beside(self, floor: &'static str) -> Self {
        Self { floor: Some(floor), ..self }
    }

    /// How often the work has to be repeated for a count of instructions that start-up does not blur.
    pub fn weight(&self) -> Times {
        self.weight.unwrap_or(if self.is_large { 2 } else { 20_000 / self.each })
    }

    /// How many checks the work does each time.
    pub fn each(&self) -> Times {
        self.each
    }

    /// The work does `each` checks each time, and a single one is of interest.
    pub(crate) fn of(self, each: Times) -> Self {
        Self { each, ..self }
    }

    /// Whether it is work of milliseconds rather than nanoseconds.
    pub fn is_large(&self) -> bool {
        self.is_large
    }

    /// Work of milliseconds rather than nanoseconds.
    pub(crate) fn large(self) -> Self {
        Self { is_large: true, ..self }
    }

    /// Repeated so often for a count of instructions.
    pub(crate) fn counted_over(self, times: Times) -> Self {
        Self { weight: Some(times), ..self }
    }

    /// Does the work this number of times. The result is meaningless, but the compiler cannot leave out work that it depends on.
    pub fn run(&self, times: Times) -> u64 {
        (self.run)(times)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name)
    }
}
