//! The documents to accept and to refuse: each verdict holds, and a refusal names the place.

use std::path::PathBuf;

use tidegate_engine::{Code, CompileOptions, Severity, check, compile, read};

#[test]
fn each_document_is_accepted_or_refused_as_listed() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../conformance/documents");
    let manifest = std::fs::read_to_string(folder.join("MANIFEST.tsv")).unwrap();
    let mut count = 0;
    for line in manifest.lines().skip(1) {
        let [file, verdict, path, why] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let text = std::fs::read(folder.join(file)).unwrap();
        let checked = check(&text);
        let shown = checked.diagnostics.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        match verdict {
            "accept" => assert!(checked.document.is_some(), "{file} ({why}) is refused:\n{shown}"),
            "reject" => assert!(checked.document.is_none(), "{file} ({why}) is accepted:\n{shown}"),
            "either" => {}
            _ => panic!("{file}: {verdict} is no verdict"),
        }
        if checked.document.is_none() {
            let errors = checked.diagnostics.iter().filter(|found| found.code.severity() == Severity::Error);
            let errors =
                errors.map(|found| format!("{}: {}", found.path, found.message)).collect::<Vec<_>>().join("\n");
            assert!(path.split('|').any(|part| errors.contains(part)), "{file}: none of {path} is in:\n{errors}");
        }
        if file.starts_with("jsonc_") {
            let is_noted = |code| checked.diagnostics.iter().any(|found| found.code == code);
            assert!(is_noted(Code::Comment) || is_noted(Code::TrailingComma), "{file} has no note:\n{shown}");
        }
        match read(&text) {
            Ok((document, _)) => assert_eq!(Some(document), checked.document, "{file}"),
            Err(diagnostics) => assert_eq!(diagnostics, checked.diagnostics, "{file}"),
        }
        count += 1;
    }
    assert!(count >= 40, "{count} documents");
}

#[test]
fn visibility_is_client_or_server_and_changes_no_decision() {
    let entry = |visibility: &str| format!(r#"{{"s": {{"x": {{"stable": 1, "visibility": {visibility}}}}}}}"#);
    let is_for_clients = |text: &str| {
        let snapshot = compile(&read(text.as_bytes()).unwrap().0, &CompileOptions::default());
        snapshot.find("s", "x").map(|index| snapshot.flag(index).is_for_clients())
    };
    assert_eq!(is_for_clients(&entry("\"client\"")), Some(true));
    assert_eq!(is_for_clients(&entry("\"server\"")), Some(false));
    assert_eq!(is_for_clients(r#"{"s": {"x": {"stable": 1}}}"#), Some(true));
    for (visibility, code, words) in
        [("\"servers\"", Code::UnknownWord, "did you mean `server`?"), ("true", Code::WrongType, "string")]
    {
        let found = check(entry(visibility).as_bytes()).diagnostics;
        assert_eq!((found.len(), found[0].code), (1, code), "{found:?}");
        assert!(found[0].to_string().contains(words) || found[0].help.contains(words), "{found:?}");
    }
}
