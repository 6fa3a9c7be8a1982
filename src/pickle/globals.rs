//! The names that a pickle may use, and what calling them and setting their state means here.

use super::input::Input;
use super::machine::{Fault, Machine, Step, FOREIGN};
use super::value::{ArrayObject, Dtype, Object, Slot};

/// Dimensions that an array may have: numpy allows 64, no data set needs more than 4.
const MOST_DIMENSIONS: usize = 8;

/// A name that is on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Global {
    Reconstruct,
    NdArray,
    Dtype,
    Scalar,
    FromBuffer,
    OrderedDict,
    Set,
    Encode,
}

/// The list. numpy 2 writes `numpy._core` where numpy 1 wrote `numpy.core`; `_frombuffer` makes arrays in protocol 5;
/// Python 3 writes bytes as `_codecs.encode` of Latin-1 text, and sets as a call of `set`, in the protocols 0 to 2.
const LIST: [(&str, &str, Global); 12] = [
    ("numpy.core.multiarray", "_reconstruct", Global::Reconstruct),
    ("numpy._core.multiarray", "_reconstruct", Global::Reconstruct),
    ("numpy.core.multiarray", "scalar", Global::Scalar),
    ("numpy._core.multiarray", "scalar", Global::Scalar),
    ("numpy.core.numeric", "_frombuffer", Global::FromBuffer),
    ("numpy._core.numeric", "_frombuffer", Global::FromBuffer),
    ("numpy", "ndarray", Global::NdArray),
    ("numpy", "dtype", Global::Dtype),
    ("collections", "OrderedDict", Global::OrderedDict),
    ("__builtin__", "set", Global::Set),
    ("builtins", "set", Global::Set),
    ("_codecs", "encode", Global::Encode),
];

impl Global {
    pub fn find(module: &[u8], name: &[u8]) -> Option<Global> {
        LIST.iter().find(|(m, n, _)| m.as_bytes() == module && n.as_bytes() == name).map(|&(_, _, global)| global)
    }

    /// The name without its module.
    pub fn name(self) -> &'static str {
        LIST.iter().find(|(_, _, global)| *global == self).map_or("", |&(_, name, _)| name)
    }
}

