//! Paths: which part of a document a finding is about.

use std::fmt;

use super::quote::{is_deceptive, push_escaped};
use crate::limits;

/// The way from the outer object of a document to one of its parts; the empty way is the whole document.
///
/// [`Display`](fmt::Display) joins names by dots (`features.install_to_opt_foo.duration`), writes the place
/// in a list as `steps[2].pct`, and names that hold anything but ordinary characters quoted and escaped
/// (`features["a.b"].duration`), so that no two parts look alike.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Path(Vec<Segment>);

/// One step of a [`Path`].
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Segment {
    /// A member of an object. Names longer than [`limits::NAME_BYTES_MAX`] are cut off and end in `…`.
    Name(Box<str>),
    /// An element of a list, from 0.
    Index(usize),
}

impl Path {
    /// The steps, outermost first.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Whether it is the whole document.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Path {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, segment) in self.0.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(formatter, "[{index}]")?,
                Segment::Name(name) if is_plain(name) => {
                    let dot = if depth == 0 { "" } else { "." };
                    write!(formatter, "{dot}{name}")?;
                }
                Segment::Name(name) => {
                    let mut escaped = String::new();
                    for part in name.split_inclusive(['"', '\\']) {
                        let plain = part.strip_suffix(['"', '\\']).unwrap_or(part);
                        push_escaped(&mut escaped, plain, usize::MAX);
                        if let Some(special) = part.get(plain.len()..).filter(|special| !special.is_empty()) {
                            escaped.push('\\');
                            escaped.push_str(special);
                        }
                    }
                    write!(formatter, "[\"{escaped}\"]")?;
                }
            }
        }
        Ok(())
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && !name.contains(|character: char| {
            matches!(character, '.' | '[' | ']' | '"' | '\\')
                || character.is_whitespace()
                || character.is_control()
                || is_deceptive(character)
        })
}

/// The path of the reader's current position: a linked list on the stack, which allocates only when a finding needs it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Trail<'a> {
    Root,
    Name(&'a Trail<'a>, &'a str),
    Index(&'a Trail<'a>, usize),
}

impl<'a> Trail<'a> {
    /// One step further, to the member of this name.
    pub(crate) const fn name(&'a self, name: &'a str) -> Self {
        Self::Name(self, name)
    }

    /// One step further, to this element of a list.
    pub(crate) const fn index(&'a self, index: usize) -> Self {
        Self::Index(self, index)
    }

    /// The path walked so far.
    pub(crate) fn to_path(self) -> Path {
        let mut segments = Vec::new();
        let mut here = &self;
        loop {
            here = match here {
                Self::Root => break,
                Self::Name(above, name) => {
                    segments.push(Segment::Name(shortened(name)));
                    above
                }
                Self::Index(above, index) => {
                    segments.push(Segment::Index(*index));
                    above
                }
            };
        }
        segments.reverse();
        Path(segments)
    }
}

fn shortened(name: &str) -> Box<str> {
    if name.len() <= limits::NAME_BYTES_MAX {
        return name.into();
    }
    let end = name.floor_char_boundary(limits::NAME_BYTES_MAX);
    let mut short = String::from(name.get(..end).unwrap_or_default());
    short.push('…');
    short.into_boxed_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_parts_look_alike() {
        let root = Trail::Root;
        let features = root.name("features");
        let shown = [
            ("install_to_opt_foo", "features.install_to_opt_foo.steps[2].pct"),
            ("a.b", "features[\"a.b\"].steps[2].pct"),
            ("", "features[\"\"].steps[2].pct"),
            ("c d", "features[\"c d\"].steps[2].pct"),
            ("x\"]\\", "features[\"x\\\"]\\\\\"].steps[2].pct"),
            ("a\nb", "features[\"a\\nb\"].steps[2].pct"),
            ("a\u{202e}b", "features[\"a\\u202eb\"].steps[2].pct"),
            ("größe/x%", "features.größe/x%.steps[2].pct"),
        ];
        for (flag, expected) in shown {
            let flag = features.name(flag);
            let steps = flag.name("steps");
            let second = steps.index(2);
            assert_eq!(second.name("pct").to_path().to_string(), expected);
        }
        assert!(root.to_path().is_root());
        let dotted = "a.b";
        assert_eq!(root.name(dotted).to_path().to_string(), "[\"a.b\"]");
    }

    #[test]
    fn a_huge_name_is_not_copied() {
        let name = "ä".repeat(1_000_000);
        let path = Trail::Root.name(&name).to_path();
        assert_eq!(path.to_string().chars().count(), 129);
    }
}
