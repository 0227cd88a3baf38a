use serde::Deserialize;
use serde_json::value::RawValue;
use tidegate_engine::lease::Clocks;
use tidegate_engine::{Moment, Point, Position, Subject};

use super::{Differences, load, snapshot, time};

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    id: String,
    entry: Box<RawValue>,
    points: Vec<(String, u64)>,
    shares: Vec<At>,
    flips: Vec<Flip>,
}

#[derive(Deserialize)]
struct At {
    at: String,
    share: u64,
}

#[derive(Deserialize)]
struct Flip {
    position: u32,
    on: Option<String>,
    off: Option<String>,
}

#[test]
fn ramps_have_their_points_shares_and_flips() {
    let file: File = load("ramps.json");
    let mut differences = Differences::default();
    let leases = Clocks::synced();
    for vector in &file.vectors {
        let snapshot = snapshot(&format!(r#"{{"f": {{"x": {}}}}}"#, vector.entry.get()));
        let flag = snapshot.flag(snapshot.find("f", "x").unwrap());
        let points =
            fewest_points(flag.points()).into_iter().map(|point| (point.at.to_string(), point.share.get())).collect();
        differences.expect(&format!("{} points", vector.id), &points, &vector.points);
        for At { at, share } in &vector.shares {
            let moment = Moment { now: time(at), leases: &leases };
            differences.expect(&format!("{} at {at}", vector.id), &flag.share_at(&moment).get(), share);
        }
        for Flip { position, on, off } in &vector.flips {
            let subject = Subject::drawn(Position::new(*position));
            let moment = Moment { now: time("2026-01-01 00:00Z"), leases: &leases };
            let flips = flag.flips(&subject, &moment);
            let got = (flips.on.map(|flip| flip.to_string()), flips.off.map(|flip| flip.to_string()));
            differences.expect(&format!("{} position {position}", vector.id), &got, &(on.clone(), off.clone()));
        }
    }
    differences.none(file.vectors.len(), 230);
}

/// The fewest points of the same ramp: share 0 before the first, the last share after the last.
fn fewest_points(points: &[Point]) -> Vec<Point> {
    let mut kept: Vec<Point> = Vec::new();
    for &point in points {
        if let [.., before, last] = kept.as_slice() {
            let in_a_jump = before.at == last.at && last.at == point.at;
            let in_a_hold = before.share == last.share && last.share == point.share;
            if in_a_jump || in_a_hold {
                kept.pop();
            }
        }
        if kept.last() != Some(&point) {
            kept.push(point);
        }
    }
    while let [.., before, last] = kept.as_slice()
        && before.share == last.share
    {
        kept.pop();
    }
    while let [first, second, ..] = kept.as_slice()
        && first.share.get() == 0
        && (second.share.get() == 0 || second.at == first.at)
    {
        kept.remove(0);
    }
    kept.retain(|point| kept_alone(points, *point));
    kept
}

/// A point of share 0 is needed only beside others.
fn kept_alone(points: &[Point], point: Point) -> bool {
    point.share.get() > 0 || points.iter().any(|other| other.share.get() > 0)
}
