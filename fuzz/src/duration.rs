//! Any text as a duration: what is read prints as a text that reads the same.

use tidegate_engine::document::parse_duration;
use tidegate_engine::limits;

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    match parse_duration(text) {
        Ok(span) => {
            assert!(span.get() <= limits::DURATION_MICROS_MAX);
            assert_eq!(parse_duration(&span.to_string()), Ok(span), "{text:?}");
            assert!(!text.contains(['-', '+', 'e']), "{text:?}");
        }
        Err(error) => assert!(!error.to_string().is_empty() && !error.help().is_empty()),
    }
}
