//! Any bytes as a message of a peer: nothing panics, nothing from the future is taken, answers stay within their limit,
//! and the same bytes again change nothing.

use tidegate_replica::{Input, Loaded, NodeId, Now, Options, Output, Register, Replica, limits};

pub fn run(data: &[u8]) {
    let options = Options::new("fuzz", NodeId::new(1));
    let drift_ms = options.max_drift_ms;
    let (mut replica, _) = Replica::new(options, Loaded::default(), at(0));
    let from = NodeId::new(2);
    hear(&mut replica, Input::PeerUp { node: from, instance: 2 }, 1);
    let message = || Input::Message { from, bytes: data.to_vec() };
    hear(&mut replica, message(), 2);
    let root = replica.root();
    hear(&mut replica, message(), 2);
    assert_eq!(replica.root(), root);
    for register in replica.iter() {
        let is_ahead = register.stamp.epoch() == 0 && register.stamp.millis() > WALL_MS + 2 + drift_ms;
        assert!(!is_ahead, "{register:?}");
    }
    hear(&mut replica, Input::Tick, 5_000);
    let _ = replica.status(at(5_000));
    if let Ok(register) = Register::decode(data) {
        assert_eq!(Register::decode(&register.encode()).as_ref(), Ok(&register));
    }
}

fn hear(replica: &mut Replica, input: Input, ms: u64) {
    let Output { send, broadcast, .. } = replica.handle(input, at(ms));
    for bytes in send.iter().map(|(_, bytes)| bytes).chain(&broadcast) {
        assert!(bytes.len() <= limits::MESSAGE_BYTES_MAX, "{} bytes", bytes.len());
    }
}

fn at(ms: u64) -> Now {
    Now { wall_ms: WALL_MS + ms, steady_ms: ms }
}

/// 2023.
const WALL_MS: u64 = 1_700_000_000_000;
