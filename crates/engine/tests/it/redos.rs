//! Regular expressions that are known to stop backtracking engines, as early adopters.
//!
//! Each either compiles within the limit of a flag and then answers for a key of 64 KiB, or is refused when
//! the document is read. A backtracking engine would not end in the life of the machine, so that this test
//! ends at all is the proof; each pattern also meets the text that its own attack uses.

use tidegate_engine::lease::Clocks;
use tidegate_engine::{Code, CompileOptions, Micros, Moment, Subject, check, compile};

const KEY_BYTES: usize = 64 * 1024;

#[test]
fn known_patterns_take_linear_time() {
    let mut compiled = 0;
    for (pattern, attack) in PATTERNS {
        let regex = serde_json::Value::from(*pattern);
        let text = format!("{{\"f\":{{\"a\":{{\"stable\":0,\"new\":1,\"early_adopters\":[{{\"regex\":{regex}}}]}}}}}}");
        let checked = check(text.as_bytes());
        let Some(document) = checked.document else {
            let is_refused = |code| matches!(code, Code::PatternsTooLarge | Code::PatternUnreadable);
            assert!(
                checked.diagnostics.iter().all(|found| is_refused(found.code)),
                "{pattern}: {:?}",
                checked.diagnostics
            );
            continue;
        };
        compiled += 1;
        let snapshot = compile(&document, &CompileOptions::default());
        let leases = Clocks::synced();
        let moment = Moment { now: Micros::new(0), leases: &leases };
        let flag = snapshot.find("f", "a");
        for end in ["", "!", "\u{0}", "x@"] {
            let key = format!("{}{end}", attack.repeat(KEY_BYTES / attack.len()));
            let answer = snapshot.evaluate(flag, &Subject::key(&key), &moment);
            assert!(answer.variant.is_some(), "{pattern}");
        }
    }
    assert!(PATTERNS.len() >= 100, "{} patterns", PATTERNS.len());
    assert!(compiled >= 80, "only {compiled} compile");
}

