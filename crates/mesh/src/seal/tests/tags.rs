//! Messages between processes that have agreed on a key.

use x25519_dalek::StaticSecret;

use super::*;
use crate::seal::envelope::TAGS_MAX;

/// A process of a node, with both of its ends.
struct End {
    sealer: Sealer,
    opener: Opener,
    process: Process,
}

impl End {
    fn start(cluster: &TempDir, name: &str, node: NodeId, instance: u64) -> Self {
        let (sealer, opener) = secured(cluster, name, node, instance);
        Self { sealer, opener, process: (node, instance) }
    }

    fn introduce_to(&mut self, other: &Self) {
        let node = other.process.0;
        let introduction = self.sealer.introduce(node).unwrap();
        assert_eq!(other.opener.open(&introduction, Destination::Node(node), NOW), Ok(Opened::Introduced));
    }

    fn seal(&mut self, to: Destination, text: &str, alive: &[Process]) -> Vec<u8> {
        self.sealer.seal(to, text.as_bytes(), &alive.iter().copied().collect()).unwrap()
    }

    fn open(&self, bytes: &[u8], to: Destination) -> Result<Opened, Refused> {
        self.opener.open(bytes, to, NOW)
    }

    fn inbox(&self) -> Destination {
        Destination::Node(self.process.0)
    }
}

/// Three nodes that have all introduced themselves.
fn acquainted(cluster: &TempDir) -> [End; 3] {
    let mut ends = [("a", A, 10), ("b", B, 20), ("c", C, 30)]
        .map(|(name, node, instance)| End::start(cluster, name, node, instance));
    for one in 0..3 {
        for other in (0..3).filter(|other| *other != one) {
            let [one, other] = ends.get_disjoint_mut([one, other]).unwrap();
            one.introduce_to(other);
        }
    }
    ends
}

fn is_tagged(message: &[u8]) -> bool {
    match message[3] & (SIGNED | TAGGED) {
        TAGGED => true,
        SIGNED => false,
        flags => panic!("{flags}"),
    }
}

/// Where the ids of the keys stand in a tagged message.
const IDS: usize = HEADER_BYTES + 1;

#[test]
fn one_introduction_each_and_what_follows_is_tagged() {
    let cluster = cluster();
    let (mut a, mut b) = (End::start(&cluster, "a", A, 10), End::start(&cluster, "b", B, 20));
    a.introduce_to(&b);
    b.introduce_to(&a);
    for _ in 0..2 {
        for destination in [b.inbox(), Destination::All] {
            let message = a.seal(destination, "x", &[b.process]);
            assert_eq!((is_tagged(&message), message.len()), (true, HEADER_BYTES + 1 + 20 + 1));
            assert_eq!(b.open(&message, destination), Ok(payload(a.process.0, "x")));
        }
        std::mem::swap(&mut a, &mut b);
    }
    assert_eq!((a.opener.refused(), b.opener.refused()), (BTreeMap::new(), BTreeMap::new()));
}

#[test]
fn a_question_is_enough_for_both() {
    let cluster = cluster();
    let (mut a, mut b) = (End::start(&cluster, "a", A, 10), End::start(&cluster, "b", B, 20));
    let question = b.sealer.ask(A).unwrap();
    assert_eq!(a.open(&question, TO_A), Ok(Opened::Asked { from: B }));
    a.introduce_to(&b);
    let (there, back) = (a.seal(TO_B, "x", &[b.process]), b.seal(TO_A, "y", &[a.process]));
    assert!(is_tagged(&there) && is_tagged(&back));
    assert_eq!((b.open(&there, TO_B), a.open(&back, TO_A)), (Ok(payload(A, "x")), Ok(payload(B, "y"))));
}

#[test]
fn whatever_bit_of_a_tagged_message_is_changed_it_is_refused() {
    let cluster = cluster();
    let [mut a, b, _] = acquainted(&cluster);
    let message = a.seal(TO_B, "payload", &[b.process]);
    for bit in 0..8 * message.len() {
        let mut changed = message.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(b.open(&changed, TO_B).is_err(), "bit {bit} of {message:?}");
    }
    for length in 0..message.len() {
        assert!(b.open(&message[..length], TO_B).is_err(), "cut at {length}");
    }
    assert!(b.open(&[message.as_slice(), &[0]].concat(), TO_B).is_err());
    let mut tag = message.clone();
    *tag.last_mut().unwrap() ^= 1;
    assert_eq!(b.open(&tag, TO_B), Err(Refused::Signature { from: A }), "told from a key that is not known");
    assert_eq!(b.open(&message, TO_B), Ok(payload(A, "payload")), "none of them has used up its number");
}

