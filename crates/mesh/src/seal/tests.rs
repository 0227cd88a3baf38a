//! What is opened, and what is not: changed, sent elsewhere, played again, of others.

mod tags;

use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::authority::Authority;
use crate::identity::Identity;

const NOW: u64 = 1_800_000_000;
const A: NodeId = NodeId::new(1);
const B: NodeId = NodeId::new(2);
const C: NodeId = NodeId::new(3);
const TO_A: Destination = Destination::Node(A);
const TO_B: Destination = Destination::Node(B);

/// A cluster with certificates for three nodes.
fn cluster() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::create(&folder.path().join("certs"), "shop", NOW).unwrap();
    for (name, node) in [("a", A), ("b", B), ("c", C)] {
        authority.issue_as(node, name, &[], NOW).unwrap();
    }
    folder
}

fn secured(cluster: &TempDir, name: &str, node: NodeId, instance: u64) -> (Sealer, Opener) {
    let identity = Identity::read(&cluster.path().join("certs").join(name), "shop", NOW).unwrap();
    of("shop", node, instance, &Security::Certificates(Box::new(identity))).unwrap()
}

fn open(node: NodeId, instance: u64) -> (Sealer, Opener) {
    of("shop", node, instance, &Security::Open).unwrap()
}

/// No sign of life of anybody, so that messages are signed.
fn nobody() -> BTreeSet<Process> {
    BTreeSet::new()
}

fn payload(from: NodeId, text: &str) -> Opened {
    Opened::Payload { from, payload: text.as_bytes().to_vec(), wants_key: false }
}

#[test]
fn a_node_is_believed_once_it_has_introduced_itself() {
    let cluster = cluster();
    let (mut a, opener_a) = secured(&cluster, "a", A, 10);
    let (mut b, opener_b) = secured(&cluster, "b", B, 20);
    let first = a.seal(TO_B, b"x", &nobody()).unwrap();
    assert_eq!(opener_b.open(&first, TO_B, NOW), Err(Refused::UnknownCertificate { from: A }));
    // Neither knows the other, and one question is enough for both.
    let question = b.ask(A).unwrap();
    assert_eq!(opener_a.open(&question, Destination::Node(A), NOW), Ok(Opened::Asked { from: B }));
    let answer = a.introduce(B).unwrap();
    assert_eq!(opener_b.open(&answer, TO_B, NOW), Ok(Opened::Introduced));
    let all = a.seal(Destination::All, b"y", &nobody()).unwrap();
    assert_eq!(opener_b.open(&all, Destination::All, NOW), Ok(payload(A, "y")));
    assert_eq!(opener_b.open(&first, TO_B, NOW), Ok(payload(A, "x")), "late, but never seen");
    let back = b.seal(Destination::Node(A), b"z", &nobody()).unwrap();
    assert_eq!(opener_a.open(&back, Destination::Node(A), NOW), Ok(payload(B, "z")));
    assert_eq!(opener_b.refused(), BTreeMap::from([("unknown_certificate", 1)]));
}

#[test]
fn what_is_replayed_or_sent_elsewhere_is_refused() {
    let cluster = cluster();
    let (mut a, _) = secured(&cluster, "a", A, 10);
    let (_, opener) = secured(&cluster, "b", B, 20);
    let introduction = a.introduce(B).unwrap();
    assert_eq!(opener.open(&introduction, TO_B, NOW), Ok(Opened::Introduced));
    assert_eq!(opener.open(&introduction, TO_B, NOW), Err(Refused::Replayed));
    let message = a.seal(TO_B, b"x", &nobody()).unwrap();
    assert_eq!(opener.open(&message, Destination::All, NOW), Err(Refused::Signature { from: A }));
    assert_eq!(opener.open(&message, TO_B, NOW), Ok(payload(A, "x")));
    assert_eq!(opener.open(&message, TO_B, NOW), Err(Refused::Replayed));
    assert_eq!(opener.refused(), BTreeMap::from([("replayed", 2), ("signature", 1)]));
}

