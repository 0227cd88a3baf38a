use super::*;
use crate::Clock;
use crate::follow::limits::RING_LINES_MAX;
use crate::instance::Instance;

fn feed() -> Feed {
    let registry = Registry::new(Instance::new(Clock::manual(Micros::new(0)), None));
    let feed = Feed::new("one".into(), "tidegate".into(), registry);
    feed.refresh_documents();
    feed
}

fn register(key: &str, millis: u64) -> Register {
    Register {
        key: key.as_bytes().into(),
        stamp: Stamp::new(0, millis, 0, NodeId::new(1)),
        value: Some(Arc::from(&b"{}"[..])),
        replaces: None,
        supersedes: None,
        actor: "".into(),
        reason: "".into(),
        extra: Arc::from([]),
    }
}

fn update(registers: Vec<Register>) -> Update {
    Update { registers, ..Update::default() }
}

fn digest(feed: &Feed) -> String {
    feed.snapshot().unwrap().digest
}

/// The lines that are ready.
fn lines(reader: &mut FeedReader) -> Vec<Line> {
    let ready = std::iter::from_fn(|| reader.ready_line());
    ready.map(|line| Line::read(line.trim_ascii_end()).unwrap().unwrap()).collect()
}

#[test]
fn what_is_in_one_update_is_one_line_up_to_a_limit() {
    let feed = feed();
    let mut reader = feed.open("00000000000000aa", None, Some(&digest(&feed))).unwrap_or_else(|_| unreachable!());
    feed.update(update((0..3).map(|number| register(&format!("ax/{number}"), 1)).collect()));
    feed.update(update(vec![register("ax/0", 1)]));
    let many = EVENT_REGISTERS_MAX + 1;
    feed.update(update((0..many).map(|number| register(&format!("ay/{number}"), 1)).collect()));
    let counts: Vec<usize> = lines(&mut reader)
        .iter()
        .filter_map(|line| if let Line::Change { registers, .. } = line { Some(registers.len()) } else { None })
        .collect();
    assert_eq!(counts, [3, EVENT_REGISTERS_MAX, 1], "the same register again is no change");
}

#[test]
fn a_follower_that_reads_too_slowly_is_told_so_and_costs_no_memory() {
    let feed = feed();
    let mut reader = feed.open("00000000000000aa", None, Some(&digest(&feed))).unwrap_or_else(|_| unreachable!());
    assert!(matches!(lines(&mut reader)[..], [Line::Hello { .. }]));
    for millis in 1..=RING_LINES_MAX as u64 + 1 {
        feed.update(update(vec![register("ax/y", millis)]));
    }
    let last = lines(&mut reader);
    assert!(matches!(&last[..], [Line::End { reason }] if reason.contains("too slowly")), "{last:?}");
    assert!(reader.is_ended);
}

#[test]
fn each_line_has_the_digest_of_all_after_it_and_a_stream_goes_on_after_any_of_them() {
    let feed = feed();
    let before = digest(&feed);
    feed.update(update(vec![register("ax/y", 1)]));
    feed.update(Update { gone: vec![Arc::from(&b"ax/y"[..])], ..Update::default() });
    let mut reader = feed.open("00000000000000aa", None, Some(&before)).unwrap_or_else(|_| unreachable!());
    // The digest is the same before the first of the two and after the second: the later place counts.
    assert_eq!(lines(&mut reader).len(), 1);
    let position = feed.position(0).to_string();
    let mut reader = feed.open("00000000000000aa", Some(&position), Some(&before)).unwrap_or_else(|_| unreachable!());
    let told = lines(&mut reader);
    assert!(
        matches!(&told[..], [Line::Hello { .. }, Line::Change { .. }, Line::Gone { digest, .. }] if *digest == before),
        "{told:?}"
    );
    for (position, known) in
        [(None, None), (Some("0000000000000001-1"), Some("other")), (Some(position.as_str()), Some(""))]
    {
        assert_eq!(feed.open("00000000000000aa", position, known).err(), Some(FeedRefusal::SnapshotNeeded));
    }
}

/// What the guide reckons with.
#[test]
fn a_follower_at_rest_gets_some_100_bytes_in_ten_seconds_and_an_activation_is_some_400() {
    let feed = feed();
    let alive = feed.state().alive_line(Micros::new(0)).to_bytes();
    assert!((90..=120).contains(&alive.len()), "{}", alive.len());
    let mut reader = feed.open("00000000000000aa", None, Some(&digest(&feed))).unwrap_or_else(|_| unreachable!());
    let value = Arc::from(&br#"{"percentage":"20","defined":true}"#[..]);
    let change = Register { value: Some(value), replaces: Some(Stamp::ZERO), ..register("ashop/new_checkout", 1) };
    feed.update(update(vec![Register { actor: "dana".into(), reason: "ticket 4711".into(), ..change }]));
    let bytes: Vec<usize> = std::iter::from_fn(|| reader.ready_line()).map(|line| line.len()).collect();
    assert!((300..=450).contains(&bytes[1]), "{bytes:?}");
}

#[test]
fn loops_and_ways_that_are_too_long_are_refused() {
    let feed = feed();
    let hop = |number: u64| Hop { id: format!("{number:016x}"), name: String::new() };
    let own = format!("{:016x}", feed.instance());
    feed.set_path(&[hop(1), hop(2)]);
    let refusal = |follower: &str| feed.open(follower, None, Some("")).err();
    for follower in ["0000000000000001", "0000000000000002", &own] {
        assert_eq!(refusal(follower), Some(FeedRefusal::Loop), "{follower}");
    }
    assert_eq!(refusal("0000000000000003"), Some(FeedRefusal::SnapshotNeeded));
    feed.set_path(&(0..7).map(|number| hop(number + 10)).collect::<Vec<_>>());
    assert_eq!(refusal("0000000000000003"), Some(FeedRefusal::TooDeep));
}

#[test]
fn the_bytes_of_a_snapshot_serve_while_the_stream_leads_on_from_it() {
    let feed = feed();
    let first = feed.snapshot().unwrap();
    feed.update(update(vec![register("ax/y", 1)]));
    assert!(Arc::ptr_eq(&feed.snapshot().unwrap().body, &first.body), "the follower gets the change by the stream");
    for millis in 2..=RING_LINES_MAX as u64 {
        feed.update(update(vec![register("ax/y", millis)]));
    }
    assert!(feed.made_snapshot().is_none());
    assert_ne!(digest(&feed), first.digest);
}
