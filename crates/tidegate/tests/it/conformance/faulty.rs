//! Callbacks with one fault each, which the suite has to find.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tidegate::source::conformance::{Property, Subject, check_property};
use tidegate::{BoxError, Builder, Fetched, Tag};

/// What is wrong with a source.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    /// It never has a document.
    NoDocument,
    /// All documents have one tag.
    OneTag,
    /// Documents have no tags.
    NoTags,
    /// It sends the document however it is asked.
    NeverUnchanged,
    /// It says that nothing has changed as soon as it is asked with any tag.
    AlwaysUnchanged,
    /// It keeps giving the document while what it reads cannot be read.
    HidesOutage,
    /// It takes an outage for an empty document.
    EmptyWhenUnreachable,
    /// It fails for ever after an outage.
    StaysAway,
    /// It cuts large documents.
    Cuts,
    /// Its errors show its password.
    ShowsSecret,
}

#[derive(Default)]
struct State {
    text: Option<Vec<u8>>,
    revision: u64,
    is_away: bool,
    was_away: bool,
}

/// A source with a fault.
pub(super) struct Faulty {
    fault: Fault,
    state: Arc<Mutex<State>>,
}

impl Faulty {
    fn new(fault: Fault) -> Self {
        Self { fault, state: Arc::default() }
    }

    pub(super) fn without_documents() -> Self {
        Self::new(Fault::NoDocument)
    }
}

fn fetch(fault: Fault, state: &Mutex<State>, have: Option<&Tag>) -> Result<Fetched, BoxError> {
    let state = state.lock().unwrap();
    let password = if fault == Fault::ShowsSecret { PASSWORD } else { "…" };
    let is_away = (state.is_away && fault != Fault::HidesOutage) || (state.was_away && fault == Fault::StaysAway);
    if is_away && fault == Fault::EmptyWhenUnreachable {
        return Ok(Fetched::Changed { body: b"{}".to_vec(), tag: None });
    }
    let text = state.text.as_ref().filter(|_| !is_away && fault != Fault::NoDocument);
    let text = text.ok_or_else(|| format!("cannot log in with `{password}`"))?;
    let revision = if fault == Fault::OneTag { 1 } else { state.revision };
    let tag = Tag::new(format!("revision {revision}"))?;
    let is_same = have == Some(&tag) || (have.is_some() && fault == Fault::AlwaysUnchanged);
    if is_same && fault != Fault::NeverUnchanged {
        return Ok(Fetched::Unchanged);
    }
    let mut body = text.clone();
    if fault == Fault::Cuts {
        body.truncate(1 << 20);
    }
    Ok(Fetched::Changed { body, tag: Some(tag).filter(|_| fault != Fault::NoTags) })
}

impl Subject for Faulty {
    fn name(&self) -> String {
        format!("{:?}", self.fault)
    }

    fn configure(&self, builder: Builder) -> Builder {
        let (fault, state) = (self.fault, Arc::clone(&self.state));
        // A source that never answers is not what is looked for here.
        builder.callback(move |have| fetch(fault, &state, have)).startup_wait(Duration::from_secs(1))
    }

    fn publish(&mut self, text: &[u8]) {
        let mut state = self.state.lock().unwrap();
        (state.text, state.revision) = (Some(text.to_vec()), state.revision + 1);
    }

    fn make_unreachable(&mut self) {
        let mut state = self.state.lock().unwrap();
        (state.is_away, state.was_away) = (true, true);
    }

    fn make_slow(&mut self) {
        unreachable!("it cannot be");
    }

    fn make_reachable(&mut self) {
        self.state.lock().unwrap().is_away = false;
    }

    fn can_be_slow(&self) -> bool {
        false
    }

    fn secrets(&self) -> Vec<String> {
        vec![PASSWORD.to_owned()]
    }

    fn patience(&self) -> Duration {
        Duration::from_secs(4)
    }
}

/// A property finds the fault, and the suite finds none in a source without that fault (`every_source_conforms…`).
#[track_caller]
fn check(fault: Fault, property: Property, words: &str) {
    let found = std::panic::catch_unwind(|| check_property(property, &mut Faulty::new(fault)));
    let panic = found.expect_err("the fault was not found");
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(message.contains(words) && !message.contains(PASSWORD), "{fault:?}: {message}");
}

#[test]
fn the_suite_finds_each_fault() {
    std::thread::scope(|scope| {
        for (fault, property, words) in [
            (Fault::NoDocument, Property::FirstDocument, "not active after the start"),
            (Fault::OneTag, Property::Tag, "two documents have one tag"),
            (Fault::NoTags, Property::Tag, "without a tag"),
            (Fault::NeverUnchanged, Property::Unchanged, "does not say `unchanged`"),
            (Fault::AlwaysUnchanged, Property::Changed, "`unchanged` of another document"),
            (Fault::AlwaysUnchanged, Property::Refused, "the text is refused"),
            (Fault::HidesOutage, Property::Unreachable, "the error is seen twice"),
            (Fault::EmptyWhenUnreachable, Property::Unreachable, "the error is seen twice"),
            (Fault::StaysAway, Property::Back, "fresh again"),
            (Fault::Cuts, Property::TooLarge, "the size is an error"),
            (Fault::ShowsSecret, Property::NoSecrets, "shows a secret"),
        ] {
            scope.spawn(move || check(fault, property, words));
        }
    });
}

const PASSWORD: &str = "pw-4410ac";