#[test]
fn of_a_message_to_several_each_hears_the_same_or_nothing() {
    let cluster = cluster();
    let [mut a, b, c] = acquainted(&cluster);
    let message = a.seal(Destination::All, "payload", &[b.process, c.process]);
    let (tag_of_b, tag_of_c) = (message.len() - 32, message.len() - 16);
    for bit in 0..8 * message.len() {
        let mut changed = message.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let is_refused = |end: &End| end.open(&changed, Destination::All).is_err();
        assert!(is_refused(&b) || bit / 8 >= tag_of_c, "bit {bit} of {message:?}");
        assert!(is_refused(&c) || (tag_of_b..tag_of_c).contains(&(bit / 8)), "bit {bit} of {message:?}");
    }
    // What was told to one of them only, so that it would read the id of the other as the beginning of the content.
    let mut fewer = a.seal(Destination::All, "payload", &[b.process, c.process]);
    fewer.truncate(tag_of_c);
    fewer[HEADER_BYTES] = 1;
    assert_eq!(b.open(&fewer, Destination::All), Err(Refused::Signature { from: A }));
}

#[test]
fn what_is_tagged_and_replayed_or_sent_elsewhere_is_refused() {
    let cluster = cluster();
    let [mut a, b, c] = acquainted(&cluster);
    let message = a.seal(TO_B, "x", &[b.process, c.process]);
    assert_eq!(b.open(&message, Destination::All), Err(Refused::Signature { from: A }));
    assert_eq!(b.open(&message, TO_B), Ok(payload(A, "x")));
    assert_eq!(b.open(&message, TO_B), Err(Refused::Replayed));
    assert_eq!(c.open(&message, c.inbox()), Err(Refused::UnknownKey { from: A }), "nothing in it is for c");
    let all = a.seal(Destination::All, "y", &[b.process, c.process]);
    assert_eq!(b.open(&all, TO_B), Err(Refused::Signature { from: A }));
    assert_eq!(b.open(&all, Destination::All), Ok(payload(A, "y")));
    assert_eq!(b.opener.refused(), BTreeMap::from([("replayed", 1), ("signature", 2)]));
}

#[test]
fn a_third_node_that_both_know_speaks_for_neither() {
    let cluster = cluster();
    let [mut a, b, mut c] = acquainted(&cluster);
    let genuine = a.seal(TO_B, "x", &[b.process]);
    let own = c.seal(TO_B, "forged", &[b.process]);
    // c's message under a's name, with the tag of c's key; then with the id of a's key as well.
    let mut forged = own.clone();
    forged[20..52].copy_from_slice(&genuine[20..52]);
    assert_eq!(b.open(&forged, TO_B), Err(Refused::UnknownKey { from: A }));
    forged[IDS..IDS + 4].copy_from_slice(&genuine[IDS..IDS + 4]);
    assert_eq!(b.open(&forged, TO_B), Err(Refused::Signature { from: A }));
    // Whoever is told something by a cannot hand it on as said to another.
    let to_c = a.seal(Destination::All, "x", &[c.process]);
    let mut handed_on = to_c;
    handed_on[IDS..IDS + 4].copy_from_slice(&genuine[IDS..IDS + 4]);
    assert_eq!(b.open(&handed_on, Destination::All), Err(Refused::Signature { from: A }));
    assert_eq!(b.open(&genuine, TO_B), Ok(payload(A, "x")));
}