#[test]
fn what_no_node_sends_is_too_large() {
    let cluster = cluster();
    let (mut a, _) = secured(&cluster, "a", A, 10);
    let (_, opener) = secured(&cluster, "b", B, 20);
    opener.open(&a.introduce(B).unwrap(), TO_B, NOW).unwrap();
    let largest = vec![7; tidegate_replica::limits::MESSAGE_BYTES_MAX];
    let message = a.seal(TO_B, &largest, &nobody()).unwrap();
    assert_eq!(opener.open(&message, TO_B, NOW), Ok(Opened::Payload { from: A, payload: largest, wants_key: false }));
    let larger = a.seal(TO_B, &vec![7; 10_000_000], &nobody()).unwrap();
    assert_eq!(opener.open(&larger, TO_B, NOW), Err(Refused::Oversized));
    assert_eq!(opener.refused(), BTreeMap::from([("oversized", 1)]));
}

#[test]
fn whatever_byte_is_changed_it_is_refused() {
    let cluster = cluster();
    let (mut a, _) = secured(&cluster, "a", A, 10);
    let (_, opener) = secured(&cluster, "b", B, 20);
    opener.open(&a.introduce(B).unwrap(), TO_B, NOW).unwrap();
    for message in [a.seal(TO_B, b"payload", &nobody()).unwrap(), a.introduce(B).unwrap(), a.ask(B).unwrap()] {
        for at in 0..message.len() {
            for flip in [1, 0x80] {
                let mut changed = message.clone();
                changed[at] ^= flip;
                assert!(opener.open(&changed, TO_B, NOW).is_err(), "byte {at} of {message:?}");
            }
        }
        for length in 0..message.len() {
            assert!(opener.open(&message[..length], TO_B, NOW).is_err(), "cut at {length}");
        }
        assert!(opener.open(&message, TO_B, NOW).is_ok(), "none of them has used up its number");
    }
}

#[test]
fn nobody_speaks_for_another_node() {
    let cluster = cluster();
    let identity = Identity::read(&cluster.path().join("certs/b"), "shop", NOW).unwrap();
    // B's certificate under A's id.
    let (mut forger, _) = of("shop", A, 30, &Security::Certificates(Box::new(identity))).unwrap();
    let (_, opener) = secured(&cluster, "a", A, 10);
    let to = Destination::Node(A);
    assert_eq!(opener.open(&forger.introduce(A).unwrap(), to, NOW), Err(Refused::OtherNode { from: A }));
    let (mut b, _) = secured(&cluster, "b", B, 20);
    opener.open(&b.introduce(A).unwrap(), to, NOW).unwrap();
    assert_eq!(opener.open(&forger.seal(to, b"x", &nobody()).unwrap(), to, NOW), Err(Refused::OtherNode { from: A }));
}

#[test]
fn a_clone_is_heard_and_the_own_voice_is_not() {
    let cluster = cluster();
    let (mut own, opener) = secured(&cluster, "a", A, 10);
    let (mut clone, _) = secured(&cluster, "a", A, 11);
    let to = Destination::All;
    assert_eq!(opener.open(&own.seal(to, b"x", &nobody()).unwrap(), to, NOW), Err(Refused::Own));
    opener.open(&clone.introduce(A).unwrap(), Destination::Node(A), NOW).unwrap();
    assert_eq!(opener.open(&clone.seal(to, b"x", &nobody()).unwrap(), to, NOW), Ok(payload(A, "x")));
}

#[test]
fn other_authorities_and_clusters_are_refused() {
    let (ours, others) = (cluster(), cluster());
    let (_, opener) = secured(&ours, "b", B, 20);
    let (mut a, _) = secured(&others, "a", A, 10);
    assert!(matches!(opener.open(&a.introduce(B).unwrap(), TO_B, NOW), Err(Refused::Distrusted { .. })));
    let (mut a, _) = of("other", A, 10, &Security::Open).unwrap();
    let (_, opener) = open(B, 20);
    assert_eq!(opener.open(&a.seal(TO_B, b"x", &nobody()).unwrap(), TO_B, NOW), Err(Refused::OtherCluster));
}

