//! Pages of notes.

use super::{Code, Example, Page, page};
use crate::limits;

pub(super) const fn for_code(code: Code) -> Page {
    match code {
        Code::ByteOrderMark => Page {
            what: "The document begins with a byte order mark, the invisible character U+FEFF.",
            wrong: Example::Made("<U+FEFF>{\"features\": {\"dark_mode\": {\"stable\": false}}}", || {
                "\u{feff}{\"features\": {\"dark_mode\": {\"stable\": false}}}".as_bytes().to_vec()
            }),
            fixed: Example::Text("{\"features\": {\"dark_mode\": {\"stable\": false}}}"),
            why: "Some editors write it. Tidegate skips it; other readers of JSON refuse it.",
        },
        Code::Comment => page(
            "The document has comments.",
            "{\"features\": {\"dark_mode\": {\"stable\": false /* until spring */}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"description\": \"until spring\"}}}",
            "Tidegate skips comments; other readers of the same file may refuse it. A `description` is kept and shown.",
        ),
        Code::TrailingComma => page(
            "A comma stands after the last member of an object or the last element of a list.",
            "{\"features\": {\"dark_mode\": {\"stable\": false,}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false}}}",
            "Tidegate skips it; other readers of the same file may refuse it.",
        ),
        Code::ValueNotInOfrep => page(
            "A value is `null` or a list. OFREP, the OpenFeature protocol, knows only booleans, strings, numbers and objects.",
            "{\"features\": {\"regions\": {\"stable\": [\"eu\", \"us\"]}}}",
            "{\"features\": {\"regions\": {\"stable\": {\"list\": [\"eu\", \"us\"]}}}}",
            "The library and the command line return it as it is. An OFREP client gets an error for this flag.",
        ),
        Code::NameNotInUrl => page(
            "A name holds `?` or `#`, which end the path of a URL.",
            "{\"features\": {\"dark_mode?\": {\"stable\": false}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false}}}",
            "OpenFeature clients put the flag key into the path of a URL, and some do not escape it.",
        ),
        Code::SharedFate => page(
            "Two or more ramps have no `salt`, so a key has the same position in all of them.",
            "{\"features\": {\n  \"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\"},\n  \"new_search\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\"}}}",
            "{\"features\": {\n  \"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\", \"salt\": \"dark_mode\"},\n  \"new_search\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\", \"salt\": \"new_search\"}}}",
            "The same keys get every new value first, and with it every mistake. slowroll works like this, so documents of slowroll \
             keep it. Adding a `salt` during a ramp changes which keys have `new`: do it before the start.",
        ),
        Code::NameEmpty => page(
            "The name of a section or a flag is the empty text.",
            "{\"features\": {\"\": {\"stable\": false}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false}}}",
            "It is a valid name (its flag key is `features/`), but often a template that had nothing to fill in.",
        ),
        Code::NamesAlike => page(
            "Two sections, or two flags of one section, have names that differ only by case, by blanks at their ends, or by the way \
             in which Unicode writes the same letter.",
            "{\"features\": {\"dark_mode\": {\"stable\": false}, \"Dark_mode\": {\"stable\": true}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false}}}",
            "Names are compared byte by byte, so they are two different ones, and an operator may turn off the wrong one.",
        ),
        Code::IntegerNotExact => page(
            "An integer lies beyond 2^53, where doubles cannot represent every integer.",
            "{\"features\": {\"account\": {\"stable\": 9007199254740993}}}",
            "{\"features\": {\"account\": {\"stable\": \"9007199254740993\"}}}",
            "Tidegate keeps it exactly. JavaScript and other readers that use doubles round it to a neighbour.",
        ),
        // This arm also answers for codes of other files, which `for_code` in `pages.rs` never sends here.
        _ => Page {
            what: "The document has more findings of one code than are shown.",
            wrong: Example::Made("{\"features\": {\"f0\": 0, \"f1\": 0, ... }}", || {
                let flags = (0..=limits::DIAGNOSTICS_MAX).map(|n| format!("\"f{n}\":0")).collect::<Vec<_>>();
                format!("{{\"features\":{{{}}}}}", flags.join(",")).into_bytes()
            }),
            fixed: Example::Text("{\"features\": {\"f0\": {\"stable\": 0}, \"f1\": {\"stable\": 0}}}"),
            why: "At most 100 of each code are shown. They often have one cause: fix the first few and check again.",
        },
    }
}
