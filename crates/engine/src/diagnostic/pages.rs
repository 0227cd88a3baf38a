//! The page of each code: what it means, an example, the same mended, and why.
//!
//! The examples are tested: the first one produces the code, the second one does not.

mod notes;
mod schedule;
mod shape;
mod text;
mod warnings;

use super::Code;

/// What there is to say about one code.
pub(super) struct Page {
    /// What was found, in full sentences.
    pub(super) what: &'static str,
    /// A document with the mistake.
    pub(super) wrong: Example,
    /// The same document without it.
    pub(super) mended: Example,
    /// Why it matters.
    pub(super) why: &'static str,
}

/// A document that shows something.
pub(super) enum Example {
    /// It is shown as it is.
    Text(&'static str),
    /// It is too large or too odd to be shown: what is shown stands for what is made.
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

const fn page(what: &'static str, wrong: &'static str, mended: &'static str, why: &'static str) -> Page {
    Page { what, wrong: Example::Text(wrong), mended: Example::Text(mended), why }
}

impl Code {
    /// A document in which this is found, whole also where [`Code::page`] abridges it.
    pub fn example(self) -> Vec<u8> {
        of(self).wrong.bytes()
    }

    /// The page about it, as Markdown: what was found, an example, the same mended, and why it matters.
    ///
    /// ```
    /// use tidegate_engine::Code;
    ///
    /// assert!(Code::WindowReversed.page().starts_with("# E033: the window ends before it starts\n"));
    /// ```
    pub fn page(self) -> String {
        let page = of(self);
        format!(
            "# {self}: {title}\n\n{what}\n\n```json\n{wrong}\n```\n\nMended:\n\n```json\n{mended}\n```\n\n{why}\n",
            title = self.title(),
            what = page.what,
            wrong = page.wrong.shown(),
            mended = page.mended.shown(),
            why = page.why,
        )
    }
}

/// The page of a code.
const fn of(code: Code) -> Page {
    match code.as_str().as_bytes() {
        [b'E', b'0', b'0', ..] => text::of(code),
        [b'E', b'0', b'1' | b'2', ..] => shape::of(code),
        [b'E', ..] => schedule::of(code),
        [b'W', ..] => warnings::of(code),
        _ => notes::of(code),
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
    fn the_example_of_each_page_shows_its_code_and_the_mended_one_does_not() {
        for &code in Code::ALL {
            let page = of(code);
            let wrong = codes(&page.wrong);
            assert!(wrong.contains(&code), "{code}: the wrong example has {wrong:?}");
            let mended = codes(&page.mended);
            assert!(!mended.contains(&code), "{code}: the mended example has {mended:?}");
            let has_errors = mended.iter().any(|code| code.severity() == crate::Severity::Error);
            assert!(!has_errors, "{code}: the mended example has {mended:?}");
        }
    }
}