#[test]
fn what_comes_back_to_its_sender_is_refused() {
    let cluster = cluster();
    let [mut a, mut b, _] = acquainted(&cluster);
    let message = a.seal(Destination::All, "x", &[b.process]);
    assert_eq!(a.open(&message, Destination::All), Err(Refused::Own));
    // As if b had said it: the key of the other direction is another one.
    let back = b.seal(Destination::All, "y", &[a.process]);
    let mut reflected = message;
    reflected[20..52].copy_from_slice(&back[20..52]);
    assert_eq!(a.open(&reflected, Destination::All), Err(Refused::UnknownKey { from: B }));
    reflected[IDS..IDS + 4].copy_from_slice(&back[IDS..IDS + 4]);
    assert_eq!(a.open(&reflected, Destination::All), Err(Refused::Signature { from: B }));
}

#[test]
fn a_node_that_starts_again_asks_and_hears() {
    let cluster = cluster();
    let [mut a, b, _] = acquainted(&cluster);
    let old = b.process;
    let mut b = End::start(&cluster, "b", B, 21);
    // a has not noticed yet, and tags for the process that has gone.
    let lost = a.seal(TO_B, "x", &[old]);
    assert_eq!(b.open(&lost, TO_B), Err(Refused::UnknownKey { from: A }));
    // With both there, as far as a can tell, what is said is for both.
    assert!(!is_tagged(&a.seal(TO_B, "x", &[old, b.process])));
    let question = b.sealer.ask(A).unwrap();
    assert_eq!(a.open(&question, TO_A), Ok(Opened::Asked { from: B }));
    a.introduce_to(&b);
    let both = a.seal(TO_B, "y", &[old, b.process]);
    assert_eq!((is_tagged(&both), b.open(&both, TO_B)), (true, Ok(payload(A, "y"))));
    a.opener.forget(old);
    assert!(!is_tagged(&a.seal(TO_B, "z", &[old])), "what was agreed with it has gone with it");
    let new = a.seal(TO_B, "z", &[b.process]);
    assert_eq!((is_tagged(&new), b.open(&new, TO_B)), (true, Ok(payload(A, "z"))));
    assert_eq!(b.opener.refused(), BTreeMap::from([("unknown_key", 1)]));
}

#[test]
fn an_introduction_that_is_played_again_brings_no_key_back() {
    let cluster = cluster();
    let [mut a, b, _] = acquainted(&cluster);
    let introduction = a.sealer.introduce(B).unwrap();
    assert_eq!(b.open(&introduction, TO_B), Ok(Opened::Introduced));
    b.opener.forget(a.process);
    assert_eq!(b.open(&introduction, TO_B), Err(Refused::Replayed));
    let message = a.seal(TO_B, "x", &[b.process]);
    assert_eq!(b.open(&message, TO_B), Err(Refused::UnknownKey { from: A }));
}

#[test]
fn both_processes_of_a_node_hear_what_is_for_it() {
    let cluster = cluster();
    let [mut a, b, _] = acquainted(&cluster);
    let mut clone = End::start(&cluster, "b", B, 21);
    clone.introduce_to(&a);
    a.introduce_to(&clone);
    for destination in [TO_B, Destination::All] {
        let message = a.seal(destination, "x", &[b.process, clone.process]);
        assert!(is_tagged(&message));
        for end in [&b, &clone] {
            assert_eq!(end.open(&message, destination), Ok(payload(A, "x")));
        }
    }
    // And each other.
    clone.introduce_to(&b);
    let (mut b, message) = (b, clone.seal(TO_B, "I am you", &[]));
    assert_eq!(b.open(&message, TO_B), Ok(payload(B, "I am you")), "signed");
    b.introduce_to(&clone);
    let message = clone.seal(TO_B, "I am you", &[b.process]);
    assert_eq!((is_tagged(&message), b.open(&message, TO_B)), (true, Ok(payload(B, "I am you"))));
}

#[test]
fn whoever_finds_nothing_for_himself_asks() {
    let cluster = cluster();
    let [mut a, b, c] = acquainted(&cluster);
    let without_b = a.seal(Destination::All, "x", &[c.process]);
    assert_eq!(b.open(&without_b, Destination::All), Err(Refused::UnknownKey { from: A }));
    b.opener.forget(a.process);
    let with_b = a.seal(Destination::All, "x", &[b.process, c.process]);
    assert_eq!(b.open(&with_b, Destination::All), Err(Refused::UnknownKey { from: A }));
    a.introduce_to(&b);
    assert_eq!(b.open(&with_b, Destination::All), Ok(payload(A, "x")), "late, but never seen");
    assert_eq!(b.opener.refused(), BTreeMap::from([("unknown_key", 2)]));
}

