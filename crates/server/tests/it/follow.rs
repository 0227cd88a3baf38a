//! Followers of a real server: over broken connections, restarts, lost changes, in a tree.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tidegate::{Builder, ChangeError, Level, Live, Tidegate};
use tidegate_server::Options;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::support::{Reply, Server};

#[path = "../../../../examples/follower.rs"]
#[expect(dead_code, reason = "`main` is the program's")]
mod example;

const DOCUMENT: &str = r#"{"shop": {"dark": {"stable": true}, "rows": {"stable": 4, "new": 8}}}"#;

fn member() -> Builder {
    Tidegate::builder().without_locks().without_cache().serve_followers("one")
}

fn live() -> Builder {
    member().live(Live::in_memory().name("one"))
}

fn follower(url: &str) -> Builder {
    Tidegate::builder().without_locks().without_cache().follow(url).unwrap()
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let ends = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < ends, "not within 20 s: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn has_the_same(one: &Tidegate, other: &Tidegate) -> bool {
    one.snapshot().digest() == other.snapshot().digest()
        && one.explain("shop", "rows", "k") == other.explain("shop", "rows", "k")
        && one.is_active_for("shop/live", "k") == other.is_active_for("shop/live", "k")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_has_what_its_server_has_and_gets_each_change() {
    let server = Server::with(live().text(DOCUMENT), Options::default()).await;
    server.tide.activate_percentage("shop/rows", 100).actor("dana").send().unwrap();
    server.tide.define("shop/title", r#"{"stable": "Shop"}"#).send().unwrap();
    let tide = follower(&server.url("")).connect_async().await.unwrap();
    assert!(tide.is_ready() && has_the_same(&server.tide, &tide));
    assert_eq!(tide.get("shop", "rows", "k", 0), 8);
    assert_eq!(tide.get("shop", "title", "k", String::new()), "Shop");
    let (mine, theirs) =
        (tide.flag_state("shop/rows").unwrap().unwrap(), server.tide.flag_state("shop/rows").unwrap().unwrap());
    assert_eq!((mine.tag, mine.source), (theirs.tag, theirs.source));
    let activation = mine.activation.unwrap();
    assert_eq!((activation.actor.as_str(), activation.node.name.as_str()), ("dana", "one"));
    let mut subscription = tide.subscribe();
    server.tide.deactivate("shop/rows").send().unwrap();
    server.tide.activate("shop/live").send().unwrap();
    server.tide.remove("shop/title").send().unwrap();
    until("changes are active", || has_the_same(&server.tide, &tide)).await;
    assert_eq!((tide.get("shop", "rows", "k", 0), tide.raw("shop", "title", "k")), (4, None));
    assert!(subscription.try_recv().unwrap().is_some_and(|changes| changes.flags.contains("shop/rows")));
    let status = tide.follower().unwrap().status();
    assert!(
        status.is_connected
            && status.is_equal == Some(true)
            && status.age.is_some_and(|age| age < Duration::from_secs(20))
    );
    assert_eq!((status.snapshots, status.differences, status.path.len()), (1, 0, 1));
    assert_eq!(status.path[0].name, "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_changes_arrives_whole() {
    let server = Server::with(live(), Options::default()).await;
    let tide = follower(&server.url("")).connect_async().await.unwrap();
    for number in 0..200 {
        server.tide.activate(&format!("many/f{number}")).ack(Level::Local).send().unwrap();
    }
    let is_active = |number| tide.is_active_for(&format!("many/f{number}"), "k");
    until("all are active", || (0..200).all(is_active)).await;
    until("they agree", || tide.follower().unwrap().status().digest == server_digest(&server)).await;
    assert_eq!(tide.follower().unwrap().status().differences, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ramp_with_a_lease_stands_still_in_followers_when_the_server_cannot_reach_its_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flags.json");
    let ramp = r#"{"stable": 4, "new": 8, "start_time": "1970-01-01T00:00:00Z", "duration": "10h", "lease": "30m"}"#;
    std::fs::write(&path, format!(r#"{{"shop": {{"rows": {ramp}}}}}"#)).unwrap();
    let hour = Duration::from_hours(1);
    let clock = tidegate::Clock::manual(tidegate::Micros::new(3_600_000_000));
    let source = live().clock(clock.clone()).file(&path).poll_interval(Duration::from_millis(100));
    let server = Server::with(source, Options::default()).await;
    let early = follower(&server.url("")).clock(clock.clone()).connect_async().await.unwrap();
    std::fs::remove_file(&path).unwrap();
    until("the server misses its source", || server.tide.status().last_error.is_some()).await;
    clock.advance(hour * 2);
    let late = follower(&server.url("")).clock(clock.clone()).connect_async().await.unwrap();
    let share = |tide: &Tidegate| tide.explain("shop", "rows", "k").share.unwrap().to_string();
    assert_eq!(share(&server.tide), "15", "one hour, and the lease");
    assert_eq!((share(&early), share(&late)), ("15".to_owned(), "15".to_owned()));
    // They go on together, at twice the speed, once the server has reached its source.
    std::fs::write(&path, format!(r#"{{"shop": {{"rows": {ramp}}}}}"#)).unwrap();
    until("the server has its source", || server.tide.status().last_error.is_none()).await;
    clock.advance(Duration::from_mins(1));
    let polled = server.tide.status().fresh_at;
    until("followers hear of it", || [&early, &late].iter().all(|tide| tide.status().fresh_at >= polled)).await;
    clock.advance(hour / 4);
    let percent = |tide: &Tidegate| share(tide).parse::<f64>().unwrap();
    for tide in [&early, &late] {
        assert!(percent(tide) > 15.0 && percent(tide) <= percent(&server.tide), "{}", percent(tide));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_document_reaches_followers() {
    let folder = tempfile::tempdir().unwrap();
    let (path, more) = (folder.path().join("flags.json"), folder.path().join("more.json"));
    std::fs::write(&path, DOCUMENT).unwrap();
    std::fs::write(&more, r#"{"shop": {"rows": {"stable": 1}}, "more": {"x": {"stable": 1}}}"#).unwrap();
    let sources = live().file(&path).additional_source(tidegate::Source::file(&more));
    let server = Server::with(sources.poll_interval(Duration::from_millis(100)), Options::default()).await;
    let tide = follower(&server.url("")).connect_async().await.unwrap();
    assert_eq!((tide.get("shop", "rows", "k", 0), tide.get("more", "x", "k", 0)), (4, 1), "the first document counts");
    assert_eq!(tide.status().additional_sources.len(), 1);
    std::fs::write(&path, DOCUMENT.replace('4', "5")).unwrap();
    until("the new document is active", || tide.get("shop", "rows", "k", 0) == 5).await;
    // One that is refused stays out here, as there.
    std::fs::write(&path, "{").unwrap();
    until("the server refuses it", || server.tide.status().refused.is_some()).await;
    server.tide.activate("shop/live").send().unwrap();
    until("changes go on", || tide.is_active_for("shop/live", "k")).await;
    assert!(has_the_same(&server.tide, &tide));
    assert_eq!(tide.get("shop", "rows", "k", 0), 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_a_server_answers_from_the_disk_and_catches_up() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let kept = |url: &str| {
        let builder = Tidegate::builder().without_locks().cache_dir(folder.path().join("cache")).cache_name("checkout");
        builder.follow(url).unwrap()
    };
    let node = || member().live(Live::at(&data).name("one")).text(DOCUMENT);
    let mut server = Server::with(node(), Options::default()).await;
    let url = server.url("");
    server.tide.activate("shop/rows").send().unwrap();
    let tide = kept(&url).connect_async().await.unwrap();
    assert!(has_the_same(&server.tide, &tide));
    drop(tide);
    let digest = server.tide.snapshot().digest();
    server.stop();
    server.ended().await;
    drop(server);
    let tide = kept(&url).startup_wait(Duration::ZERO).connect_async().await.unwrap();
    assert!(tide.is_ready() && tide.snapshot().digest() == digest);
    assert_eq!(tide.get("shop", "rows", "k", 0), 8, "with its activation");
    until("the failure is told", || tide.follower().unwrap().status().last_error.is_some()).await;
    let status = tide.follower().unwrap().status();
    assert!(!status.is_connected && status.age.is_none(), "{status:?}");
    drop(tide);
    // The same, while the server is another process with the same content: no snapshot is needed.
    let server = Server::with(node(), Options::default()).await;
    let tide = kept(&url).follow(&server.url("")).unwrap().startup_wait(Duration::ZERO).connect_async().await.unwrap();
    until("it is connected", || tide.follower().unwrap().status().is_connected).await;
    assert_eq!(tide.follower().unwrap().status().snapshots, 0, "the digest is the same");
    server.tide.deactivate("shop/rows").send().unwrap();
    until("the change is active", || tide.get("shop", "rows", "k", 0) == 4).await;
    assert!(has_the_same(&server.tide, &tide));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_connection_is_resumed_by_position() {
    let server = Server::with(live().text(DOCUMENT), Options::default()).await;
    let proxy = Proxy::start(server.address).await;
    let tide = follower(&proxy.url()).connect_async().await.unwrap();
    until("it is connected", || tide.follower().unwrap().status().is_connected).await;
    for number in 0..3 {
        proxy.cut();
        until("the loss is noticed", || !tide.follower().unwrap().status().is_connected).await;
        server.tide.activate_percentage("shop/rows", 10 + number).send().unwrap();
        until("the change is active", || has_the_same(&server.tide, &tide)).await;
    }
    until("it is connected", || tide.follower().unwrap().status().is_connected).await;
    let status = tide.follower().unwrap().status();
    assert_eq!((status.snapshots, status.changes, status.differences), (1, 3, 0), "{status:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_lost_on_the_way_is_found_by_the_digest() {
    let server = Server::with(live().text(DOCUMENT), Options::default()).await;
    let proxy = Proxy::start(server.address).await;
    let tide = follower(&proxy.url()).connect_async().await.unwrap();
    until("it is connected", || tide.follower().unwrap().status().is_connected).await;
    proxy.lose("shop/lost");
    server.tide.activate("shop/lost").send().unwrap();
    until("the line is lost", || proxy.lost() == 1).await;
    assert!(!tide.is_active_for("shop/lost", "k"), "it has not come");
    server.tide.activate("shop/live").send().unwrap();
    until("both are active", || tide.is_active_for("shop/lost", "k") && tide.is_active_for("shop/live", "k")).await;
    let status = tide.follower().unwrap().status();
    assert_eq!((status.differences, status.lost_positions), (1, 1), "{status:?}");
    until("they agree", || tide.follower().unwrap().status().digest == server_digest(&server)).await;
}

/// What the server says of itself.
fn server_digest(server: &Server) -> String {
    server.tide.feed().unwrap().snapshot().unwrap().digest
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_follows_another_one_has_followers_itself() {
    let root = Server::with(live().text(DOCUMENT), Options::default()).await;
    let second = Server::with(follower(&root.url("")).serve_followers("two"), Options::default()).await;
    let third = Server::with(follower(&second.url("")).serve_followers("three"), Options::default()).await;
    let leaf = follower(&third.url("")).connect_async().await.unwrap();
    assert!(has_the_same(&root.tide, &leaf));
    root.tide.activate_percentage("shop/rows", 100).actor("dana").send().unwrap();
    root.tide.activate("shop/live").send().unwrap();
    until("the change is active", || has_the_same(&root.tide, &leaf)).await;
    let state = leaf.flag_state("shop/rows").unwrap().unwrap();
    assert_eq!(state.activation.unwrap().node.name, "one");
    until("the way is known", || leaf.follower().unwrap().status().path.len() == 3).await;
    let path: Vec<String> = leaf.follower().unwrap().status().path.into_iter().map(|hop| hop.name).collect();
    assert_eq!(path, ["one", "two", "three"]);
    let status = third.get("/api/v1/status").await.good();
    assert_eq!((&status["followers"], &status["synced"]), (&1.into(), &true.into()));
    assert_eq!(status["follow"]["path"][1]["name"], "two");
    let listed = third.get("/api/v1/flags").await.good();
    assert_eq!(listed["flags"], root.get("/api/v1/flags").await.good()["flags"]);
    third.get("/readyz").await.good();
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_would_follow_each_other_are_refused() {
    let mut root = Server::with(live().text(DOCUMENT), Options::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let first = Server::with(
        follower(&root.url("")).follow(&format!("http://{address}")).unwrap().serve_followers("first"),
        Options::default(),
    )
    .await;
    until("the first has something", || first.tide.is_ready() && first.tide.follower().unwrap().status().is_connected)
        .await;
    let second = follower(&first.url("")).serve_followers("second").connect_async().await.unwrap();
    let serving = tidegate_server::serve(
        tidegate_server::Listeners::new(listener),
        second.clone(),
        Options::default(),
        std::future::pending(),
    );
    let serving = tokio::spawn(serving);
    until("the second knows its way", || second.follower().unwrap().status().path.len() == 2).await;
    root.stop();
    root.ended().await;
    until("the loop is refused", || {
        first.tide.follower().unwrap().status().last_error.is_some_and(|error| error.contains("from this process"))
    })
    .await;
    assert!(first.tide.get("shop", "rows", "k", 0) == 4 && second.get("shop", "rows", "k", 0) == 4);
    serving.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_on_a_follower_are_refused_and_name_the_server() {
    let root = Server::with(live().text(DOCUMENT), Options::default()).await;
    let second = Server::with(follower(&root.url("")), Options::default()).await;
    let refused = second.tide.activate("shop/rows").send();
    assert!(matches!(refused, Err(ChangeError::Follower { server }) if server == root.url("")));
    for reply in [
        second.put("/api/v1/flags/shop/rows/activation", r#"{"percentage": 5}"#).await,
        second.get("/readyz/changes").await,
        second.get("/api/v1/history").await,
        second.get("/api/v1/cluster").await,
    ] {
        let problem = reply.problem(501);
        assert_eq!(problem["type"], "urn:tidegate:problem:follower");
        assert!(problem["help"].as_str().unwrap().contains(&root.url("")), "{problem}");
    }
    assert_eq!(second.tide.get("shop", "rows", "k", 0), 4);
    // It was given no followers.
    second.get("/api/v1/follow/snapshot").await.problem(501);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_has_a_tag_is_compressed_and_is_made_once() {
    let server = Server::with(live().text(DOCUMENT), Options::default()).await;
    server.tide.activate("shop/rows").send().unwrap();
    until("the feed has it", || {
        server.tide.feed().unwrap().snapshot().unwrap().plain().windows(9).any(|part| part == b"shop/rows")
    })
    .await;
    let request = server.request("GET", "/api/v1/follow/snapshot").header("accept-encoding", "identity");
    let plain = Reply::from_request(request).await;
    let json = plain.good();
    assert_eq!(plain.header("etag"), format!("\"{}\"", json["digest"].as_str().unwrap()));
    assert_eq!(json["documents"][0]["text"], DOCUMENT);
    assert!(json["registers"].as_array().unwrap().iter().any(|register| register["key"] == "ashop/rows"));
    let request = server.request("GET", "/api/v1/follow/snapshot").header("accept-encoding", "br, gzip;q=0.5");
    let packed = request.send().await.unwrap();
    assert_eq!(packed.headers().get("content-encoding").unwrap(), "gzip");
    assert!(packed.bytes().await.unwrap().starts_with(&[0x1f, 0x8b]));
    let request = server.request("GET", "/api/v1/follow/snapshot").header("if-none-match", plain.header("etag"));
    let same = Reply::from_request(request).await;
    assert_eq!((same.status, same.body.len()), (304, 0));
    let made = || server.tide.feed().unwrap().snapshot().unwrap().body;
    assert!(Arc::ptr_eq(&made(), &made()), "the bytes are made once");
}

#[tokio::test(flavor = "multi_thread")]
async fn more_followers_than_there_is_room_for_are_told_when_to_come_again() {
    let options = |max| {
        let mut options = Options::default();
        (options.followers_max, options.turn_timeout) = (max, Duration::from_millis(200));
        options
    };
    let server = Server::with(live().text(DOCUMENT), options(1)).await;
    let first = follower(&server.url("")).connect_async().await.unwrap();
    until("it is connected", || first.follower().unwrap().status().is_connected).await;
    let digest = server_digest(&server);
    let path = format!("/api/v1/follow/changes?follower=00000000000000aa&digest={digest}");
    let reply = server.get(&path).await;
    reply.problem(503);
    assert_eq!(reply.header("retry-after"), "5");
    let second = follower(&server.url("")).connect_async().await.unwrap();
    assert!(second.is_ready() && has_the_same(&server.tide, &second), "it has a snapshot all the same");
    assert!(!second.follower().unwrap().status().is_connected);
    drop(first);
    server.get("/api/v1/follow/changes?follower=x&digest=unknown").await.problem(410);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_status_count_what_followers_are_sent_and_refused() {
    let server = Server::with(live().text(DOCUMENT), Options::default()).await;
    let tide = follower(&server.url("")).serve_followers("middle").connect_async().await.unwrap();
    until("it is connected", || tide.follower().unwrap().status().is_connected).await;
    let metric = async |server: &Server, name: &str| -> u64 {
        let reply = server.get("/metrics").await;
        let found = reply.text().lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        found.unwrap_or_else(|| panic!("no {name} in {}", reply.text())).parse().unwrap()
    };
    let whole = tide.follower().unwrap().status();
    assert_eq!(metric(&server, "tidegate_followers").await, 1);
    assert_eq!(metric(&server, "tidegate_followers_snapshots_total").await, 1);
    assert!(metric(&server, "tidegate_followers_snapshot_bytes_total").await > 100);
    let before = metric(&server, "tidegate_followers_stream_bytes_total").await;
    server.tide.activate("shop/live").send().unwrap();
    until("the change is active", || tide.is_active_for("shop/live", "k")).await;
    assert!(metric(&server, "tidegate_followers_stream_bytes_total").await > before + 100);
    // From the server's own id, and from a digest that it does not know.
    let (own, digest) = (&whole.path[0].id, server_digest(&server));
    server.get(&format!("/api/v1/follow/changes?follower={own}&digest={digest}")).await.problem(508);
    server.get("/api/v1/follow/changes?follower=00000000000000aa&digest=unknown").await.problem(410);
    for reason in ["loop", "snapshot-needed"] {
        let name = format!("tidegate_followers_refused_total{{reason=\"{reason}\"}}");
        assert_eq!(metric(&server, &name).await, 1, "{reason}");
    }
    let status = server.get("/api/v1/status").await.good();
    assert_eq!((&status["followers"], &status["follower_traffic"]["refused"]["loop"]), (&1.into(), &1.into()));
    assert_eq!(status["follower_traffic"]["snapshots"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_of_a_follower_say_whether_it_is_connected_and_how_old_its_data_is() {
    let mut root = Server::with(live().text(DOCUMENT), Options::default()).await;
    let middle = Server::with(follower(&root.url("")).serve_followers("middle"), Options::default()).await;
    until("it is connected", || middle.tide.follower().unwrap().status().is_connected).await;
    root.tide.activate("shop/live").send().unwrap();
    until("the change is active", || middle.tide.is_active_for("shop/live", "k")).await;
    let text = middle.get("/metrics").await.text().to_owned();
    let lines =
        ["connected 1", "changes_total 1", "snapshots_total 1", "differences_total 0", "lost_positions_total 0"];
    for line in lines {
        assert!(text.contains(&format!("\ntidegate_follower_{line}\n")), "{line}: {text}");
    }
    assert!(text.contains("\ntidegate_follower_age_seconds "), "{text}");
    assert!(!root.get("/metrics").await.text().contains("tidegate_follower_"), "it follows no server");
    root.stop();
    root.ended().await;
    until("it is not connected", || !middle.tide.follower().unwrap().status().is_connected).await;
    assert!(middle.get("/metrics").await.text().contains("\ntidegate_follower_connected 0\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_that_comes_back_takes_the_place_of_its_former_connection() {
    let mut options = Options::default();
    (options.followers_max, options.turn_timeout) = (1, Duration::from_secs(2));
    let server = Server::with(live().text(DOCUMENT), options).await;
    let digest = server_digest(&server);
    let path = |id: &str| format!("/api/v1/follow/changes?follower={id}&digest={digest}");
    let open = async |id: &str| server.request("GET", &path(id)).send().await.unwrap();
    let mut former = open("00000000000000aa").await;
    assert!(former.status() == 200 && former.chunk().await.unwrap().is_some());
    server.get(&path("00000000000000bb")).await.problem(503);
    let second = open("00000000000000aa").await;
    assert_eq!(second.status(), 200, "it is the same follower");
    while former.chunk().await.unwrap().is_some() {}
    server.get(&path("00000000000000bb")).await.problem(503);
}

/// Hands each line on, and is closed when no one reads them any more.
struct Lines(std::sync::mpsc::Sender<String>, Vec<u8>);

impl std::io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.1.extend_from_slice(bytes);
        while let Some(end) = self.1.iter().position(|byte| *byte == b'\n') {
            let line = String::from_utf8(self.1.drain(..=end).collect()).unwrap();
            self.0.send(line).map_err(|_| std::io::ErrorKind::BrokenPipe)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_example_of_a_service_answers_with_each_change() {
    let server = Server::with(live().text(DOCUMENT), Options::default()).await;
    let (folder, url) = (tempfile::tempdir().unwrap(), server.url(""));
    let cache = folder.path().to_owned();
    let (lines, printed) = std::sync::mpsc::channel();
    let service = std::thread::spawn(move || {
        let ended = example::run(&[&url], &cache, &mut Lines(lines, Vec::new()));
        ended.unwrap_err().to_string()
    });
    let next = || printed.recv_timeout(Duration::from_secs(20)).unwrap();
    // Whether they agree is known with the second line of the stream, which may come later.
    let first = next();
    assert!(first.starts_with("ready: true, connected: true, agreed: "), "{first}");
    assert_eq!(next(), "checkout for ada: old\n");
    server.tide.activate("shop/new_checkout").send().unwrap();
    assert_eq!(next(), "checkout for ada: new\n");
    drop(printed);
    server.tide.deactivate("shop/new_checkout").send().unwrap();
    assert_eq!(service.join().unwrap(), "broken pipe");
}

/// Carries bytes between a follower and its server, until it is told to cut, or to lose something.
struct Proxy {
    address: std::net::SocketAddr,
    cuts: tokio::sync::watch::Sender<u64>,
    loses: Arc<std::sync::Mutex<Option<String>>>,
    lost: Arc<AtomicUsize>,
}

impl Proxy {
    async fn start(server: std::net::SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cuts, cut) = tokio::sync::watch::channel(0);
        let proxy = Self { address, cuts, loses: Arc::default(), lost: Arc::default() };
        let (loses, lost) = (Arc::clone(&proxy.loses), Arc::clone(&proxy.lost));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(server).await.unwrap();
                let (loses, lost, mut cut) = (Arc::clone(&loses), Arc::clone(&lost), cut.clone());
                cut.mark_unchanged();
                tokio::spawn(async move {
                    let (mut from_client, mut to_client) = client.into_split();
                    let (mut from_server, mut to_server) = server.into_split();
                    let up = async { tokio::io::copy(&mut from_client, &mut to_server).await.map(drop) };
                    let down = async {
                        let mut buffer = vec![0; 64 * 1024];
                        loop {
                            let count = from_server.read(&mut buffer).await?;
                            if count == 0 {
                                return std::io::Result::Ok(());
                            }
                            let text = String::from_utf8_lossy(&buffer[..count]).into_owned();
                            let is_lost = {
                                let mut loses = loses.lock().unwrap();
                                let is_lost = loses.as_ref().is_some_and(|what| text.contains(what.as_str()));
                                if is_lost { loses.take() } else { None }
                            };
                            if is_lost.is_some() {
                                lost.fetch_add(1, Ordering::SeqCst);
                                continue;
                            }
                            to_client.write_all(&buffer[..count]).await?;
                        }
                    };
                    tokio::select! {
                        _ = up => {}
                        _ = down => {}
                        _ = cut.changed() => {}
                    }
                });
            }
        });
        proxy
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn cut(&self) {
        self.cuts.send_modify(|count| *count += 1);
    }

    /// The next event with this in it is lost.
    fn lose(&self, what: &str) {
        *self.loses.lock().unwrap() = Some(what.to_owned());
    }

    fn lost(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }
}
