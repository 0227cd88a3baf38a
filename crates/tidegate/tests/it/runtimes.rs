//! In programs with a runtime of their own, and in those without; and what is left when an instance goes.

use std::fs;
use std::sync::mpsc;
use std::time::Duration;

use tidegate::{Closed, Health, ShutdownError, Source, Tidegate};
use tidegate_origin::{Origin, Reply};

use super::support::{Host, document, reply, until, version};

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
    origin.always(Reply::hang());
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
fn after_a_shutdown_the_thread_is_gone_and_reads_go_on() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(reply(1));
    let tide = host.builder_of(&origin).connect().unwrap();
    let (mut changes, handle, weak) = (tide.subscribe(), tide.flag("features", "on"), tide.downgrade());
    tide.clone().shutdown(Duration::from_secs(30)).unwrap();
    assert_eq!(changes.recv(), Err(Closed));
    origin.clear_requests();
    origin.always(reply(2));
    assert_eq!((version(&tide), handle.is_active_for("k"), tide.is_ready()), (1, true, true));
    assert_eq!(weak.upgrade().map(|tide| version(&tide)), Some(1));
    tide.shutdown(Duration::ZERO).unwrap();
    assert!(origin.requests().is_empty(), "no more requests");
    drop((tide, handle));
    assert!(weak.upgrade().is_none());
}

#[test]
fn a_shutdown_waits_no_longer_than_it_was_told_to() {
    use std::future::Future;
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Wake, Waker};

    /// Keeps the background thread in a call until it is told to go on.
    struct Blocks(mpsc::Sender<()>, Mutex<mpsc::Receiver<()>>);
    impl Wake for Blocks {
        fn wake(self: Arc<Self>) {
            let _ = self.0.send(());
            let _ = self.1.lock().unwrap().recv();
        }
    }
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(reply(1));
    let tide = host.builder_of(&origin).connect().unwrap();
    let (mut subscription, mut changes) = (tide.subscribe(), tide.subscribe());
    let ((sender, was_called), (go_on, is_free)) = (mpsc::channel(), mpsc::channel());
    let waker = Waker::from(Arc::new(Blocks(sender, Mutex::new(is_free))));
    let mut waiting = Box::pin(subscription.changed());
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    origin.always(reply(2));
    was_called.recv_timeout(Duration::from_secs(30)).unwrap();
    assert_eq!(tide.shutdown(Duration::from_millis(50)), Err(ShutdownError));
    assert_eq!(version(&tide), 2, "reads do not wait for it");
    drop(go_on);
    tide.shutdown(Duration::from_secs(30)).unwrap();
    assert!(changes.recv().is_ok_and(|changes| changes.document) && changes.recv() == Err(Closed));
}

#[test]
fn it_is_ready_when_each_source_has_given_a_document() {
    let (host, origin) = (Host::new(), Origin::start());
    origin.always(Reply::status(503));
    let builder = || host.builder().text(document(1)).startup_wait(Duration::ZERO);
    let tide = builder().additional_source(Source::http(&origin.url("/flags.json")).unwrap()).connect().unwrap();
    assert!(!tide.is_ready() && !tide.status().is_ready() && builder().connect().unwrap().is_ready());
    origin.always(reply(2));
    until("the second document is there", || tide.is_ready());
    origin.always(Reply::status(503));
    until("the source fails", || tide.status().additional_sources[0].health == Health::Stale);
    assert!(tide.is_ready() && tide.status().is_ready(), "its document is at hand");
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
