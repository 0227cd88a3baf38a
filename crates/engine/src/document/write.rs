//! From a [`Document`] back to text, in one canonical form.
//!
//! Reading the written text gives the same document. Windows are written as `end_time` and `duration`, the two fields that
//! slowroll knows.

use std::fmt::Write as _;

use super::write_schedule::{list, quoted, schedule_fields, time_text};
use super::{Adopter, Details, Document, Flag, Header, Rollback, Segment, Value, Visibility, write_rule};
use crate::{Micros, Share, Span};

/// Writes a document as JSON text: one line for each field, in the order of the reference, without fields that have their
/// default.
///
/// ```
/// use tidegate_engine::document::{read, write};
///
/// let (document, _) = read(br#"{"features": {"dark_mode": {"stable": false}}}"#).unwrap();
/// let text = write(&document);
/// assert_eq!(read(text.as_bytes()).unwrap().0, document);
/// ```
pub fn write(document: &Document) -> String {
    let mut text = String::from("{");
    let has_header = document.header.is_some() || !document.segments.is_empty();
    if has_header {
        let header = document.header.clone().unwrap_or_default();
        let _ = write!(text, "\n  \"$tidegate\": {{{}}}", header_fields(&header, &document.segments));
    }
    let written = usize::from(has_header);
    for (index, section) in document.sections.iter().enumerate() {
        let _ = write!(text, "{}\n  {}: {{", comma(written + index), quoted(&section.name));
        for (index, flag) in section.flags.iter().enumerate() {
            let _ = write!(text, "{}\n    {}: {{", comma(index), quoted(&flag.name));
            let mut fields = Fields { text: &mut text, count: 0 };
            fields.flag(flag);
            text.push_str("\n    }");
        }
        text.push_str(if section.flags.is_empty() { "}" } else { "\n  }" });
    }
    text.push_str(if text.len() == 1 { "}\n" } else { "\n}\n" });
    text
}

fn header_fields(header: &Header, segments: &[Segment]) -> String {
    let Header { environment, version, issued, expires } = header;
    let instant = |instant: Option<Micros>| instant.and_then(time_text).map(|text| quoted(&text));
    let fields = [
        ("environment", environment.as_deref().map(quoted)),
        ("version", version.map(|version| version.to_string())),
        ("issued", instant(*issued)),
        ("expires", instant(*expires)),
        ("segments", (!segments.is_empty()).then(|| braces(segments.iter().map(write_rule::segment)))),
    ];
    let fields = fields.into_iter().filter_map(|(name, json)| Some(format!("\"{name}\": {}", json?)));
    fields.collect::<Vec<_>>().join(", ")
}

fn braces(members: impl Iterator<Item = String>) -> String {
    format!("{{{}}}", members.collect::<Vec<_>>().join(", "))
}

/// The fields of one entry, one a line.
struct Fields<'t> {
    text: &'t mut String,
    count: usize,
}

