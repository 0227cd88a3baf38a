//! What the servers of tests that are processes have in common.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command};
use std::time::Duration;

/// A port on which nothing listens at the moment.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("the loopback interface has a free port");
    listener.local_addr().expect("a listener has an address").port()
}

/// Sends a signal.
pub(crate) fn signal(child: Option<&Child>, name: &str) {
    let pid = child.expect("it runs").id().to_string();
    let sent = Command::new("kill").args([&format!("-{name}"), &pid]).status();
    assert!(sent.is_ok_and(|status| status.success()), "the signal {name} was not sent");
}

/// Ends a process. It may have ended by itself.
pub(crate) fn end(child: &mut Option<Child>) {
    if let Some(mut child) = child.take() {
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// Far above what a loaded machine needs.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Between two looks.
pub(crate) const PAUSE: Duration = Duration::from_millis(3);
