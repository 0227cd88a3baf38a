//! Pages of what is worth knowing.

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
            why: "Some editors write it. It is skipped here; other readers of JSON refuse it.",
        },
        Code::Comment => page(
            "The document has comments.",
            "{\"features\": {\"dark_mode\": {\"stable\": false /* until spring */}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false, \"description\": \"until spring\"}}}",
            "They are skipped here; other readers of the same file may refuse it. `description` is carried along and shown.",
        ),
        Code::TrailingComma => page(
            "A comma stands after the last member of an object or the last element of a list.",
            "{\"features\": {\"dark_mode\": {\"stable\": false,}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false}}}",
            "It is skipped here; other readers of the same file may refuse it.",
        ),
        Code::ValueNotInOfrep => page(
            "A value is `null` or a list. OFREP, the OpenFeature protocol, knows only booleans, strings, numbers and objects.",
            "{\"features\": {\"regions\": {\"stable\": [\"eu\", \"us\"]}}}",
            "{\"features\": {\"regions\": {\"stable\": {\"list\": [\"eu\", \"us\"]}}}}",
            "The library and the command line give it as it is. A client that asks by OFREP gets an error for this flag.",
        ),
        Code::NameNotInUrl => page(
            "A name holds `?` or `#`, which end the path of a URL.",
            "{\"features\": {\"dark_mode?\": {\"stable\": false}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false}}}",
            "OpenFeature clients put the flag key into a path, and some of them unescaped.",
        ),
        Code::SharedFate => page(
            "Two or more ramps have no `salt`, so a key has the same position in all of them.",
            "{\"features\": {\n  \"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\"},\n  \"new_search\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\"}}}",
            "{\"features\": {\n  \"dark_mode\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\", \"salt\": \"dark_mode\"},\n  \"new_search\": {\"stable\": false, \"new\": true, \"end_time\": \"2026-12-15 00:00Z\", \"duration\": \"14d\", \"salt\": \"new_search\"}}}",
            "The same keys go first every time, and whoever is unlucky meets every mistake first. It is how slowroll decides, \
             so documents of slowroll keep it. Adding a `salt` to a ramp that is under way moves keys: do it before the start.",
        ),
        Code::NameEmpty => page(
            "The name of a section or a flag is the empty text.",
            "{\"features\": {\"\": {\"stable\": false}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false}}}",
            "It is a name like any other (its flag key is `features/`), but a template may have had nothing to fill in.",
        ),
        Code::NamesAlike => page(
            "Two sections, or two flags of one section, have names that differ only by case, by blanks at their ends, or by the way \
             in which Unicode writes the same letter.",
            "{\"features\": {\"dark_mode\": {\"stable\": false}, \"Dark_mode\": {\"stable\": true}}}",
            "{\"features\": {\"dark_mode\": {\"stable\": false}}}",
            "They are two, here and everywhere: names are compared byte by byte. Whoever turns one of them off may have meant the other.",
        ),
        Code::IntegerNotExact => page(
            "An integer lies beyond 2^53, where doubles have gaps.",
            "{\"features\": {\"account\": {\"stable\": 9007199254740993}}}",
            "{\"features\": {\"account\": {\"stable\": \"9007199254740993\"}}}",
            "It is kept exactly here. JavaScript and everything else that reads numbers as doubles gets a neighbour of it.",
        ),
        // Also what stands for codes of other files, which are never asked for here.
        _ => Page {
            what: "There are more problems of one code than are shown.",
            wrong: Example::Made("{\"features\": {\"f0\": 0, \"f1\": 0, ... }}", || {
                let flags = (0..=limits::DIAGNOSTICS_MAX).map(|n| format!("\"f{n}\":0")).collect::<Vec<_>>();
                format!("{{\"features\":{{{}}}}}", flags.join(",")).into_bytes()
            }),
            fixed: Example::Text("{\"features\": {\"f0\": {\"stable\": 0}, \"f1\": {\"stable\": 0}}}"),
            why: "At most 100 of each code are shown. So many usually have one cause: mend the first few and check again.",
        },
    }
}
