//! Changes to valid files that keep enough of them for a reader to go on: random bytes alone reach nothing but the first check.

use super::seeds::WORDS;
use proptest::prelude::*;

/// A change. Places are taken modulo the file's length; half of them fall into its first 256 bytes, where headers are.
#[derive(Clone, Debug)]
pub enum Change {
    /// One bit is turned.
    Flip(Place, u8),
    /// A byte becomes another.
    Set(Place, u8),
    /// The file ends here.
    Cut(Place),
    /// So many bytes are missing.
    Drop(Place, u16),
    /// So many bytes stand there several times.
    Repeat(Place, u16, u8),
    /// A number of 1, 2, 4 or 8 bytes, in either order, becomes one that no length may have.
    Huge(Place, u8, u64),
    /// A part of another valid file stands there.
    Splice(Place, u8, Place, u16),
    /// A word stands there.
    Word(Place, u8),
    /// The digits that begin here or behind become another number.
    Number(Place, i64),
}

/// A place in a file of any length.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    near: bool,
    at: u32,
}

impl Place {
    fn of(self, length: usize) -> usize {
        let room = if self.near { length.min(256) } else { length };
        self.at as usize % (room + 1)
    }
}

fn place() -> impl Strategy<Value = Place> {
    (any::<bool>(), any::<u32>()).prop_map(|(near, at)| Place { near, at })
}

fn change() -> impl Strategy<Value = Change> {
    let huge = prop_oneof![
        Just(u64::MAX),
        Just(u64::MAX / 2),
        Just(u64::from(u32::MAX)),
        Just(1 << 31),
        Just(1 << 24),
        any::<u64>()
    ];
    let number = prop_oneof![Just(i64::MAX), Just(i64::MIN), Just(-1), Just(15_625), 0_i64..20_000, Just(1 << 40)];
    prop_oneof![
        3 => (place(), 0_u8..8).prop_map(|(at, bit)| Change::Flip(at, bit)),
        2 => (place(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        1 => place().prop_map(Change::Cut),
        1 => (place(), 1_u16..200).prop_map(|(at, length)| Change::Drop(at, length)),
        1 => (place(), 1_u16..200, 1_u8..40).prop_map(|(at, length, times)| Change::Repeat(at, length, times)),
        2 => (place(), 0_u8..8, huge).prop_map(|(at, kind, value)| Change::Huge(at, kind, value)),
        1 => (place(), any::<u8>(), place(), 1_u16..2000).prop_map(|(to, file, from, length)| Change::Splice(to, file, from, length)),
        2 => (place(), any::<u8>()).prop_map(|(at, word)| Change::Word(at, word)),
        2 => (place(), number).prop_map(|(at, value)| Change::Number(at, value)),
    ]
}

/// A few changes.
pub fn changes() -> impl Strategy<Value = Vec<Change>> {
    proptest::collection::vec(change(), 0..5)
}

/// A valid file, changed; `files` are all valid ones, of which parts are taken.
pub fn changed(file: &[u8], files: &[Vec<u8>], changes: &[Change]) -> Vec<u8> {
    let mut bytes = file.to_vec();
    for change in changes {
        let length = bytes.len();
        match change {
            Change::Flip(at, bit) => {
                if let Some(byte) = bytes.get_mut(at.of(length)) {
                    *byte ^= 1 << bit;
                }
            }
            Change::Set(at, value) => {
                if let Some(byte) = bytes.get_mut(at.of(length)) {
                    *byte = *value;
                }
            }
            Change::Cut(at) => bytes.truncate(at.of(length)),
            Change::Drop(at, count) => {
                let from = at.of(length);
                bytes.drain(from..(from + usize::from(*count)).min(length));
            }
            Change::Repeat(at, count, times) => {
                let from = at.of(length);
                let part = bytes[from..(from + usize::from(*count)).min(length)].repeat(usize::from(*times));
                bytes.splice(from..from, part);
            }
            Change::Huge(at, kind, value) => {
                let (from, size) = (at.of(length), 1_usize << (kind % 4));
                let mut word = value.to_le_bytes()[..size].to_vec();
                if *kind >= 4 {
                    word.reverse();
                }
                bytes.splice(from..(from + size).min(length), word);
            }
            Change::Splice(to, file, from, count) => {
                let other = &files[usize::from(*file) % files.len()];
                let from = from.of(other.len());
                let part = other[from..(from + usize::from(*count)).min(other.len())].to_vec();
                let to = to.of(length);
                bytes.splice(to..to, part);
            }
            Change::Word(at, word) => {
                let at = at.of(length);
                bytes.splice(at..at, WORDS[usize::from(*word) % WORDS.len()].bytes());
            }
            Change::Number(at, value) => {
                let digit = |byte: &u8| byte.is_ascii_digit();
                let from = at.of(length);
                let Some(from) = bytes[from..].iter().position(digit).map(|skipped| from + skipped) else { continue };
                let count = bytes[from..].iter().take_while(|byte| digit(byte)).count();
                bytes.splice(from..from + count, value.to_string().bytes());
            }
        }
    }
    bytes
}
