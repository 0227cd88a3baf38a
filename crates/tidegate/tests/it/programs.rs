//! The programs in `examples/` write what is said of them here.

use std::path::Path;

use tidegate::parse_time;

#[path = "../../../../examples/support.rs"]
#[expect(dead_code, reason = "`main` is the program's")]
mod support_tool;

#[cfg(feature = "cluster")]
#[path = "../../../../examples/member.rs"]
#[expect(dead_code, reason = "`main` is the program's")]
mod member;

#[cfg(feature = "cluster")]
#[path = "../../../../examples/changes.rs"]
#[expect(dead_code, reason = "`main` is the program's")]
mod changes;

#[test]
fn the_support_tool_explains_a_decision() {
    let check = |flag: &str, at: &str, expected: &str| {
        let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/documents/steps.json");
        let mut out = Vec::new();
        support_tool::run(&document, flag, "dana", Some(parse_time(at).unwrap()), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    };
    check(
        "checkout/new_payment_form",
        "2040-03-06 00:00Z",
        "checkout/new_payment_form is false for dana\n\
         decided by: ramp\n\
         position 3726860105 of 4294967296, 6.25 % of the positions have the new value\n\
         no change before 2040-03-09T11:25:05.444268Z\n\
         new from 2040-03-09T11:25:05.444268Z\n",
    );
    check(
        "checkout/new_payment_from",
        "2040-03-06 00:00Z",
        "checkout/new_payment_from is the default of the program for dana\n\
         decided by: unknown_flag\n\
         checkout/new_payment_from is unknown; did you mean checkout/new_payment_form?\n",
    );
}

#[cfg(feature = "cluster")]
#[test]
fn the_member_is_ready_and_loses_nothing_at_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut out = Vec::new();
    member::run(folder.path(), &mut out).unwrap();
    let life = |before: &str| {
        format!(
            "ready: true, synced: true\ncheckout for ada: {before}\nacknowledged by a majority: true\n\
             checkout for ada: new\nafter shutdown: new, true\n"
        )
    };
    assert_eq!(String::from_utf8(out).unwrap(), life("old") + &life("new"));
}

#[cfg(feature = "cluster")]
#[test]
fn the_pool_is_resized_when_its_flag_changes() {
    let mut out = Vec::new();
    changes::run(&mut out).unwrap();
    let expected = "at the start: 2 workers\nafter the change: 8 workers\n\
                    the subscription has ended; further resizes: 0\n";
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}