#[test]
fn without_a_key_it_is_signed_and_whoever_hears_it_wants_one() {
    let cluster = cluster();
    let [mut a, b, _] = acquainted(&cluster);
    let stranger = (C, 31);
    let all = a.seal(Destination::All, "x", &[b.process, stranger]);
    assert_eq!((is_tagged(&all), b.open(&all, Destination::All)), (false, Ok(payload(A, "x"))));
    let one = a.seal(TO_B, "y", &[b.process, stranger]);
    assert!(is_tagged(&one), "the stranger does not hear it");
    b.opener.forget(a.process);
    let signed = a.seal(TO_B, "z", &[]);
    let wanted = Opened::Payload { from: A, payload: b"z".to_vec(), wants_key: true };
    assert_eq!((is_tagged(&signed), b.open(&signed, TO_B)), (false, Ok(wanted)));
}

#[test]
fn for_too_many_it_is_signed_once() {
    let cluster = cluster();
    let mut a = End::start(&cluster, "a", A, 10);
    let processes = (0..8).flat_map(|instance| [("b", B, instance), ("c", C, instance)]);
    let mut others: Vec<End> = processes
        .chain([("a", A, 11)])
        .map(|(name, node, instance)| End::start(&cluster, name, node, instance))
        .collect();
    assert_eq!(others.len(), TAGS_MAX + 1);
    for other in &mut others {
        other.introduce_to(&a);
        a.introduce_to(other);
    }
    let alive: Vec<Process> = others.iter().map(|other| other.process).collect();
    let few = a.seal(Destination::All, "x", &alive[..TAGS_MAX]);
    assert_eq!((is_tagged(&few), few.len()), (true, HEADER_BYTES + PROOF_BYTES_MAX + 1));
    let many = a.seal(Destination::All, "y", &alive);
    assert!(!is_tagged(&many));
    assert!(is_tagged(&a.seal(TO_B, "z", &alive)), "to one node it is tagged all the same");
    for other in &others[..TAGS_MAX] {
        assert_eq!(other.open(&few, Destination::All), Ok(payload(A, "x")));
        assert_eq!(other.open(&many, Destination::All), Ok(payload(A, "y")));
    }
}

#[test]
fn a_tag_counts_no_longer_than_the_certificate() {
    let cluster = cluster();
    let [mut a, b, _] = acquainted(&cluster);
    let message = a.seal(TO_B, "x", &[b.process]);
    let later = NOW + 366 * 86_400;
    let expired = Err(Refused::Distrusted { from: A, distrust: Distrust::Expired });
    assert_eq!((is_tagged(&message), b.opener.open(&message, TO_B, later)), (true, expired));
    assert_eq!(b.open(&message, TO_B), Ok(payload(A, "x")));
}

#[test]
fn a_key_that_everybody_knows_is_refused() {
    let cluster = cluster();
    let (mut a, b) = (End::start(&cluster, "a", A, 10), End::start(&cluster, "b", B, 20));
    let certificate = a.sealer.credentials.as_ref().unwrap().certificate.clone();
    for point in LOW_ORDER {
        for kind in [Kind::Introduction, Kind::Question] {
            let content = [point.as_slice(), &certificate].concat();
            let introduction = a.sealer.sign(kind, TO_B, &content).unwrap();
            assert_eq!(b.open(&introduction, TO_B), Err(Refused::WeakKey { from: A }), "{point:?}");
        }
    }
    let message = a.seal(TO_B, "x", &[]);
    let unagreed = Opened::Payload { from: A, payload: b"x".to_vec(), wants_key: true };
    assert_eq!(b.open(&message, TO_B), Ok(unagreed), "nothing was agreed");
    let short = a.sealer.sign(Kind::Introduction, TO_B, &certificate[..PUBLIC_BYTES - 1]).unwrap();
    assert_eq!(b.open(&short, TO_B), Err(Refused::Malformed));
}

