//! Who dials whom, with the same lists everywhere and with others.

use super::*;

const OWN: NodeId = NodeId::new(5);

fn dial(addresses: &[&str], listen: &str) -> Dial {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    Dial::new(OWN, &addresses, Some(listen.parse().unwrap()))
}

#[track_caller]
fn check(dial: &Dial, expected: &[&str]) {
    assert_eq!(dial.addresses().collect::<Vec<_>>(), expected);
}

fn link(node: u64, remote: &str, is_outbound: bool) -> Link {
    Link { node: NodeId::new(node), remote: Some(remote.parse().unwrap()), is_outbound }
}

#[test]
fn with_one_list_for_all_one_of_two_dials() {
    let all = ["127.0.0.1:7401", "127.0.0.1:7402", "localhost:7403"];
    check(&dial(&all, "127.0.0.1:7401"), &["127.0.0.1:7402", "localhost:7403"]);
    check(&dial(&all, "127.0.0.1:7402"), &["localhost:7403"]);
    check(&dial(&all, "127.0.0.1:7403"), &[]);
}

#[test]
fn the_own_address_is_found_behind_any() {
    check(&dial(&["127.0.0.1:7401", "127.0.0.1:7402"], "0.0.0.0:7402"), &[]);
    check(&dial(&["127.0.0.1:7401", "127.0.0.1:7402"], "0.0.0.0:7401"), &["127.0.0.1:7402"]);
}

#[test]
fn names_are_dialled_and_nobody_is_named_twice() {
    let all = ["node-2.example:7400", "node-2.example:7400", "[::1]:7400"];
    check(&dial(&all, "127.0.0.1:7400"), &["node-2.example:7400", "[::1]:7400"]);
    let nowhere = Dial::new(OWN, &["127.0.0.1:1".to_owned()], None);
    check(&nowhere, &["127.0.0.1:1"]);
}

#[test]
fn of_two_that_dial_the_one_with_the_greater_id_goes_on() {
    let now = Instant::now();
    for (other, expected) in [(6, [].as_slice()), (4, &["127.0.0.1:7402"])] {
        let mut dial = dial(&["127.0.0.1:7402"], "127.0.0.1:7401");
        let links = [link(other, "127.0.0.1:7402", true), link(other, "127.0.0.1:50000", false)];
        assert!(!dial.look(&links, now), "it may be a moment only");
        assert_eq!(dial.look(&links, now), other > 5);
        check(&dial, expected);
        assert!(!dial.look(&links[1..], now));
    }
}

#[test]
fn whoever_is_waited_for_in_vain_is_dialled() {
    let (mut dial, start) = (dial(&["127.0.0.1:7401"], "127.0.0.1:7402"), Instant::now());
    check(&dial, &[]);
    assert!(!dial.look(&[], start));
    assert!(!dial.look(&[], start + FIRST_WAIT / 2));
    assert!(dial.look(&[], start + FIRST_WAIT));
    check(&dial, &["127.0.0.1:7401"]);
    // It is dialled from then on, and is not waited for.
    let links = [link(4, "127.0.0.1:7401", true)];
    assert!(!dial.look(&links, start + FIRST_WAIT));
    assert!(!dial.look(&[], start + 100 * ABSENCE_MAX));
}

#[test]
fn whoever_has_dialled_before_is_waited_for_longer() {
    let (mut dial, start) = (dial(&["127.0.0.1:7401"], "127.0.0.1:7402"), Instant::now());
    assert!(!dial.look(&[link(4, "127.0.0.1:50000", false)], start));
    assert!(!dial.look(&[], start + FIRST_WAIT));
    assert!(!dial.look(&[], start + 2 * FIRST_WAIT));
    assert!(dial.look(&[], start + FIRST_WAIT + ABSENCE_MAX));
}

#[test]
fn one_that_is_away_does_not_touch_the_others() {
    let (mut dial, start) = (dial(&["127.0.0.1:7401", "127.0.0.1:7403"], "127.0.0.1:7402"), Instant::now());
    // 7403 is down, and it is for this node to dial it; 7401 has dialled.
    for seconds in 0..100 {
        assert!(!dial.look(&[link(4, "127.0.0.1:50000", false)], start + Duration::from_secs(seconds)));
    }
    check(&dial, &["127.0.0.1:7403"]);
}

#[test]
fn local_is_what_no_other_host_can_reach() {
    let local = |addresses: &[&str], listen: Option<&str>| {
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        are_local(&addresses, listen.map(|listen| listen.parse().unwrap()))
    };
    assert!(local(&["127.0.0.1:1", "localhost:2", "[::1]:3"], Some("127.0.0.2:1")));
    assert!(!local(&["127.0.0.1:1"], Some("0.0.0.0:1")));
    assert!(!local(&["127.0.0.1:1", "10.0.0.1:1"], Some("127.0.0.1:1")));
    assert!(!local(&["localhost.example:1"], None));
}