#[test]
fn an_expired_certificate_is_refused_and_its_successor_believed() {
    let cluster = cluster();
    let (mut a, _) = secured(&cluster, "a", A, 10);
    let (_, opener) = secured(&cluster, "b", B, 20);
    opener.open(&a.introduce(B).unwrap(), TO_B, NOW).unwrap();
    let later = NOW + 366 * 86_400;
    let expired = Err(Refused::Distrusted { from: A, distrust: Distrust::Expired });
    assert_eq!(opener.open(&a.seal(TO_B, b"x", &nobody()).unwrap(), TO_B, later), expired);
    assert_eq!(opener.open(&a.introduce(B).unwrap(), TO_B, later), expired);
    let folder: &Path = &cluster.path().join("certs");
    let renewed = Authority::open(folder, "shop").unwrap().renew("a", later).unwrap();
    let identity = Identity::read(&renewed.folder, "shop", later).unwrap();
    let (mut a, _) = of("shop", A, 11, &Security::Certificates(Box::new(identity))).unwrap();
    assert_eq!(opener.open(&a.introduce(B).unwrap(), TO_B, later), Ok(Opened::Introduced));
    assert_eq!(opener.open(&a.seal(TO_B, b"x", &nobody()).unwrap(), TO_B, later), Ok(payload(A, "x")));
}

#[test]
fn open_nodes_hear_each_other_and_no_others() {
    let cluster = cluster();
    let (mut a, opener_a) = open(A, 10);
    let (mut signed, secured) = secured(&cluster, "b", B, 20);
    let (_, opener) = open(B, 20);
    let message = a.seal(TO_B, b"x", &nobody()).unwrap();
    assert_eq!(opener.open(&message, TO_B, NOW), Ok(payload(A, "x")));
    assert_eq!(opener.open(&message, TO_B, NOW), Err(Refused::Replayed));
    assert_eq!(secured.open(&message, TO_B, NOW), Err(Refused::Unsigned));
    let to = Destination::Node(A);
    assert_eq!(opener_a.open(&signed.seal(to, b"x", &nobody()).unwrap(), to, NOW), Err(Refused::Unsigned));
    assert_eq!(opener_a.open(&signed.introduce(A).unwrap(), to, NOW), Err(Refused::Unsigned));
    assert!(a.introduce(B).is_none() && a.ask(B).is_none() && !opener.knows_certificates());
}

#[test]
fn the_first_version_stays_readable() {
    let (mut a, opener) = open(A, 10);
    let bytes = a.seal(TO_B, b"x", &nobody()).unwrap();
    let text = format!("{bytes:02x?}").replace(['[', ']', ',', ' '], "");
    // What `printf shop | sha256sum` begins with.
    let shop = "8d9001d32c6a703d95921a77115050f3";
    let numbers = "0000000000000001000000000000000a00000000000000010000000000000000";
    assert_eq!(text, format!("54670100{shop}{numbers}78"));
    let mut newer = bytes;
    newer[2] = 2;
    assert_eq!(opener.open(&newer, TO_B, NOW), Err(Refused::Version(2)));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        head in 0_usize..60,
        flag in prop::sample::select(vec![SIGNED, TAGGED]),
    ) {
        let (mut a, _) = open(A, 10);
        let (_, opener) = open(B, 20);
        let mut message = a.seal(TO_B, &bytes, &nobody()).unwrap();
        let opened = Opened::Payload { from: A, payload: bytes.clone(), wants_key: false };
        prop_assert_eq!(opener.open(&message, TO_B, NOW), Ok(opened));
        let _ = opener.open(&bytes, TO_B, NOW);
        message[3] |= flag;
        message.splice(..head.min(message.len()), bytes);
        let _ = opener.open(&message, TO_B, NOW);
    }
}
