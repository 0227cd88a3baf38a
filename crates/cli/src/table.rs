//! Columns that line up: what lists are shown in to people.

use anstyle::Style;
use unicode_width::UnicodeWidthStr as _;

/// A table without lines: columns are as wide as their widest cell and two blanks apart. A cell may be
/// coloured, which never carries a meaning of its own.
#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
    to_the_right: Vec<bool>,
}

/// One cell: text that is safe to print, and its style.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Table {
    /// A table with these headings; a heading that ends in `>` stands above numbers, which are set to the
    /// right.
    pub(crate) fn new(headings: &[&str]) -> Self {
        let to_the_right = headings.iter().map(|heading| heading.ends_with('>')).collect();
        let heads = headings.iter().map(|heading| Cell::new(heading.trim_end_matches('>')).styled(HEADING)).collect();
        Self { rows: vec![heads], to_the_right }
    }

    /// Adds a row, one cell for each heading.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines of the table, the headings first.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        let widths: Vec<usize> = (0..self.to_the_right.len())
            .map(|column| self.rows.iter().filter_map(|row| row.get(column)).map(Cell::width).max().unwrap_or(0))
            .collect();
        self.rows.iter().map(move |row| self.line(row, &widths))
    }

    fn line(&self, row: &[Cell], widths: &[usize]) -> String {
        let mut line = String::new();
        let mut gap = 0;
        for ((cell, width), to_the_right) in row.iter().zip(widths).zip(&self.to_the_right) {
            let missing = width - cell.width();
            let before = if *to_the_right { missing } else { 0 };
            if !cell.text.is_empty() {
                line.push_str(&" ".repeat(gap + before));
                line.push_str(&cell.painted());
                gap = 0;
            }
            gap += if cell.text.is_empty() { *width } else { missing - before } + COLUMN_GAP;
        }
        line
    }
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), style: Style::new() }
    }

    /// The same cell in another style.
    #[must_use]
    pub(crate) fn styled(mut self, style: Style) -> Self {
        self.style = style;
        self
    }

    fn width(&self) -> usize {
        self.text.width()
    }

    fn painted(&self) -> String {
        paint(&self.text, self.style)
    }
}

/// The text in a style; plain text stays as it is.
pub(crate) fn paint(text: &str, style: Style) -> String {
    if style.is_plain() { text.to_owned() } else { format!("{style}{text}{style:#}") }
}

/// Blanks between columns.
const COLUMN_GAP: usize = 2;
/// Headings, and the names of things.
pub(crate) const HEADING: Style = Style::new().bold();
/// What matters less.
pub(crate) const FAINT: Style = Style::new().dimmed();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["FLAG", "SHARE>", "NEXT"]);
        table.rows[0].iter_mut().for_each(|cell| cell.style = Style::new());
        table.row(["日本", "5", "never"].map(Cell::new));
        table.row(["longer", "12.5", ""].map(Cell::new));
        table.row(["a", "", "x"].map(Cell::new));
        let lines: Vec<String> = table.lines().collect();
        assert_eq!(lines, ["FLAG    SHARE  NEXT", "日本        5  never", "longer   12.5", "a              x"]);
    }
}
