//! Pickles read entry by entry, written by hand or as Python writes them.

use super::tests::{opcodes, text, walk};
use super::{read_entries, Limits, Value, Visitor};
use crate::error::{Error, Result};
use proptest::prelude::*;
use std::path::Path;

/// Notes what it is told; `cells` is descended into, its keys are integers, those of the root start with a capital or are `cells`.
#[derive(Default)]
struct Told {
    entries: Vec<String>,
    ends_at: Option<usize>,
}

impl Visitor for Told {
    fn is_key(&self, level: usize, value: Value) -> bool {
        match level {
            1 => value.as_text().is_some_and(|t| t == "cells" || t.starts_with(|c: char| c.is_ascii_uppercase())),
            _ => value.as_i64().is_some(),
        }
    }

    fn descends(&self, level: usize, key: Value) -> bool {
        level == 1 && key.as_text() == Some("cells")
    }

    fn entry(&mut self, level: usize, key: Value, value: Value) -> Result<()> {
        if self.ends_at == Some(self.entries.len()) {
            return Err(Error::Interrupted);
        }
        self.entries.push(format!("{level} {} {}", text(key), text(value)));
        Ok(())
    }
}

fn read(bytes: &[u8], limits: Limits) -> Result<Vec<String>> {
    let mut told = Told::default();
    read_entries(Path::new("p"), bytes, limits, &mut told).map(|()| told.entries)
}

fn entries(bytes: &[u8]) -> Vec<String> {
    read(bytes, Limits::default()).unwrap()
}

fn error(bytes: &[u8]) -> String {
    read(bytes, Limits::default()).unwrap_err().to_string()
}

/// `{'A': [1, 2], 'cells': {0: {'x': 1}, 7: {'x': {'y': {'z': 2}}}, 8: OrderedDict(a='A', b='x')}, 'B': {5}, 'C': None}` by Python
/// 3.11 in protocol 4: with memo, single entries without a mark, names met before taken from the memo.
const NESTED: &[u8] = b"\x80\x04\x95\x7f\x00\x00\x00\x00\x00\x00\x00}\x94(\x8c\x01A\x94]\x94(K\x01K\x02e\x8c\x05cells\x94}\x94(K\x00}\x94\x8c\x01x\x94K\x01sK\x07}\x94h\x06}\x94\x8c\x01y\x94}\x94\x8c\x01z\x94K\x02sssK\x08\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x94\x93\x94)R\x94(\x8c\x01a\x94h\x01\x8c\x01b\x94h\x06uu\x8c\x01B\x94\x8f\x94(K\x05\x90\x8c\x01C\x94Nu.";

#[test]
fn entries_are_told_in_order_when_they_are_whole() {
    let expected = [
        "1 \"A\" [1, 2]",
        "2 0 {\"x\": 1}",
        "2 7 {\"x\": {\"y\": {\"z\": 2}}}",
        "2 8 {\"a\": \"A\", \"b\": \"x\"}",
        "1 \"B\" set(5)",
        "1 \"C\" None",
    ];
    assert_eq!(entries(NESTED), expected);
    // The visitor's error is handed through, and nothing more is told.
    for end in 0..expected.len() {
        let mut told = Told { ends_at: Some(end), ..Told::default() };
        let error = read_entries(Path::new("p"), NESTED, Limits::default(), &mut told).unwrap_err();
        assert!(matches!(error, Error::Interrupted));
        assert_eq!(told.entries, expected[..end]);
    }
    // Cut anywhere, it is an error, after whole entries alone.
    for end in 0..NESTED.len() {
        let mut told = Told::default();
        read_entries(Path::new("p"), &NESTED[..end], Limits::default(), &mut told).unwrap_err();
        assert_eq!(told.entries, expected[..told.entries.len()], "cut at {end}");
    }
}

#[test]
fn a_dict_of_one_entry_has_no_mark() {
    assert_eq!(
        entries(b"\x80\x02}q\0X\x05\0\0\0cellsq\x01}q\x02K\x05}q\x03X\x01\0\0\0xq\x04K\x01sss."),
        ["2 5 {\"x\": 1}"]
    );
    assert_eq!(entries(b"\x80\x02}X\x01\0\0\0A]K\x01as."), ["1 \"A\" [1]"]);
    assert_eq!(entries(b"\x80\x02}(X\x01\0\0\0A]K\x01aX\x01\0\0\0B}NNsu."), ["1 \"A\" [1]", "1 \"B\" {None: None}"]);
    // Several batches of one dict, as Python writes long ones.
    assert_eq!(
        entries(b"}(Vcells\n}(K\x01}K\x02}u(K\x03}K\x04}uVA\n}u(VB\n]VC\n]u."),
        ["2 1 {}", "2 2 {}", "2 3 {}", "2 4 {}", "1 \"A\" {}", "1 \"B\" []", "1 \"C\" []"]
    );
}

