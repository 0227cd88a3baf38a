//! What each library keeps of the flags that it has loaded, and what its checks allocate. A program of its own, because the
//! allocator that counts would slow down what `times` measures.

use std::hint::black_box;

use tidegate_bench_peers::{LIBRARIES, QUESTIONS, cases, memory};

/// As many as there are keys.
const TIMES: usize = 1_024;

fn main() {
    println!(
        "| library | text of a flag | live of 1,000 flags, each | live of 10,000, each |\n| --- | ---: | ---: | ---: |"
    );
    let live =
        |work: &mut dyn FnMut()| u64::try_from(allocation_counter::measure(work).bytes_current).unwrap_or_default();
    for (library, [small, large]) in memory(live) {
        println!("| {library} | {} B | {} B | {} B |", large.text, small.live, large.live);
    }
    let checks = &QUESTIONS[..4];
    println!("\nAllocations of one call, and their bytes:\n");
    println!("| library | {} |\n| --- |{}", checks.join(" | "), " ---: |".repeat(checks.len()));
    let cases = cases();
    for library in LIBRARIES {
        let cell = |question: &&str| {
            let case = cases.iter().find(|case| case.question == *question && case.library == library);
            case.map_or_else(String::new, |case| {
                black_box(case.run(1));
                let allocated = allocation_counter::measure(|| {
                    black_box(case.run(TIMES));
                });
                let times = TIMES as u64;
                format!("{}; {} B", allocated.count_total / times, allocated.bytes_total / times)
            })
        };
        println!("| {library} | {} |", checks.iter().map(cell).collect::<Vec<_>>().join(" | "));
    }
}
