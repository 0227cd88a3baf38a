//! Pages about texts that are not valid documents at all: size, encoding, syntax.

use super::{Code, Example, Page, page};
use crate::limits;

pub(super) const fn for_code(code: Code) -> Page {
    match code {
        Code::DocumentTooLarge => Page {
            what: "The document is longer than 16 MiB, after any decompression.",
            wrong: Example::Made("{\"features\": { ... 100 MB ... }}", || vec![b' '; limits::DOCUMENT_BYTES_MAX + 1]),
            fixed: Example::Text("{\"features\": {\"dark_mode\": {\"stable\": false}}}"),
            why: "A document is read as a whole and kept in memory by every host. One of 100,000 ordinary flags has \
                  about 6 MiB, so a longer one is a mistake or an attack. Split it, or keep large values elsewhere.",
        },
        Code::NotUtf8 => Page {
            what: "The bytes of the document are not UTF-8, the only encoding of JSON.",
            wrong: Example::Made("{\"features\": {\"gr\\xfc\\xdfe\": {\"stable\": false}}}", || {
                b"{\"features\": {\"gr\xfc\xdfe\": {\"stable\": false}}}".to_vec()
            }),
            fixed: Example::Text("{\"features\": {\"grüße\": {\"stable\": false}}}"),
            why: "An editor or a template may have written Latin-1 or UTF-16, a server may have left the document \
                  compressed, a disk may have damaged it. Guessing would give names and values that the author did not write.",
        },
        Code::NotJson => page(
            "The document is not JSON. Comments and trailing commas are accepted, nothing else is relaxed.",
            "{\"features\": {\"dark_mode\": {\"stable\": False}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false}}}",
            "Other programs that read the same file would read each relaxation differently. After this kind of mistake \
             nothing else can be checked, so fix it first.",
        ),
        Code::NestedTooDeep => Page {
            what: "Brackets and braces are nested more than 64 levels deep.",
            wrong: Example::Made("{\"features\": {\"deep\": {\"stable\": [[[[ ... ]]]]}}}", || {
                nested(limits::NESTING_MAX)
            }),
            fixed: Example::Made("{\"features\": {\"deep\": {\"stable\": [[[[1]]]]}}}", || nested(4)),
            why: "Readers of JSON in many languages run out of stack on deep nesting. No value that people write comes \
                  near the limit.",
        },
        Code::NumberTooLong => Page {
            what: "One number has more than 1,024 characters.",
            wrong: Example::Made("{\"features\": {\"limit\": {\"stable\": 0.3333 ... }}}", || {
                format!("{{\"features\": {{\"limit\": {{\"stable\": 0.{}}}}}}}", "3".repeat(limits::NUMBER_BYTES_MAX))
                    .into_bytes()
            }),
            fixed: Example::Text("{\"features\": {\"limit\": {\"stable\": 0.3333333333333333}}}"),
            why: "Seventeen digits identify every double. More digits only cost time.",
        },
        Code::NotUnicode => page(
            "A string holds an escape that is half a surrogate pair: one of the two halves without the other.",
            "{\"features\": {\"smile\": {\"stable\": \"\\ud83d\"}}}",
            "{\"features\": {\"smile\": {\"stable\": \"\\ud83d\\ude00\"}}}",
            "Readers differ: some refuse it, some replace it, some keep it and fail later. A text that was cut off in \
             the middle of a character often looks like this.",
        ),
        Code::NumberOutOfRange => page(
            "A number is too large to be kept: an integer outside of -2^63 to 2^64 - 1, or a number beyond any double.",
            "{\"features\": {\"limit\": {\"stable\": 18446744073709551617}}}",
            "{\"features\": {\"limit\": {\"stable\": \"18446744073709551617\"}}}",
            "Other readers would round it silently. Tidegate keeps a value exactly or refuses it.",
        ),
        // This arm also answers for codes of other files, which `for_code` in `pages.rs` never sends here.
        _ => page(
            "The same name occurs twice in one object. An escaped spelling (`\"\\u0061\"` for `\"a\"`) is the same name.",
            "{\"features\": {\"dark_mode\": {\"stable\": false}, \"dark_mode\": {\"stable\": true}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": true}}}",
            "Most readers silently keep the last one, some the first. A merge of two branches can leave both in the file, and \
             then the flag does not do what one of the authors expects.",
        ),
    }
}

/// A document whose only value has this number of nested lists.
fn nested(levels: usize) -> Vec<u8> {
    format!("{{\"features\":{{\"deep\":{{\"stable\":{}1{}}}}}}}", "[".repeat(levels), "]".repeat(levels)).into_bytes()
}
