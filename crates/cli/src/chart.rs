//! Draws shares over time with characters.

use anstyle::{AnsiColor, Style};
use tidegate_engine::forecast::{Curve, Forecast};
use tidegate_engine::{Micros, Share};
use unicode_width::UnicodeWidthStr as _;

use crate::axis;
use crate::table::{FAINT, paint};
use crate::text::{escape, shorten};

/// The chart: one flag as a line on a grid, several as one row each, at most `rows_most` of them.
pub(crate) fn draw(forecast: &Forecast<'_>, columns: usize, rows_most: usize) -> Vec<String> {
    match &*forecast.curves {
        [curve] => single(forecast, curve, columns),
        _ => several(forecast, columns, rows_most),
    }
}

/// One flag: a line of dots, 2 by 4 to a character.
fn single(forecast: &Forecast<'_>, curve: &Curve<'_>, columns: usize) -> Vec<String> {
    let width = columns - LABEL_COLUMNS - 3;
    let grid = Grid::drawn(forecast, curve, width, ROWS);
    let mut lines: Vec<String> = (0..ROWS)
        .map(|row| {
            let label = LABELS.iter().find(|(at, _)| *at == row).map_or("", |(_, label)| *label);
            let edge = if label.is_empty() { "│" } else { "┤" };
            format!("{label:>LABEL_COLUMNS$} {}{}", paint(edge, FAINT), paint(grid.row(row).trim_end(), LINE))
        })
        .collect();
    lines.extend(feet(forecast, LABEL_COLUMNS + 1, width));
    lines
}

/// Several flags: a row of blocks each, and the share at both ends.
fn several(forecast: &Forecast<'_>, columns: usize, rows_most: usize) -> Vec<String> {
    let moving: Vec<&Curve<'_>> =
        forecast.curves.iter().filter(|curve| curve.changes_within(forecast.from, forecast.to)).collect();
    let shown = &moving[..moving.len().min(rows_most)];
    let names = shown.iter().map(|curve| escape(&curve.name).width()).max().unwrap_or(0).min(columns / 3);
    let width = columns - names - ENDS_COLUMNS - 4;
    let mut lines: Vec<String> = shown
        .iter()
        .map(|curve| {
            let name = escape(&curve.name);
            let name = shorten(&name, names);
            let pad = " ".repeat(names - name.width());
            let ends = format!("{} → {} %", brief(curve.share_at(forecast.from)), brief(curve.share_at(forecast.to)));
            format!("{name}{pad} {} {}", row(forecast, curve, width), paint(&ends, FAINT))
        })
        .collect();
    if !shown.is_empty() {
        lines.extend(feet(forecast, names, width));
    }
    let (unshown, still) = (moving.len() - shown.len(), forecast.curves.len() - moving.len());
    let left_out = [(unshown, "more that moves", "more that move"), (still, "that does not move", "that do not move")];
    for (count, one, many) in left_out.into_iter().filter(|(count, ..)| *count > 0) {
        let words = if count == 1 { format!("and 1 flag {one}") } else { format!("and {count} flags {many}") };
        lines.push(paint(&format!("{words} in this time"), FAINT));
    }
    lines
}

/// One row: `·` no keys, `▁` to `█` by eighths.
fn row(forecast: &Forecast<'_>, curve: &Curve<'_>, width: usize) -> String {
    let cells: String = (0..width)
        .map(|column| {
            let share = curve.share_at(forecast.instant(2 * column + 1, 2 * width)).get();
            match share {
                0 => '·',
                _ => BLOCKS[usize::try_from((share - 1) * 8 / Share::FULL.get()).unwrap_or(0).min(7)],
            }
        })
        .collect();
    paint(&cells, LINE)
}