#[test]
fn names_and_types_outlive_their_entry_and_containers_do_not() {
    // A text, a numpy type and a name of entry 1 in entries 2 and 3; a list of entry 1 is forgotten.
    let dtype = b"cnumpy\ndtype\nq\x05U\x02f8K\0K\x01\x87Rq\x06(K\x03U\x01>NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tb";
    let scalar = b"cnumpy.core.multiarray\nscalar\nq\x07h\x06C\x08\x3f\xf8\0\0\0\0\0\0\x86R";
    let again = b"h\x07h\x06C\x08\x40\x04\0\0\0\0\0\0\x86R";
    let mut bytes = b"\x80\x04}(X\x05\0\0\0cells}(K\x01}q\x01(X\x04\0\0\0nameq\x02".to_vec();
    for part in [&dtype[..], b"X\x01\0\0\0vq\x03", scalar, b"X\x01\0\0\0lq\x08]q\x04(K\x09euK\x02}(h\x02", again] {
        bytes.extend(part);
    }
    bytes.extend(b"h\x08h\x04uK\x03}(h\x02h\x01h\x08h\x05uuu.");
    assert_eq!(
        entries(&bytes),
        [
            "2 1 {\"name\": Dtype { kind: Float, size: 8, big_endian: true }, \"v\": 1.5, \"l\": [9]}",
            "2 2 {\"name\": 2.5, \"l\": forgotten}",
            "2 3 {\"name\": forgotten, \"l\": dtype}",
        ]
    );
    // A number that was never given is an error still, and so is filling what is gone or outside.
    assert!(error(b"}(Vcells\n}(K\x01}K\x02}Vx\nh\x63suu.").contains("none under 99"));
    assert!(error(b"}(VA\n]q\x01Vcells\n}(K\x01}K\x02h\x01K\x05auu.").contains("a list to append to"));
    assert!(error(b"}q\x01(Vcells\n}(K\x01}K\x02}Vx\nh\x01Vy\nK\x01sssuu.").contains("filled in its place"));
}

#[test]
fn limits_hold_for_an_entry_and_a_long_pickle_has_many() {
    let entry = |i: u16| [b"M".as_slice(), &i.to_le_bytes(), b"}\x94\x8c\x01x\x94]\x94(KaKbKce", b"s"].concat();
    let pickle = |count: u16| {
        let mut bytes = b"\x80\x04}\x94\x8c\x05cells\x94}\x94(".to_vec();
        bytes.extend((0..count).flat_map(entry));
        bytes.extend(b"us.");
        bytes
    };
    let tight = Limits { opcodes: 30, depth: 9 };
    let told = read(&pickle(5000), tight).unwrap();
    assert_eq!((told.len(), told[4999].as_str()), (5000, "2 4999 {\"x\": [97, 98, 99]}"));
    let error = read(&pickle(5), Limits { opcodes: 12, depth: 9 }).unwrap_err().to_string();
    assert!(error.contains("fewer opcodes"), "{error}");
}

#[test]
fn hostile_streams_stay_small() {
    // Lengths that are not there, memo numbers far ahead, deep and shared values, what is not data.
    assert!(error(b"}(VA\nB\xff\xff\xff\xffabc").contains("16 MiB"));
    assert!(error(b"}(VA\nB\xff\xff\xff\0abc").contains("then the file's end"));
    assert!(error(b"\x80\x04}(\x8c\x01Ar\xff\xff\xff\xffNu.").contains("the number 4294967295"));
    assert!(error(b"}(VA\ncos\nsystem\n(Vls\ntRu.").contains("the global os.system"));
    // A billion laughs: shared, so small, but deep.
    let laughs = |levels| [b"}(VA\n]q\0".as_slice(), &b"h\0h\0\x86q\0".repeat(levels), b"VB\nNu."].concat();
    let read = |bytes: &[u8], steps| read_entries(Path::new("p"), bytes, Limits::default(), &mut Walked(steps));
    assert!(read(&laughs(200_000), 1000).unwrap_err().to_string().contains("nested at most 64 deep"));
    assert!(error(b"}(VA\n]q\0h\0aVB\nNu.").contains("values that do not contain themselves"));
    let mut walked = Walked(1000);
    read_entries(Path::new("p"), laughs(60).as_slice(), Limits::default(), &mut walked).unwrap();
    assert_eq!(walked.0, 0, "the walk must have met more than its steps");
}

/// Walks so many steps.
struct Walked(usize);

impl Visitor for Walked {
    fn is_key(&self, level: usize, value: Value) -> bool {
        Told::default().is_key(level, value)
    }

    fn descends(&self, level: usize, key: Value) -> bool {
        Told::default().descends(level, key)
    }

    fn entry(&mut self, _: usize, key: Value, value: Value) -> Result<()> {
        walk(key, &mut self.0);
        walk(value, &mut self.0);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_streams_never_panic(program in opcodes(), at in 0..NESTED.len()) {
        let mut bytes = NESTED[..at].to_vec();
        bytes.extend(program);
        drop(read_entries(Path::new("p"), bytes.as_slice(), Limits::default(), &mut Walked(10_000)));
    }

    #[test]
    fn damaged_streams_never_panic(flips in proptest::collection::vec((0..NESTED.len(), any::<u8>()), 1..4)) {
        let mut bytes = NESTED.to_vec();
        flips.into_iter().for_each(|(at, byte)| bytes[at] ^= byte);
        drop(read_entries(Path::new("p"), bytes.as_slice(), Limits::default(), &mut Walked(10_000)));
    }
}
