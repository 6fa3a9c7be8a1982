//! Where a pickle's bytes come from: memory, from which text is borrowed, or a stream, from which it is copied.

use std::io::{self, BufRead, Read};

/// Bytes that were asked for.
pub(super) enum Taken<'a, 's> {
    /// They outlive the machine.
    Borrowed(&'a [u8]),
    /// They are there until more is read.
    Passing(&'s [u8]),
}

impl Taken<'_, '_> {
    pub fn bytes(&self) -> &[u8] {
        match self {
            Taken::Borrowed(bytes) => bytes,
            Taken::Passing(bytes) => bytes,
        }
    }
}

/// Why bytes are not there.
pub(super) enum Short {
    /// The file ends after so many.
    Ends(u64),
    /// What is asked for is more than a stream's text may be long.
    TooLong,
    /// Reading failed, or the stream is packed and damaged.
    Fails(io::Error),
}

/// A source of bytes.
pub(super) trait Input<'a> {
    /// Bytes that were read.
    fn at(&self) -> u64;
    /// As many bytes as the array has.
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Short>;
    /// So many bytes.
    fn take(&mut self, length: u64) -> Result<Taken<'a, '_>, Short>;
    /// The bytes before the next line break, which is read too.
    fn line(&mut self) -> Result<Taken<'a, '_>, Short>;
    /// Whether so many bytes are there, as far as that can be known.
    fn has(&self, length: u64) -> Result<(), Short>;
}

/// Bytes in memory.
pub(super) struct Memory<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Memory<'a> {
    pub fn new(bytes: &'a [u8]) -> Memory<'a> {
        Memory { bytes, at: 0 }
    }

    fn next(&mut self, length: u64) -> Result<&'a [u8], Short> {
        self.has(length)?;
        let end = self.at + length as usize;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }
}

impl<'a> Input<'a> for Memory<'a> {
    fn at(&self) -> u64 {
        self.at as u64
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let mut array = [0; N];
        array.copy_from_slice(self.next(N as u64)?);
        Ok(array)
    }

    fn take(&mut self, length: u64) -> Result<Taken<'a, '_>, Short> {
        self.next(length).map(Taken::Borrowed)
    }

    fn line(&mut self) -> Result<Taken<'a, '_>, Short> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or(Short::Ends(rest.len() as u64))?;
        self.at += length + 1;
        Ok(Taken::Borrowed(&rest[..length]))
    }

    fn has(&self, length: u64) -> Result<(), Short> {
        let left = (self.bytes.len() - self.at) as u64;
        if length <= left {
            Ok(())
        } else {
            Err(Short::Ends(left))
        }
    }
}

/// The longest text or line of a stream, in bytes.
const LONGEST: u64 = 1 << 24;

/// A stream.
pub(super) struct Stream<R> {
    reader: R,
    at: u64,
    passing: Vec<u8>,
}

impl<R: BufRead> Stream<R> {
    pub fn new(reader: R) -> Stream<R> {
        Stream { reader, at: 0, passing: Vec::new() }
    }
}

impl<'a, R: BufRead> Input<'a> for Stream<R> {
    fn at(&self) -> u64 {
        self.at
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Short> {
        let mut array = [0; N];
        let mut filled = 0;
        while filled < N {
            match self.reader.read(&mut array[filled..]) {
                Ok(0) => return Err(Short::Ends(filled as u64)),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Short::Fails(error)),
            }
        }
        self.at += N as u64;
        Ok(array)
    }

    fn take(&mut self, length: u64) -> Result<Taken<'a, '_>, Short> {
        if length > LONGEST {
            return Err(Short::TooLong);
        }
        self.passing.clear();
        // Nothing is reserved on the word of the file.
        let read = self.reader.by_ref().take(length).read_to_end(&mut self.passing).map_err(Short::Fails)?;
        if (read as u64) < length {
            return Err(Short::Ends(read as u64));
        }
        self.at += length;
        Ok(Taken::Passing(&self.passing))
    }

    fn line(&mut self) -> Result<Taken<'a, '_>, Short> {
        self.passing.clear();
        let read = self.reader.by_ref().take(LONGEST).read_until(b'\n', &mut self.passing).map_err(Short::Fails)?;
        self.at += read as u64;
        match self.passing.split_last() {
            Some((b'\n', line)) => Ok(Taken::Passing(line)),
            _ if read as u64 == LONGEST => Err(Short::TooLong),
            _ => Err(Short::Ends(read as u64)),
        }
    }

    fn has(&self, _: u64) -> Result<(), Short> {
        Ok(())
    }
}
