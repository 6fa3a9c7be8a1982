//! The stack machine: opcodes in, values out.

use super::globals::Global;
use super::text;
use super::value::{Object, Slot};
use std::collections::HashMap;

/// What to do about bytes that are no whole pickle.
pub(super) const DAMAGED: &str = "The file is damaged or of another kind; copy or download it again.";
/// What to do about a pickle that wants more than data.
pub(super) const FOREIGN: &str =
    "Only numbers, text, containers and numpy arrays are read, nothing is run; write the file again as such.";

/// What is wrong with a pickle, and where.
pub(super) struct Fault {
    /// Byte at which the opcode that failed begins.
    pub at: usize,
    pub expected: String,
    pub found: String,
    pub remedy: &'static str,
}

pub(super) type Step<T> = Result<T, Fault>;

/// The machine. `at` is the byte that comes next.
pub(super) struct Machine<'a> {
    bytes: &'a [u8],
    pub at: usize,
    opcode_at: usize,
    stack: Vec<Slot<'a>>,
    marks: Vec<usize>,
    memo: HashMap<u32, Slot<'a>>,
    pub objects: Vec<Object<'a>>,
    /// Opcodes that may still come. An item that is copied counts as one.
    opcodes: u32,
    /// Bytes of text that may still be converted. Twice the file is more than an honest one needs, which writes each text
    /// once; one that has the same text converted again and again runs out.
    conversions: usize,
}

impl<'a> Machine<'a> {
    /// A machine that will run at most `limit` opcodes.
    pub fn new(bytes: &'a [u8], limit: u32) -> Machine<'a> {
        Machine {
            bytes,
            at: 0,
            opcode_at: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            objects: Vec::new(),
            opcodes: limit,
            conversions: bytes.len().saturating_mul(2),
        }
    }

    /// Runs to the end of the pickle and returns its value.
    pub fn run(&mut self) -> Step<Slot<'a>> {
        loop {
            self.opcode_at = self.at;
            self.spend_opcodes(1)?;
            let opcode = self.byte()?;
            if opcode == b'.' {
                return self.pop();
            }
            self.step(opcode)?;
        }
    }

    /// Takes `amount` from the opcodes that may still come.
    pub fn spend_opcodes(&mut self, amount: usize) -> Step<()> {
        let left = u32::try_from(amount).ok().and_then(|amount| self.opcodes.checked_sub(amount));
        self.opcodes = left.ok_or_else(|| self.damaged("a pickle of fewer opcodes", "more than can be meant"))?;
        Ok(())
    }