/// The axis below: a rule with marks, their labels, and where now is.
fn feet(forecast: &Forecast<'_>, indent: usize, width: usize) -> Vec<String> {
    let column = |at: Micros| forecast.place(at).map(|place| at_column(place, width));
    let mut rule = vec!['─'; width];
    let mut labels = String::new();
    for mark in axis::marks(forecast.from, forecast.to, width / MARK_COLUMNS) {
        let Some(at) = column(mark.at) else { continue };
        let start = at.saturating_sub(mark.label.len() / 2).max(if labels.is_empty() { 0 } else { labels.len() + 1 });
        if start + mark.label.len() <= width + 1 {
            rule[at] = '┴';
            labels.push_str(&" ".repeat(start - labels.len()));
            labels.push_str(&mark.label);
        }
    }
    let pad = " ".repeat(indent);
    let mut lines = vec![format!("{pad}{}", paint(&format!("└{}", rule.into_iter().collect::<String>()), FAINT))];
    lines.push(format!("{pad} {labels}"));
    lines.push(format!("{pad} {}", now_line(column(forecast.now), forecast, width)));
    lines
}

/// An arrow to now, or the word where it lies.
fn now_line(column: Option<usize>, forecast: &Forecast<'_>, width: usize) -> String {
    let text = match column {
        Some(column) if column + 6 <= width => format!("{}▲ now", " ".repeat(column)),
        Some(column) => format!("{}now ▲", " ".repeat(column.saturating_sub(4))),
        None if forecast.now > forecast.to => format!("{:>width$}", "now is later ▶"),
        None => "◀ now is earlier".to_owned(),
    };
    paint(&text, NOW)
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a place on a picture"
)]
fn at_column(place: f64, width: usize) -> usize {
    ((place * width as f64) as usize).min(width - 1)
}

/// A share in few characters: whole per cent, or what is below or above them.
fn brief(share: Share) -> String {
    let millionths = share.to_millionths();
    match millionths / 1_000_000 {
        0 if millionths > 0 => "<1".to_owned(),
        99 => ">99".to_owned(),
        whole => whole.to_string(),
    }
}

/// Dots in a grid of braille characters, each 2 wide and 4 high.
struct Grid {
    cells: Vec<Vec<u8>>,
}

impl Grid {
    fn drawn(forecast: &Forecast<'_>, curve: &Curve<'_>, width: usize, rows: usize) -> Self {
        let mut grid = Self { cells: vec![vec![0; width]; rows] };
        let (across, top) = (2 * width, 4 * rows - 1);
        let height = |share: Share| {
            let scaled = (share.get() * top as u64 * 2 + Share::FULL.get()) / (2 * Share::FULL.get());
            usize::try_from(scaled).unwrap_or(0)
        };
        let mut before: Option<usize> = None;
        for column in 0..across {
            let here = height(curve.share_at(forecast.instant(2 * column + 1, 2 * across)));
            // A jump is drawn as a line upwards, not as a gap.
            let (low, high) = match before {
                Some(before) if before + 1 < here => (before + 1, here),
                Some(before) if here + 1 < before => (here, before - 1),
                _ => (here, here),
            };
            (low..=high).for_each(|level| grid.set(column, top - level));
            before = Some(here);
        }
        grid
    }

    fn set(&mut self, column: usize, line: usize) {
        let dot = DOTS[line % 4][column % 2];
        if let Some(cell) = self.cells.get_mut(line / 4).and_then(|row| row.get_mut(column / 2)) {
            *cell |= dot;
        }
    }

    fn row(&self, row: usize) -> String {
        let character =
            |cell: &u8| if *cell == 0 { ' ' } else { char::from_u32(0x2800 + u32::from(*cell)).unwrap_or(' ') };
        self.cells[row].iter().map(character).collect()
    }
}

/// The bits of the dots in a braille character, by line and column.
const DOTS: [[u8; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Lines of the chart of one flag.
const ROWS: usize = 13;
/// The labels of its rows.
const LABELS: &[(usize, &str)] = &[(0, "100 %"), (3, "75 %"), (6, "50 %"), (9, "25 %"), (12, "0 %")];
const LABEL_COLUMNS: usize = 5;
/// Room for `>99 → >99 %`.
const ENDS_COLUMNS: usize = 11;
/// A mark of the axis for this number of columns: a label and some air.
const MARK_COLUMNS: usize = 14;
const LINE: Style = AnsiColor::Cyan.on_default();
const NOW: Style = AnsiColor::Yellow.on_default();
