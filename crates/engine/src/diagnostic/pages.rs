//! The page of each code: what it means, an example, the same example fixed, and why it matters.
//!
//! The examples are tested: the first one produces the code, the second one does not.

mod notes;
mod rules;
mod schedule;
mod shape;
mod text;
mod variants;
mod warnings;

use super::Code;

/// What there is to say about one code.
pub(super) struct Page {
    /// What was found, in full sentences.
    pub(super) what: &'static str,
    /// A document with the mistake.
    pub(super) wrong: Example,
    /// The same document without it.
    pub(super) fixed: Example,
    /// Why it matters.
    pub(super) why: &'static str,
}

/// A document that shows something.
pub(super) enum Example {
    /// It is shown as it is.
    Text(&'static str),
    /// Too large or too unusual to be shown: an abridged form, and a function that makes the whole text.
    Made(&'static str, fn() -> Vec<u8>),
}

impl Example {
    pub(super) fn shown(&self) -> &'static str {
        match self {
            Self::Text(text) | Self::Made(text, _) => text,
        }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.as_bytes().to_vec(),
            Self::Made(_, make) => make(),
        }
    }
}

const fn page(what: &'static str, wrong: &'static str, fixed: &'static str, why: &'static str) -> Page {
    Page { what, wrong: Example::Text(wrong), fixed: Example::Text(fixed), why }
}

impl Code {
    /// A document in which this is found, whole also where [`Code::page`] abridges it.
    pub fn example(self) -> Vec<u8> {
        for_code(self).wrong.bytes()
    }

    /// The page about it, as Markdown: what was found, an example, the same example fixed, and why it matters.
    ///
    /// ```
    /// use tidegate_engine::Code;
    ///
    /// assert!(Code::WindowReversed.page().starts_with("# E033: the window ends before it starts\n"));
    /// ```
    pub fn page(self) -> String {
        let page = for_code(self);
        format!(
            "# {self}: {title}\n\n{what}\n\n```json\n{wrong}\n```\n\nFixed:\n\n```json\n{fixed}\n```\n\n{why}\n",
            title = self.title(),
            what = page.what,
            wrong = page.wrong.shown(),
            fixed = page.fixed.shown(),
            why = page.why,
        )
    }
}

/// The page of a code.
const fn for_code(code: Code) -> Page {
    match code.as_str().as_bytes() {
        [b'E', b'0', b'0', ..] => text::for_code(code),
        [b'E', b'0', b'1' | b'2', ..] => shape::for_code(code),
        [b'E', b'0', b'7', b'4'..=b'9'] | [b'E', b'0', b'8', _] | [b'W', b'1', b'1', b'3'..=b'5'] => {
            variants::for_code(code)
        }
        [b'E', b'0', b'6' | b'7', ..] => rules::for_code(code),
        [b'E', ..] => schedule::for_code(code),
        [b'W', ..] => warnings::for_code(code),
        _ => notes::for_code(code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;

    fn codes(example: &Example) -> Vec<Code> {
        check(&example.bytes()).diagnostics.into_iter().map(|diagnostic| diagnostic.code).collect()
    }

    #[test]
    fn the_example_of_each_page_has_its_code_and_the_fixed_one_does_not() {
        for &code in Code::ALL {
            let page = for_code(code);
            let wrong = codes(&page.wrong);
            assert!(wrong.contains(&code), "{code}: the wrong example has {wrong:?}");
            let fixed = codes(&page.fixed);
            assert!(!fixed.contains(&code), "{code}: the fixed example has {fixed:?}");
            let has_errors = fixed.iter().any(|code| code.severity() == crate::Severity::Error);
            assert!(!has_errors, "{code}: the fixed example has {fixed:?}");
        }
    }
}
