//! The stack machine: opcodes in, values out.

use super::entries::Entries;
use super::globals::Global;
use super::input::{Input, Short, Taken};
use super::memo::Memo;
use super::text;
use super::value::{Heap, Object, Slot};

/// What to do about bytes that are no whole pickle.
pub(super) const DAMAGED: &str = "The file is damaged or of another kind; copy or download it again.";
/// What to do about a pickle that wants more than data.
pub(super) const FOREIGN: &str =
    "Only numbers, text, containers and numpy arrays are read, nothing is run; write the file again as such.";

/// What is wrong with a pickle, and where.
pub(super) struct Fault {
    /// Byte at which the opcode that failed begins.
    pub at: u64,
    pub expected: String,
    pub found: String,
    pub remedy: &'static str,
}

pub(super) type Step<T> = Result<T, Fault>;

/// The machine.
pub(super) struct Machine<'a, 'v, I> {
    pub input: I,
    opcode_at: u64,
    pub stack: Vec<Slot<'a>>,
    pub marks: Vec<usize>,
    pub memo: Memo<'a>,
    pub heap: Heap<'a>,
    /// Opcodes that may still come. An item that is copied counts as one.
    pub opcodes: u32,
    /// Bytes of text that were converted. Twice the file is more than an honest one needs, which writes each text once; one that
    /// has the same text converted again and again goes beyond.
    converted: u64,
    /// Of a stream: whose entries are handed over and let go.
    pub entries: Option<Entries<'v>>,
}

