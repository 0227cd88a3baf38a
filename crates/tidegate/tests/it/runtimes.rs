//! In programs with a runtime of their own, and in those without; and what is left when an instance goes.

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use tidegate::{Closed, Tidegate};
use tidegate_origin::Origin;

use super::support::{Host, reply, until, version};

fn runtimes() -> [tokio::runtime::Runtime; 2] {
    let current = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let multi = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    [current, multi]
}

#[test]
fn within_a_runtime() {
    for runtime in runtimes() {
        let (host, origin) = (Host::new(), Origin::start());
        origin.always(reply(1));
        runtime.block_on(async {
            let tide = host.builder_of(&origin).connect_async().await.unwrap();
            assert_eq!(version(&tide), 1);
            let mut changes = tide.subscribe();
            origin.always(reply(2));
            while version(&tide) != 2 {
                assert!(changes.changed().await.unwrap().document);
            }
            // The blocking way works here as well, and so does dropping.
            let other = host.builder_of(&origin).connect().unwrap();
            assert_eq!(version(&other), 2);
            drop(other);
            drop(tide);
            assert_eq!(changes.changed().await, Err(Closed));
        });
    }
}

#[test]
fn a_view_is_held_across_await() {
    fn is_send<T: Send + Sync + 'static>(_: &T) {}
    let tide = Tidegate::builder().text(r#"{"flags": {"x": {"stable": 1}}}"#).without_locks().connect().unwrap();
    let (view, handle) = (tide.view(), tide.flag("flags", "x"));
    is_send(&view);
    is_send(&handle);
    is_send(&tide);
    is_send(&tide.subscribe());
}

#[test]
fn a_dropped_future_leaves_nothing_behind() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(tidegate_origin::Reply::hang());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let connecting = host.builder_of(&origin).startup_wait(Duration::from_millis(300)).connect_async();
        assert!(tokio::time::timeout(Duration::from_millis(10), connecting).await.is_err());
    });
}

/// The threads of this process with a name that begins so.
fn threads(name: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let names = tasks.filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    names.filter(|found| found.trim() == name).count()
}

#[test]
fn the_thread_ends_with_the_last_handle() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(reply(1));
    let tide = host.builder_of(&origin).connect().unwrap();
    assert!(threads("tidegate") > 0);
    let mut changes = tide.subscribe();
    let handle = tide.flag("features", "on");
    let clone = tide.clone();
    drop(tide);
    origin.clear_requests();
    origin.wait_for_requests(2);
    drop(clone);
    origin.clear_requests();
    origin.wait_for_requests(2);
    assert!(handle.is_active_for("k"), "a handle keeps its instance going");
    assert_eq!(changes.try_recv(), Ok(None));
    drop(handle);
    until("the thread has ended", || changes.try_recv() == Err(Closed));
}

#[test]
fn an_instance_made_and_dropped_many_times() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(reply(1));
    for _ in 0..50 {
        let tide = host.builder_of(&origin).connect().unwrap();
        assert_eq!(version(&tide), 1);
    }
}

/// The last handle may go in a place where the background thread itself has called.
#[test]
fn dropped_by_the_background_thread() {
    use std::future::Future;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll, Wake, Waker};

    struct DropsOnWake(Mutex<Option<Tidegate>>, mpsc::Sender<()>);
    impl Wake for DropsOnWake {
        fn wake(self: Arc<Self>) {
            drop(self.0.lock().unwrap().take());
            self.1.send(()).unwrap();
        }
    }
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(reply(1));
    let tide = host.builder_of(&origin).connect().unwrap();
    let mut subscription = tide.subscribe();
    let (dropped, is_dropped) = mpsc::channel();
    let waker = Waker::from(Arc::new(DropsOnWake(Mutex::new(Some(tide)), dropped)));
    let mut changed = Box::pin(subscription.changed());
    assert_eq!(changed.as_mut().poll(&mut Context::from_waker(&waker)), Poll::Pending);
    origin.always(reply(2));
    is_dropped.recv_timeout(Duration::from_secs(30)).unwrap();
    drop(changed);
    until("the instance is gone", || subscription.try_recv() == Err(Closed));
}
