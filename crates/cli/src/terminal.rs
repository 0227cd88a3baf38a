//! How wide the terminal is.

/// The width of the terminal that standard output goes to: `COLUMNS` if it is set, else what the terminal reports, else (for
/// files and pipes) [`COLUMNS_DEFAULT`]; limited to [`COLUMNS_LEAST`] and [`COLUMNS_MOST`].
pub(crate) fn columns() -> usize {
    let set = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    let asked = || rustix::termios::tcgetwinsize(std::io::stdout()).ok().map(|size| usize::from(size.ws_col));
    let columns = set.or_else(asked).filter(|columns| *columns > 0).unwrap_or(COLUMNS_DEFAULT);
    columns.clamp(COLUMNS_LEAST, COLUMNS_MOST)
}

/// What a page holds that people paste output into.
const COLUMNS_DEFAULT: usize = 100;
/// Below that there is no chart to be drawn.
const COLUMNS_LEAST: usize = 50;
/// Wider lines are hard to follow.
const COLUMNS_MOST: usize = 160;
