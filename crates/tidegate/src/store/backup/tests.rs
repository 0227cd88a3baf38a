use tidegate_replica::limits::KEY_BYTES_MAX;

use super::super::tests::support::{Draw, register};
use super::*;

fn header() -> Header {
    Header {
        cluster: "prod \"1\"\n".to_owned(),
        node: NodeId::new(0xabc),
        created_at: Micros::new(1_700_000_000_123_456),
    }
}

fn registers(count: u64) -> Vec<Register> {
    let mut registers: Vec<_> = (1..=count).map(|number| register(&format!("aflags/f-{number}"), number)).collect();
    if let Some(first) = registers.first_mut() {
        first.value = Some(vec![0xff, 0, b'\n', b'"'].into());
        first.extra = vec![200, 1, 7].into();
    }
    registers
}

fn written(registers: &[Register]) -> Vec<u8> {
    let mut out = Vec::new();
    assert_eq!(write(&mut out, &header(), registers).unwrap(), registers.len() as u64);
    out
}

/// Whole ones.
fn lines_in(content: &[u8]) -> usize {
    content.split(|byte| *byte == b'\n').count() - 1
}

#[track_caller]
fn check(content: &[u8], expected: &str) {
    let error = read(content).unwrap_err().to_string();
    assert!(error.contains(expected), "{error}");
}

#[test]
fn what_is_written_is_read() {
    for count in [0, 1, 2, 100] {
        let registers = registers(count);
        assert_eq!(read(&written(&registers)[..]).unwrap(), Backup { header: header(), registers });
    }
}

#[test]
fn people_can_read_it() {
    let mut one = register("aflags/checkout", 1);
    one.value = Some(br#"{"percentage":"12.5"}"#[..].into());
    let text = String::from_utf8(written(&[one, register("aflags/gone", 11)])).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4);
    let start = r#"{"format":"tidegate-backup","version":1,"cluster":"prod \"1\"\n","node":"0000000000000abc","created_at":"2023-11-14T22:13:20.123456Z""#;
    assert!(lines[0].starts_with(start), "{}", lines[0]);
    let start = r#"{"key":"aflags/checkout","stamp":"#;
    assert!(lines[1].starts_with(start), "{}", lines[1]);
    let middle = r#""written_at":"2023-11-14T22:13:20.001000Z","value":{"percentage":"12.5"},"actor":"ann","reason":"because of 1","register":""#;
    assert!(lines[1].contains(middle), "{}", lines[1]);
    assert!(lines[2].contains(r#""value":null"#), "{}", lines[2]);
    assert!(lines[3].starts_with(r#"{"end":true,"registers":2,"sum":""#), "{}", lines[3]);
}

#[test]
fn a_file_that_ends_early_is_refused_with_its_last_line() {
    let content = written(&registers(5));
    for length in 1..content.len() {
        let error = read(&content[..length]).unwrap_err();
        let lines = lines_in(&content[..length]);
        assert!(matches!(error, BackupError::Truncated { line } if line == lines), "{length}: {error}");
    }
    check(b"", "not a backup of tidegate");
}

#[test]
fn an_edited_file_is_refused_with_the_line() {
    let content = written(&registers(5));
    let mut draw = Draw(3);
    for round in 0..2_000 {
        let place = usize::try_from(draw.below(content.len() as u64)).unwrap();
        let mut edited = content.clone();
        edited[place] ^= 1 << draw.below(8);
        let line = lines_in(&content[..place]) + 1;
        let error = read(&edited[..]).unwrap_err();
        let is_named = match error {
            BackupError::Changed { line: found } | BackupError::TooLong { line: found } => found == line,
            // A line feed that is gone, or the last one.
            BackupError::Truncated { line: found } => found + 1 >= line,
            BackupError::Foreign | BackupError::Newer { .. } => line == 1,
            _ => false,
        };
        assert!(is_named, "round {round}, byte {place}, line {line}: {error}");
    }
}

#[test]
fn lines_cannot_be_removed_added_or_moved() {
    let content = written(&registers(5));
    let lines: Vec<&[u8]> = content.split_inclusive(|byte| *byte == b'\n').collect();
    let without = |left_out: usize| {
        let kept = lines.iter().enumerate().filter(|(number, _)| *number != left_out).map(|(_, line)| *line);
        kept.collect::<Vec<_>>().concat()
    };
    check(&without(3), "line 4 of the backup was changed, or a line before it is missing");
    check(&without(5), "line 6 of the backup was changed");
    check(&without(6), "ends after line 6");
    let mut moved = lines.clone();
    moved.swap(2, 3);
    check(&moved.concat(), "line 3 of the backup");
    let mut twice = lines.clone();
    twice.insert(3, lines[2]);
    check(&twice.concat(), "line 4 of the backup");
    check(&[&content[..], b"\n"].concat(), "line 8 of the backup");
    check(&[&content[..], lines[2]].concat(), "line 8 of the backup");
    check(String::from_utf8(content.clone()).unwrap().replace('\n', "\r\n").as_bytes(), "line 1 of the backup");
}

#[test]
fn other_files_are_told_apart() {
    check(b"{\"features\": {}}\n", "not a backup of tidegate");
    check(b"\0\xff\n", "not a backup of tidegate");
    check(b"{\"format\":\"tidegate-backup\",\"version\":9,\"more\":[]}\n", "version 9, and this program knows up to 1");
    let mut chain = Chain::default();
    let newer = chain.seal(r#"{"format":"tidegate-backup","version":2,"cluster":7}"#.to_owned());
    check(format!("{newer}\n").as_bytes(), "restore it with a newer program");
    let endless = vec![b'x'; LINE_BYTES_MAX + 10];
    check(&endless, "line 1 of the backup is longer than 2621440 bytes");
}

#[test]
fn the_largest_register_fits_into_a_line() {
    let mut large = register("k", 1);
    large.key = vec![0; KEY_BYTES_MAX].into();
    large.value = Some(vec![1; VALUE_BYTES_MAX].into());
    large.actor = "\u{1}".repeat(1_024).into();
    large.reason = "\u{1}".repeat(1_024).into();
    assert_eq!(read(&written(std::slice::from_ref(&large))[..]).unwrap().registers, [large]);
}