impl Fields<'_> {
    fn put(&mut self, name: &str, json: &str) {
        let _ = write!(self.text, "{}\n      \"{name}\": {json}", comma(self.count));
        self.count += 1;
    }

    fn put_text(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.put(name, &quoted(text));
        }
    }

    fn flag(&mut self, flag: &Flag) {
        self.put("stable", flag.stable.as_str());
        if let Some(new) = &flag.new {
            self.put("new", new.as_str());
        }
        if let Some(variants) = &flag.variants {
            self.put("variants", &write_rule::variants(variants));
        }
        for (name, json) in schedule_fields(&flag.schedule) {
            self.put(name, &json);
        }
        if !flag.early_adopters.is_empty() {
            self.put("early_adopters", &list(&flag.early_adopters, adopter));
        }
        if let Some(targeting) = &flag.targeting {
            if !targeting.rules.is_empty() {
                self.put("rules", &list(&targeting.rules, write_rule::rule));
            }
            self.put_text("bucket_by", targeting.bucket_by.as_deref());
        }
        if flag.interpolate {
            self.put("interpolate", "true");
        }
        if let Some(Rollback { start, over, to }) = flag.rollback {
            let start = time_text(start).unwrap_or_default();
            let duration = if over == Span::ZERO { String::new() } else { format!(", \"duration\": \"{over}\"") };
            let to = if to == Share::ZERO { String::new() } else { format!(", \"to_pct\": {to}") };
            self.put("rollback", &format!("{{\"start_time\": \"{start}\"{duration}{to}}}"));
        }
        self.put_text("lock", flag.lock.map(crate::Variant::as_str));
        self.put_text("lease", flag.lease.map(|lease| lease.to_string()).as_deref());
        self.put_text("hash", flag.hash.map(crate::HashAlgorithm::as_str));
        self.put_text("salt", flag.salt.as_deref());
        if !flag.enabled {
            self.put("enabled", "false");
        }
        if let Some(details) = &flag.details {
            self.details(details);
        }
    }

    fn details(&mut self, details: &Details) {
        self.put_text("description", details.description.as_deref());
        self.put_text("owner", details.owner.as_deref());
        if !details.tags.is_empty() {
            self.put("tags", &list(&details.tags, |tag| quoted(tag)));
        }
        if !details.metadata.is_empty() {
            let member = |(name, value): &(Box<str>, Value)| format!("{}: {}", quoted(name), value.as_str());
            let members = details.metadata.iter().map(member).collect::<Vec<_>>();
            self.put("metadata", &format!("{{{}}}", members.join(", ")));
        }
        if details.visibility != Visibility::Client {
            self.put_text("visibility", Some(details.visibility.as_str()));
        }
    }
}

fn adopter(adopter: &Adopter) -> String {
    match adopter {
        Adopter::Key(key) => quoted(key),
        Adopter::Pattern(pattern) => format!("{{\"regex\": {}}}", quoted(pattern)),
    }
}

const fn comma(index: usize) -> &'static str {
    if index == 0 { "" } else { "," }
}

#[cfg(test)]
mod tests {
    use super::super::{check, read};
    use super::*;

    fn check_written(text: &str, expected: &str) {
        let (document, _) = read(text.as_bytes()).unwrap_or_else(|found| panic!("{found:?}"));
        let written = write(&document);
        assert_eq!(written, expected);
        assert_eq!(read(written.as_bytes()).map(|(document, _)| document), Ok(document));
    }

    #[test]
    fn one_line_for_each_field() {
        check_written("{}", "{}\n");
        check_written(
            "{\"a\": {}, \"b\\n\\u0062\": {}}".replace("\\n", "").as_str(),
            "{\n  \"a\": {},\n  \"bb\": {}\n}\n",
        );
        check_written(
            r#"{"f": {"a": {"enabled": false, "new": [1, "x y"], "stable": null, "tags": [], "duration": "1.5h",
                "start_time": "2026-12-01T01:00:00+01:00", "end_pct": 1e1}, "b": {"stable": 1}}}"#,
            "{\n  \"f\": {\n    \"a\": {\n      \"stable\": null,\n      \"new\": [1,\"x y\"],\n      \
             \"end_time\": \"2026-12-01 01:30Z\",\n      \"duration\": \"1h30m\",\n      \"end_pct\": 10,\n      \
             \"enabled\": false\n    },\n    \"b\": {\n      \"stable\": 1\n    }\n  }\n}\n",
        );
    }

    #[test]
    fn instants_outside_of_the_calendar_follow_from_the_other_end() {
        let early = r#"{"f":{"a":{"stable":1,"new":2,"end_time":"2025-01-01 00:00Z","duration":"900000d"}}}"#;
        let late =
            r#"{"f":{"a":{"stable":1,"new":2,"start_time":"9999-12-31 23:59:59.999999Z","duration":"900000d"}}}"#;
        let steps =
            r#"{"f":{"a":{"stable":1,"new":2,"end_time":"0001-01-01 00:00Z","steps":[{"pct":1,"hold":"1d"}]}}}"#;
        for text in [early, late, steps] {
            let document = check(text.as_bytes()).document;
            assert_eq!(check(write(document.as_ref().unwrap()).as_bytes()).document, document);
        }
    }
}
