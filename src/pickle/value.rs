//! The values of a pickle, and the views through which they are read.

use super::globals::Global;
use super::memo::MOST_TEXTS;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

/// A value on the machine's stack or in a container. Containers and text that had to be converted are objects, referred to
/// by number: a value that stands in several places is stored once.
#[derive(Clone, Copy)]
pub(super) enum Slot<'a> {
    None,
    Bool(bool),
    Int(i64),
    Long(&'a [u8]),
    Float(f64),
    Bytes(&'a [u8]),
    Str(&'a str),
    Global(Global),
    /// A text of [`Heap::texts`].
    Text(u16),
    /// The element type of an entry that was let go.
    Dtype(Dtype),
    /// A value of an entry that was let go.
    Forgotten,
    Object(u32),
}

impl Slot<'_> {
    /// Both are the same small value.
    pub fn same(&self, other: &Slot) -> bool {
        match (self, other) {
            (Slot::None, Slot::None) | (Slot::Forgotten, Slot::Forgotten) => true,
            (Slot::Bool(a), Slot::Bool(b)) => a == b,
            (Slot::Int(a), Slot::Int(b)) => a == b,
            (Slot::Float(a), Slot::Float(b)) => a.to_bits() == b.to_bits(),
            (Slot::Global(a), Slot::Global(b)) => a == b,
            (Slot::Dtype(a), Slot::Dtype(b)) => a == b,
            _ => false,
        }
    }
}

/// The longest text that is kept by its content, in bytes: longer than an architecture string.
const LONGEST_KEPT: usize = 128;

/// Where values live.
#[derive(Default)]
pub(super) struct Heap<'a> {
    pub objects: Vec<Object<'a>>,
    /// Short texts of a stream, each once.
    texts: Vec<Rc<str>>,
    numbers: HashMap<Rc<str>, u16>,
}

