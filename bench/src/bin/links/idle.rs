//! Twenty nodes that send nothing but pings, with frames and with gRPC.

use std::time::Duration;

use crate::process::Place;
use crate::{Outcome, fleet, rest};

pub(crate) fn measure() -> Outcome {
    let program = std::env::current_exe()?;
    for name in ["direct", "grpc"] {
        let place = Place::new(name, NODES)?;
        let nodes = fleet::start(&program, &place, name, NODES - 1)?;
        std::thread::sleep(SETTLING);
        rest::measure(&format!("{name}: "), &nodes)?;
    }
    Ok(())
}

const NODES: usize = 20;

/// Until the handshakes and what follows them are over.
const SETTLING: Duration = Duration::from_secs(5);
