//! Which cells a command line names.

use crate::error::{Error, Result};
use crate::random::Stream;
use crate::space::{Cell, Encoding, SPACE_SIZE};
use std::fs::File;
use std::io::{self, Read};

/// The most bytes of cells that are read: a hundred times the whole space.
const MOST_BYTES: u64 = 1 << 27;

/// The cells that the arguments name, in their order; `-` stands for those of stdin.
pub fn named(texts: &[String], encoding: Encoding) -> Result<Vec<Cell>> {
    named_by(texts, &|text| Cell::parse(text, encoding))
}

/// [`named`], each cell read by `read`.
pub fn named_by(texts: &[String], read: &dyn Fn(&str) -> Result<Cell>) -> Result<Vec<Cell>> {
    if texts.iter().filter(|text| *text == "-").count() > 1 {
        return Err(Error::options("-", "to be given once", "it twice", "Standard input can be read only once."));
    }
    let mut cells = Vec::new();
    for text in texts {
        if text != "-" {
            cells.push(read(text)?);
            continue;
        }
        cells.extend(of_stdin(read)?);
    }
    Ok(cells)
}

/// The cells of a file, one a line; `-` stands for stdin.
pub fn listed(file: &str, encoding: Encoding) -> Result<Vec<Cell>> {
    if file != "-" {
        let mut bytes = Vec::new();
        let read = File::open(file).and_then(|opened| opened.take(MOST_BYTES + 1).read_to_end(&mut bytes));
        read.map_err(|source| Error::Unreadable { path: file.into(), source })?;
        return lines(&bytes, &format!("the file {file}"), &|text| Cell::parse(text, encoding));
    }
    of_stdin(&|text| Cell::parse(text, encoding))
}

/// The cells of stdin.
fn of_stdin(read: &dyn Fn(&str) -> Result<Cell>) -> Result<Vec<Cell>> {
    let mut bytes = Vec::new();
    io::stdin()
        .lock()
        .take(MOST_BYTES + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| Error::Io { action: "reading the cells from standard input".to_string(), source })?;
    lines(&bytes, "standard input", read)
}

/// One cell a line; blank lines are ignored. `name` is where they stand, for errors.
fn lines(bytes: &[u8], name: &str, read: &dyn Fn(&str) -> Result<Cell>) -> Result<Vec<Cell>> {
    if bytes.len() as u64 > MOST_BYTES {
        return Err(Error::Data {
            what: format!("The list of cells in {name}"),
            expected: format!("at most {MOST_BYTES} bytes"),
            found: "more".to_string(),
            remedy: "Write one cell a line.".to_string(),
        });
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut cells = Vec::new();
    for (i, line) in bytes.split(|&b| b == b'\n').enumerate() {
        let wrong = |found: String, remedy: String| Error::Data {
            what: format!("Line {} of {name}", i + 1),
            expected: "a cell".to_string(),
            found,
            remedy,
        };
        let text = std::str::from_utf8(line).map_err(|_| {
            wrong("bytes that are not UTF-8 text".to_string(), "Write one cell a line, as plain text.".to_string())
        })?;
        if !text.trim().is_empty() {
            let cell = read(text.trim());
            cells.push(cell.map_err(|error| wrong(format!("{:?}", text.trim()), error.to_string()))?);
        }
    }
    if cells.is_empty() {
        let remedy = "Write one cell a line.".to_string();
        return Err(Error::Data {
            what: format!("The list of cells in {name}"),
            expected: "at least one cell".to_string(),
            found: "none".to_string(),
            remedy,
        });
    }
    Ok(cells)
}

/// `n` distinct cells, drawn by a seed; `option` asked for them.
pub fn drawn(option: &str, n: usize, seed: u64) -> Result<Vec<Cell>> {
    if n > SPACE_SIZE {
        let expected = format!("at most {SPACE_SIZE}, the cells of the space");
        return Err(Error::options(option, expected, n.to_string(), "Ask for fewer cells."));
    }
    Stream::new(seed, &[]).distinct(n, SPACE_SIZE).into_iter().map(|index| Cell::from_index(index as i64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_cells() {
        let arch = |text: &str| Cell::parse(text, Encoding::Arch);
        let read = lines(b"\xef\xbb\xbf 5\r\n\n\t\n9930", "a file", &arch).unwrap();
        assert_eq!(read.iter().map(Cell::index).collect::<Vec<_>>(), [5, 9930]);
        let error = lines(b"5\n\nfive\n", "standard input", &arch).unwrap_err().to_string();
        assert!(
            error.starts_with("Line 3 of standard input: expected a cell, found \"five\". The cell \"five\" is"),
            "{error}"
        );
        assert!(lines(b"1\n\xff\n", "a file", &arch).unwrap_err().to_string().starts_with("Line 2 "));
        assert!(lines(b"\n", "a file", &arch).unwrap_err().to_string().contains("at least one cell"));
    }

    #[test]
    fn drawn_cells_are_distinct_and_follow_the_seed() {
        let cells = drawn("--cells", 500, 11).unwrap();
        let distinct: std::collections::HashSet<_> = cells.iter().collect();
        assert_eq!(distinct.len(), 500);
        assert_eq!(drawn("--cells", 500, 11).unwrap(), cells);
        assert_ne!(drawn("--cells", 500, 12).unwrap(), cells);
        assert_eq!(drawn("--cells", SPACE_SIZE, 0).unwrap().len(), SPACE_SIZE);
        assert_eq!(drawn("--cells", SPACE_SIZE + 1, 0).unwrap_err().exit_code(), 2);
    }
}
