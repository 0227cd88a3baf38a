//! A member that hears everything, repeats it, and alters it: it changes nothing.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use serde_json::json;
use zenoh::Wait as _;

use crate::cluster::Cluster;
use crate::run::until;
use crate::serving::Serving;

/// A process with a certificate of the cluster that speaks zenoh by itself.
struct Insider {
    session: zenoh::Session,
    heard: Arc<Mutex<Vec<Heard>>>,
}

/// Under which key, and what.
type Heard = (String, Vec<u8>);

impl Insider {
    fn new(cluster: &Cluster, name: &str, nodes: &[Serving]) -> Self {
        let file = |file: &str| cluster.host.path(&format!("certs/{name}/{file}"));
        let connect: Vec<String> = nodes.iter().map(|node| format!("tls/{}", cluster.address(node))).collect();
        let mut config = zenoh::Config::default();
        for (key, value) in [
            ("mode", json!("peer")),
            ("connect/endpoints", json!(connect)),
            ("listen/endpoints", json!([])),
            ("scouting/multicast/enabled", json!(false)),
            (
                "transport/link/tls",
                json!({
                    "root_ca_certificate": file("ca.pem"), "connect_certificate": file("node.pem"),
                    "connect_private_key": file("node.key"), "enable_mtls": true,
                }),
            ),
        ] {
            config.insert_json5(key, &value.to_string()).unwrap();
        }
        let session = zenoh::open(config).wait().unwrap();
        let heard = Arc::<Mutex<Vec<Heard>>>::default();
        let taps = Arc::clone(&heard);
        let hear = move |sample: zenoh::sample::Sample| {
            let (key, bytes) = (sample.key_expr().to_string(), sample.payload().to_bytes().to_vec());
            taps.lock().unwrap().push((key, bytes));
        };
        session.declare_subscriber("tidegate/**").callback(hear).background().wait().unwrap();
        Self { session, heard }
    }

    fn says(&self, key: &str, bytes: Vec<u8>) {
        self.session.put(key, bytes).wait().unwrap();
    }
}

#[test]
fn a_member_that_repeats_and_alters_what_others_said_changes_nothing() {
    let cluster = Cluster::new();
    cluster.host.run("cluster init certs --cluster shop d=127.0.0.1").code(0).said();
    let nodes = cluster.start_all();
    let insider = Insider::new(&cluster, "d", &nodes);
    let everywhere = |line: &str| {
        cluster.host.run(&format!("{line} --ack all --timeout 20s --server {}", nodes[0].url)).code(0).said()
    };
    // All that makes a change, and all that says that it is on a disk, until the insider has heard some of it.
    let is_to_all = |(key, _): &Heard| key.ends_with("/b");
    let mut count = 0;
    until("the insider to hear changes and answers", || {
        everywhere(&format!("percentage x {}", 10 + count % 80));
        count += 1;
        let heard = insider.heard.lock().unwrap();
        (heard.iter().any(is_to_all) && heard.iter().any(|one| !is_to_all(one))).then_some(())
    });
    everywhere("deactivate x");
    let heard = insider.heard.lock().unwrap().clone();
    let keys: BTreeSet<&str> =
        heard.iter().map(|(key, _)| key.as_str()).filter(|key| !key.contains("/alive/")).collect();
    for (key, bytes) in &heard {
        insider.says(key, bytes.clone());
        for place in (0..bytes.len()).step_by(19) {
            let mut altered = bytes.clone();
            altered[place] ^= 1;
            insider.says(key, altered);
        }
        // To all whom it was not for.
        keys.iter().filter(|other| *other != key).for_each(|other| insider.says(other, bytes.clone()));
    }
    for node in &nodes {
        until("what was repeated and what was altered to be refused", || {
            let refused = &cluster.state(node)["messages_refused"];
            ["replayed", "signature"].iter().all(|why| refused[*why].as_u64() > Some(0)).then_some(())
        });
        cluster.host.run(&format!("on --server {} x", node.url)).code(1).said();
    }
    // They still hear each other, and agree.
    everywhere("activate y");
    let digests: BTreeSet<String> =
        nodes.iter().map(|node| cluster.state(node)["node"]["digest"].as_str().unwrap().to_owned()).collect();
    assert_eq!(digests.len(), 1);
    for node in &nodes {
        cluster.host.run(&format!("on --server {} x", node.url)).code(1).said();
        let history = cluster.host.run(&format!("history x --server {}", node.url)).code(0).said();
        assert!(history.stdout.lines().nth(1).unwrap().contains("dialled to 0 %"), "{}", history.stdout);
    }
}
