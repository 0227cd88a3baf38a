//! Any text as an instant: what is read prints as a text that reads the same.

use tidegate_engine::document::parse_time;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse_time(text) {
        Ok(instant) => {
            // Offsets lead out of the calendar by less than a day on each side; what they lead to prints, but
            // cannot be written.
            let printed = instant.to_string();
            if let Ok(again) = parse_time(&printed) {
                assert_eq!(again, instant, "{text:?} {printed}");
            } else {
                assert!(printed.starts_with("0000-12-31") || printed.ends_with("us"), "{text:?} {printed}");
            }
            assert!(text.is_ascii() || text.contains(|c: char| !c.is_ascii() && c.is_whitespace()), "{text:?}");
        }
        Err(error) => assert!(!error.to_string().is_empty() && !error.help().is_empty()),
    }
}