#[test]
fn what_no_process_tags_is_refused() {
    let cluster = cluster();
    let [mut a, b, _] = acquainted(&cluster);
    let message =
        a.seal(TO_B, "a payload of some length, so that many tags fit into it, and then again as many", &[b.process]);
    let refused = |change: fn(&mut Vec<u8>)| {
        let mut changed = message.clone();
        change(&mut changed);
        b.open(&changed, TO_B)
    };
    assert_eq!(refused(|bytes| bytes[3] |= SIGNED), Err(Refused::Malformed), "both");
    assert_eq!(refused(|bytes| bytes[3] |= Kind::Introduction as u8), Err(Refused::Malformed));
    assert_eq!(refused(|bytes| bytes[3] |= Kind::Question as u8), Err(Refused::Malformed));
    assert_eq!(refused(|bytes| bytes[HEADER_BYTES] = 0), Err(Refused::Malformed), "for nobody");
    assert_eq!(refused(|bytes| bytes[HEADER_BYTES] = 17), Err(Refused::Malformed), "for too many");
    assert_eq!(refused(|bytes| bytes[3] &= !TAGGED), Err(Refused::Unsigned));
    let (_, stranger) = open(B, 20);
    assert_eq!(stranger.open(&message, TO_B, NOW), Err(Refused::Unsigned));
}

#[test]
fn the_first_version_of_a_tagged_message_stays_readable() {
    let cluster = cluster();
    let mut name = [0; 16];
    name.copy_from_slice(&digest(&SHA256, b"shop").as_ref()[..16]);
    let pairs = |own, secret| Arc::new(Pairs::new(name, own, StaticSecret::from([secret; PUBLIC_BYTES])));
    let (of_a, of_b) = (pairs((A, 10), 1), pairs((B, 20), 2));
    assert!(of_a.agree((B, 20), *of_b.public(), NOW) && of_b.agree((A, 10), *of_a.public(), NOW + 1));
    let (mut a, mut b) = (End::start(&cluster, "a", A, 10), End::start(&cluster, "b", B, 20));
    let credentials = a.sealer.credentials.as_mut().unwrap();
    credentials.pairs = of_a;
    credentials.fingerprint = fingerprint(b"certificate");
    b.opener.members.as_mut().unwrap().pairs = of_b;
    let message = a.seal(TO_B, "x", &[b.process]);
    let text = format!("{message:02x?}").replace(['[', ']', ',', ' '], "");
    // Computed by another program, with the hmac and sha256 of Python and a ladder checked against RFC 7748.
    let header = "546701408d9001d32c6a703d95921a77115050f30000000000000001000000000000000a0000000000000001";
    assert_eq!(text, format!("{header}03d66dd08835c1ca018bd63e0778dcaed2da8d61b65ceb4a11f0e178952b"));
    assert_eq!(b.open(&message, TO_B), Ok(payload(A, "x")));
}

proptest! {
    #[test]
    fn no_tags_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..500)) {
        let (mut a, _) = open(A, 10);
        let mut message = a.seal(TO_B, &bytes, &nobody()).unwrap();
        message[3] |= TAGGED;
        if let Ok(parts) = Parts::of(&message) {
            let Proof::Tags { ids, tags } = parts.proof else { panic!("tagged") };
            prop_assert!(ids.len() == tags.len() && (1..=TAGS_MAX).contains(&ids.len()));
            prop_assert!(parts.covered.ends_with(parts.content));
        }
    }
}

/// All points whose product with anything is zero: of order 1, 2, 4 and 8 on the curve and its twist, by their `u`, and
/// those again plus the prime where that fits.
const LOW_ORDER: [[u8; PUBLIC_BYTES]; 7] = {
    let (zero, mut one) = ([0; PUBLIC_BYTES], [0; PUBLIC_BYTES]);
    one[0] = 1;
    let mut prime = [0xff; PUBLIC_BYTES];
    prime[0] = 0xed;
    prime[31] = 0x7f;
    let (mut below, mut above) = (prime, prime);
    below[0] -= 1;
    above[0] += 1;
    let eight = [
        0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3, 0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09,
        0x8d, 0xeb, 0x9c, 0x32, 0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00,
    ];
    let other_eight = [
        0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1, 0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44,
        0x5c, 0xc4, 0x58, 0x1c, 0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57,
    ];
    [zero, one, eight, other_eight, below, prime, above]
};
