//! Lines of bounded length.

use std::io::{self, BufRead};

/// What a session sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Line {
    /// A line without its end.
    Whole(Vec<u8>),
    /// A line of more bytes than are allowed; it was skipped.
    TooLong,
}

/// The next line; `None` at the end. Of a line that is too long nothing is kept.
///
/// # Errors
/// Those of the source.
pub fn next_line(source: &mut impl BufRead, most: usize) -> io::Result<Option<Line>> {
    let (mut line, mut long, mut begun) = (Vec::new(), false, false);
    loop {
        let bytes = match source.fill_buf() {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        if bytes.is_empty() {
            return Ok(begun.then_some(if long { Line::TooLong } else { Line::Whole(line) }));
        }
        begun = true;
        let end = bytes.iter().position(|&byte| byte == b'\n');
        let part = &bytes[..end.unwrap_or(bytes.len())];
        long |= line.len() + part.len() > most;
        if long {
            line = Vec::new();
        } else {
            line.extend_from_slice(part);
        }
        let taken = part.len() + usize::from(end.is_some());
        source.consume(taken);
        if end.is_some() {
            return Ok(Some(if long { Line::TooLong } else { Line::Whole(line) }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    #[test]
    fn lines_are_bounded_and_what_follows_a_long_one_is_read() {
        let text = b"ab\n\nabcd\nabcde\nx".as_slice();
        for buffer in [1, 2, 3, 64] {
            let mut source = BufReader::with_capacity(buffer, text);
            let mut lines = Vec::new();
            while let Some(line) = next_line(&mut source, 4).unwrap() {
                lines.push(line);
            }
            let whole = |text: &str| Line::Whole(text.as_bytes().to_vec());
            assert_eq!(lines, [whole("ab"), whole(""), whole("abcd"), Line::TooLong, whole("x")], "{buffer}");
        }
    }
}
