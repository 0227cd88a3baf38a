//! Every spelling of a flag's name leads to the flag that [`FlagKey::parse`] reads in it.

use tidegate_engine::{Activation, CompileOptions, FlagIndex, FlagKey, Overlay, Share, Snapshot, compile, read};

/// Flags whose names could be taken for one another, in the default section and in others.
const DOCUMENT: &str = r#"{
    "flags": {"x": {"stable": 1}, "a/x": {"stable": 2}, "flags/x": {"stable": 3}, "50%": {"stable": 4}, "y": {"stable": 5}},
    "a": {"x": {"stable": 6}, "b/x": {"stable": 7}},
    "a/b": {"x": {"stable": 8}},
    "50%": {"x": {"stable": 9}},
    "features": {"a name of more than thirty-two bytes, which is looked at whole": {"stable": 10}}
}"#;

const SPELLINGS: [&str; 24] = [
    "x",
    "flags/x",
    "a/x",
    "flags/a/x",
    "flags/flags/x",
    "flags%2Fx",
    "a/b/x",
    "a%2Fb/x",
    "a%2fb/x",
    "50%",
    "flags/50%",
    "50%/x",
    "50%25/x",
    "50%2525/x",
    "",
    "/",
    "/x",
    "x/",
    "y",
    "z",
    "a/z",
    "b/x",
    "%2F/x",
    "features/a name of more than thirty-two bytes, which is looked at whole",
];

fn documents(text: &str) -> Snapshot {
    let (document, _) = read(text.as_bytes()).unwrap_or_else(|diagnostics| panic!("{diagnostics:?}"));
    compile(&document, &CompileOptions::default())
}

fn check(snapshot: &Snapshot) {
    for text in SPELLINGS {
        let key = FlagKey::parse(text);
        let expected = snapshot.find(key.section(), key.flag());
        assert_eq!(snapshot.find_key(text), expected, "`{text}`");
        if let Some(index) = expected {
            assert_eq!(snapshot.flag(index).key(), key, "`{text}`");
        }
        // A place is a hint: one of another flag, or of another snapshot, does no harm.
        for place in (0..12).map(FlagIndex::from_number).map(Some).chain([None]) {
            assert_eq!(snapshot.find_again(place, &key.to_string()), expected, "`{text}` at {place:?}");
        }
    }
}

#[test]
fn a_name_leads_to_the_flag_that_it_names() {
    check(&documents(DOCUMENT));
    check(&documents("{}"));
    check(&documents(r#"{"flags": {"x": {"stable": true}}}"#));
}

#[test]
fn a_name_leads_to_a_flag_that_no_document_defines() {
    let activation = Activation { share: Share::FULL, until: None, defined: false };
    let activations = ["z", "a/z", "50%25/x", "a%2Fb/x"].map(|flag| (FlagKey::parse(flag), activation.clone()));
    let overlay = Overlay { activations: activations.into(), ..Overlay::default() };
    check(&documents(DOCUMENT).overlaid(&overlay));
    let bare = documents("{}").overlaid(&overlay);
    check(&bare);
    assert!(bare.find_key("z").is_some());
    assert_eq!(bare.find_key("z"), bare.find_key("flags/z"));
}
