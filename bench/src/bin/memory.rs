//! What a loaded document keeps in memory, and what a check allocates.

use std::hint::black_box;

use allocation_counter::measure;
use tidegate_bench::{KEYS, cases, document, load};

fn main() {
    println!(
        "| flags | JSON, bytes a flag | live, bytes a flag | at most while loading |\n| ---: | ---: | ---: | ---: |"
    );
    for flags in [1_000, 10_000, 99_990] {
        let text = document(flags);
        let mut snapshot = None;
        let allocated = measure(|| snapshot = Some(load(&text)));
        let live = usize::try_from(allocated.bytes_current).unwrap_or_default();
        let most = usize::try_from(allocated.bytes_max).unwrap_or_default();
        println!("| {flags} | {} | {} | {} |", text.len() / flags, live / flags, most / flags);
        drop(black_box(snapshot));
    }
    println!("\n| case | allocations | bytes |\n| --- | ---: | ---: |");
    for case in cases().iter().filter(|case| !case.is_large()) {
        let times = KEYS as u64;
        case.run(times);
        let allocated = measure(|| {
            black_box(case.run(times));
        });
        println!("| {} | {} | {} |", case.name, allocated.count_total / times, allocated.bytes_total / times);
    }
}
