use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::process::{Command, Stdio};

use tidegate_engine::lease::{LeaseRamp, MovedRamp, RollbackMark};
use tidegate_engine::{Micros, Span};

use super::*;
use crate::files::protected::checksum;
use crate::ingest::source::{Tag, TagKind};

/// A cache called `app` in a folder of its own.
struct Kept {
    outer: tempfile::TempDir,
}

impl Kept {
    fn new() -> Self {
        Self { outer: tempfile::tempdir().unwrap() }
    }

    fn folder(&self) -> PathBuf {
        self.outer.path().join("tidegate")
    }

    fn open(&self) -> Cache {
        Cache::open(&self.folder(), "app").unwrap()
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder().join(format!("cache-app.{ending}"))
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

fn record(body: &str) -> Record {
    Record {
        tag: Tag::new("\"1\"").ok(),
        body: body.into(),
        signature: None,
        fetched_at: Micros::new(1_700_000_000_123_456),
        source: "https://example.com/flags.json?token=…".to_owned(),
        fingerprint: u64::MAX,
    }
}

#[test]
fn a_record_comes_back_as_it_was() {
    let kept = Kept::new();
    assert_eq!(kept.open().load().unwrap(), None);
    let dated = Tag::with_kind(TagKind::Modified, "Sun, 06 Nov 1994 08:49:37 GMT".to_owned()).unwrap();
    let odd = Tag::new("W/\"caf\u{e9} \\ ✓\"").unwrap();
    for tag in [None, Some(dated), Some(odd), Tag::new("\"1\"").ok()] {
        for body in ["", "{}", "\n\n", "{\"a\": 1}\n", "\u{0}\u{1}"] {
            for signature in [None, Some("untrusted comment: x\nRUS+\n\u{1}".to_owned())] {
                let record = Record { tag: tag.clone(), signature, ..record(body) };
                kept.open().store(&record).unwrap();
                assert_eq!(kept.open().load().unwrap(), Some(record));
            }
        }
    }
    assert_eq!(kept.names(), ["cache-app.document"]);
}

#[test]
fn the_file_starts_readably() {
    let kept = Kept::new();
    kept.open().store(&record("{\"features\": {}}")).unwrap();
    let text = fs::read_to_string(kept.file("document")).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("tidegate-document 1 "));
    assert!(
        lines[1].starts_with("{\"tag\":{\"header\":\"etag\",\"text\":\"\\\"1\\\"\"},\"fetched_at\":1700000000123456,")
    );
    assert_eq!(lines[2], "{\"features\": {}}");
}

#[test]
fn a_tag_is_for_its_own_source_only() {
    let record = record("{}");
    assert!(record.tag_for(u64::MAX).is_some());
    assert!(record.tag_for(1).is_none());
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed_and_the_file_is_renamed() {
    let kept = Kept::new();
    let record = record("{\"a\": 1}");
    kept.open().store(&record).unwrap();
    let whole = fs::read(kept.file("document")).unwrap();
    let check = |content: &[u8], what: &str| {
        fs::write(kept.file("document"), content).unwrap();
        let mut cache = kept.open();
        match cache.load() {
            Err(CacheError::Damaged { aside }) => assert_eq!(aside, kept.file("document.damaged"), "{what}"),
            other => panic!("{what}: {other:?}"),
        }
        assert_eq!(fs::read(kept.file("document.damaged")).unwrap(), content, "{what}");
        assert_eq!(cache.load().unwrap(), None, "{what}");
    };
    for bit in 0..whole.len() * 8 {
        let mut content = whole.clone();
        content[bit / 8] ^= 1 << (bit % 8);
        check(&content, &format!("bit {bit}"));
    }
    for length in 0..whole.len() {
        check(&whole[..length], &format!("cut to {length}"));
        let mut zeroed = whole.clone();
        zeroed[length..].fill(0);
        check(&zeroed, &format!("zeroed from {length}"));
    }
    check(&[&whole[..], b"x"].concat(), "one byte more");
    check(b"null", "JSON");

    let mut cache = kept.open();
    cache.store(&record).unwrap();
    assert_eq!(cache.load().unwrap(), Some(record));
}

#[test]
fn a_file_too_large_to_be_ours_is_renamed_unread() {
    let kept = Kept::new();
    kept.open();
    let file = fs::File::create(kept.file("document")).unwrap();
    file.set_len(1 << 40).unwrap();
    assert!(matches!(kept.open().load(), Err(CacheError::Damaged { .. })));
    assert_eq!(kept.open().load().unwrap(), None);
}

#[test]
fn a_newer_versions_file_is_left_alone_and_the_cache_is_off() {
    let kept = Kept::new();
    kept.open();
    for ending in ["document", "freshness"] {
        let rest = b"whatever comes then\n";
        let magic = format!("tidegate-{ending}");
        let content = format!("{magic} 2 {:032x}\n{}", checksum(2, &[rest]), String::from_utf8_lossy(rest));
        fs::write(kept.file(ending), &content).unwrap();
        let mut cache = kept.open();
        let error = if ending == "document" { cache.load().map(|_| ()) } else { cache.load_freshness().map(|_| ()) };
        let error = error.unwrap_err();
        assert!(matches!(error, CacheError::Newer { found: 2, known: 1, .. }), "{error:?}");
        assert!(error.to_string().contains("upgrade this program, or choose another cache name"), "{error}");
        assert!(matches!(cache.store(&record("{}")), Err(CacheError::Off)));
        assert!(matches!(cache.store_freshness(&Clocks::default()), Err(CacheError::Off)));
        assert!(matches!(cache.poison().loading(1), Err(CacheError::Off)));
        assert!(matches!(cache.load(), Err(CacheError::Off)));
        assert_eq!(fs::read_to_string(kept.file(ending)).unwrap(), content);
        fs::remove_file(kept.file(ending)).unwrap();
    }
}

#[test]
fn names_never_become_paths() {
    let outer = tempfile::tempdir().unwrap();
    let folder = outer.path().join("tidegate");
    let long = "n".repeat(10_000);
    let names = [
        "app",
        "App",
        "APP",
        "a/b",
        "../../etc/passwd",
        "..",
        ".",
        "/",
        "\0",
        "a\0b",
        "CON",
        "con",
        "aux.json",
        "nul",
        "a b",
        "a%2fb",
        "ä",
        "ß",
        "\u{202e}",
        "a\nb",
        "-",
        "~",
        "*",
        "app.document",
        long.as_str(),
        &long[1..],
    ];
    for name in names {
        Cache::open(&folder, name).unwrap().store(&record(name)).unwrap();
    }
    let mut files: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files.len(), names.len());
    for name in &mut files {
        *name = name.to_lowercase();
    }
    files.sort();
    files.dedup();
    assert_eq!(files.len(), names.len(), "also where case does not count");
    for name in names {
        assert_eq!(Cache::open(&folder, name).unwrap().load().unwrap(), Some(record(name)));
    }
    assert!(files.iter().all(|name| name.len() < 200 && name.starts_with("cache-") && name.ends_with(".document")));
    assert!(matches!(Cache::open(&folder, ""), Err(CacheError::Name)));
    assert_eq!(fs::read_dir(outer.path()).unwrap().count(), 1);
}

#[test]
fn lease_clocks_come_back_as_they_were() {
    let kept = Kept::new();
    assert_eq!(kept.open().load_freshness().unwrap(), None);
    let (lease, start) = (Span::from_micros(u64::MAX), Micros::new(4));
    let clocks = Clocks {
        last_poll: Some(Micros::new(-5)),
        ramps: [Micros::MIN, Micros::new(7)].map(|instant| LeaseRamp { lease, instant }).into(),
        marks: vec![RollbackMark { lease, start, instant: Micros::MAX }],
        moved: [None, Some(Micros::new(9))]
            .map(|mark| MovedRamp { flag: "f/\u{7}\"x".into(), lease, instant: start, rollback: Some(start), mark })
            .into(),
        additional: Vec::new(),
    };
    for clocks in [clocks, Clocks::synced()] {
        kept.open().store_freshness(&clocks).unwrap();
        assert_eq!(kept.open().load_freshness().unwrap(), Some(clocks));
    }
    fs::write(kept.file("freshness"), "nonsense").unwrap();
    assert!(matches!(kept.open().load_freshness(), Err(CacheError::Damaged { .. })));
    assert_eq!(kept.open().load_freshness().unwrap(), None);
}

#[test]
fn a_document_is_skipped_after_two_deaths() {
    let kept = Kept::new();
    let die_of = |digest| drop(kept.open().poison().loading(digest).unwrap().expect("it is loaded"));
    let is_skipped = |digest| kept.open().poison().loading(digest).unwrap().is_none();
    die_of(1);
    die_of(1);
    assert!(is_skipped(1));
    assert!(is_skipped(1), "it stays so");
    // Another document is loaded, and the bad one is remembered.
    kept.open().poison().loading(2).unwrap().unwrap().loaded().unwrap();
    assert!(is_skipped(1));
    die_of(3);
    assert!(is_skipped(1));
    assert!(!is_skipped(3));
}

#[test]
fn one_death_or_a_success_in_between_is_forgiven() {
    let kept = Kept::new();
    for _ in 0..3 {
        drop(kept.open().poison().loading(1).unwrap().unwrap());
        kept.open().poison().loading(1).unwrap().unwrap().loaded().unwrap();
    }
    assert_eq!(kept.names(), ["cache-app.loading.lock"]);
}

#[test]
fn another_process_that_is_loading_is_not_taken_for_dead() {
    let kept = Kept::new();
    let (first, second) = (kept.open(), kept.open());
    for _ in 0..5 {
        let under_way = first.poison().loading(1).unwrap().unwrap();
        second.poison().loading(1).unwrap().expect("it is loaded here as well").loaded().unwrap();
        under_way.loaded().unwrap();
    }
    assert!(first.poison().loading(1).unwrap().is_some());
}

#[test]
fn a_damaged_marker_keeps_nothing_from_starting() {
    let kept = Kept::new();
    kept.open();
    for content in ["", "nonsense", "tidegate-loading 9 0\n{}"] {
        fs::write(kept.file("loading"), content).unwrap();
        kept.open().poison().loading(1).unwrap().unwrap().loaded().unwrap();
    }
}

#[test]
fn a_cache_folder_that_cannot_be_is_an_error_by_name() {
    let outer = tempfile::tempdir().unwrap();
    let file = outer.path().join("file");
    fs::write(&file, "").unwrap();
    for folder in [file.clone(), file.join("below")] {
        let error = Cache::open(&folder, "app").unwrap_err();
        assert!(error.to_string().starts_with("the cache is not usable: `"), "{error}");
    }
    // A read-only file system, for root too.
    assert!(Cache::open(Path::new("/proc/tidegate"), "app").is_err());
}

/// Documents that the child below stores in turn, large enough to be written in several steps.
fn crash_record(letter: char) -> Record {
    record(&letter.to_string().repeat(300_000))
}

/// What the child does until it is killed.
fn store_without_end(folder: &Path) {
    let cache = Cache::open(folder, "app").unwrap();
    let records = ['a', 'b'].map(crash_record);
    for record in records.iter().cycle() {
        cache.store(record).unwrap();
        writeln!(std::io::stdout(), "stored").unwrap();
    }
}

#[test]
fn a_process_killed_at_any_moment_leaves_a_whole_document() {
    // The child is this same test, told where to store.
    if let Some(folder) = std::env::var_os("TIDEGATE_TEST_FOLDER") {
        return store_without_end(Path::new(&folder));
    }
    let kept = Kept::new();
    kept.open().store(&crash_record('a')).unwrap();
    for round in 0..30 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "ingest::cache::tests::a_process_killed_at_any_moment_leaves_a_whole_document",
                "--nocapture",
            ])
            .env("TIDEGATE_TEST_FOLDER", kept.folder())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let stored = lines.map_while(Result::ok).filter(|line| line.contains("stored"));
        assert_eq!(stored.take(1 + round % 3).count(), 1 + round % 3);
        child.kill().unwrap();
        child.wait().unwrap();
        let record = kept.open().load().unwrap().expect("there is a document");
        let letter = char::from(record.body[0]);
        assert_eq!(record, crash_record(letter));
    }
    assert!(kept.names().iter().all(|name| !name.ends_with(".damaged")));
}
