//! Records as they stand in a file of JSON Lines or CSV, read back one by one.

use super::{Columns, Format};
use crate::error::{Error, Result};
use crate::space::Cell;
use serde_json::{Map, Value};
use std::io::{BufRead, Read};
use std::path::Path;

/// More bytes than any record takes.
const LONGEST: u64 = 1 << 16;

/// Reads whole records. The file ends, for this reader, at its end or at a tail that was torn: a last line without its line feed, which
/// a process leaves that dies while it writes, or a line with NUL bytes, which some file systems leave when power fails.
pub(super) struct Stored<'a, R> {
    reader: R,
    path: &'a Path,
    format: Format,
    keys: Vec<String>,
    text: Vec<u8>,
    line: usize,
    bytes: u64,
    ended: bool,
}

impl<'a, R: BufRead> Stored<'a, R> {
    /// A reader at the begin of a file with these columns.
    ///
    /// # Errors
    /// [`Error::Data`] where a file of CSV has another header; [`Error::Unreadable`].
    pub fn new(reader: R, path: &'a Path, format: Format, columns: &Columns) -> Result<Self> {
        let (text, keys) = (Vec::new(), columns.keys());
        let mut stored = Stored { reader, path, format, keys, text, line: 0, bytes: 0, ended: false };
        if format == Format::Csv && stored.advance()? {
            let header = stored.keys.join(",");
            if stored.shown() != header {
                let expected = format!("the header {header}");
                return Err(Error::data(path, expected, stored.shown(), "Give a file that score wrote."));
            }
        }
        Ok(stored)
    }

    /// Bytes of the lines read so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next record: its cell, and its line with the line feed.
    ///
    /// # Errors
    /// [`Error::Data`] for a whole line that is no record of these columns; [`Error::Unreadable`].
    pub fn next(&mut self) -> Result<Option<(Cell, &str)>> {
        if !self.advance()? {
            return Ok(None);
        }
        let cell = match self.format {
            Format::Csv => self.of_csv(),
            _ => self.of_json(),
        };
        match (cell, std::str::from_utf8(&self.text)) {
            (Some(cell), Ok(line)) => Ok(Some((cell, line))),
            _ => Err(Error::data(
                self.path,
                format!("a record with the keys {} on line {}", self.keys.join(", "), self.line),
                self.shown(),
                "Correct the line, or remove it and all that follow and give score --resume.",
            )),
        }
    }

    /// Goes to the next whole line.
    fn advance(&mut self) -> Result<bool> {
        self.text.clear();
        if !self.ended {
            let read = self.reader.by_ref().take(LONGEST + 1).read_until(b'\n', &mut self.text);
            read.map_err(|source| Error::Unreadable { path: self.path.to_path_buf(), source })?;
        }
        let (whole, torn) = (self.text.ends_with(b"\n"), self.text.contains(&0));
        if !whole && !torn && self.text.len() as u64 > LONGEST {
            let expected = format!("at most {LONGEST} bytes on line {}", self.line + 1);
            return Err(Error::data(self.path, expected, "more", "Give a file that score wrote."));
        }
        self.ended |= torn || !whole;
        self.line += usize::from(!self.ended);
        self.bytes += if self.ended { 0 } else { self.text.len() as u64 };
        Ok(!self.ended)
    }

    /// The line for an error.
    fn shown(&self) -> String {
        let text = String::from_utf8_lossy(&self.text);
        match text.trim_end().char_indices().nth(160) {
            Some((end, _)) => format!("{}…", &text[..end]),
            None => text.trim_end().to_string(),
        }
    }

    fn of_json(&self) -> Option<Cell> {
        let record: Map<String, Value> = serde_json::from_slice(&self.text).ok()?;
        let scores = record.values().skip(4).all(|score| score.is_number() || score.is_null());
        let known = scores && record.keys().eq(&self.keys);
        let cell = Cell::from_index(record.get("index")?.as_i64()?).ok()?;
        (known && record.get("arch")?.as_str()? == cell.to_string()).then_some(cell)
    }

    fn of_csv(&self) -> Option<Cell> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(self.text.as_slice());
        let record = reader.records().next()?.ok()?;
        let score = |field: &str| field.is_empty() || field.parse().is_ok_and(f64::is_finite);
        let known = record.len() == self.keys.len() && record.iter().skip(4).all(score);
        let cell = Cell::from_index(record.get(0)?.parse().ok()?).ok()?;
        (known && record.get(1)? == cell.to_string()).then_some(cell)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::Measure;

