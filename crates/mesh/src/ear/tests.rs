//! What a node does about what it hears.

use std::collections::VecDeque;
use std::time::Duration;

use tempfile::TempDir;

use super::*;
use crate::authority::Authority;
use crate::identity::Identity;
use crate::options::Security;
use crate::seal::{self, Sealer};

const A: NodeId = NodeId::new(1);
const B: NodeId = NodeId::new(2);
const TO_A: Destination = Destination::Node(A);
const TO_B: Destination = Destination::Node(B);

#[derive(Debug, Default)]
struct Heard(Mutex<Vec<Vec<u8>>>);

impl Receiver for Heard {
    fn message(&self, _: NodeId, bytes: Vec<u8>) {
        self.0.lock().unwrap().push(bytes);
    }

    fn peer(&self, _: NodeId, _: u64, _: bool) {}
}

/// A process of a node, without links.
struct Node {
    sealer: Sealer,
    ear: Ear,
    heard: Arc<Heard>,
}

impl Node {
    fn start(cluster: &TempDir, name: &str, node: NodeId, instance: u64) -> Self {
        let identity = Identity::read(&cluster.path().join("certs").join(name), "shop", now()).unwrap();
        let (sealer, opener) = seal::of("shop", node, instance, &Security::Certificates(Box::new(identity))).unwrap();
        let heard = Arc::<Heard>::default();
        let ear = Ear::new(node, instance, opener, Arc::default(), heard.clone());
        Self { sealer, ear, heard }
    }

    /// A message to a destination, as the thread of the links would seal it.
    fn say(&mut self, to: Destination, text: &str) -> Vec<u8> {
        self.sealer.seal(to, text.as_bytes(), &self.ear.processes()).unwrap()
    }

    fn todo(&self) -> VecDeque<Command> {
        self.ear.queue.take(Duration::ZERO)
    }

    fn has_heard(&self) -> Vec<String> {
        let heard = std::mem::take(&mut *self.heard.0.lock().unwrap());
        heard.into_iter().map(|bytes| String::from_utf8(bytes).unwrap()).collect()
    }
}

/// Two nodes that see each other and have introduced themselves.
fn acquainted() -> (TempDir, Node, Node) {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::create(&folder.path().join("certs"), "shop", now()).unwrap();
    for (name, node) in [("a", A), ("b", B)] {
        authority.issue_as(node, name, &[], now()).unwrap();
    }
    let (mut a, mut b) = (Node::start(&folder, "a", A, 10), Node::start(&folder, "b", B, 20));
    a.ear.peer(B, 20, true);
    b.ear.peer(A, 10, true);
    assert_eq!(
        (a.todo(), b.todo()),
        (VecDeque::from([Command::Introduce(B)]), VecDeque::from([Command::Introduce(A)]))
    );
    b.ear.hear(TO_B, &a.sealer.introduce(B).unwrap());
    a.ear.hear(TO_A, &b.sealer.introduce(A).unwrap());
    (folder, a, b)
}

fn ask(node: NodeId) -> VecDeque<Command> {
    VecDeque::from([Command::Ask(node)])
}

#[test]
fn acquainted_nodes_hear_each_other_and_ask_nothing() {
    let (_folder, mut a, b) = acquainted();
    b.ear.hear(TO_B, &a.say(TO_B, "x"));
    assert_eq!((b.has_heard(), b.todo()), (vec!["x".to_owned()], VecDeque::new()));
    b.ear.hear(TO_B, &a.sealer.ask(B).unwrap());
    assert_eq!(b.todo(), [Command::Introduce(A)]);
}

#[test]
fn whoever_starts_again_asks_and_then_hears() {
    let (folder, mut a, _) = acquainted();
    let lost = a.say(TO_B, "x");
    let mut b = Node::start(&folder, "b", B, 21);
    b.ear.hear(TO_B, &lost);
    assert_eq!((b.has_heard(), b.todo()), (vec![], ask(A)));
    a.ear.peer(B, 20, false);
    a.ear.peer(B, 21, true);
    assert_eq!(a.todo(), [Command::Introduce(B)]);
    a.ear.hear(TO_A, &b.sealer.ask(A).unwrap());
    b.ear.hear(TO_B, &a.sealer.introduce(B).unwrap());
    b.ear.hear(TO_B, &a.say(TO_B, "y"));
    assert_eq!((b.has_heard(), b.todo()), (vec!["y".to_owned()], VecDeque::new()));
}

#[test]
fn what_is_signed_for_want_of_a_key_is_heard_and_the_key_asked_for() {
    let (_folder, mut a, mut b) = acquainted();
    // Both see the other go and come, and the introductions that follow are lost.
    for (ear, other) in [(&a.ear, (B, 20)), (&b.ear, (A, 10))] {
        ear.peer(other.0, other.1, false);
        ear.peer(other.0, other.1, true);
    }
    assert_eq!((a.todo().len(), b.todo().len()), (1, 1));
    b.ear.hear(TO_B, &a.say(TO_B, "x"));
    assert_eq!((b.has_heard(), b.todo()), (vec!["x".to_owned()], ask(A)));
    a.ear.hear(TO_A, &b.sealer.ask(A).unwrap());
    assert_eq!(a.todo(), [Command::Introduce(B)]);
    b.ear.hear(TO_B, &a.sealer.introduce(B).unwrap());
    b.ear.hear(TO_B, &a.say(TO_B, "y"));
    a.ear.hear(TO_A, &b.say(TO_A, "z"));
    assert_eq!((b.has_heard(), a.has_heard()), (vec!["y".to_owned()], vec!["z".to_owned()]));
    assert_eq!((a.todo(), b.todo()), (VecDeque::new(), VecDeque::new()));
}

#[test]
fn with_the_sign_of_life_goes_what_was_agreed() {
    type Go = fn(&Ear);
    let ways: [Go; 2] = [|ear| ear.peer(A, 10, false), Ear::hear_nothing];
    for go in ways {
        let (_folder, mut a, b) = acquainted();
        let tagged = a.say(TO_B, "x");
        go(&b.ear);
        assert!(b.ear.alive().is_empty());
        b.ear.hear(TO_B, &tagged);
        assert_eq!((b.has_heard(), b.todo()), (vec![], ask(A)));
    }
}
