//! Which addresses this node connects to.

use super::*;

#[test]
fn each_address_once_and_never_the_own_one() {
    let parse = |texts: &[&str]| texts.iter().map(|text| Address::parse(text).unwrap()).collect::<Vec<_>>();
    let peers = parse(&["127.0.0.1:1", "Node-B.example:2", "node-b.example:2", "127.0.0.1:1", "127.0.0.1:3"]);
    let listen = Some("127.0.0.1:3".parse().unwrap());
    assert_eq!(targets(peers.clone(), listen), parse(&["127.0.0.1:1", "node-b.example:2"]));
    assert_eq!(targets(peers, None).len(), 3);
}