    fn columns() -> Columns {
        Columns::new(&[Measure::Naswot, Measure::Degree], 1)
    }

    /// The cells that are read, the bytes they take, and whether an error ended it.
    fn read(text: &[u8], format: Format) -> (Vec<usize>, u64, Option<String>) {
        let mut cells = Vec::new();
        let mut stored = match Stored::new(text, Path::new("x"), format, &columns()) {
            Ok(stored) => stored,
            Err(error) => return (cells, 0, Some(error.to_string())),
        };
        loop {
            match stored.next() {
                Ok(Some((cell, line))) => {
                    assert!(line.ends_with('\n'));
                    cells.push(cell.index());
                }
                Ok(None) => return (cells, stored.bytes(), None),
                Err(error) => return (cells, stored.bytes(), Some(error.to_string())),
            }
        }
    }

    /// Three records in a format, and where each line ends.
    fn file(format: Format) -> (String, Vec<usize>) {
        let mut text = String::new();
        let mut ends = Vec::new();
        if format == Format::Csv {
            text = "index,arch,dataset,status,naswot,degree\n".to_string();
            ends.push(text.len());
        }
        for (index, naswot) in [(5, "1.5"), (9930, ""), (0, "-3e-7")] {
            let arch = Cell::from_index(index).unwrap();
            text += &match format {
                Format::Csv => format!("{index},{arch},cifar10,ok,{naswot},2\n"),
                _ => {
                    let naswot = if naswot.is_empty() { "null" } else { naswot };
                    format!(
                        "{{\"index\":{index},\"arch\":\"{arch}\",\"dataset\":\"cifar10\",\"status\":\"ok\",\"naswot\":{naswot},\"degree\":2}}\n"
                    )
                }
            };
            ends.push(text.len());
        }
        (text, ends)
    }

    #[test]
    fn a_file_torn_at_any_byte_ends_with_its_last_whole_record() {
        for format in [Format::Jsonl, Format::Csv] {
            let (text, ends) = file(format);
            let header = usize::from(format == Format::Csv);
            for cut in 0..=text.len() {
                let lines = ends.iter().filter(|end| **end <= cut).count();
                let kept = if lines == 0 { 0 } else { ends[lines - 1] as u64 };
                let expected = ([5, 9930, 0][..lines.saturating_sub(header)].to_vec(), kept, None);
                assert_eq!(read(&text.as_bytes()[..cut], format), expected, "{cut}");
                // Power failed: the length is there, the bytes are not.
                let zeros = [&text.as_bytes()[..cut], &[0; 100_000]].concat();
                assert_eq!(read(&zeros, format), expected, "{cut}");
                let more = [&text.as_bytes()[..cut], b"\0\0\0\n", text.as_bytes()].concat();
                assert_eq!(read(&more, format), expected, "{cut}");
            }
        }
    }

    #[test]
    fn whole_lines_that_are_no_record_are_errors_with_their_number() {
        for format in [Format::Jsonl, Format::Csv] {
            let (text, _) = file(format);
            let line = 2 + usize::from(format == Format::Csv);
            for (from, to) in [
                ("9930", "9931"),
                ("9930", "15625"),
                ("cifar10,ok,,2", "cifar10,ok,2"),
                ("cifar10,ok,,2", "cifar10,ok,inf,2"),
                ("\"naswot\":null,", ""),
                ("null", "\"high\""),
                ("\"degree\":2}\n{\"index\":0", "\"degree\":2,\"x\":1}\n{\"index\":0"),
            ] {
                let broken = text.replacen(from, to, 1);
                if broken != text {
                    let (cells, _, error) = read(broken.as_bytes(), format);
                    assert_eq!(cells, [5], "{to}");
                    assert!(error.as_ref().is_some_and(|e| e.contains(&format!("on line {line}"))), "{to}: {error:?}");
                }
            }
            let endless = [text.as_bytes(), &[b'x'; 70_000]].concat();
            assert!(read(&endless, format).2.unwrap().contains("65536 bytes"));
            assert!(read(b"\xff\n", format).2.is_some());
        }
        assert!(read(b"index,arch\n", Format::Csv)
            .2
            .unwrap()
            .contains("the header index,arch,dataset,status,naswot,degree"));
    }
}
