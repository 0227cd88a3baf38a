//! Who dials whom, with the same lists everywhere and with others.

use super::*;

fn dial(addresses: &[&str], listen: &str) -> Dial {
    let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
    Dial::new(&addresses, Some(listen.parse().unwrap()))
}

#[track_caller]
fn check(dial: &Dial, expected: &[&str]) {
    assert_eq!(dial.addresses(true).collect::<Vec<_>>(), expected);
}

fn alive(nodes: &[u64]) -> BTreeSet<NodeId> {
    nodes.iter().copied().map(NodeId::new).collect()
}

fn link(node: u64, remote: &str, is_outbound: bool) -> Link {
    Link { node: NodeId::new(node), local: None, remote: Some(remote.parse().unwrap()), is_outbound }
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
    let nowhere = Dial::new(&["127.0.0.1:1".to_owned()], None);
    check(&nowhere, &["127.0.0.1:1"]);
}

#[test]
fn whoever_is_dialled_by_nobody_dials() {
    let (mut dial, start) = (dial(&["127.0.0.1:7401"], "127.0.0.1:7402"), Instant::now());
    check(&dial, &[]);
    assert!(!dial.look(&[], &alive(&[]), start));
    assert!(!dial.look(&[], &alive(&[]), start + FIRST_WAIT / 2));
    assert!(dial.look(&[], &alive(&[]), start + FIRST_WAIT));
    check(&dial, &["127.0.0.1:7401"]);
    // It is dialled from then on, and is not waited for.
    assert!(!dial.look(&[link(4, "127.0.0.1:7401", true)], &alive(&[4]), start + FIRST_WAIT));
    assert!(!dial.look(&[], &alive(&[]), start + 100 * ABSENCE_MAX));
}

#[test]
fn whoever_has_others_or_had_them_waits_longer() {
    for links in [vec![], vec![link(7, "127.0.0.1:7403", true)]] {
        let all = ["127.0.0.1:7401", "127.0.0.1:7403"];
        let (mut dial, start) = (dial(&all, "127.0.0.1:7402"), Instant::now());
        assert!(!dial.look(&[link(4, "127.0.0.1:50000", false)], &alive(&[4]), start));
        assert!(!dial.look(&links, &alive(&[]), start + FIRST_WAIT));
        assert!(!dial.look(&links, &alive(&[]), start + 2 * FIRST_WAIT));
        assert!(dial.look(&links, &alive(&[]), start + FIRST_WAIT + ABSENCE_MAX));
        check(&dial, &all);
    }
}

#[test]
fn whoever_does_not_know_of_a_node_is_dialled_by_it_though_it_has_company() {
    let all = ["127.0.0.1:7401", "127.0.0.1:7403"];
    let (mut dial, start) = (dial(&all, "127.0.0.1:7402"), Instant::now());
    check(&dial, &["127.0.0.1:7403"]);
    // 7401 has no list, so it dials nobody.
    let links = [link(7, "127.0.0.1:7403", true)];
    assert!(!dial.look(&links, &alive(&[7]), start));
    assert!(!dial.look(&links, &alive(&[7]), start + COMPANY_WAIT / 2));
    assert!(dial.look(&links, &alive(&[7]), start + COMPANY_WAIT));
    check(&dial, &all);
}

#[test]
fn one_that_is_away_does_not_touch_the_others() {
    let (mut dial, start) = (dial(&["127.0.0.1:7401", "127.0.0.1:7403"], "127.0.0.1:7402"), Instant::now());
    // 7403 is down, and it is for this node to dial it; 7401 has dialled.
    for seconds in 0..100 {
        let now = start + Duration::from_secs(seconds);
        assert!(!dial.look(&[link(4, "127.0.0.1:50000", false)], &alive(&[4]), now));
    }
    check(&dial, &["127.0.0.1:7403"]);
}

#[test]
fn a_link_without_a_sign_of_life_is_made_anew_once() {
    let (mut dial, start) = (dial(&["127.0.0.1:7402"], "127.0.0.1:7401"), Instant::now());
    let links = [link(4, "127.0.0.1:7402", true), link(4, "127.0.0.1:50000", false)];
    assert!(!dial.look(&links, &alive(&[4]), start));
    assert!(!dial.look(&links, &alive(&[]), start));
    assert!(!dial.look(&links, &alive(&[]), start + HOLLOW_MAX / 2));
    assert!(dial.look(&links, &alive(&[]), start + HOLLOW_MAX));
    for seconds in 3..100 {
        assert!(!dial.look(&links, &alive(&[]), start + Duration::from_secs(seconds)), "it did not help");
    }
    let later = start + Duration::from_secs(100);
    assert!(!dial.look(&links, &alive(&[4]), later));
    assert!(!dial.look(&links, &alive(&[]), later));
    assert!(dial.look(&links, &alive(&[]), later + HOLLOW_MAX), "it was alive again");
}

#[test]
fn a_node_of_another_cluster_is_let_be() {
    let (mut dial, start) = (dial(&["127.0.0.1:7402"], "127.0.0.1:7401"), Instant::now());
    for seconds in 0..100 {
        assert!(!dial.look(&[link(4, "127.0.0.1:7402", true)], &alive(&[]), start + Duration::from_secs(seconds)));
    }
}

#[test]
fn nodes_of_other_clusters_are_no_company() {
    let all = ["127.0.0.1:7401", "127.0.0.1:7403"];
    let strangers = [link(9, "127.0.0.1:7403", true), link(8, "127.0.0.1:50000", false)];
    for links in [&strangers[..1], &strangers] {
        let (mut dial, start) = (dial(&all, "127.0.0.1:7402"), Instant::now());
        check(&dial, &["127.0.0.1:7403"]);
        assert!(!dial.look(links, &alive(&[]), start));
        assert!(dial.look(links, &alive(&[]), start + FIRST_WAIT), "{links:?}");
        check(&dial, &all);
    }
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