/// The pattern, and what its attack repeats.
const PATTERNS: &[(&str, &str)] = &[
    // Repetitions inside repetitions.
    ("(a+)+$", "a"),
    ("^(a+)+$", "a"),
    ("^(a*)*$", "a"),
    ("^(a*)+$", "a"),
    ("^(a+)*$", "a"),
    ("^((a+)+)+$", "a"),
    ("^((a*)*)*$", "a"),
    ("^(((a+)+)+)+$", "a"),
    ("^((((a*)*)*)*)*$", "a"),
    ("^(a?){64}a{64}$", "a"),
    ("^(a{1,32}){1,32}$", "a"),
    ("^(a+){10}$", "a"),
    ("^(a+)+b$", "a"),
    ("(x+x+)+y", "x"),
    ("^(x+x+)+y$", "x"),
    ("^(.*)*$", "a"),
    ("^(.+)+$", "a"),
    ("(.*)(.*)(.*)(.*)(.*)[^a]", "a"),
    ("^(.*a){12}$", "a"),
    ("(.*a){16}", "a"),
    ("^(.*?,){11}P", "1,"),
    ("^(([^,]*),){12}x", "1,"),
    ("^([a-zA-Z]+)*$", "a"),
    ("^(([a-z])+.)+[A-Z]([a-z])+$", "a"),
    (
        "^([a-zA-Z0-9])(([\\-.]|[_]+)?([a-zA-Z0-9]+))*(@){1}[a-z0-9]+[.]{1}(([a-z]{2,3})|([a-z]{2,3}[.]{1}[a-z]{2,3}))$",
        "a",
    ),
    ("^(([a-zA-Z0-9]+)([a-zA-Z0-9]+))*$", "a"),
    ("^([0-9]+)*[a-z]$", "1"),
    ("^(\\d+)+$", "1"),
    ("^(\\d+)*[^0-9]$", "1"),
    ("^([0-9]{1,3},)*[0-9]+$", "1,"),
    ("^(\\w+\\s?)*$", "a "),
    ("^(\\w*)*$", "a"),
    ("^(\\s+)*$", " "),
    ("(\\s*)*x", " "),
    ("\\s+$", " "),
    ("^\\s+|\\s+$", " "),
    ("[ \\t]+$", "\t"),
    ("(?:\\r\\n|\\r|\\n)*$", "\n"),
    ("^(?:\\s*\\S+\\s*)*$", " a"),
    // Alternatives that overlap.
    ("^(a|a)*$", "a"),
    ("^(a|aa)+$", "a"),
    ("^(a|a?)+$", "a"),
    ("^(a|b|ab)*c$", "ab"),
    ("^(aa|aab)*$", "aab"),
    ("^(a|ab|abc|abcd)*$", "abcd"),
    ("^(0|[0-9])*x$", "0"),
    ("^([a-z]|[a-f])*!$", "a"),
    ("^(\\w|\\d)+#$", "1"),
    ("^([a-z]+|[0-9a-z]+)*!$", "a"),
    ("(?:.|\\s)*x$", " "),
    ("^(?:.|\\n)+?end$", "\n"),
    ("(a|b)*?c", "ab"),
    ("^(?:a|ab)(?:c|bcd)(?:d*)*$", "d"),
    ("((ab)*)*c", "ab"),
    ("(b|a+)*c", "a"),
    ("^(([^\\\\]|\\\\.)*)*$", "\\"),
    ("\"(?:[^\"\\\\]|\\\\.)*\"", "\\\""),
    ("'(?:[^'\\\\]+|\\\\.)*'", "\\'"),
    // Mail addresses, host names and addresses of pages.
    ("^([a-zA-Z0-9_\\.\\-])+\\@(([a-zA-Z0-9\\-])+\\.)+([a-zA-Z0-9]{2,4})+$", "a.a"),
    ("^[\\w.+-]+@([\\w-]+\\.)+[\\w-]{2,}$", "a."),
    ("^([\\w\\-\\.]+)@((\\[([0-9]{1,3}\\.){3}[0-9]{1,3}\\])|(([\\w\\-]+\\.)+)([a-zA-Z]{2,4}))$", "a@a."),
    ("^[a-zA-Z]+(([\\'\\,\\.\\-][a-zA-Z ])?[a-zA-Z]*)*\\s+&lt;(\\w[-._\\w]*\\w@\\w[-._\\w]*\\w\\.\\w{2,3})&gt;$", "a"),
    ("^(([a-z0-9]+[.-]?)+)*@[a-z]+$", "a."),
    ("^([a-z0-9]+(-[a-z0-9]+)*\\.)+[a-z]{2,}$", "a-"),
    ("^(https?://)?([\\da-z\\.-]+)\\.([a-z\\.]{2,6})([/\\w \\.-]*)*/?$", "a/"),
    (
        "^((ht|f)tp(s?)://)?(www\\.|[a-zA-Z].)[a-zA-Z0-9\\-\\.]+\\.(com|org|net)(:[0-9]+)*(/($|[a-zA-Z0-9\\.,;?'\\\\+&%$#=~_\\-]+))*$",
        "/a",
    ),
    ("^(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\\.)+[a-z0-9][a-z0-9-]{0,61}[a-z0-9]$", "a."),
    ("^(([0-9]{1,3}\\.)+){3}[0-9]{1,3}$", "1."),
    ("^(?:(?:[0-9a-f]{1,4}:)*)*::$", "f:"),
    ("(?:[?&][^=&]+=[^&]*)*#", "&a="),
    ("^/?([^/]+/)*([^/]+)?$", "a/"),
    ("^(/\\w*)*\\.html$", "/a"),
    // Numbers, dates, versions, phones.
    ("^\\d*\\.?\\d*$", "1"),
    ("^(\\d+\\.)*\\d+(-\\w+)*$", "1."),
    ("^v?(\\d+)(\\.\\d+)*(-[\\w.]+)*(\\+[\\w.]+)*$", "-a"),
    ("^[-+]?(\\d+|\\d*\\.\\d+|\\d+\\.\\d*)*([eE][-+]?\\d+)?$", "1"),
    ("^(\\(?\\+?[0-9]*\\)?)?[0-9_\\- \\(\\)]*$", "("),
    ("^([01]?\\d|2[0-3])(:[0-5]?\\d)*$", ":1"),
    ("^(\\d{1,2}[-/.])*\\d{4}$", "1-"),
    ("(\\d+[a-z]*)*;", "1a"),
    ("^([+-]?\\d+,?)+$", "1"),
    // Marked text, comments, code.
    ("<(\\w+)(\\s+\\w+=\"[^\"]*\")*\\s*/?>", "<a "),
    ("<!--(.|\\n)*?-->", "<!--"),
    ("<[^>]*>[^<]*</[^>]*>", "<"),
    ("(<p>.*?)+</p>", "<p>"),
    ("/\\*(.|[\\r\\n])*?\\*/", "/*"),
    ("(\\/\\*([^*]|[\\r\\n]|(\\*+([^*/]|[\\r\\n])))*\\*+\\/)|(//.*)", "/*"),
    ("^\\s*(\\w+\\s*,\\s*)*\\w+\\s*$", "a ,"),
    ("\\{\\{(.*?)\\}\\}", "{{"),
    ("!\\[(.*?)\\]\\((.*?)\\)", "![]("),
    ("(\\*\\*(.+?)\\*\\*)+", "**a"),
    ("`{3}(.*\\n)*`{3}", "```\n"),
    ("^(#{1,6}\\s*)+$", "# "),
    ("(?m)^(\\s*[-*]\\s+.*\\n?)+$", "- a\n"),
    ("\\$\\((.*)\\)|`(.*)`", "$("),
    ("(?:^|,)(\"(?:[^\"]+|\"\")*\"|[^,]*)", "\"\","),
    ("^(?:(?:\"[^\"]*\")|[^,\"]*)(?:,(?:(?:\"[^\"]*\")|[^,\"]*))*$", "\","),
    ("([^=]+=[^;]*;?)+$", "a="),
    ("^[^:]+(:[^:]*)*;$", ":"),
    ("(.+)+@", "a"),
    ("(?i)^(select|insert|update)\\s+.*\\s+(from|into|set)\\s+.*$", "select "),
    // All scripts, all cases: large automata.
    ("(?i)(ſ|s|K|k)+$", "ſ"),
    ("^\\w+(\\w+)*$", "é"),
    ("^[^\\x00-\\x7f]+$", "é"),
    (".*.*.*.*.*.*.*.*=.*", "a"),
    ("(?s).*.*.*x", "\n"),
    // What a linear engine cannot do is refused.
    ("^(a+)\\1$", "a"),
    ("^(?=(a+))a*b\\1$", "a"),
    ("(?<!a)(a+)+$", "a"),
    ("^(?>a+)b", "a"),
    ("(?(?=a)a|b)*", "a"),
    // What is too large is refused too.
    ("((a{0,100}){0,100}){0,100}", "a"),
    ("^\\w{64}$", "é"),
    ("(?i)[^x]{200}", "a"),
];
