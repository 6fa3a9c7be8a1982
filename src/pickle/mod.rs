//! Pickles as data: a reader that runs nothing.
//!
//! A pickle is a program for a small stack machine; Python runs it, and a hostile one makes Python run whatever it names.
//! This reader knows the opcodes that build plain data (protocols 0 to 5) and a closed list of names, numpy's arrays, types
//! and scalars among them, each with a meaning of its own here. Any other name or opcode is an error that says which.
//!
//! What holds for every input, hostile ones included:
//!
//! * Nothing is allocated on the word of the file: a declared length is compared with the bytes that are left first. Strings
//!   and array data are borrowed from bytes in memory.
//! * Values that the file names again (its memo) are shared, never copied, so a few bytes cannot grow into much.
//! * The number of opcodes and the depth of nesting are limited ([`Limits`]), and no value contains itself. The reader
//!   itself uses no recursion. Who reads the values looks for what a format has; a blind walk over all of them may meet a
//!   shared value exponentially often and must bound its steps.
//!
//! [`read_entries`] reads a pickle of any length from a stream and hands the entries of its dict over one by one; what an entry
//! took is let go. There text is copied, and the limits hold for an entry.
//!
//! ```
//! # use std::path::Path;
//! let bytes = b"\x80\x02}q\x00U\x04dataK\x07s.";
//! let pickle = etnas::pickle::Pickle::read(Path::new("batch"), bytes).unwrap();
//! let entries = pickle.root().as_dict().unwrap();
//! assert_eq!(entries.get("data").unwrap().as_i64(), Some(7));
//! ```

mod entries;
mod globals;
mod input;
mod machine;
mod memo;
mod nesting;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_entries;
mod text;
mod value;

pub use entries::Visitor;
pub use value::{Array, Dict, Dtype, Kind, Sequence, Value};

use crate::error::{Error, Result};
use entries::Entries;
use input::{Input, Memory, Stream};
use machine::{Fault, Machine};
use std::io::BufRead;
use std::path::Path;
use value::{Heap, Slot};

/// How large a pickle may be. The default is far above any batch of images and far below what a machine could not hold:
/// an opcode costs some 100 bytes of memory at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Opcodes, a bound on values of every kind. By default 4,194,304.
    pub opcodes: u32,
    /// Containers within containers. By default 64.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { opcodes: 1 << 22, depth: 64 }
    }
}

/// A pickle that has been read. Strings and array data are borrowed from its bytes.
pub struct Pickle<'a> {
    heap: Heap<'a>,
    root: Slot<'a>,
    end: usize,
}

impl<'a> Pickle<'a> {
    /// Reads the pickle at the start of `bytes`; `path` is named in errors.
    ///
    /// # Errors
    /// [`Error::Data`] when the bytes are no pickle, are cut short, go beyond the default [`Limits`], or need a name or an
    /// opcode that is not on the list.
    pub fn read(path: &Path, bytes: &'a [u8]) -> Result<Pickle<'a>> {
        Pickle::read_within(path, bytes, Limits::default())
    }

    /// [`Pickle::read`] under given limits.
    ///
    /// # Errors
    /// Those of [`Pickle::read`].
    pub fn read_within(path: &Path, bytes: &'a [u8], limits: Limits) -> Result<Pickle<'a>> {
        let mut machine = Machine::new(Memory::new(bytes), limits.opcodes, None);
        let read = machine.run().and_then(|root| {
            nesting::check(&machine.heap.objects, root, limits.depth).map_err(|(expected, found)| Fault {
                at: machine.input.at(),
                expected,
                found,
                remedy: machine::DAMAGED,
            })?;
            Ok(root)
        });
        match read {
            Ok(root) => Ok(Pickle { end: machine.input.at() as usize, heap: machine.heap, root }),
            Err(fault) => Err(Error::data(
                path,
                fault.expected,
                format!("{} (byte {} of {})", fault.found, fault.at, bytes.len()),
                fault.remedy,
            )),
        }
    }

    /// The value that the pickle holds.
    pub fn root(&self) -> Value<'_> {
        self.heap.value(self.root)
    }

    /// Bytes from the start to the end of the pickle; further ones may follow in the same file.
    pub fn end(&self) -> usize {
        self.end
    }
}

/// Reads the pickle at the start of a stream, however large, and hands the entries of its dict to `visitor` one by one. `path` is
/// named in errors. `limits` hold for one entry; by default a pickle of any length takes some 1.1 GB at most,
/// half of it for the numbers of its memo.
///
/// # Errors
/// Those of [`Pickle::read`], those of the stream, and those of the visitor.
pub fn read_entries(path: &Path, reader: impl BufRead, limits: Limits, visitor: &mut dyn Visitor) -> Result<()> {
    let entries = Entries::new(visitor, limits);
    let mut machine = Machine::new(Stream::new(reader), limits.opcodes, Some(entries));
    let Err(fault) = machine.run() else { return Ok(()) };
    Err(entries::ended(machine, fault, |fault| {
        Error::data(path, fault.expected, format!("{} (byte {} of the pickle)", fault.found, fault.at), fault.remedy)
    }))
}
