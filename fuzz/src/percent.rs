//! Any text as a percentage: it is close to the nearest double, and its printed form reads back the same.

use tidegate_engine::document::{PercentError, parse_percent};

pub fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let double = text.parse::<f64>();
    match parse_percent(text) {
        Ok(share) => {
            assert_eq!(parse_percent(&share.to_string()), Ok(share), "{text:?}");
            let near = double.expect("a percentage is a number");
            let millionths = u32::try_from(share.to_millionths()).expect("at most 10^8");
            let exact = f64::from(millionths) / 1e6;
            assert!((near - exact).abs() < 1e-7, "{text:?}: {near} {exact}");
        }
        Err(PercentError::AboveHundred) => assert!(double.is_ok_and(|double| double >= 100.0), "{text:?}"),
        Err(PercentError::BelowZero) => assert!(double.is_ok_and(|double| double <= 0.0), "{text:?}"),
        Err(error) => assert!(!error.to_string().is_empty() && !error.help().is_empty()),
    }
}
