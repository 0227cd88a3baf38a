//! Notifications of changes, as messages to a process.

use std::thread;

use rustler::{LocalPid, OwnedEnv, ResourceArc};

use crate::instance::Instance;

rustler::atoms! {
    tidegate_changes,
}

/// Sends each notification to this process, from a thread that ends with the instance or the process. Whether the thread was started.
#[rustler::nif]
fn forward(instance: ResourceArc<Instance>, to: LocalPid) -> bool {
    let mut subscription = instance.tide().subscribe();
    let work = move || {
        let mut env = OwnedEnv::new();
        while let Ok(changes) = subscription.recv() {
            let flags: Option<Vec<String>> =
                changes.flags.listed().map(|flags| flags.iter().map(ToString::to_string).collect());
            let kinds = (changes.document, changes.locks, changes.health, changes.activations, changes.definitions);
            if env.send_and_clear(&to, |_env| (tidegate_changes(), flags, kinds)).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().name("tidegate-changes".to_owned()).spawn(work).is_ok()
}