impl<'a, 'v, I: Input<'a>> Machine<'a, 'v, I> {
    /// A machine that will run at most `limit` opcodes; with `entries`, at most so many between two entries.
    pub fn new(input: I, limit: u32, entries: Option<Entries<'v>>) -> Machine<'a, 'v, I> {
        Machine {
            input,
            opcode_at: 0,
            stack: Vec::new(),
            marks: Vec::new(),
            memo: Memo::default(),
            heap: Heap::default(),
            opcodes: limit,
            converted: 0,
            entries,
        }
    }

    /// Runs to the end of the pickle and returns its value.
    pub fn run(&mut self) -> Step<Slot<'a>> {
        loop {
            self.opcode_at = self.input.at();
            self.spend_opcodes(1)?;
            let opcode = self.byte()?;
            if opcode == b'.' {
                return self.pop();
            }
            self.step(opcode)?;
            if self.entries.is_some() {
                self.observe()?;
            }
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
                let literal = self.line(text::string_literal)?;
                let bytes = literal.ok_or_else(|| self.damaged("a quoted string", "another line"))?;
                self.push_object(Object::Bytes(bytes.into()));
            }
            b'V' => {
                let text = self.line(text::raw_unicode)?;
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
                let number = self.memo.next();
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
                let (module, name) = (self.line(<[u8]>::to_vec)?, self.line(<[u8]>::to_vec)?);
                let global = self.find_global(&module, &name)?;
                self.push(Slot::Global(global));
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Some(module), Some(name)) = (self.heap.text(module), self.heap.text(name)) else {
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
                self.input.has(length).map_err(|short| self.short(length, short))?;
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

    fn short(&self, length: u64, short: Short) -> Fault {
        let bytes = if length == 1 { "byte" } else { "bytes" };
        match short {
            Short::Ends(left) => {
                self.damaged(format!("{length} more {bytes} of a pickle"), format!("{left}, then the file's end"))
            }
            Short::TooLong => self.damaged("a text or line that can be meant", "one of 16 MiB or more"),
            Short::Fails(error) => self.damaged("a whole file", format!("one that cannot be read on: {error}")),
        }
    }

    fn array<const N: usize>(&mut self) -> Step<[u8; N]> {
        self.input.array().map_err(|short| self.short(N as u64, short))
    }

    fn byte(&mut self) -> Step<u8> {
        let [byte] = self.array()?;
        Ok(byte)
    }

    /// What `read` makes of a line without its end.
    fn line<T>(&mut self, read: impl FnOnce(&[u8]) -> T) -> Step<T> {
        match self.input.line().map(|line| read(line.bytes())) {
            Ok(read) => Ok(read),
            Err(Short::Ends(_)) => Err(self.damaged("a line of a pickle", "the file's end")),
            Err(short) => Err(self.short(0, short)),
        }
    }

    fn signed_length(&mut self) -> Step<u64> {
        let length = i32::from_le_bytes(self.array()?);
        u64::try_from(length).map_err(|_| self.damaged("a length", format!("the negative number {length}")))
    }

    // Values.

    fn long(&mut self, length: u64) -> Step<()> {
        let slot = match self.input.take(length) {
            Ok(taken) if taken.bytes().len() <= 8 => {
                let bytes = taken.bytes();
                // The sign is that of the last byte's top bit.
                let fill = if bytes.last().is_some_and(|byte| byte & 0x80 != 0) { 0xff } else { 0 };
                let mut word = [fill; 8];
                word[..bytes.len()].copy_from_slice(bytes);
                Slot::Int(i64::from_le_bytes(word))
            }
            Ok(Taken::Borrowed(bytes)) => Slot::Long(bytes),
            Ok(Taken::Passing(bytes)) => self.heap.add(Object::Long(bytes.into())),
            Err(short) => return Err(self.short(length, short)),
        };
        self.push(slot);
        Ok(())
    }

    fn number_line(&mut self, opcode: u8) -> Step<()> {
        let slot = self.line(|line| {
            let text = std::str::from_utf8(line).unwrap_or("");
            match (opcode, line) {
                (b'I', b"00") => Some(Slot::Bool(false)),
                (b'I', b"01") => Some(Slot::Bool(true)),
                (b'F', _) => text.parse().ok().map(Slot::Float),
                _ => text.strip_suffix('L').unwrap_or(text).parse().ok().map(Slot::Int),
            }
        })?;
        let slot = slot.ok_or_else(|| self.damaged("a number of at most 64 bits", "another line"))?;
        self.push(slot);
        Ok(())
    }

    fn bytes_slot(&mut self, length: u64) -> Step<()> {
        let slot = match self.input.take(length) {
            Ok(Taken::Borrowed(bytes)) => Slot::Bytes(bytes),
            Ok(Taken::Passing(bytes)) => self.heap.add(Object::Bytes(bytes.into())),
            Err(short) => return Err(self.short(length, short)),
        };
        self.push(slot);
        Ok(())
    }

    fn text_slot(&mut self, length: u64) -> Step<()> {
        let slot = match self.input.take(length) {
            Ok(Taken::Borrowed(bytes)) => std::str::from_utf8(bytes).ok().map(Slot::Str),
            Ok(Taken::Passing(bytes)) => std::str::from_utf8(bytes).ok().map(|text| self.heap.copied(text)),
            Err(short) => return Err(self.short(length, short)),
        };
        let slot = slot.ok_or_else(|| self.damaged("UTF-8 text", "other bytes"))?;
        self.push(slot);
        Ok(())
    }

    /// The items of a slot that is a tuple.
    pub fn tuple_of<'s>(&'s self, slot: Slot<'a>) -> Option<&'s [Slot<'a>]> {
        match self.heap.object(slot)? {
            Object::Tuple(items) => Some(items),
            _ => None,
        }
    }

    /// An object that may still change: none of an entry's outer containers.
    pub fn object_mut<'s>(&'s mut self, slot: Slot<'a>) -> Option<&'s mut Object<'a>> {
        let Slot::Object(number) = slot else { return None };
        let number = number as usize;
        let sealed = self.entries.as_ref().map_or(0, Entries::sealed);
        self.heap.objects.get_mut(number).filter(|_| number >= sealed)
    }

    /// Counts `amount` bytes as converted.
    pub fn spend_conversions(&mut self, amount: usize) -> Step<()> {
        self.converted = self.converted.saturating_add(amount as u64);
        if self.converted > self.input.at().saturating_mul(2) {
            return Err(self.damaged("text that is converted once", "text converted repeatedly"));
        }
        Ok(())
    }

    // The stack.

    fn push(&mut self, slot: Slot<'a>) {
        self.stack.push(slot);
    }

    fn push_object(&mut self, object: Object<'a>) {
        let slot = self.heap.add(object);
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
        let number = self.line(|line| std::str::from_utf8(line).ok().and_then(|text| text.parse().ok()))?;
        number.ok_or_else(|| self.damaged("a number of the memo", "another line"))
    }

    fn remember(&mut self, number: u32) -> Step<()> {
        let top = self.top()?;
        if self.entries.is_none() {
            self.memo.store(number, top);
        } else if !self.memo.store_streamed(number, top) {
            return Err(self.damaged("numbers of the memo without gaps", format!("the number {number}")));
        }
        Ok(())
    }

    fn recall(&mut self, number: u32) -> Step<()> {
        let Some(slot) = self.memo.get(number) else {
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
        if self.entries.as_ref().is_some_and(|entries| entries.watch(target)) {
            return self.hand_over(target, &items);
        }
        match self.object_mut(target) {
            Some(Object::Dict(entries)) => entries.extend(items.chunks_exact(2).map(|pair| (pair[0], pair[1]))),
            _ => return Err(self.damaged("a dict to fill", "another value")),
        }
        Ok(())
    }
}
