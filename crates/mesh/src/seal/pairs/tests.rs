//! Who agrees on what, and how much of it is remembered.

use super::*;

const CLUSTER: [u8; 16] = [7; 16];
const FAR: u64 = u64::MAX;

fn of(cluster: [u8; 16], node: u64, instance: u64, secret: u8) -> Pairs {
    Pairs::new(cluster, (NodeId::new(node), instance), StaticSecret::from([secret; PUBLIC_BYTES]))
}

/// What the one tags for the other, and what the other expects of it.
fn tags(one: &Pairs, other: &Pairs) -> (Tag, Tag) {
    assert!(one.agree(other.own.process, *other.public(), FAR) && other.agree(one.own.process, *one.public(), FAR));
    let outgoing = one.with(other.own.process).unwrap().outgoing.tag(&[1; 32]);
    (outgoing, other.with(one.own.process).unwrap().incoming.tag(&[1; 32]))
}

#[test]
fn both_agree_and_each_direction_has_its_own_key() {
    let (a, b) = (of(CLUSTER, 1, 10, 1), of(CLUSTER, 2, 20, 2));
    let ((there, expected_there), (back, expected_back)) = (tags(&a, &b), tags(&b, &a));
    assert_eq!((there, back), (expected_there, expected_back));
    assert_ne!(there, back);
    let (of_a, of_b) = (a.with(b.own.process).unwrap(), b.with(a.own.process).unwrap());
    assert_eq!((of_a.outgoing.id, of_a.incoming.id), (of_b.incoming.id, of_b.outgoing.id));
    assert_ne!(of_a.outgoing.id, of_a.incoming.id);
}

#[test]
fn whatever_is_not_the_same_for_both_makes_another_key() {
    let a = of(CLUSTER, 1, 10, 1);
    let (there, _) = tags(&a, &of(CLUSTER, 2, 20, 2));
    for b in [of([8; 16], 2, 20, 2), of(CLUSTER, 3, 20, 2), of(CLUSTER, 2, 21, 2), of(CLUSTER, 2, 20, 3)] {
        let (other_there, expected) = tags(&a, &b);
        assert!(expected != there && (b.cluster != CLUSTER || other_there == expected));
    }
    // c says that a's public key is its own. b then shares the secret of a and b with it, but no key.
    let (b, mut c) = (of(CLUSTER, 2, 20, 2), of(CLUSTER, 3, 30, 3));
    c.own.public = *a.public();
    assert!(b.agree(c.own.process, *a.public(), FAR) && b.agree(a.own.process, *a.public(), FAR));
    let with = |process| b.with(process).unwrap().incoming.tag(&[1; 32]);
    assert_eq!(with(a.own.process), there);
    assert_ne!(with(c.own.process), there);
}

#[test]
fn every_process_draws_its_own_key() {
    let draw = || *Pairs::draw(CLUSTER, (NodeId::new(1), 10)).unwrap().public();
    let (one, other) = (draw(), draw());
    assert!(one != other && one != [0; PUBLIC_BYTES]);
}

#[test]
fn a_new_key_of_a_process_takes_the_place_of_the_old_one() {
    let (a, old, new) = (of(CLUSTER, 1, 10, 1), of(CLUSTER, 2, 20, 2), of(CLUSTER, 2, 20, 3));
    let (first, _) = tags(&a, &old);
    let (second, expected) = tags(&a, &new);
    assert!(first != second && second == expected);
    assert!(a.agree(new.own.process, *new.public(), 5));
    assert_eq!(a.with(new.own.process).unwrap().expires, 5);
    assert!(!a.agree(new.own.process, [0; PUBLIC_BYTES], 6));
    assert_eq!(a.with(new.own.process).unwrap().expires, 5, "and nothing takes the place of it");
    a.forget(new.own.process);
    assert!(a.with(new.own.process).is_none());
}

#[test]
fn a_node_that_starts_without_end_drives_out_itself_only() {
    let (mut agreed, pair) = (Agreed::default(), pair());
    let (calm, restless) = (NodeId::new(1), NodeId::new(2));
    agreed.insert((calm, 1), pair());
    for instance in (1..=100).rev() {
        agreed.insert((restless, instance), pair());
        agreed.insert((restless, instance), pair());
    }
    let left: Vec<Process> = agreed.pairs.keys().copied().collect();
    let newest = (1..=PROCESSES_MAX as u64).map(|instance| (restless, instance));
    assert_eq!(left, [(calm, 1)].into_iter().chain(newest).collect::<Vec<_>>());
}

#[test]
fn of_too_many_the_oldest_is_forgotten() {
    let (mut agreed, pair) = (Agreed::default(), pair());
    let node = |number: usize| (NodeId::new(number as u64), 1);
    for number in (0..=PAIRS_MAX).rev() {
        agreed.insert(node(number), pair());
    }
    assert_eq!(agreed.pairs.len(), PAIRS_MAX);
    assert!(!agreed.pairs.contains_key(&node(PAIRS_MAX)) && agreed.pairs.contains_key(&node(PAIRS_MAX - 1)));
}

/// Makes pairs without agreeing each time.
fn pair() -> impl Fn() -> Pair {
    let (a, b) = (of(CLUSTER, 1, 10, 1), of(CLUSTER, 2, 20, 2));
    assert!(a.agree(b.own.process, *b.public(), FAR));
    move || {
        let pair = a.with(b.own.process).unwrap();
        let way = |way: &Way| Way { key: way.key.clone(), id: way.id };
        Pair { outgoing: way(&pair.outgoing), incoming: way(&pair.incoming), expires: FAR, public: pair.public }
    }
}
