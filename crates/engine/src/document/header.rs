//! The header of a document: the reserved object `$tidegate`.
//!
//! Its segments are for the rules of flags; nothing else in it has an effect on any flag. Unknown fields may come from later versions, so only near misses of known names are
//! reported.

use super::cursor::{Kind, Token};
use super::fields::{Field, HeaderField, Names as _};
use super::findings::Findings;
use super::members::At;
use super::uses::Uses;
use super::{Header, Segment, names, rules, value};
use crate::diagnostic::{Code, Trail, quote};

/// Reads the header and reports what is wrong in it; `None` if it is not an object.
pub(crate) fn read(
    token: Token<'_>,
    trail: Trail<'_>,
    uses: &mut Uses,
    findings: &mut Findings,
) -> Option<(Header, Vec<Segment>)> {
    let is_strict = value::check(token, trail, findings);
    if token.kind() != Kind::Object {
        findings.add(Code::WrongType, trail, token.span(), || {
            (
                format!("`$tidegate` is {}, but must be an object", token.kind().described()),
                "the name is reserved; give the section another name".to_owned(),
            )
        });
        return None;
    }
    if !is_strict {
        return None;
    }
    let (mut header, mut segments) = (Header::default(), Vec::new());
    let mut members = token.inside();
    while let Some(name_token) = members.name() {
        let Some(token) = members.value() else { break };
        let Some(name) = name_token.decode() else { continue };
        let Some(known) = HeaderField::from_name(&name) else {
            report_slip(name_token, &name, trail, findings);
            continue;
        };
        let Some(field) = HeaderField::TABLE.get(known.index()) else { continue };
        let at = At { token, trail: trail.name(field.name), field };
        match known {
            HeaderField::Environment => header.environment = at.string(findings),
            HeaderField::Version => header.version = read_version(at, findings),
            HeaderField::Issued => header.issued = at.time(findings),
            HeaderField::Expires => header.expires = at.time(findings),
            HeaderField::Segments => segments = rules::read_segments(at, uses, findings),
        }
    }
    Some((header, segments))
}

fn read_version(at: At<'_, '_>, findings: &mut Findings) -> Option<u64> {
    if !at.is(Kind::Number, findings) {
        return None;
    }
    let version = at.token.text.parse().ok().filter(|version| *version <= VERSION_MAX);
    if version.is_none() {
        findings.add(Code::WrongType, at.trail, at.token.span(), || {
            (
                format!("`version` is {}, but must be a whole number from 0 to {VERSION_MAX}", quote(at.token.text)),
                "count by one, or use the number of a build".to_owned(),
            )
        });
    }
    version
}

fn report_slip(token: Token<'_>, name: &str, trail: Trail<'_>, findings: &mut Findings) {
    let Some(near) = names::nearest(name, HeaderField::TABLE.iter().map(|field: &Field| field.name)) else { return };
    findings.add(Code::UnknownField, trail.name(name), token.span(), || {
        (format!("the field {} is unknown and has no effect", quote(name)), format!("did you mean `{near}`?"))
    });
}

/// The largest version: the largest whole number that every reader of JSON keeps exactly.
const VERSION_MAX: u64 = (1 << 53) - 1;

#[cfg(test)]
mod tests {
    use crate::document::check as check_document;

    fn check(header: &str, expected: &[(&str, &str)]) {
        let text = format!(r#"{{"$tidegate": {header}, "f": {{"x": {{"stable": 1}}}}}}"#);
        let checked = check_document(text.as_bytes());
        let found: Vec<_> =
            checked.diagnostics.iter().map(|found| (found.code.as_str(), found.path.to_string())).collect();
        let expected: Vec<_> = expected.iter().map(|(code, path)| (*code, (*path).to_owned())).collect();
        assert_eq!(found, expected, "{header}");
    }

    #[test]
    fn fields_are_read_and_those_of_later_versions_skipped() {
        let text = br#"{"$tidegate": {"environment": "prod", "version": 42, "issued": "2026-12-01 00:00Z",
            "expires": "2026-12-15T00:00:00+01:00", "quorum": [1, {"a": null}]}}"#;
        let header = check_document(text).document.unwrap().header.unwrap();
        assert_eq!((header.environment.as_deref(), header.version), (Some("prod"), Some(42)));
        assert_eq!(header.issued.unwrap().to_string(), "2026-12-01T00:00:00.000000Z");
        assert_eq!(header.expires.unwrap().to_string(), "2026-12-14T23:00:00.000000Z");
        check("{}", &[]);
        check(r#"{"n0": 0, "policy": {"version": "x"}}"#, &[]);
        check(r#"{"version": 0}"#, &[]);
        check(r#"{"version": 9007199254740991}"#, &[]);
    }

    #[test]
    fn each_finding_has_a_place() {
        check("[]", &[("E013", "$tidegate")]);
        for version in ["-1", "1.5", "1e3", "9007199254740992", "\"42\"", "null", "[42]"] {
            check(&format!(r#"{{"version": {version}}}"#), &[("E013", "$tidegate.version")]);
        }
        check(r#"{"environment": 1}"#, &[("E013", "$tidegate.environment")]);
        check(r#"{"issued": "2026-12-01 00:00"}"#, &[("E035", "$tidegate.issued")]);
        check(r#"{"expires": "soon"}"#, &[("E034", "$tidegate.expires")]);
        check(r#"{"expires": 1796083200}"#, &[("E013", "$tidegate.expires")]);
        check(r#"{"expire": "2026-12-01 00:00Z"}"#, &[("W101", "$tidegate.expire")]);
        check(r#"{"version": 1, "version": 2}"#, &[("E008", "$tidegate.version")]);
    }
}