impl<'a> Heap<'a> {
    /// A slot for text that has to be copied. Keys and names come again and again, so they are kept once; a text of other characters
    /// than ASCII's printable ones is none (bytes may be written as text).
    pub fn copied(&mut self, text: &str) -> Slot<'a> {
        if let Some(number) = self.numbers.get(text) {
            return Slot::Text(*number);
        }
        let keepable = text.len() <= LONGEST_KEPT && text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
        match u16::try_from(self.texts.len()) {
            Ok(number) if keepable && self.texts.len() < MOST_TEXTS => {
                let text: Rc<str> = text.into();
                self.texts.push(Rc::clone(&text));
                self.numbers.insert(text, number);
                Slot::Text(number)
            }
            _ => self.add(Object::Str(text.into())),
        }
    }

    /// A slot for a new object.
    pub fn add(&mut self, object: Object<'a>) -> Slot<'a> {
        // Every opcode makes one object at most, and opcodes are counted in 32 bits.
        let number = self.objects.len() as u32;
        self.objects.push(object);
        Slot::Object(number)
    }

    pub fn object(&self, slot: Slot<'a>) -> Option<&Object<'a>> {
        let Slot::Object(number) = slot else { return None };
        self.objects.get(number as usize)
    }

    /// The text of a slot that is a string, or bytes that are UTF-8.
    pub fn text(&self, slot: Slot<'a>) -> Option<&str> {
        match slot {
            Slot::Str(text) => Some(text),
            Slot::Text(number) => self.texts.get(usize::from(number)).map(|text| &**text),
            Slot::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            slot => match self.object(slot)? {
                Object::Str(text) => Some(text),
                Object::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
                _ => None,
            },
        }
    }

    /// The bytes of a slot that is bytes.
    pub fn bytes(&self, slot: Slot<'a>) -> Option<&[u8]> {
        match slot {
            Slot::Bytes(bytes) => Some(bytes),
            slot => match self.object(slot)? {
                Object::Bytes(bytes) => Some(bytes),
                _ => None,
            },
        }
    }
}

/// What a [`Slot::Object`] refers to.
pub(super) enum Object<'a> {
    Long(Box<[u8]>),
    Bytes(Box<[u8]>),
    Str(Box<str>),
    List(Vec<Slot<'a>>),
    Tuple(Box<[Slot<'a>]>),
    Set(Vec<Slot<'a>>),
    Dict(Vec<(Slot<'a>, Slot<'a>)>),
    Dtype(Dtype),
    Array(Box<ArrayObject<'a>>),
}

/// A numpy array; `data` is a bytes slot of exactly the length that shape and type need.
pub(super) struct ArrayObject<'a> {
    pub dtype: Dtype,
    pub shape: Vec<usize>,
    pub fortran: bool,
    pub data: Slot<'a>,
}

/// What kind of numbers an array holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One byte, 0 or 1.
    Bool,
    /// Signed integers.
    Int,
    /// Unsigned integers.
    Uint,
    /// IEEE 754 binary numbers.
    Float,
}

/// The element type of a numpy array or scalar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dtype {
    /// The kind of numbers.
    pub kind: Kind,
    /// Bytes of one number: 1, 2, 4 or 8.
    pub size: usize,
    /// The most significant byte stands first.
    pub big_endian: bool,
}

impl Dtype {
    /// The type of a numpy code such as `u1` or `<f8`.
    pub(super) fn parse(code: &str) -> Option<Dtype> {
        let (order, code) = match code.as_bytes().first()? {
            b'<' | b'>' | b'|' | b'=' => code.split_at(1),
            _ => ("", code),
        };
        let (kind, size) = match code {
            "b1" | "?" => (Kind::Bool, 1),
            "i1" | "i2" | "i4" | "i8" => (Kind::Int, code[1..].parse().ok()?),
            "u1" | "u2" | "u4" | "u8" => (Kind::Uint, code[1..].parse().ok()?),
            "f2" | "f4" | "f8" => (Kind::Float, code[1..].parse().ok()?),
            _ => return None,
        };
        Some(Dtype { kind, size, big_endian: order == ">" })
    }

    /// The number that `bytes` (as many as the type has) hold. `None` for a length that does not fit and for an unsigned
    /// number of 2⁶³ or more.
    pub(super) fn number(self, bytes: &[u8]) -> Option<Slot<'static>> {
        if bytes.len() != self.size || self.size > 8 {
            return None;
        }
        let mut word = 0u64;
        for i in 0..self.size {
            let byte = if self.big_endian { bytes.get(i) } else { bytes.get(self.size - 1 - i) };
            word = word << 8 | u64::from(*byte?);
        }
        Some(match (self.kind, self.size) {
            (Kind::Bool, _) => Slot::Bool(word != 0),
            (Kind::Uint, _) => Slot::Int(i64::try_from(word).ok()?),
            (Kind::Int, size) => {
                let unused = 64 - 8 * size as u32;
                Slot::Int((word << unused) as i64 >> unused)
            }
            (Kind::Float, 2) => Slot::Float(half::f16::from_bits(word as u16).to_f64()),
            (Kind::Float, 4) => Slot::Float(f64::from(f32::from_bits(word as u32))),
            (Kind::Float, _) => Slot::Float(f64::from_bits(word)),
        })
    }
}

/// One value of a pickle.
#[derive(Clone, Copy, Debug)]
pub enum Value<'p> {
    /// `None`.
    None,
    /// A bool, or a numpy scalar of that type.
    Bool(bool),
    /// An integer of up to 64 bits, or a numpy scalar of an integer type.
    Int(i64),
    /// A longer integer: two's complement, least significant byte first.
    Long(&'p [u8]),
    /// A float, or a numpy scalar of a floating-point type.
    Float(f64),
    /// Bytes, or text that Python 2 wrote.
    Bytes(&'p [u8]),
    /// Text.
    Str(&'p str),
    /// A list.
    List(Sequence<'p>),
    /// A tuple.
    Tuple(Sequence<'p>),
    /// A set, in the order of the file.
    Set(Sequence<'p>),
    /// A dict or an `OrderedDict`.
    Dict(Dict<'p>),
    /// A numpy array.
    Array(Array<'p>),
    /// A numpy element type by itself.
    Dtype(Dtype),
    /// One of the names that the reader knows, by itself: nothing was made of it.
    Name(&'static str),
    /// A value of an earlier entry of a stream, which is not kept.
    Forgotten,
}

impl<'p> Value<'p> {
    /// What it is, for messages: `a list`.
    pub fn describe(self) -> &'static str {
        match self {
            Value::None => "None",
            Value::Bool(_) => "a bool",
            Value::Int(_) | Value::Long(_) => "an integer",
            Value::Float(_) => "a float",
            Value::Bytes(_) => "bytes",
            Value::Str(_) => "a string",
            Value::List(_) => "a list",
            Value::Tuple(_) => "a tuple",
            Value::Set(_) => "a set",
            Value::Dict(_) => "a dict",
            Value::Array(_) => "a numpy array",
            Value::Dtype(_) => "a numpy type",
            Value::Name(_) => "a name",
            Value::Forgotten => "a value of an earlier entry, which is not kept",
        }
    }

    /// The integer, if it is one of up to 64 bits.
    pub fn as_i64(self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(number),
            _ => None,
        }
    }

    /// The number as a float, if it is an integer of up to 64 bits or a float.
    pub fn as_f64(self) -> Option<f64> {
        match self {
            Value::Int(number) => Some(number as f64),
            Value::Float(number) => Some(number),
            _ => None,
        }
    }

    /// The text, if it is a string, or bytes that are UTF-8 (Python 2 writes text so).
    pub fn as_text(self) -> Option<&'p str> {
        match self {
            Value::Str(text) => Some(text),
            Value::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// The entries, if it is a dict.
    pub fn as_dict(self) -> Option<Dict<'p>> {
        match self {
            Value::Dict(dict) => Some(dict),
            _ => None,
        }
    }

    /// The items, if it is a list, tuple or set.
    pub fn as_sequence(self) -> Option<Sequence<'p>> {
        match self {
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => Some(items),
            _ => None,
        }
    }

    /// The array, if it is one.
    pub fn as_array(self) -> Option<Array<'p>> {
        match self {
            Value::Array(array) => Some(array),
            _ => None,
        }
    }
}

/// The items of a list, tuple or set.
#[derive(Clone, Copy)]
pub struct Sequence<'p> {
    heap: &'p Heap<'p>,
    slots: &'p [Slot<'p>],
}

impl<'p> Sequence<'p> {
    /// How many there are.
    pub fn len(self) -> usize {
        self.slots.len()
    }

    /// There are none.
    pub fn is_empty(self) -> bool {
        self.slots.is_empty()
    }

    /// Item `i`, counted from 0.
    pub fn get(self, i: usize) -> Option<Value<'p>> {
        self.slots.get(i).map(|&slot| self.heap.value(slot))
    }

    /// The items in order.
    pub fn iter(self) -> impl ExactSizeIterator<Item = Value<'p>> {
        self.slots.iter().map(move |&slot| self.heap.value(slot))
    }
}

impl fmt::Debug for Sequence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} items", self.len())
    }
}

