//! The memo: values that a pickle stores under a number, to name them again.

use super::value::Slot;
use std::collections::HashMap;

/// Numbers of a settled page.
const PAGE: usize = 1 << 16;
/// Numbers that a stream may store. Settled they take two bytes each, so half a gigabyte at most; NATS-Bench's single file has some
/// 164 million.
pub(super) const MOST_STORED: u32 = 1 << 28;
/// How far the numbers of a stream may be ahead of those stored. Python numbers without gaps.
const MOST_AHEAD: u32 = PAGE as u32;
/// Values of past entries, other than texts, that are kept.
const MOST_VALUES: usize = 255;
/// Values of no entry that keep their own numbers.
const MOST_OUTER: usize = 4096;
/// Stands for a value that is not kept.
const FORGOTTEN: u16 = 0;
/// The mark of text 0.
const FIRST_TEXT: u16 = MOST_VALUES as u16 + 1;

/// The texts that can be told apart in two bytes, beside the values.
pub(super) const MOST_TEXTS: usize = (u16::MAX - FIRST_TEXT) as usize + 1;

/// The memo. Of a stream whose entries are let go one by one, the numbers of past entries are settled: two bytes each, which say
/// which of the few texts and values that are kept the number stands for.
#[derive(Default)]
pub(super) struct Memo<'a> {
    live: HashMap<u32, Slot<'a>>,
    stored: u32,
    /// Numbers stored since the last entry was let go; of a stream alone.
    fresh: Vec<u32>,
    /// Numbers of values that belong to no entry.
    outer: Vec<u32>,
    settled: Vec<Option<Box<[u16]>>>,
    values: Vec<Slot<'a>>,
}

impl<'a> Memo<'a> {
    /// The number that MEMOIZE gives: how many there are.
    pub fn next(&self) -> u32 {
        self.stored
    }

    /// Stores a value.
    pub fn store(&mut self, number: u32, slot: Slot<'a>) {
        if self.live.insert(number, slot).is_none() {
            self.stored = self.stored.saturating_add(1);
        }
    }

    /// Stores a value of a stream; `false` for a number that no honest stream gives.
    pub fn store_streamed(&mut self, number: u32, slot: Slot<'a>) -> bool {
        if self.stored >= MOST_STORED || number > self.stored.saturating_add(MOST_AHEAD) {
            return false;
        }
        self.store(number, slot);
        self.fresh.push(number);
        true
    }

    /// The value of a number.
    pub fn get(&self, number: u32) -> Option<Slot<'a>> {
        if let Some(slot) = self.live.get(&number) {
            return Some(*slot);
        }
        let page = self.settled.get(number as usize / PAGE)?.as_ref()?;
        match *page.get(number as usize % PAGE)? {
            FORGOTTEN => (number < self.stored).then_some(Slot::Forgotten),
            text if text >= FIRST_TEXT => Some(Slot::Text(text - FIRST_TEXT)),
            value => self.values.get(usize::from(value) - 1).copied(),
        }
    }

    /// An entry is let go. `keep` says what a slot is from now on: itself, another slot that holds the same value, or `None`
    /// for what goes with the entry.
    pub fn settle(&mut self, keep: impl Fn(Slot<'a>) -> Option<Slot<'a>>) {
        let live = &self.live;
        let stays = |number: &u32| live.get(number).is_some_and(|slot| matches!(keep(*slot), Some(Slot::Object(_))));
        self.outer.retain(stays);
        for number in std::mem::take(&mut self.fresh) {
            let Some(slot) = self.live.get(&number).and_then(|slot| keep(*slot)) else {
                self.live.remove(&number);
                self.mark(number, FORGOTTEN);
                continue;
            };
            let mark = match slot {
                Slot::Text(text) => text + FIRST_TEXT,
                Slot::Object(_) if self.outer.len() < MOST_OUTER => {
                    self.outer.push(number);
                    continue;
                }
                Slot::Object(_) => FORGOTTEN,
                value => self.value_mark(value),
            };
            self.live.remove(&number);
            self.mark(number, mark);
        }
        // What belonged to an outer container that is gone.
        if self.live.len() > self.outer.len() {
            let outer = &self.outer;
            self.live.retain(|number, _| outer.contains(number));
        }
    }

    fn value_mark(&mut self, value: Slot<'a>) -> u16 {
        let place = self.values.iter().position(|kept| kept.same(&value));
        match place {
            Some(place) => place as u16 + 1,
            None if self.values.len() < MOST_VALUES => {
                self.values.push(value);
                self.values.len() as u16
            }
            None => FORGOTTEN,
        }
    }

    fn mark(&mut self, number: u32, mark: u16) {
        let (page, place) = (number as usize / PAGE, number as usize % PAGE);
        if self.settled.len() <= page {
            self.settled.resize_with(page + 1, || None);
        }
        if let Some(slot) = self.settled.get_mut(page) {
            let page = slot.get_or_insert_with(|| vec![FORGOTTEN; PAGE].into());
            if let Some(kept) = page.get_mut(place) {
                *kept = mark;
            }
        }
    }
}
