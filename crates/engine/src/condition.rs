//! Conditions, compiled: a flat program for each, evaluated without allocation.
//!
//! The nodes of a condition stand in one list, each group before its parts, with the place at which it ends. So a condition is
//! one piece of memory, and a group whose outcome is known skips the rest of its parts.

mod test;

use crate::FlagKey;
use crate::attributes::{AttributePath, Attributes, Found};
use crate::document::Condition;

use test::Test;

/// A condition, compiled.
#[derive(Debug, Default)]
pub(crate) struct Program(Box<[Node]>);

#[derive(Debug)]
struct Node {
    /// The place after its last part.
    end: u32,
    /// The number of a comparison, a segment or a prerequisite among those of the condition, in the order of the text.
    leaf: u32,
    operation: Operation,
}

#[derive(Debug)]
enum Operation {
    All,
    Any,
    Not,
    Compare(Compare),
    Segment(u32),
    Flag(Box<Prerequisite>),
}

#[derive(Debug)]
struct Compare {
    attribute: AttributePath,
    test: Test,
    /// The tests after the first.
    others: Box<[Test]>,
}

/// Another flag that has to have a variant.
#[derive(Debug)]
pub(crate) struct Prerequisite {
    pub(crate) flag: FlagKey,
    /// Its name.
    pub(crate) is: Box<str>,
}

/// What a condition is evaluated with.
pub(crate) trait Context<'a> {
    fn key(&self) -> Option<&'a str>;
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
        let mut compiler = Compiler { nodes: Vec::new(), leaves: 0, number_of };
        compiler.push(condition);
        Self(compiler.nodes.into())
    }

    /// Whether the condition holds.
    #[inline]
    pub(crate) fn holds<'a>(&self, context: &mut impl Context<'a>) -> bool {
        self.holds_at(0, context)
    }

    /// It recurses as deep as the condition, which the reader has limited.
    fn holds_at<'a>(&self, at: u32, context: &mut impl Context<'a>) -> bool {
        let Some(node) = self.0.get(at as usize) else { return false };
        let first = at.saturating_add(1);
        let (held, found) = match &node.operation {
            Operation::All => return self.all_are(true, first, node.end, context),
            Operation::Any => return !self.all_are(false, first, node.end, context),
            Operation::Not => return !self.holds_at(first, context),
            Operation::Compare(compare) => {
                let found = compare.attribute.find(context.key(), context.attributes());
                (compare.test.passes(found) && compare.others.iter().all(|test| test.passes(found)), found)
            }
            Operation::Segment(segment) => (context.is_in_segment(*segment), None),
            Operation::Flag(prerequisite) => (context.has_variant(prerequisite), None),
        };
        context.leaf(node.leaf, held, found);
        held
    }

    /// Whether all parts from `first` to before `end` have the same outcome.
    fn all_are<'a>(&self, outcome: bool, first: u32, end: u32, context: &mut impl Context<'a>) -> bool {
        let mut at = first;
        while at < end {
            if self.holds_at(at, context) != outcome {
                return false;
            }
            at = self.0.get(at as usize).map_or(end, |node| node.end);
        }
        true
    }
}

struct Compiler<'c, N> {
    nodes: Vec<Node>,
    leaves: u32,
    number_of: &'c N,
}

impl<N: Fn(&str) -> Option<u32>> Compiler<'_, N> {
    fn push(&mut self, condition: &Condition) {
        let (operation, parts) = match condition {
            Condition::All(parts) => (Operation::All, parts.as_slice()),
            Condition::Any(parts) => (Operation::Any, parts.as_slice()),
            Condition::Not(part) => (Operation::Not, std::slice::from_ref(&**part)),
            Condition::Compare(comparison) => {
                let mut tests = comparison.tests.iter().map(Test::new);
                let test = tests.next().unwrap_or(Test::Never);
                let attribute = AttributePath::parse(&comparison.attribute);
                (Operation::Compare(Compare { attribute, test, others: tests.collect() }), [].as_slice())
            }
            // The reader has found every segment; one that is not there would have no members.
            Condition::Segment(name) => (Operation::Segment((self.number_of)(name).unwrap_or(u32::MAX)), [].as_slice()),
            Condition::Flag { flag, is } => {
                (Operation::Flag(Box::new(Prerequisite { flag: flag.clone(), is: is.clone() })), [].as_slice())
            }
        };
        let place = self.nodes.len();
        self.nodes.push(Node { end: 0, leaf: self.leaves, operation });
        if parts.is_empty() {
            self.leaves = self.leaves.saturating_add(1);
        }
        for part in parts {
            self.push(part);
        }
        let end = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
        if let Some(node) = self.nodes.get_mut(place) {
            node.end = end;
        }
    }
}

#[cfg(test)]
mod tests;
