//! Large pickles entry by entry: an entry of a dict is handed over as soon as it is whole, and then let go.
//!
//! The dict at the root is read so, and below it each one that the visitor asks for. A pickle does not say when a value is whole:
//! Python fills an empty dict after it has stored it. It is whole when the next key of the outer dict stands above it, which only
//! who knows the format can tell from a first key of its own, or when the outer dict takes its entries.

use super::input::Input;
use super::machine::{Fault, Machine, Step};
use super::nesting;
use super::value::{Object, Slot, Value};
use super::Limits;
use crate::error::{Error, Result};

/// Entries that one pickle may have.
const MOST_ENTRIES: u32 = 1 << 20;
/// Bytes that one entry may have.
const MOST_BYTES: u64 = 1 << 26;

/// Who reads a pickle entry by entry. Level 1 is the root, level 2 a dict within, and so on.
pub trait Visitor {
    /// The value is a key of a dict at `level`, and none of a dict that is an entry there.
    fn is_key(&self, level: usize, value: Value) -> bool;

    /// The dict under `key` at `level` is to be read entry by entry too.
    fn descends(&self, level: usize, key: Value) -> bool;

    /// An entry at `level` is whole. Dicts that were descended into are not told.
    ///
    /// # Errors
    /// Any; it ends the reading.
    fn entry(&mut self, level: usize, key: Value, value: Value) -> Result<()>;
}

/// A dict whose entries are handed over.
struct Watched {
    object: u32,
    /// Its place on the stack.
    place: usize,
    /// The first object of its entries.
    first: usize,
}

/// The state of reading entry by entry.
pub(super) struct Entries<'v> {
    visitor: &'v mut dyn Visitor,
    watched: Vec<Watched>,
    limits: Limits,
    count: u32,
    /// Where the last entry ended.
    at: u64,
    /// What the visitor ended the reading with.
    pub stopped: Option<Error>,
}

impl<'v> Entries<'v> {
    pub fn new(visitor: &'v mut dyn Visitor, limits: Limits) -> Entries<'v> {
        Entries { visitor, watched: Vec::new(), limits, count: 0, at: 0, stopped: None }
    }

    /// The number of objects that no longer change.
    pub fn sealed(&self) -> usize {
        self.watched.last().map_or(0, |watched| watched.first)
    }

    /// The dict is one whose entries are handed over.
    pub fn watch(&self, slot: Slot) -> bool {
        matches!(slot, Slot::Object(number) if self.watched.iter().any(|watched| watched.object == number))
    }
}

impl<'a, I: Input<'a>> Machine<'a, '_, I> {
    /// Looks at what the last opcode left on the stack.
    pub(super) fn observe(&mut self) -> Step<()> {
        let Some(entries) = &self.entries else { return Ok(()) };
        if self.input.at() - entries.at > MOST_BYTES {
            return Err(self.damaged(format!("entries of at most {MOST_BYTES} bytes"), "a longer one"));
        }
        let Some(&top) = self.stack.last() else { return Ok(()) };
        let place = self.stack.len() - 1;
        let Some((level, outer)) = self.level_of(place) else {
            let bare = entries.watched.is_empty() && place == 0 && self.marks.is_empty();
            if bare && self.is_dict(top) {
                self.watch(top, place);
            }
            return Ok(());
        };
        let (visitor, heap) = (&entries.visitor, &self.heap);
        // Keys and values take turns above their dict.
        if (place - outer).is_multiple_of(2) {
            let key = self.stack.get(place - 1).map_or(Value::Forgotten, |key| heap.value(*key));
            if self.is_dict(top) && !entries.watch(top) && visitor.descends(level, key) {
                self.watch(top, place);
            }
            return Ok(());
        }
        if place < outer + 3 || matches!(top, Slot::Object(_)) || !visitor.is_key(level, heap.value(top)) {
            return Ok(());
        }
        let (key, value) = (self.stack[place - 2], self.stack[place - 1]);
        let whole = matches!(heap.object(value), Some(Object::Dict(_) | Object::List(_) | Object::Set(_)));
        if whole {
            let descended = entries.watch(value);
            self.close(level);
            if !descended {
                self.tell(level, key, value)?;
            }
            self.let_go();
            self.stack[place - 2] = Slot::Forgotten;
            self.stack[place - 1] = Slot::Forgotten;
        }
        Ok(())
    }

