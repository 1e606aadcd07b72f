//! Tables: rows of cells become lines whose columns stand under each other, whatever the script
//! they are written in.

use unicode_width::UnicodeWidthStr;

use super::clean;

/// The space between columns.
const GAP: &str = "  ";

/// A cell: what it says, and how that is painted. Paint has no width.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    text: String,
    painted: Option<String>,
    right: bool,
}

impl Cell {
    /// Text, left.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self { text: clean(text.as_ref()), painted: None, right: false }
    }

    /// A number, right.
    pub fn number(number: u64) -> Self {
        Self { text: number.to_string(), painted: None, right: true }
    }

    /// The same, painted.
    pub fn painted(self, paint: impl FnOnce(&str) -> String) -> Self {
        let painted = Some(paint(&self.text));
        Self { painted, ..self }
    }

    /// The same, at the right of its column.
    pub fn right(self) -> Self {
        Self { right: true, ..self }
    }

    fn width(&self) -> usize {
        self.text.width()
    }
}

/// Rows under a heading.
#[derive(Clone, Debug, Default)]
pub struct Table {
    rows: Vec<Vec<Cell>>,
}

impl Table {
    /// A table without a heading.
    pub fn new() -> Self {
        Self::default()
    }

    /// A table under these words.
    pub fn with_heading(words: &[&str], paint: super::Paint) -> Self {
        let heading = words.iter().map(|word| Cell::text(word).painted(|word| paint.faint(word)));
        Self { rows: vec![heading.collect()] }
    }

    /// Adds a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The lines, each behind `indent`, none with blanks at its end.
    pub fn lines(&self, indent: &str) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or_default();
        let width = |at: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(at));
            cells.map(Cell::width).max().unwrap_or_default()
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        // A column of numbers has its heading over the numbers.
        let right: Vec<bool> = (0..columns)
            .map(|at| self.rows.iter().skip(1).filter_map(|row| row.get(at)).any(|cell| cell.right))
            .collect();
        let mut lines = String::new();
        for row in &self.rows {
            let mut line = String::from(indent);
            for (at, ((cell, width), right)) in row.iter().zip(&widths).zip(&right).enumerate() {
                let blank = " ".repeat(width - cell.width());
                let shown = cell.painted.as_ref().unwrap_or(&cell.text);
                let before = if at == 0 { "" } else { GAP };
                let cell =
                    if *right || cell.right { [before, &blank, shown] } else { [before, shown, &blank] };
                line.extend(cell);
            }
            lines.push_str(line.trim_end());
            lines.push('\n');
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::super::Paint;
    use super::*;

    #[test]
    fn columns_stand_under_each_other_in_any_script_and_colour() {
        let mut table = Table::with_heading(&["NAME", "N"], Paint::PLAIN);
        table.row([Cell::text("Siti"), Cell::number(7)]);
        table.row([Cell::text("ꦱꦶꦠꦶ").painted(|text| Paint::COLOURED.ink("red", text)), Cell::number(12)]);
        table.row([Cell::text("東京"), Cell::number(3)]);
        let lines = table.lines("  ");
        let plain = lines.replace("\u{1b}[31m", "").replace("\u{1b}[0m", "");
        let widths: Vec<usize> = plain.lines().map(UnicodeWidthStr::width).collect();
        assert!(widths.iter().all(|width| *width == widths[0]), "{plain}");
        assert!(plain.starts_with("  NAME   N\n"), "{plain}");
    }

    #[test]
    fn no_line_ends_in_blanks() {
        let mut table = Table::new();
        table.row([Cell::text("a"), Cell::text("")]);
        table.row([Cell::text("bbb"), Cell::text("c")]);
        assert_eq!(table.lines(""), "a\nbbb  c\n");
    }
}
