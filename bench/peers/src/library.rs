//! One library for feature flags.

pub(crate) mod eppo;
pub(crate) mod flagd;
pub(crate) mod flagsmith;
pub(crate) mod growthbook;
pub(crate) mod launchdarkly;
pub(crate) mod posthog;
pub(crate) mod tidegate;
pub(crate) mod yggdrasil;

use crate::flags::Flag;

/// A library that has loaded flags.
pub(crate) trait Library: Sized + 'static {
    /// Whether a flag's share can follow the clock.
    const HAS_STEPS: bool;

    /// The flags in the library's own format.
    fn text(flags: &[Flag]) -> String;

    /// What a program does with a text that it has received.
    fn load(text: &str) -> Self;

    /// Whether one flag is on for one key. The key is given as text: what the library needs of it is made here.
    fn is_on(&self, flag: &str, key: &str) -> bool;

    /// Evaluates every flag for one key, and counts those that are on.
    fn count_on(&self, key: &str) -> usize;
}