    /// The level of the dict whose key or value stands at `place`, and that dict's place. `None` for what stands in a container of
    /// its own.
    fn level_of(&self, place: usize) -> Option<(usize, usize)> {
        let entries = self.entries.as_ref()?;
        let mark = self.marks.last().copied().unwrap_or(0);
        let top = self.stack.get(place)?;
        let last = entries.watched.iter().rposition(|watched| watched.place < place)?;
        let at = |level: usize| entries.watched.get(level).map(|watched| (level + 1, watched.place));
        let (_, inner) = at(last)?;
        if mark > inner + 1 {
            return None;
        }
        // A key right above an inner dict may be the next one of the outer dict.
        if last > 0 && place == inner + 1 && mark <= inner && entries.visitor.is_key(last, self.heap.value(*top)) {
            return at(last - 1);
        }
        at(last)
    }

    fn is_dict(&self, slot: Slot<'a>) -> bool {
        matches!(self.heap.object(slot), Some(Object::Dict(_)))
    }

    fn watch(&mut self, slot: Slot<'a>, place: usize) {
        let (Slot::Object(object), Some(entries)) = (slot, &mut self.entries) else { return };
        entries.watched.retain(|watched| watched.place < place);
        entries.watched.push(Watched { object, place, first: self.heap.objects.len() });
    }

    /// Dicts beyond `level` are whole.
    fn close(&mut self, level: usize) {
        if let Some(entries) = &mut self.entries {
            entries.watched.truncate(level);
        }
    }

    /// A watched dict takes its items: those that are not told yet are told.
    pub(super) fn hand_over(&mut self, target: Slot<'a>, items: &[Slot<'a>]) -> Step<()> {
        let Some(entries) = &self.entries else { return Ok(()) };
        let is_target = |object: u32| matches!(target, Slot::Object(number) if number == object);
        let Some(level) = entries.watched.iter().position(|watched| is_target(watched.object)) else { return Ok(()) };
        if entries.watched.get(level).map(|watched| watched.place + 1) != Some(self.stack.len()) {
            return Err(self.damaged("a dict that is filled in its place", "one that is named again and filled"));
        }
        let inner: Vec<u32> = entries.watched.iter().skip(level + 1).map(|watched| watched.object).collect();
        self.close(level + 1);
        for pair in items.chunks_exact(2) {
            let told = matches!(pair[0], Slot::Forgotten);
            let descended = matches!(pair[1], Slot::Object(number) if inner.contains(&number));
            if !told && !descended {
                self.tell(level + 1, pair[0], pair[1])?;
            }
        }
        self.let_go();
        Ok(())
    }

    fn tell(&mut self, level: usize, key: Slot<'a>, value: Slot<'a>) -> Step<()> {
        let Some(entries) = &mut self.entries else { return Ok(()) };
        for slot in [key, value] {
            if let Err((expected, found)) = nesting::check(&self.heap.objects, slot, entries.limits.depth) {
                return Err(self.damaged(expected, found));
            }
        }
        entries.count += 1;
        let told = match entries.count > MOST_ENTRIES {
            true => None,
            false => Some(entries.visitor.entry(level, self.heap.value(key), self.heap.value(value))),
        };
        match told {
            Some(Ok(())) => Ok(()),
            Some(Err(error)) => {
                entries.stopped = Some(error);
                Err(self.damaged("entries", "one that ends the reading"))
            }
            None => Err(self.damaged(format!("at most {MOST_ENTRIES} entries"), "more")),
        }
    }

    /// Lets the objects of the entries at hand go.
    fn let_go(&mut self) {
        let Some(entries) = &mut self.entries else { return };
        let first = entries.sealed();
        entries.at = self.input.at();
        self.opcodes = entries.limits.opcodes;
        let objects = &self.heap.objects;
        self.memo.settle(|slot| match slot {
            Slot::Object(number) if (number as usize) < first => Some(slot),
            Slot::Object(number) => match objects.get(number as usize) {
                Some(Object::Dtype(dtype)) => Some(Slot::Dtype(*dtype)),
                _ => None,
            },
            Slot::Str(_) | Slot::Bytes(_) | Slot::Long(_) => None,
            small => Some(small),
        });
        self.heap.objects.truncate(first);
    }
}

/// The error that ended the reading: the visitor's own, or what is wrong with the pickle.
pub(super) fn ended<'a, I: Input<'a>>(
    machine: Machine<'a, '_, I>,
    fault: Fault,
    named: impl Fn(Fault) -> Error,
) -> Error {
    machine.entries.and_then(|entries| entries.stopped).unwrap_or_else(|| named(fault))
}