impl<'a, I: Input<'a>> Machine<'a, '_, I> {
    /// What `callable(*arguments)` gives.
    pub(super) fn reduce(&mut self, callable: Slot<'a>, arguments: Slot<'a>) -> Step<Slot<'a>> {
        let Slot::Global(global) = callable else {
            return Err(self.fault("a known name to call", "another value", FOREIGN));
        };
        let Some(items) = self.tuple_of(arguments) else {
            return Err(self.damaged(format!("a tuple of arguments for {}", global.name()), "another value"));
        };
        let mut arguments = [Slot::None; 4];
        let count = items.len();
        match arguments.get_mut(..count) {
            Some(room) => room.copy_from_slice(items),
            None => return Err(self.wrong_arguments(global)),
        }
        match (global, &arguments[..count]) {
            (Global::Reconstruct, [Slot::Global(Global::NdArray), _, _]) => {
                let dtype = Dtype { kind: super::Kind::Int, size: 1, big_endian: false };
                let array = ArrayObject { dtype, shape: vec![0], fortran: false, data: Slot::Bytes(&[]) };
                Ok(self.heap.add(Object::Array(Box::new(array))))
            }
            (Global::Dtype, [code, ..]) => self.dtype(*code),
            (Global::Scalar, [dtype, data]) => self.scalar(*dtype, *data),
            (Global::FromBuffer, [data, dtype, shape, order]) => {
                let fortran = match self.heap.text(*order) {
                    Some("C") => false,
                    Some("F") => true,
                    _ => return Err(self.wrong_arguments(global)),
                };
                let array = self.array_object(*shape, *dtype, fortran, *data)?;
                Ok(self.heap.add(Object::Array(Box::new(array))))
            }
            (Global::OrderedDict, []) => Ok(self.heap.add(Object::Dict(Vec::new()))),
            (Global::OrderedDict, [pairs]) => self.ordered_dict(*pairs),
            (Global::Set, []) => Ok(self.heap.add(Object::Set(Vec::new()))),
            (Global::Set, [items]) => self.set(*items),
            (Global::Encode, [text, encoding]) => self.encode(*text, *encoding),
            _ => Err(self.wrong_arguments(global)),
        }
    }

    /// Sets the state of an array or an element type.
    pub(super) fn build(&mut self, target: Slot<'a>, state: Slot<'a>) -> Step<()> {
        match self.heap.object(target) {
            Some(Object::Dtype(_)) => self.build_dtype(target, state),
            Some(Object::Array(_)) => {
                let Some(&[_, shape, dtype, Slot::Bool(fortran), data]) = self.tuple_of(state) else {
                    return Err(self.damaged("the state of a numpy array", "another value"));
                };
                let built = self.array_object(shape, dtype, fortran, data)?;
                if let Some(Object::Array(array)) = self.object_mut(target) {
                    **array = built;
                }
                Ok(())
            }
            _ => Err(self.fault("state for a numpy array or type", "state for another value", FOREIGN)),
        }
    }

    fn wrong_arguments(&self, global: Global) -> Fault {
        self.fault(format!("the arguments that numpy or Python give {}", global.name()), "others", FOREIGN)
    }

    fn dtype(&mut self, code: Slot<'a>) -> Step<Slot<'a>> {
        let code = self.heap.text(code).unwrap_or("");
        match Dtype::parse(code) {
            Some(dtype) => Ok(self.heap.add(Object::Dtype(dtype))),
            None => {
                let code: String = code.chars().take(40).collect();
                Err(self.fault(
                    "a numpy type of bools, integers or floats of up to 64 bits",
                    format!("{code:?}"),
                    FOREIGN,
                ))
            }
        }
    }

    fn build_dtype(&mut self, target: Slot<'a>, state: Slot<'a>) -> Step<()> {
        let order = match self.tuple_of(state) {
            // Version, byte order, then what only composite types have.
            Some(&[_, order, Slot::None, Slot::None, Slot::None, ..]) => self.heap.text(order),
            _ => return Err(self.fault("the state of a plain numpy type", "another value", FOREIGN)),
        };
        let big_endian = match order {
            Some("<" | "|" | "=") => false,
            Some(">") => true,
            _ => return Err(self.damaged("a byte order", "another value")),
        };
        if let Some(Object::Dtype(dtype)) = self.object_mut(target) {
            dtype.big_endian = big_endian;
        }
        Ok(())
    }

    fn dtype_of(&self, slot: Slot<'a>) -> Step<Dtype> {
        match (slot, self.heap.object(slot)) {
            (Slot::Dtype(dtype), _) => Ok(dtype),
            (_, Some(Object::Dtype(dtype))) => Ok(*dtype),
            _ => Err(self.damaged("a numpy type", "another value")),
        }
    }

    fn scalar(&mut self, dtype: Slot<'a>, data: Slot<'a>) -> Step<Slot<'a>> {
        let dtype = self.dtype_of(dtype)?;
        let number = self.heap.bytes(data).and_then(|bytes| dtype.number(bytes));
        number.ok_or_else(|| self.damaged(format!("the {} bytes of a numpy number", dtype.size), "another value"))
    }

    fn array_object(&self, shape: Slot<'a>, dtype: Slot<'a>, fortran: bool, data: Slot<'a>) -> Step<ArrayObject<'a>> {
        let dtype = self.dtype_of(dtype)?;
        let sizes = self.tuple_of(shape).filter(|sizes| sizes.len() <= MOST_DIMENSIONS);
        let sizes = sizes.and_then(|sizes| {
            let size = |slot: &Slot| if let Slot::Int(size) = *slot { usize::try_from(size).ok() } else { None };
            sizes.iter().map(size).collect::<Option<Vec<usize>>>()
        });
        let shape = sizes.ok_or_else(|| self.damaged("the shape of a numpy array", "another value"))?;
        let length = shape.iter().try_fold(dtype.size, |product, &size| product.checked_mul(size));
        let Some(bytes) = self.heap.bytes(data) else {
            return Err(self.damaged("the bytes of a numpy array", "another value"));
        };
        if length != Some(bytes.len()) {
            return Err(self.damaged(
                format!("the bytes of an array of shape {shape:?}, {} each", dtype.size),
                format!("{} bytes", bytes.len()),
            ));
        }
        Ok(ArrayObject { dtype, shape, fortran, data })
    }

    /// An `OrderedDict` as Python 2 writes it: of a list of lists or tuples of two.
    fn ordered_dict(&mut self, pairs: Slot<'a>) -> Step<Slot<'a>> {
        let entries = match self.heap.object(pairs) {
            Some(Object::List(pairs)) => pairs.iter().map(|&pair| self.pair(pair)).collect::<Option<Vec<_>>>(),
            _ => None,
        };
        let entries = entries.ok_or_else(|| self.wrong_arguments(Global::OrderedDict))?;
        self.spend_opcodes(entries.len())?;
        Ok(self.heap.add(Object::Dict(entries)))
    }

    fn set(&mut self, items: Slot<'a>) -> Step<Slot<'a>> {
        let items = match self.heap.object(items) {
            Some(Object::List(items)) => items.clone(),
            _ => return Err(self.wrong_arguments(Global::Set)),
        };
        self.spend_opcodes(items.len())?;
        Ok(self.heap.add(Object::Set(items)))
    }

    fn pair(&self, pair: Slot<'a>) -> Option<(Slot<'a>, Slot<'a>)> {
        match self.heap.object(pair)? {
            Object::List(items) => <[Slot; 2]>::try_from(items.as_slice()).ok(),
            Object::Tuple(items) => <[Slot; 2]>::try_from(&**items).ok(),
            _ => None,
        }
        .map(|[key, value]| (key, value))
    }

    fn encode(&mut self, text: Slot<'a>, encoding: Slot<'a>) -> Step<Slot<'a>> {
        if !matches!(self.heap.text(encoding), Some("latin1" | "latin-1" | "iso-8859-1")) {
            return Err(self.wrong_arguments(Global::Encode));
        }
        let Some(length) = self.heap.text(text).map(str::len) else {
            return Err(self.wrong_arguments(Global::Encode));
        };
        self.spend_conversions(length)?;
        let bytes: Option<Box<[u8]>> =
            self.heap.text(text).unwrap_or("").chars().map(|c| u8::try_from(c).ok()).collect();
        match bytes {
            Some(bytes) => Ok(self.heap.add(Object::Bytes(bytes))),
            None => Err(self.damaged("text of Latin-1", "a character beyond it")),
        }
    }
}
