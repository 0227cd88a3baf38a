//! Conditions, compiled: a flat list of steps for each, evaluated without allocation and without recursion.
//!
//! A step is one comparison, segment or prerequisite, in the order of the text. It says which step comes next if it holds, and
//! which if it does not. Groups and negations are nothing but these places: a group whose outcome is known skips the rest of its
//! parts because their places are skipped.

mod test;

use crate::FlagKey;
use crate::attributes::{AttributePath, Attributes, Found, find};
use crate::document::Condition;

use test::Test;

/// A condition, compiled.
#[derive(Debug)]
pub(crate) struct Program(Box<[Step]>);

/// One comparison, segment or prerequisite.
#[derive(Debug)]
struct Step {
    asks: Asks,
    /// What is compared with what the subject has there.
    test: Test,
    if_held: Place,
    otherwise: Place,
}

/// What a step asks for.
#[derive(Debug)]
enum Asks {
    Attribute(AttributePath),
    Segment(u32),
    Flag(Box<Prerequisite>),
}

/// The number of a step, or how the condition ends: [`HOLDS`] and [`FAILS`].
type Place = u32;

/// Another flag that has to have a variant.
#[derive(Debug)]
pub(crate) struct Prerequisite {
    pub(crate) flag: FlagKey,
    /// Its name.
    pub(crate) is: Box<str>,
}

/// What a condition is evaluated with.
pub(crate) trait Context<'a> {
    fn key(&self) -> Option<&'a &'a str>;
    fn attributes(&self) -> Attributes<'a>;
    /// Whether the condition of the segment with this number holds.
    fn is_in_segment(&mut self, segment: u32) -> bool;
    /// Whether another flag has the variant.
    fn has_variant(&mut self, prerequisite: &Prerequisite) -> bool;
    /// The comparison, segment or prerequisite with this number held or did not.
    fn leaf(&mut self, leaf: u32, held: bool, found: Option<Found<'a>>);
}

impl Program {
    /// Compiles a condition; `number_of` gives the number of a segment of the document.
    pub(crate) fn new(condition: &Condition, number_of: &impl Fn(&str) -> Option<u32>) -> Self {
        let mut compiler = Compiler { steps: Vec::new(), next: 0, number_of };
        condition.leaves(&mut |_| compiler.next = compiler.next.saturating_add(1));
        compiler.place(condition, HOLDS, FAILS);
        compiler.steps.reverse();
        Self(compiler.steps.into())
    }

    /// Whether the condition holds.
    #[expect(clippy::inline_always, reason = "the rules of a flag are one loop, also without link-time optimisation")]
    #[inline(always)]
    pub(crate) fn holds<'a>(&self, context: &mut impl Context<'a>) -> bool {
        let attributes = context.attributes();
        let mut place = 0;
        // Steps lead to later ones only, so the walk ends; beyond the last step it has an outcome.
        while let Some(step) = self.0.get(place as usize) {
            // Most attributes are a name in a slice, found and compared right here.
            let held = match (&step.asks, attributes.as_pairs()) {
                (Asks::Attribute(AttributePath::Name(name)), Some(pairs)) => {
                    let found = find(pairs, name).map(Found::Typed);
                    let held = step.test.passes(found);
                    context.leaf(place, held, found);
                    held
                }
                _ => step.holds(place, context),
            };
            place = if held { step.if_held } else { step.otherwise };
        }
        place == HOLDS
    }
}

impl Step {
    #[inline(never)]
    fn holds<'a>(&self, place: Place, context: &mut impl Context<'a>) -> bool {
        let (held, found) = match &self.asks {
            Asks::Attribute(path) => {
                let found = path.find(context.key(), context.attributes());
                (self.test.passes(found), found)
            }
            Asks::Segment(segment) => (context.is_in_segment(*segment), None),
            Asks::Flag(prerequisite) => (context.has_variant(prerequisite), None),
        };
        context.leaf(place, held, found);
        held
    }
}

/// Compiles from the end, so that the steps after a part have their places before it has its own.
struct Compiler<'c, N> {
    /// The steps, the last one first.
    steps: Vec<Step>,
    /// The place of the step that was compiled last, or the number of all steps.
    next: Place,
    number_of: &'c N,
}

impl<N: Fn(&str) -> Option<u32>> Compiler<'_, N> {
    /// The place where a condition begins that leads to `if_held` or to `otherwise`. It recurses as deep as the condition, which
    /// the reader has limited.
    fn place(&mut self, condition: &Condition, if_held: Place, otherwise: Place) -> Place {
        let (asks, test) = match condition {
            Condition::All(parts) => {
                return parts.iter().rev().fold(if_held, |next, part| self.place(part, next, otherwise));
            }
            Condition::Any(parts) => {
                return parts.iter().rev().fold(otherwise, |next, part| self.place(part, if_held, next));
            }
            Condition::Not(part) => return self.place(part, otherwise, if_held),
            Condition::Compare(comparison) => {
                (Asks::Attribute(AttributePath::parse(&comparison.attribute)), Test::all(&comparison.tests))
            }
            // The reader has found every segment; one that is not there would have no members.
            Condition::Segment(name) => (Asks::Segment((self.number_of)(name).unwrap_or(u32::MAX)), Test::Never),
            Condition::Flag { flag, is } => {
                (Asks::Flag(Box::new(Prerequisite { flag: flag.clone(), is: is.clone() })), Test::Never)
            }
        };
        self.steps.push(Step { asks, test, if_held, otherwise });
        self.next = self.next.saturating_sub(1);
        self.next
    }
}

/// Places at which a condition ends. No document has that many steps.
const HOLDS: Place = Place::MAX;
const FAILS: Place = Place::MAX - 1;

#[cfg(test)]
mod tests;
