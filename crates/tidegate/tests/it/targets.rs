//! A change is about a flag that exists, or says that it makes one.

use tempfile::TempDir;
use tidegate::{ChangeError, FlagKey, Level, Live, Share, Tidegate};

fn live(text: Option<&str>) -> Tidegate {
    let builder = Tidegate::builder().live(Live::in_memory()).without_locks().without_cache();
    let builder = match text {
        Some(text) => builder.text(text),
        None => builder,
    };
    builder.connect().unwrap()
}

fn share(percent: &str) -> Option<Share> {
    tidegate_engine::document::parse_percent(percent).ok()
}

#[test]
fn a_misspelt_flag_is_refused_with_the_one_that_was_meant() {
    let tide = live(Some(DOCUMENT));
    for change in [tide.activate("features/new_logn"), tide.activate_percentage("new_login", 5)] {
        match change.existing().send() {
            Err(ChangeError::UnknownFlag { meant: Some(meant), has_documents: true, .. }) => {
                assert_eq!(meant, FlagKey::new("features", "new_login"));
            }
            other => panic!("{other:?}"),
        }
    }
    let error = tide.deactivate("features/new_logn").existing().send().unwrap_err().to_string();
    assert_eq!(error, "this node knows no flag `features/new_logn`; did you mean `features/new_login`?");
    assert!(!tide.is_active_for("features/new_logn", "k"));
    let records = tide.cluster().unwrap().flags().unwrap();
    assert!(records.iter().all(|record| record.activation.is_none()), "nothing was written: {records:?}");
}

#[test]
fn a_flag_is_known_by_its_document_definition_activation_or_default() {
    let tide = Tidegate::builder()
        .live(Live::in_memory())
        .without_locks()
        .text(DOCUMENT)
        .default_percentage("by_default", 20)
        .connect()
        .unwrap();
    tide.define("by_definition", r#"{"stable": 1, "new": 2}"#).send().unwrap();
    tide.activate("by_activation").send().unwrap();
    for flag in ["features/new_login", "by_default", "by_definition", "by_activation"] {
        let receipt = tide.activate_percentage(flag, 50).existing().send().unwrap();
        assert!(!receipt.is_created, "{flag}");
        assert_eq!(receipt.effect.to, share("50"), "{flag}");
    }
    // A bare flag that was cleared is not there any more.
    tide.clear("by_activation").send().unwrap();
    assert!(matches!(tide.activate("by_activation").existing().send(), Err(ChangeError::UnknownFlag { .. })));
    assert!(tide.activate("by_activation").send().unwrap().is_created);
}

#[test]
fn without_a_document_a_node_says_that_it_cannot_know() {
    let error = live(None).activate("x").existing().send().unwrap_err();
    assert!(matches!(error, ChangeError::UnknownFlag { has_documents: false, meant: None, .. }), "{error:?}");
    assert!(error.to_string().contains("it cannot know the flags of documents"), "{error}");
}

#[test]
fn a_flag_of_documents_elsewhere_never_answers_a_guessed_boolean() {
    let tide = live(None);
    let receipt = tide.activate("features/new_login").elsewhere().send().unwrap();
    assert!(!receipt.is_created);
    assert_eq!((receipt.effect.from, receipt.effect.to), (None, None), "each caller has its own default");
    assert_eq!(tide.raw("features", "new_login", "k"), None);
    assert_eq!(tide.get("features", "new_login", "k", "mine".to_owned()), "mine");
    // So it stays when it is changed again, by a caller that does not know the document.
    tide.deactivate("features/new_login").existing().send().unwrap();
    assert_eq!(tide.raw("features", "new_login", "k"), None);
    assert!(!tide.is_active_for("features/new_login", "k"));
}

#[test]
fn a_bare_flag_says_that_it_was_created() {
    let tide = live(Some(DOCUMENT));
    let receipt = tide.activate("blog").send().unwrap();
    assert!(receipt.is_created && tide.is_active("blog"));
    assert_eq!((receipt.effect.from, receipt.effect.to), (None, share("100")));
    let receipt = tide.activate_percentage("blog", 40).send().unwrap();
    assert!(!receipt.is_created);
    assert_eq!((receipt.effect.from, receipt.effect.to), (share("100"), share("40")));
}

#[test]
fn clearing_or_removing_nothing_says_so_and_leaves_no_tombstone() {
    let tide = live(Some(DOCUMENT));
    let error = tide.clear("features/new_login").send().unwrap_err();
    assert!(matches!(error, ChangeError::NoActivation { .. }), "{error}");
    let error = tide.clear("features/new_logn").send().unwrap_err();
    assert!(error.to_string().contains("did you mean `features/new_login`?"), "{error}");
    let error = tide.remove("features/new_logn").send().unwrap_err();
    assert!(matches!(error, ChangeError::NoDefinition { .. }), "{error}");
    let error = tide.remove("features/new_login").send().unwrap_err();
    assert!(matches!(error, ChangeError::DefinedByDocument { .. }), "{error}");
    let cluster = tide.cluster().unwrap();
    assert_eq!(cluster.status().unwrap().node.tombstones, 0);

    let made = tide.activate("features/new_login").send().unwrap();
    assert_eq!((made.effect.from, made.effect.to), (share("10"), share("100")));
    let cleared = tide.clear("features/new_login").send().unwrap();
    assert_eq!((cleared.effect.from, cleared.effect.to), (share("100"), share("10")));
    assert!(matches!(tide.clear("features/new_login").send(), Err(ChangeError::NoActivation { .. })));
    assert_eq!(cluster.status().unwrap().node.tombstones, 1);
}

/// The flag has left its document since its activation was set. It becomes a bare flag where every document is loaded, and
/// only then.
#[test]
fn an_activation_of_a_flag_that_has_left_its_document_works_or_says_that_it_cannot() {
    let folder = TempDir::new().unwrap();
    let (data, file) = (folder.path().join("data"), folder.path().join("flags.json"));
    let start = |text: Option<&str>| {
        match text {
            Some(text) => std::fs::write(&file, text).unwrap(),
            None => std::fs::remove_file(&file).unwrap(),
        }
        let builder = Tidegate::builder().live(Live::at(&data).name("one")).without_locks().without_cache();
        builder.file(&file).startup_wait(std::time::Duration::from_secs(5)).connect().unwrap()
    };
    let tide = start(Some(DOCUMENT));
    tide.deactivate("features/new_login").ack(Level::Local).send().unwrap();
    drop(tide);

    // The source is unreachable: it is unknown whether the definition is gone.
    let tide = start(None);
    let receipt = tide.activate("features/new_login").send().unwrap();
    assert_eq!((receipt.is_created, receipt.effect.to), (false, None));
    assert_eq!(tide.raw("features", "new_login", "k"), None);
    drop(tide);

    // It is: without a word to the contrary, callers keep their default, and the receipt says so.
    let tide = start(Some("{}"));
    let receipt = tide.activate("features/new_login").existing().send().unwrap();
    assert_eq!((receipt.is_created, receipt.effect.to), (false, None));
    let receipt = tide.activate("features/new_login").send().unwrap();
    assert_eq!((receipt.is_created, receipt.effect.to), (true, share("100")));
    assert!(tide.is_active("features/new_login"));
}

const DOCUMENT: &str = r#"{"features": {"new_login": {"stable": false, "new": true, "start_pct": 10, "end_pct": 10,
    "start_time": "2020-01-01 00:00Z", "duration": "1d"}}}"#;