/// The entries of a dict.
#[derive(Clone, Copy)]
pub struct Dict<'p> {
    heap: &'p Heap<'p>,
    entries: &'p [(Slot<'p>, Slot<'p>)],
}

impl<'p> Dict<'p> {
    /// How many entries the file writes; a key that it writes twice counts twice.
    pub fn len(self) -> usize {
        self.entries.len()
    }

    /// There are none.
    pub fn is_empty(self) -> bool {
        self.entries.is_empty()
    }

    /// The value of a key that is text; the last one where the file writes the key more than once.
    pub fn get(self, key: &str) -> Option<Value<'p>> {
        let is_key = |name: Value| match name {
            Value::Str(text) => text == key,
            Value::Bytes(bytes) => bytes == key.as_bytes(),
            _ => false,
        };
        self.iter().rev().find(|&(name, _)| is_key(name)).map(|(_, value)| value)
    }

    /// Keys and values in the order of the file.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = (Value<'p>, Value<'p>)> + ExactSizeIterator {
        self.entries.iter().map(move |&(key, value)| (self.heap.value(key), self.heap.value(value)))
    }
}

impl fmt::Debug for Dict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} entries", self.len())
    }
}

/// A numpy array.
#[derive(Clone, Copy)]
pub struct Array<'p> {
    object: &'p ArrayObject<'p>,
    bytes: &'p [u8],
}

