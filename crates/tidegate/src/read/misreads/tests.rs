use std::thread;

use tidegate_engine::{CompileOptions, compile, read};

use super::*;
use crate::warnings::Warnings;

fn snapshot() -> Snapshot {
    let text = br#"{"shop": {"cart": {"stable": true}}, "flags": {"blue": {"stable": true}}}"#;
    compile(&read(text).unwrap().0, &CompileOptions::default())
}

fn names(flags: &[FlagKey]) -> Vec<String> {
    flags.iter().map(ToString::to_string).collect()
}

#[test]
fn each_kind_is_counted_and_its_flags_are_listed_once() {
    let (misreads, snapshot) = (Misreads::new(), snapshot());
    let someone = Subject::key("user-17");
    for _ in 0..3 {
        misreads.unknown(Named::Key("shop/crat"), &someone, &snapshot);
        misreads.unknown(Named::Pair("shop", "crat"), &someone, &snapshot);
        misreads.wrong_type(Named::Key("blue"));
        misreads.wrong_type(Named::Pair("flags", "blue"));
    }
    let (count, flags) = misreads.of_kind(MisreadKind::UnknownFlag);
    assert_eq!((count, names(&flags)), (6, vec!["shop/crat".to_owned()]));
    let (count, flags) = misreads.of_kind(MisreadKind::WrongType);
    assert_eq!((count, names(&flags)), (6, vec!["flags/blue".to_owned()]));
    assert_eq!(misreads.of_kind(MisreadKind::SwappedArguments), (0, Vec::new()));
}

#[test]
fn exchanged_arguments_are_recognized_and_the_flag_is_listed_instead_of_the_key() {
    let reads = [
        (Named::Key("user-17"), "shop/cart", "shop/cart"),
        (Named::Key("user-17"), "blue", "flags/blue"),
        (Named::Pair("shop", "user-17"), "cart", "shop/cart"),
        (Named::Pair("cart", "shop"), "user-17", "shop/cart"),
        (Named::Pair("flags", "shop/cart"), "user-17", "shop/cart"),
        (Named::Pair("user-17", "x"), "shop/cart", "shop/cart"),
    ];
    for (named, key, flag) in reads {
        let misreads = Misreads::new();
        for _ in 0..2 {
            misreads.unknown(named, &Subject::key(key), &snapshot());
        }
        let (count, flags) = misreads.of_kind(MisreadKind::SwappedArguments);
        assert_eq!((count, names(&flags)), (2, vec![flag.to_owned()]), "{named:?} with {key}");
        assert_eq!(misreads.of_kind(MisreadKind::UnknownFlag), (0, Vec::new()));
    }
}

#[test]
fn before_anything_is_loaded_no_flag_is_unknown() {
    let misreads = Misreads::new();
    misreads.unknown(Named::Key("x"), &Subject::absent(), &Snapshot::empty());
    assert_eq!(misreads.of_kind(MisreadKind::UnknownFlag), (0, Vec::new()));
}

#[test]
fn however_many_names_come_by_memory_has_a_bound_and_the_count_is_exact() {
    let (misreads, snapshot) = (Misreads::new(), snapshot());
    thread::scope(|scope| {
        for thread in 0..4 {
            let (misreads, snapshot) = (&misreads, &snapshot);
            scope.spawn(move || {
                for number in 0..1_000 {
                    misreads.unknown(Named::Key(&format!("{thread}-{number}")), &Subject::absent(), snapshot);
                }
            });
        }
    });
    let (count, flags) = misreads.of_kind(MisreadKind::UnknownFlag);
    assert_eq!((count, flags.len()), (4_000, SHOWN_MAX));
    assert_eq!(misreads.recorded.lock().unwrap().len(), RECORDED_MAX);
}

#[test]
fn each_flag_is_logged_once_and_says_what_was_probably_meant() {
    let (misreads, snapshot, warnings) = (Misreads::new(), snapshot(), Warnings::default());
    let _guard = tracing::subscriber::set_default(warnings.clone());
    for _ in 0..3 {
        misreads.unknown(Named::Key("shop/crat"), &Subject::absent(), &snapshot);
        misreads.wrong_type(Named::Key("blue"));
        misreads.unknown(Named::Key("user-17"), &Subject::key("shop/cart"), &snapshot);
        misreads.log(&snapshot);
    }
    let logged = warnings.take();
    assert_eq!(logged.len(), 3, "{logged:?}");
    assert!(
        logged[0].contains("unknown flag `shop/crat`") && logged[0].contains("did you mean `shop/cart`?"),
        "{logged:?}"
    );
    assert!(logged[1].contains("`flags/blue` as another type"), "{logged:?}");
    assert!(logged[2].contains("`shop/cart`; exchange") && !logged[2].contains("user-17"), "{logged:?}");
}
