use serde::Deserialize;
use tidegate_engine::{FlagKey, document};

use super::{Differences, load};

#[derive(Deserialize)]
struct File {
    durations: Vec<Read<u64>>,
    times: Vec<Read<String>>,
    percentages: Vec<Read<u64>>,
    flag_keys: Vec<Key>,
}

#[derive(Deserialize)]
struct Read<T> {
    text: String,
    means: Option<T>,
}

#[derive(Deserialize)]
struct Key {
    text: String,
    section: String,
    flag: String,
    canonical: String,
}

#[test]
fn each_text_is_read_or_refused_as_listed() {
    let file: File = load("units.json");
    let mut differences = Differences::default();
    for Read { text, means } in &file.durations {
        let got = document::parse_duration(text).ok().map(tidegate_engine::Span::get);
        differences.expect(&format!("duration {text:?}"), &got, means);
    }
    for Read { text, means } in &file.times {
        let got = document::parse_time(text).ok().map(|time| time.to_string());
        differences.expect(&format!("time {text:?}"), &got, means);
    }
    for Read { text, means } in &file.percentages {
        let got = document::parse_percent(text).ok().map(tidegate_engine::Share::get);
        differences.expect(&format!("percentage {text:?}"), &got, means);
    }
    for Key { text, section, flag, canonical } in &file.flag_keys {
        let key = FlagKey::parse(text);
        let got = [key.section(), key.flag(), &key.to_string()].map(str::to_owned);
        differences.expect(&format!("flag key {text:?}"), &got, &[section, flag, canonical].map(Clone::clone));
        differences.expect(&format!("flag key {canonical:?}"), &FlagKey::parse(canonical), &key);
    }
    differences.none(file.durations.len() + file.times.len() + file.percentages.len() + file.flag_keys.len(), 240);
}