    fn step(&mut self, opcode: u8) -> Step<()> {
        match opcode {
            // Numbers and constants.
            b'N' => self.push(Slot::None),
            0x88 => self.push(Slot::Bool(true)),
            0x89 => self.push(Slot::Bool(false)),
            b'K' => {
                let value = self.byte()?;
                self.push(Slot::Int(value.into()));
            }
            b'M' => {
                let value = u16::from_le_bytes(self.array()?);
                self.push(Slot::Int(value.into()));
            }
            b'J' => {
                let value = i32::from_le_bytes(self.array()?);
                self.push(Slot::Int(value.into()));
            }
            0x8a => {
                let length = self.byte()?;
                self.long(length.into())?;
            }
            0x8b => {
                let length = self.signed_length()?;
                self.long(length)?;
            }
            b'G' => {
                let value = f64::from_be_bytes(self.array()?);
                self.push(Slot::Float(value));
            }
            b'I' | b'L' | b'F' => self.number_line(opcode)?,

            // Bytes and text.
            b'U' | b'C' => {
                let length = self.byte()?;
                self.bytes_slot(length.into())?;
            }
            b'T' => {
                let length = self.signed_length()?;
                self.bytes_slot(length)?;
            }
            b'B' => {
                let length = u32::from_le_bytes(self.array()?);
                self.bytes_slot(length.into())?;
            }
            0x8e | 0x96 => {
                let length = u64::from_le_bytes(self.array()?);
                self.bytes_slot(length)?;
            }
            0x8c => {
                let length = self.byte()?;
                self.text_slot(length.into())?;
            }
            b'X' => {
                let length = u32::from_le_bytes(self.array()?);
                self.text_slot(length.into())?;
            }
            0x8d => {
                let length = u64::from_le_bytes(self.array()?);
                self.text_slot(length)?;
            }
            b'S' => {
                let literal = text::string_literal(self.line()?);
                let bytes = literal.ok_or_else(|| self.damaged("a quoted string", "another line"))?;
                self.push_object(Object::Bytes(bytes.into()));
            }
            b'V' => {
                let text = text::raw_unicode(self.line()?);
                let text = text.ok_or_else(|| self.damaged("escaped text", "another line"))?;
                self.push_object(Object::Str(text.into()));
            }

            // Containers.
            b'(' => self.marks.push(self.stack.len()),
            b')' => self.push_object(Object::Tuple(Box::default())),
            b't' => {
                let items = self.pop_to_mark()?;
                self.push_object(Object::Tuple(items.into()));
            }
            0x85..=0x87 => {
                let items = self.pop_many(usize::from(opcode - 0x84))?;
                self.push_object(Object::Tuple(items.into()));
            }
            b']' => self.push_object(Object::List(Vec::new())),
            b'l' => {
                let items = self.pop_to_mark()?;
                self.push_object(Object::List(items));
            }
            b'a' => {
                let items = self.pop_many(1)?;
                self.append(items)?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            b'}' => self.push_object(Object::Dict(Vec::new())),
            b'd' => {
                let items = self.pop_to_mark()?;
                self.push_object(Object::Dict(Vec::new()));
                self.set_items(items)?;
            }
            b's' => {
                let items = self.pop_many(2)?;
                self.set_items(items)?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(items)?;
            }
            0x8f => self.push_object(Object::Set(Vec::new())),
            0x90 => {
                let items = self.pop_to_mark()?;
                self.add_items(items)?;
            }
            0x91 => {
                let items = self.pop_to_mark()?;
                self.push_object(Object::Set(items));
            }

            // The stack and the memo.
            b'0' => {
                // Python's own machine lets this opcode take a mark off too.
                if self.marks.last() == Some(&self.stack.len()) {
                    self.marks.pop();
                } else {
                    self.pop()?;
                }
            }
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let top = self.top()?;
                self.push(top);
            }
            b'q' => {
                let number = self.byte()?;
                self.remember(number.into())?;
            }
            b'r' => {
                let number = u32::from_le_bytes(self.array()?);
                self.remember(number)?;
            }
            b'p' => {
                let number = self.memo_line()?;
                self.remember(number)?;
            }
            0x94 => {
                let number = u32::try_from(self.memo.len()).unwrap_or(u32::MAX);
                self.remember(number)?;
            }
            b'h' => {
                let number = self.byte()?;
                self.recall(number.into())?;
            }
            b'j' => {
                let number = u32::from_le_bytes(self.array()?);
                self.recall(number)?;
            }
            b'g' => {
                let number = self.memo_line()?;
                self.recall(number)?;
            }

            // Names and what is made of them.
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                let global = self.find_global(module, name)?;
                self.push(Slot::Global(global));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Some(module), Some(name)) = (self.text_of(module), self.text_of(name)) else {
                    return Err(self.damaged("a module and a name that are text", "other values"));
                };
                let global = self.find_global(module.as_bytes(), name.as_bytes())?;
                self.push(Slot::Global(global));
            }
            b'R' => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                let value = self.reduce(callable, arguments)?;
                self.push(value);
            }
            b'b' => {
                let state = self.pop()?;
                let target = self.top()?;
                self.build(target, state)?;
            }

            // Framing.
            0x80 => {
                let protocol = self.byte()?;
                if protocol > 5 {
                    return Err(self.damaged("a pickle of protocol 0 to 5", format!("protocol {protocol}")));
                }
            }
            0x95 => {
                let length = u64::from_le_bytes(self.array()?);
                self.have(length)?;
            }
            _ => return Err(self.refuse_opcode(opcode)),
        }
        Ok(())
    }

    /// An opcode that runs things, needs things from outside the file, or does not exist.
    fn refuse_opcode(&self, opcode: u8) -> Fault {
        let name = match opcode {
            b'P' => "PERSID",
            b'Q' => "BINPERSID",
            b'i' => "INST",
            b'o' => "OBJ",
            0x81 => "NEWOBJ",
            0x82 => "EXT1",
            0x83 => "EXT2",
            0x84 => "EXT4",
            0x92 => "NEWOBJ_EX",
            0x97 => "NEXT_BUFFER",
            0x98 => "READONLY_BUFFER",
            _ => return self.damaged("an opcode of pickle", format!("the byte 0x{opcode:02x}")),
        };
        self.fault("opcodes that build plain data", format!("the opcode {name}"), FOREIGN)
    }

    fn find_global(&self, module: &[u8], name: &[u8]) -> Step<Global> {
        Global::find(module, name).ok_or_else(|| {
            let show = |bytes: &[u8]| {
                let text: String = String::from_utf8_lossy(bytes).chars().take(80).collect();
                text.escape_debug().to_string()
            };
            let found = format!("the global {}.{}", show(module), show(name));
            self.fault("only names of numpy arrays and plain containers", found, FOREIGN)
        })
    }

    // Faults.

    pub fn fault(&self, expected: impl Into<String>, found: impl Into<String>, remedy: &'static str) -> Fault {
        Fault { at: self.opcode_at, expected: expected.into(), found: found.into(), remedy }
    }

    pub fn damaged(&self, expected: impl Into<String>, found: impl Into<String>) -> Fault {
        self.fault(expected, found, DAMAGED)
    }

    // The bytes.

    fn have(&self, length: u64) -> Step<usize> {
        let left = self.bytes.len() - self.at;
        match usize::try_from(length) {
            Ok(length) if length <= left => Ok(length),
            _ => Err(self.damaged(format!("{length} more bytes of a pickle"), format!("{left}, then the file's end"))),
        }
    }

    fn take(&mut self, length: u64) -> Step<&'a [u8]> {
        let length = self.have(length)?;
        let taken = &self.bytes[self.at..self.at + length];
        self.at += length;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N as u64)?);
        Ok(array)
    }

    fn byte(&mut self) -> Step<u8> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// A line without its end.
    fn line(&mut self) -> Step<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let Some(length) = rest.iter().position(|&byte| byte == b'\n') else {
            return Err(self.damaged("a line of a pickle", "the file's end"));
        };
        self.at += length + 1;
        Ok(&rest[..length])
    }

    fn signed_length(&mut self) -> Step<u64> {
        let length = i32::from_le_bytes(self.array()?);
        u64::try_from(length).map_err(|_| self.damaged("a length", format!("the negative number {length}")))
    }

    // Values.

    fn long(&mut self, length: u64) -> Step<()> {
        let bytes = self.take(length)?;
        let slot = if bytes.len() > 8 {
            Slot::Long(bytes)
        } else {
            // The sign is that of the last byte's top bit.
            let fill = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
            let mut word = [fill; 8];
            word[..bytes.len()].copy_from_slice(bytes);
            Slot::Int(i64::from_le_bytes(word))
        };
        self.push(slot);
        Ok(())
    }

    fn number_line(&mut self, opcode: u8) -> Step<()> {
        let line = self.line()?;
        let text = std::str::from_utf8(line).unwrap_or("");
        let slot = match (opcode, line) {
            (b'I', b"00") => Some(Slot::Bool(false)),
            (b'I', b"01") => Some(Slot::Bool(true)),
            (b'F', _) => text.parse().ok().map(Slot::Float),
            _ => text.strip_suffix('L').unwrap_or(text).parse().ok().map(Slot::Int),
        };
        let slot = slot.ok_or_else(|| self.damaged("a number of at most 64 bits", "another line"))?;
        self.push(slot);
        Ok(())
    }

    fn bytes_slot(&mut self, length: u64) -> Step<()> {
        let bytes = self.take(length)?;
        self.push(Slot::Bytes(bytes));
        Ok(())
    }

    fn text_slot(&mut self, length: u64) -> Step<()> {
        let bytes = self.take(length)?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.damaged("UTF-8 text", "other bytes"))?;
        self.push(Slot::Str(text));
        Ok(())
    }

    /// The text of a slot that is a string, or bytes that are UTF-8.
    pub fn text_of<'s>(&'s self, slot: Slot<'a>) -> Option<&'s str> {
        match slot {
            Slot::Str(text) => Some(text),
            Slot::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            Slot::Object(number) => match self.objects.get(number as usize)? {
                Object::Str(text) => Some(text),
                Object::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
                _ => None,
            },
            _ => None,
        }
    }

    /// The bytes of a slot that is bytes.
    pub fn bytes_of<'s>(&'s self, slot: Slot<'a>) -> Option<&'s [u8]> {
        match slot {
            Slot::Bytes(bytes) => Some(bytes),
            Slot::Object(number) => match self.objects.get(number as usize)? {
                Object::Bytes(bytes) => Some(bytes),
                _ => None,
            },
            _ => None,
        }
    }

    /// The items of a slot that is a tuple.
    pub fn tuple_of<'s>(&'s self, slot: Slot<'a>) -> Option<&'s [Slot<'a>]> {
        match self.object(slot)? {
            Object::Tuple(items) => Some(items),
            _ => None,
        }
    }

    pub fn object<'s>(&'s self, slot: Slot<'a>) -> Option<&'s Object<'a>> {
        let Slot::Object(number) = slot else { return None };
        self.objects.get(number as usize)
    }

    pub fn object_mut<'s>(&'s mut self, slot: Slot<'a>) -> Option<&'s mut Object<'a>> {
        let Slot::Object(number) = slot else { return None };
        self.objects.get_mut(number as usize)
    }

    /// Takes `amount` bytes from what may be converted.
    pub fn spend_conversions(&mut self, amount: usize) -> Step<()> {
        let left = self.conversions.checked_sub(amount);
        self.conversions =
            left.ok_or_else(|| self.damaged("text that is converted once", "text converted repeatedly"))?;
        Ok(())
    }

    // The stack.

    fn push(&mut self, slot: Slot<'a>) {
        self.stack.push(slot);
    }

    pub fn new_object(&mut self, object: Object<'a>) -> Slot<'a> {
        // Every opcode makes one object at most, and opcodes are counted in 32 bits.
        let number = self.objects.len() as u32;
        self.objects.push(object);
        Slot::Object(number)
    }

    fn push_object(&mut self, object: Object<'a>) {
        let slot = self.new_object(object);
        self.push(slot);
    }

    /// Values above the topmost mark.
    fn free(&self) -> usize {
        self.stack.len() - self.marks.last().copied().unwrap_or(0)
    }

    fn underflow(&self) -> Fault {
        self.damaged("a value on the stack", "none")
    }

    fn top(&self) -> Step<Slot<'a>> {
        if self.free() == 0 {
            return Err(self.underflow());
        }
        self.stack.last().copied().ok_or_else(|| self.underflow())
    }

    fn pop(&mut self) -> Step<Slot<'a>> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_many(&mut self, count: usize) -> Step<Vec<Slot<'a>>> {
        if self.free() < count {
            return Err(self.underflow());
        }
        Ok(self.stack.split_off(self.stack.len() - count))
    }

    fn pop_to_mark(&mut self) -> Step<Vec<Slot<'a>>> {
        let mark = self.marks.pop().ok_or_else(|| self.damaged("a mark on the stack", "none"))?;
        // A copy of just the right size: `split_off(0)` would hand over the stack's whole capacity.
        Ok(self.stack.drain(mark..).collect())
    }

    // The memo.

    fn memo_line(&mut self) -> Step<u32> {
        let line = self.line()?;
        let number = std::str::from_utf8(line).ok().and_then(|text| text.parse().ok());
        number.ok_or_else(|| self.damaged("a number of the memo", "another line"))
    }

    fn remember(&mut self, number: u32) -> Step<()> {
        let top = self.top()?;
        self.memo.insert(number, top);
        Ok(())
    }

    fn recall(&mut self, number: u32) -> Step<()> {
        let Some(&slot) = self.memo.get(&number) else {
            return Err(self.damaged("a value stored in the memo before", format!("none under {number}")));
        };
        self.push(slot);
        Ok(())
    }

    // Filling containers.

    fn append(&mut self, items: Vec<Slot<'a>>) -> Step<()> {
        let target = self.top()?;
        match self.object_mut(target) {
            Some(Object::List(list)) => list.extend(items),
            _ => return Err(self.damaged("a list to append to", "another value")),
        }
        Ok(())
    }

    fn add_items(&mut self, items: Vec<Slot<'a>>) -> Step<()> {
        let target = self.top()?;
        match self.object_mut(target) {
            Some(Object::Set(set)) => set.extend(items),
            _ => return Err(self.damaged("a set to add to", "another value")),
        }
        Ok(())
    }

    fn set_items(&mut self, items: Vec<Slot<'a>>) -> Step<()> {
        let target = self.top()?;
        if !items.len().is_multiple_of(2) {
            return Err(self.damaged("a value for every key", "a key without one"));
        }
        match self.object_mut(target) {
            Some(Object::Dict(entries)) => entries.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1]))),
            _ => return Err(self.damaged("a dict to fill", "another value")),
        }
        Ok(())
    }
}