impl<'p> Array<'p> {
    /// The element type.
    pub fn dtype(self) -> Dtype {
        self.object.dtype
    }

    /// Sizes of the dimensions.
    pub fn shape(self) -> &'p [usize] {
        &self.object.shape
    }

    /// The elements stand in Fortran's order (the first index runs fastest), else in C's.
    pub fn is_fortran(self) -> bool {
        self.object.fortran
    }

    /// The elements' bytes: as many as shape and type need.
    pub fn bytes(self) -> &'p [u8] {
        self.bytes
    }

    /// The elements in the order in which they are stored. `None` stands for an unsigned number of 2⁶³ or more.
    pub fn elements(self) -> impl ExactSizeIterator<Item = Option<Value<'p>>> {
        let dtype = self.dtype();
        self.bytes.chunks_exact(dtype.size.max(1)).map(move |chunk| match dtype.number(chunk)? {
            Slot::Bool(value) => Some(Value::Bool(value)),
            Slot::Int(value) => Some(Value::Int(value)),
            Slot::Float(value) => Some(Value::Float(value)),
            _ => None,
        })
    }
}

impl fmt::Debug for Array<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.dtype(), self.shape())
    }
}

impl Heap<'_> {
    pub(super) fn value<'p>(&'p self, slot: Slot<'p>) -> Value<'p> {
        match slot {
            Slot::None => Value::None,
            Slot::Bool(value) => Value::Bool(value),
            Slot::Int(value) => Value::Int(value),
            Slot::Long(value) => Value::Long(value),
            Slot::Float(value) => Value::Float(value),
            Slot::Bytes(value) => Value::Bytes(value),
            Slot::Str(value) => Value::Str(value),
            Slot::Global(global) => Value::Name(global.name()),
            Slot::Text(number) => self.texts.get(usize::from(number)).map_or(Value::Forgotten, |text| Value::Str(text)),
            Slot::Dtype(dtype) => Value::Dtype(dtype),
            Slot::Forgotten => Value::Forgotten,
            Slot::Object(number) => {
                self.objects.get(number as usize).map_or(Value::Forgotten, |object| self.view(object))
            }
        }
    }

    fn view<'p>(&'p self, object: &'p Object<'p>) -> Value<'p> {
        let sequence = |slots| Sequence { heap: self, slots };
        match object {
            Object::Long(bytes) => Value::Long(bytes),
            Object::Bytes(bytes) => Value::Bytes(bytes),
            Object::Str(text) => Value::Str(text),
            Object::List(items) => Value::List(sequence(items)),
            Object::Tuple(items) => Value::Tuple(sequence(items)),
            Object::Set(items) => Value::Set(sequence(items)),
            Object::Dict(entries) => Value::Dict(Dict { heap: self, entries }),
            Object::Dtype(dtype) => Value::Dtype(*dtype),
            Object::Array(object) => {
                let bytes = match self.value(object.data) {
                    Value::Bytes(bytes) => bytes,
                    _ => &[],
                };
                Value::Array(Array { object, bytes })
            }
        }
    }
}
