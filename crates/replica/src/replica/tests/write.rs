//! Local writes: conditions, limits and the clock reservation.

use super::*;

#[test]
fn a_write_reaches_all_members_at_every_level() {
    let mut cluster = Cluster::new(3);
    cluster.meet();
    for level in [Level::Local, Level::One, Level::Majority, Level::All] {
        let request = cluster.write(0, "x", Some(&level.to_string()), level);
        let receipt = cluster.receipt(request).clone().unwrap();
        assert!(receipt.is_reached, "{receipt:?}");
        assert_eq!(cluster.value(2, "x"), Some(level.to_string()));
    }
    assert_eq!(cluster.nodes[0].root(), cluster.nodes[1].root());
}

#[test]
fn a_conditional_write_checks_the_active_stamp() {
    let mut cluster = Cluster::new(1);
    let first = cluster.write_if(0, "x", Some("1"), Level::Local, Expected::Nothing);
    let stamp = cluster.receipt(first).clone().unwrap().stamp();
    let late = cluster.write_if(0, "x", Some("2"), Level::Local, Expected::Nothing);
    assert_eq!(cluster.receipt(late), &Err(WriteError::Conflict { index: 0, found: Some(stamp) }));
    let right = cluster.write_if(0, "x", Some("3"), Level::Local, Expected::Stamp(stamp));
    assert!(cluster.receipt(right).is_ok());
    assert_eq!(cluster.value(0, "x").as_deref(), Some("3"));
}

#[test]
fn a_wrong_clock_does_not_raise_the_clock_reservation() {
    let mut cluster = Cluster::new(3);
    cluster.meet();
    cluster.pass(12_000);
    cluster.write(0, "x", Some("1"), Level::All);
    cluster.wall_ms[0] += 3_600_000;
    cluster.pass(12_000);
    let reservation = cluster.nodes[0].durable.clock_reservation.millis();
    assert!(reservation < START_MS + 60_000, "{reservation}");
}

#[test]
fn invalid_writes_are_refused() {
    let mut cluster = Cluster::new(1);
    let long = "x".repeat(limits::KEY_BYTES_MAX + 1);
    for key in ["", "\0n", &long] {
        let refused = cluster.write(0, key, Some("1"), Level::Local);
        assert_eq!(cluster.receipt(refused), &Err(WriteError::Invalid { index: 0 }));
    }
    cluster.handle(0, Input::PersistFailed { message: "input/output error".to_owned() });
    let refused = cluster.write(0, "x", Some("1"), Level::Local);
    assert!(matches!(cluster.receipt(refused), Err(WriteError::ReadOnly { .. })));
    assert_eq!(cluster.nodes[0].iter().count(), 0);
}
