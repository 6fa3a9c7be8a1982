//! Aligned columns for people.

/// Which side of its column a text keeps to.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// A header and rows of equal length.
pub struct Grid {
    align: Vec<Align>,
    rows: Vec<Vec<String>>,
}

impl Grid {
    /// A grid with these columns.
    pub fn new(columns: Vec<(String, Align)>) -> Grid {
        let (header, align) = columns.into_iter().unzip();
        Grid { align, rows: vec![header] }
    }

    /// Adds a row.
    pub fn row(&mut self, fields: Vec<String>) {
        self.rows.push(fields);
    }

    /// The text: columns two blanks apart, a line under the header, no blank at the end of a line.
    pub fn text(&self) -> String {
        let width = |text: &str| text.chars().count();
        let mut widths = vec![0; self.align.len()];
        for row in &self.rows {
            for (most, field) in widths.iter_mut().zip(row) {
                *most = (*most).max(width(field));
            }
        }
        let mut text = String::new();
        for (i, row) in self.rows.iter().enumerate() {
            let mut line = String::new();
            for ((field, align), &most) in row.iter().zip(&self.align).zip(&widths) {
                if !line.is_empty() {
                    line.push_str("  ");
                }
                let blanks = " ".repeat(most - width(field));
                match align {
                    Align::Left => line.extend([field.as_str(), &blanks]),
                    Align::Right => line.extend([&blanks, field.as_str()]),
                }
            }
            text.push_str(line.trim_end());
            text.push('\n');
            if i == 0 {
                let rules: Vec<String> = widths.iter().map(|&most| "─".repeat(most)).collect();
                text.push_str(&rules.join("  "));
                text.push('\n');
            }
        }
        text
    }
}

/// Lines of `name  value`, the values aligned; a value of several lines is indented.
pub fn pairs(list: &[(&str, String)]) -> String {
    let most = list.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (name, value) in list {
        for (i, line) in value.lines().enumerate() {
            let name = if i == 0 { *name } else { "" };
            text.push_str(format!("{name:most$}   {line}").trim_end());
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_by_characters() {
        let mut grid = Grid::new(vec![("naswot ↑".into(), Align::Right), ("cell".into(), Align::Left)]);
        grid.row(vec!["–".into(), "|none~0|".into()]);
        assert_eq!(grid.text(), "naswot ↑  cell\n────────  ────────\n       –  |none~0|\n");
        assert_eq!(pairs(&[("a", "1\n2".into()), ("long", "3".into())]), "a      1\n       2\nlong   3\n");
    }
}
