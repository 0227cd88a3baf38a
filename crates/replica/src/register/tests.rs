use super::*;
use crate::NodeId;

fn register(stamp: Stamp, value: Option<&[u8]>) -> Register {
    Register {
        key: Arc::from(b"aflags/x".as_slice()),
        stamp,
        value: value.map(Arc::from),
        replaces: Some(Stamp::new(0, 1, 2, NodeId::new(3))),
        supersedes: None,
        actor: Arc::from("dana@web-1"),
        reason: Arc::from("INC-1234"),
        extra: Arc::from([].as_slice()),
    }
}

fn stamp(millis: u64) -> Stamp {
    Stamp::new(1, millis, 3, NodeId::new(4))
}

#[test]
fn what_is_written_is_read() {
    for value in [None, Some(b"".as_slice()), Some(b"{\"percentage\":\"20\"}".as_slice()), Some([7; 300].as_slice())] {
        let register = register(stamp(9), value);
        assert_eq!(Register::decode(&register.encode()).as_ref(), Ok(&register));
    }
}

#[test]
fn every_flipped_bit_is_noticed() {
    let bytes = register(stamp(9), Some(b"on")).encode();
    for bit in 0..bytes.len() * 8 {
        let mut damaged = bytes.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        assert!(Register::decode(&damaged).is_err(), "bit {bit}");
    }
    for length in 0..bytes.len() {
        assert!(Register::decode(&bytes[..length]).is_err(), "{length} bytes");
    }
}

#[test]
fn the_greater_stamp_counts_and_then_the_content() {
    let (older, newer) = (register(stamp(1), Some(b"a")), register(stamp(2), Some(b"a")));
    assert_eq!(older.rank(&newer), Ordering::Less);
    let other = register(stamp(1), Some(b"b"));
    assert_eq!(older.rank(&older.clone()), Ordering::Equal);
    assert_ne!(older.rank(&other), Ordering::Equal);
    assert_eq!(older.rank(&other), other.rank(&older).reverse());
}

#[test]
fn what_supersedes_a_stamp_outranks_all_up_to_it_and_yields_to_the_next() {
    let of = |millis: u64, superseded: Option<u64>| Register {
        supersedes: superseded.map(stamp),
        ..register(stamp(millis), Some(b"x"))
    };
    let superseding = of(5, Some(100));
    assert_eq!(Register::decode(&superseding.encode()).as_ref(), Ok(&superseding));
    assert_eq!(superseding.rank_stamp(), stamp(100));
    for below in [of(4, None), of(6, None), of(100, None), of(4, Some(100)), of(90, Some(99)), of(5, None)] {
        assert_eq!(
            (superseding.rank(&below), below.rank(&superseding)),
            (Ordering::Greater, Ordering::Less),
            "{below:?}"
        );
    }
    for above in [of(101, None), of(6, Some(100)), of(4, Some(101)), of(7, Some(200))] {
        assert_eq!(
            (superseding.rank(&above), above.rank(&superseding)),
            (Ordering::Less, Ordering::Greater),
            "{above:?}"
        );
    }
    // To supersede what is below anyway changes nothing.
    assert_eq!(of(9, Some(3)).rank_stamp(), stamp(9));
    assert!(!of(9, Some(3)).is_superseding());
}

/// Written by hand in the form that a later version may have: two fields that this one does not know, one of them
/// before the others.
#[test]
fn fields_of_a_newer_version_survive() {
    let newer = include_bytes!("../../tests/fixtures/register_of_a_newer_version.bin");
    let register = Register::decode(newer).unwrap();
    assert_eq!(register.value.as_deref(), Some(b"{\"percentage\":\"20\"}".as_slice()));
    assert_eq!(&*register.extra, b"\x63\x05later\x64\x00");
    let again = Register::decode(&register.encode()).unwrap();
    assert_eq!(again, register);
    assert_eq!(again.encode(), register.encode());
}

#[test]
fn each_part_of_a_register_has_its_own_limit() {
    let largest = |change: fn(&mut Register)| {
        let mut register = Register {
            key: vec![b'k'; limits::KEY_BYTES_MAX].into(),
            stamp: Stamp::new(0, 1, 0, NodeId::new(1)),
            value: Some(vec![b'v'; limits::VALUE_BYTES_MAX].into()),
            replaces: None,
            supersedes: None,
            actor: "a".repeat(limits::TEXT_BYTES_MAX).into(),
            reason: "r".repeat(limits::TEXT_BYTES_MAX).into(),
            extra: vec![0; limits::EXTRA_BYTES_MAX].into(),
        };
        change(&mut register);
        register.is_within_limits()
    };
    assert!(largest(|_| {}));
    assert!(largest(|register| register.value = None));
    assert!(!largest(|register| register.key = [].into()));
    assert!(!largest(|register| register.key = vec![b'k'; limits::KEY_BYTES_MAX + 1].into()));
    assert!(!largest(|register| register.value = Some(vec![b'v'; limits::VALUE_BYTES_MAX + 1].into())));
    assert!(!largest(|register| register.actor = "a".repeat(limits::TEXT_BYTES_MAX + 1).into()));
    assert!(!largest(|register| register.reason = "r".repeat(limits::TEXT_BYTES_MAX + 1).into()));
    assert!(!largest(|register| register.extra = vec![0; limits::EXTRA_BYTES_MAX + 1].into()));
}

proptest::proptest! {
    #[test]
    fn the_bytes_of_a_rank_sort_as_the_rank_does(
        one in (0_u64..3, 0_u64..3, 0_u8..2, 0_u64..4),
        other in (0_u64..3, 0_u64..3, 0_u8..2, 0_u64..4),
    ) {
        let made = |(millis, node, value, superseded): (u64, u64, u8, u64)| Register {
            supersedes: (superseded > 0).then(|| Stamp::new(1, superseded - 1, 3, NodeId::new(1))),
            ..register(Stamp::new(1, millis, 3, NodeId::new(node)), Some(&[value]))
        };
        let (one, other) = (made(one), made(other));
        proptest::prop_assert_eq!(one.rank(&other), one.rank_bytes().cmp(&other.rank_bytes()));
    }
}
