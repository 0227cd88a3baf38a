//! Files that are written from the source and committed: each has to be up to date.
//!
//! `UPDATE=1 cargo xtask generate` rewrites them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tidegate_engine::document::fields::{self, Field};
use tidegate_engine::document::schema;
use tidegate_engine::{Code, Severity};

#[test]
fn document_fields() {
    let mut page = String::from(
        "# The fields of a document\n\n\
         A document is `{section: {flag: entry}}`. Top-level `$schema` is for editors and skipped, `$tidegate` is the\n\
         header. Comments and trailing commas are accepted, with a note; apart from them the text has to be strict\n\
         JSON, UTF-8. A document is accepted or refused as a whole. Unknown fields are warnings. [Limits](limits.md),\n\
         [diagnostics](diagnostics.md), [JSON Schema](document.schema.json), [guide](../guide/documents.md).\n\n\
         Times are `2026-12-01 00:00Z`, the same with seconds and with up to six digits of fraction, or RFC 3339 with\n\
         any offset. Durations are numbers with the units `w d h m s ms`, no unit twice. Percentages are exact\n\
         decimals.\n",
    );
    table(&mut page, "An entry", fields::ENTRY);
    table(&mut page, "A step, in `steps`", fields::STEP);
    table(&mut page, "A pattern, in `early_adopters`", fields::ADOPTER);
    table(&mut page, "A `rollback`", fields::ROLLBACK);
    table(&mut page, "A rule, in `rules`", fields::RULE);
    page.push_str(RULES);
    table(&mut page, "A condition", fields::CONDITION);
    page.push_str(CONDITIONS);
    table(&mut page, "`serve`, and beside `variants` also `stable` and `new`, where it is an object", fields::SERVE);
    page.push_str(SPLITS);
    table(&mut page, "A `ramp` of a rule", fields::RAMP);
    table(&mut page, "The header, `$tidegate`", fields::HEADER);
    page.push_str(
        "\nOnly `segments` have an effect on flags. What the rest is for: [signed documents](../guide/signing.md).\n",
    );
    check("docs/reference/document.md", &page);
}

/// How rules decide.
const RULES: &str = "\nRules are tried in their order; the first whose condition holds decides, with the reason `TARGETING_MATCH`. The whole \
    order of a decision: lock of this host, activation, `lock`, `enabled`, `early_adopters`, `rules`, then the ramp. Under an\nactivation \
    strictly between 0 and 100 early adopters and rules still apply; at 0 and at 100 nothing else does. At the end of a\n`rollback` to \
    0 every key has `stable`. From the start of a rollback on, the ramps of rules rise no further. In a rule, unlike\nelsewhere, an \
    unknown field is an error.\n";

/// How conditions hold.
const CONDITIONS: &str = "\nAn absent attribute, one that is null, and one of another type make a comparison false, never an error; so the `not` of\n\
    the comparison is true. Numbers are compared by their exact values (`1` is `1.0`). A dotted name is looked for as it is, then up\nto \
    its first dot in an object. Several tests beside one `attribute` all have to pass. A prerequisite that no document defines\ndoes not \
    hold; rules that ask for each other in a circle across documents do not match.\n";

/// How a split chooses.
const SPLITS: &str = "\nA split hashes the key, or the attribute of `bucket_by`, once for each variant, under the flag's `salt` or else its flag\nkey; \
    so it does not depend on the key's position. Only the proportions of the weights count, not their sum and not their\norder. When weights \
    change, a key moves only to a variant whose weight grew beside that of the one it leaves. A split\nneeds a key; without one the \
    answer is `stable` with the error `TARGETING_KEY_MISSING`, or the caller's default where\n`stable` is a split itself.\n";

fn table(page: &mut String, title: &str, fields: &[Field]) {
    let _ = write!(
        page,
        "\n## {title}\n\n| field | type | range | default | meaning | example |\n| --- | --- | --- | --- | --- | --- |\n"
    );
    for Field { name, kind, range, default, meaning, example, .. } in fields {
        let example = example.replace('|', "\\|");
        let _ = writeln!(page, "| `{name}` | {kind} | {range} | {default} | {meaning} | `{example}` |");
    }
}

#[test]
fn diagnostics() {
    let mut page = String::from(
        "# Diagnostics\n\n\
         The findings of `tidegate check` about a document. A code never changes its meaning. `E` codes are errors: the\n\
         document is refused as a whole, and the last good one stays active. `W` codes are warnings, `N` codes notes:\n\
         the document is accepted. `tidegate check --explain CODE` prints one of these pages.\n\n\
         | code | severity | meaning |\n| --- | --- | --- |\n",
    );
    for code in Code::ALL {
        let _ = writeln!(page, "| [{code}](#{}) | {} | {} |", anchor(*code), code.severity(), code.title());
    }
    for severity in [Severity::Error, Severity::Warning, Severity::Note] {
        for code in Code::ALL.iter().filter(|code| code.severity() == severity) {
            let _ = write!(page, "\n#{}", code.page());
        }
    }
    check("docs/reference/diagnostics.md", &page);
}

/// The anchor that Markdown gives to the title of a page.
fn anchor(code: Code) -> String {
    let title = format!("{code}: {}", code.title()).to_lowercase();
    title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '_' | '-')).collect::<String>().replace(' ', "-")
}

#[test]
fn json_schema() {
    check("docs/reference/document.schema.json", &schema());
}

/// Compares a committed file with what it should be, or writes it.
pub(crate) fn check(file: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    if std::env::var_os("UPDATE").is_some_and(|update| update == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, expected).unwrap();
        return;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(found == expected, "{file} is out of date: run `UPDATE=1 cargo xtask generate` and look at the difference");
}
