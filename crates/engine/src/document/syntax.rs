//! Help for syntax errors, guessed from the text around them.
//!
//! The strict reader says what it expected. People also need to know how such a text usually comes about.

/// The help for an error of this message at this byte.
pub(super) fn help(text: &str, at: usize, message: &str) -> &'static str {
    let start = text.trim_start();
    let next = text.get(at..).unwrap_or_default();
    let around = text.get(text.floor_char_boundary(at.saturating_sub(1))..).unwrap_or_default();
    if let Some((_, help)) = WHOLE.iter().find(|(is_like, _)| is_like(start)) {
        return help;
    }
    if let Some((_, help)) = NEXT.iter().find(|(marks, _)| marks.iter().any(|mark| next.starts_with(mark))) {
        return help;
    }
    if TEMPLATES.iter().any(|mark| around.starts_with(mark) || next.starts_with(mark)) {
        return "a template was not filled in: check the step that makes this file";
    }
    match message {
        _ if message.starts_with("EOF") => "the text ends too early: it may have been cut off",
        _ if message.starts_with("expected `,`") => "a comma or a closing bracket is missing before this",
        "trailing characters" => "the document ends before this: something may have been appended instead of replaced",
        "key must be a string" => "write names in double quotes",
        "invalid number" => {
            "JSON writes numbers like `-1.5e3`: no leading zeros, and a digit on both sides of the point"
        }
        "invalid escape" => {
            "the escapes of JSON are `\\\"`, `\\\\`, `\\/`, `\\b`, `\\f`, `\\n`, `\\r`, `\\t` and `\\uXXXX`"
        }
        _ if message.starts_with("control character") => "write it as an escape, such as `\\n` for a line end",
        _ => "besides comments and trailing commas, the document has to be strict JSON",
    }
}

/// What a whole text may be instead of a document.
type IsLike = fn(&str) -> bool;

const WHOLE: &[(IsLike, &str)] = &[
    (str::is_empty, "the document is empty: an aborted write or download may have left nothing"),
    (
        |text| text.starts_with('<') && !text.starts_with("<<"),
        "this looks like a web page, perhaps of a login or a proxy: check the address of the document",
    ),
    (|text| text.contains('\0'), "the text holds NUL bytes: a disk or an encoding may have damaged it"),
    (
        |text| !text.starts_with(['{', '[', '"', '/', '#', '<']),
        "a document begins with `{`: this may be a message of a server, or another format",
    ),
];

/// Help by what the text at the error begins with.
const NEXT: &[(&[&str], &str)] = &[
    (
        &["'", "\u{2018}", "\u{2019}", "\u{201c}", "\u{201d}", "\u{201e}"],
        "write strings and names in plain double quotes",
    ),
    (
        &["NaN", "Infinity", "-Infinity", "Inf"],
        "JSON has no NaN and no Infinity: leave the value out, or write a string",
    ),
    (&["True", "False", "None", "undefined", "nil"], "JSON writes `true`, `false` and `null`"),
    (&["<<<<<<<", ">>>>>>>", "======="], "a merge conflict was left in the file: resolve it"),
    (&["#"], "comments begin with `//`"),
    (&[","], "a value or a name is missing before this comma"),
];

/// How templates begin.
const TEMPLATES: &[&str] = &["{{", "{%", "${", "<%", "%{", "@@"];

#[cfg(test)]
mod tests {
    use crate::check;

    #[test]
    fn each_mistake_has_its_help() {
        let mistakes = [
            ("", "is empty"),
            (" \n", "is empty"),
            ("<html>", "web page"),
            ("{}\0\0", "NUL"),
            ("upstream connect error", "begins with `{`"),
            ("{\"f\":{", "cut off"),
            ("{\"f\":{\"a", "cut off"),
            ("{\"f\":{}} {}", "appended"),
            ("{\"f\":{}\"g\":{}}", "comma"),
            ("{\"f\":{},,}", "comma"),
            ("{f:{}}", "double quotes"),
            ("{'f':{}}", "double quotes"),
            ("{\u{201c}f\u{201d}:{}}", "double quotes"),
            ("{\"f\":NaN}", "NaN"),
            ("{\"f\":True}", "`true`"),
            ("{\"f\":{{ x }}}", "template"),
            ("{\"f\":${x}}", "template"),
            ("{\n<<<<<<< HEAD\n\"f\":{}}", "merge conflict"),
            ("{\"f\":01}", "leading zeros"),
            ("{# x\n}", "comments"),
            ("{\"\\x\":{}}", "escapes"),
            ("{\"a\tb\":{}}", "escape"),
        ];
        for (text, part) in mistakes {
            let found = check(text.as_bytes()).diagnostics;
            assert!(found.first().is_some_and(|found| found.help.contains(part)), "{text:?}: {found:#?}");
        }
    }
}
