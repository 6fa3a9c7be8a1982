//! Pickles written by hand, opcode by opcode.

use super::{Kind, Limits, Pickle, Value};
use proptest::prelude::*;
use std::path::Path;

fn error(bytes: &[u8]) -> String {
    match Pickle::read(Path::new("p"), bytes) {
        Ok(pickle) => panic!("{bytes:?} was read as {:?}", pickle.root()),
        Err(error) => error.to_string(),
    }
}

/// The value of a pickle in Python's notation.
fn show(bytes: &[u8]) -> String {
    text(Pickle::read(Path::new("p"), bytes).unwrap().root())
}

/// A value in Python's notation.
pub(super) fn text(value: Value) -> String {
    let join = |items: super::Sequence| items.iter().map(text).collect::<Vec<_>>().join(", ");
    match value {
        Value::None => "None".into(),
        Value::Bool(b) => format!("{b}"),
        Value::Int(i) => i.to_string(),
        Value::Long(bytes) => format!("long{bytes:?}"),
        Value::Float(f) => format!("{f:?}"),
        Value::Bytes(bytes) => format!("b\"{}\"", bytes.escape_ascii()),
        Value::Str(text) => format!("{text:?}"),
        Value::List(items) => format!("[{}]", join(items)),
        Value::Tuple(items) => format!("({})", join(items)),
        Value::Set(items) => format!("set({})", join(items)),
        Value::Dict(dict) => {
            let entries: Vec<_> = dict.iter().map(|(k, v)| format!("{}: {}", text(k), text(v))).collect();
            format!("{{{}}}", entries.join(", "))
        }
        Value::Array(array) => {
            let numbers: Vec<_> = array.elements().map(|e| e.map_or("?".into(), text)).collect();
            let order = if array.is_fortran() { "F" } else { "C" };
            format!("array{:?}{order}[{}]", array.shape(), numbers.join(", "))
        }
        Value::Dtype(dtype) => format!("{dtype:?}"),
        Value::Name(name) => name.into(),
        Value::Forgotten => "forgotten".into(),
    }
}

/// `array([[0, 1, 2], [3, 4, 5]], uint8)` as numpy 1 under Python 2 writes it.
const ARRAY: &[u8] = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b\x87Rq\x03\
(K\x01K\x02K\x03\x86cnumpy\ndtype\nq\x04U\x02u1K\x00K\x01\x87Rq\x05(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\
\x89T\x06\x00\x00\x00\x00\x01\x02\x03\x04\x05tb.";

#[test]
fn numbers() {
    assert_eq!(show(b"I-12\n."), "-12");
    assert_eq!(show(b"(I01\nI00\nL99L\nF-1.5e3\nt."), "(true, false, 99, -1500.0)");
    assert_eq!(show(b"\x80\x02(K\xffM\xff\xffJ\xfe\xff\xff\xffG\x3f\xf8\0\0\0\0\0\0t."), "(255, 65535, -2, 1.5)");
    assert_eq!(show(b"\x80\x02(\x8a\x00\x8a\x01\xff\x8a\x02\x00\x01\x8b\x01\0\0\0\x7ft."), "(0, -1, 256, 127)");
    assert_eq!(show(b"\x80\x02\x8a\x08\0\0\0\0\0\0\0\x80."), i64::MIN.to_string());
    // The number that opens the older containers of torch.
    assert_eq!(show(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."), "long[108, 252, 156, 70, 249, 32, 106, 168, 80, 25]");
}

#[test]
fn text_and_bytes() {
    assert_eq!(
        show(b"(S'a\\xff'\nVa\\u00e9\nU\x01bX\x02\0\0\0\xc3\xa9C\x01cB\x01\0\0\0dt."),
        r#"(b"a\xff", "aé", b"b", "é", b"c", b"d")"#
    );
    assert_eq!(
        show(b"\x80\x05(\x8c\x01a\x8d\x01\0\0\0\0\0\0\0b\x8e\x01\0\0\0\0\0\0\0c\x96\x01\0\0\0\0\0\0\0dt."),
        r#"("a", "b", b"c", b"d")"#
    );
    // Python 3 in protocol 2: bytes as Latin-1 text, by number of the memo the second time.
    assert_eq!(
        show(b"\x80\x02(c_codecs\nencode\nq\0X\x03\0\0\0a\xc3\xbfX\x06\0\0\0latin1q\x01\x86Rh\0X\0\0\0\0h\x01\x86Rt."),
        r#"(b"a\xff", b"")"#
    );
    assert!(error(b"\x80\x02c_codecs\nencode\nX\x02\0\0\0\xc4\x80X\x06\0\0\0latin1\x86R.").contains("text of Latin-1"));
    assert!(error(b"\x80\x02X\x01\0\0\0\xff.").contains("UTF-8"));
}

#[test]
fn containers() {
    assert_eq!(show(b"((lp0\nI1\naI2\na(dp1\nS'k'\nNsg0\nt."), r#"([1, 2], {b"k": None}, [1, 2])"#);
    assert_eq!(show(b"\x80\x04()K\x01\x85K\x01K\x02\x86K\x01K\x02K\x03\x87t."), "((), (1), (1, 2), (1, 2, 3))");
    assert_eq!(
        show(b"\x80\x04(](K\x01K\x02e}(K\x01NK\x02Nu\x8f(K\x01\x90(K\x02\x91t."),
        "([1, 2], {1: None, 2: None}, set(1), set(2))"
    );
    assert_eq!(show(b"\x80\x02ccollections\nOrderedDict\n)RK\x01K\x02s."), "{1: 2}");
    assert_eq!(show(b"\x80\x02ccollections\nOrderedDict\n]](K\x01K\x02ea\x85R."), "{1: 2}");
    // POP, POP_MARK, DUP; a mark is popped too.
    assert_eq!(show(b"(K\x01K\x020(K\x031(02t."), "(1, 1)");
    // A list that is filled after it was stored is the same list everywhere.
    assert_eq!(show(b"\x80\x04(]\x94h\0K\x07at."), "([7], [7])");
}

#[test]
fn entries_by_key() {
    let bytes = b"\x80\x02}(U\x01aK\x01X\x01\0\0\0aK\x02U\x01bNu.tail";
    let pickle = Pickle::read(Path::new("p"), bytes).unwrap();
    let dict = pickle.root().as_dict().unwrap();
    assert_eq!(dict.get("a").unwrap().as_i64(), Some(2), "the later entry holds");
    assert!(matches!(dict.get("b"), Some(Value::None)) && dict.get("c").is_none());
    assert_eq!((dict.len(), &bytes[pickle.end()..]), (3, &b"tail"[..]));
}

#[test]
fn arrays_of_every_era() {
    assert_eq!(show(ARRAY), "array[2, 3]C[0, 1, 2, 3, 4, 5]");
    let numpy_2_protocol_4 = b"\x80\x04\x8c\x16numpy._core.multiarray\x94\x8c\x0c_reconstruct\x94\x93\x94\x8c\x05numpy\x94\x8c\x07ndarray\x94\x93\x94K\x00\x85\x94C\x01b\x94\x87\x94R\x94(K\x01K\x01K\x02\x86\x94h\x03\x8c\x05dtype\x94\x93\x94\x8c\x02i2\x94\x89\x88\x87\x94R\x94(K\x03\x8c\x01>\x94NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94b\x88C\x04\xff\xfe\x01\x00\x94t\x94b.";
    assert_eq!(show(numpy_2_protocol_4), "array[1, 2]F[-2, 256]");
    let numpy_2_protocol_5 = b"\x80\x05\x8c\x13numpy._core.numeric\x8c\x0b_frombuffer\x93(\x96\x04\0\0\0\0\0\0\0\0\0\xc0\x3f\x8c\x05numpy\x8c\x05dtype\x93\x8c\x02f4\x89\x88\x87R(K\x03\x8c\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\0tbK\x01\x85\x8c\x01CtR.";
    assert_eq!(show(numpy_2_protocol_5), "array[1]C[1.5]");
}

#[test]
fn scalars_become_numbers() {
    let scalar = |module: &str, code: &str, data: &[u8]| {
        let mut bytes = format!("\u{0}c{module}\nscalar\ncnumpy\ndtype\nU\u{2}{code}K\u{0}K\u{1}").into_bytes();
        bytes.splice(..1, *b"\x80\x02");
        bytes.extend(b"\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tbU");
        bytes.push(data.len() as u8);
        bytes.extend(data);
        bytes.extend(b"\x86R.");
        bytes
    };
    let (old, new) = ("numpy.core.multiarray", "numpy._core.multiarray");
    assert_eq!(show(&scalar(old, "f8", &1.25f64.to_le_bytes())), "1.25");
    assert_eq!(show(&scalar(new, "f2", &[0x00, 0x3e])), "1.5");
    assert_eq!(show(&scalar(new, "i8", &(-5i64).to_le_bytes())), "-5");
    assert_eq!(show(&scalar(new, "i1", &[0x80])), "-128");
    assert_eq!(show(&scalar(new, "u4", &u32::MAX.to_le_bytes())), "4294967295");
    assert_eq!(show(&scalar(new, "b1", &[1])), "true");
    assert!(error(&scalar(new, "u8", &u64::MAX.to_le_bytes())).contains("numpy number"));
    assert!(error(&scalar(new, "f8", &[0; 7])).contains("8 bytes of a numpy number"));
    assert!(error(&scalar(new, "O8", &[0; 8])).contains("\"O8\""));
}

#[test]
fn arrays_have_the_bytes_of_their_shape() {
    let pickle = Pickle::read(Path::new("p"), ARRAY).unwrap();
    let array = pickle.root().as_array().unwrap();
    assert_eq!((array.shape(), array.bytes(), array.dtype().kind), (&[2, 3][..], &[0, 1, 2, 3, 4, 5][..], Kind::Uint));
    let at = ARRAY.windows(4).position(|w| w == b"K\x02K\x03").unwrap();
    let mut wrong = ARRAY.to_vec();
    wrong[at + 1] = 3;
    assert!(error(&wrong).contains("array of shape [3, 3]"), "{}", error(&wrong));
}

#[test]
fn nothing_but_data_is_accepted() {
    let e = error(b"cos\nsystem\n(S'rm -rf ~'\ntR.");
    assert!(e.contains("the global os.system"), "{e}");
    assert!(error(b"\x80\x04\x8c\x05posix\x8c\x06system\x93.").contains("the global posix.system"));
    assert!(error(b"\x80\x02c__builtin__\neval\n.").contains("the global __builtin__.eval"));
    assert!(error(b"cnumpy\nload\n.").contains("the global numpy.load"));
    assert!(error(b"c\xff\x1b[2J\nx\n.").contains(r"\u{1b}[2J"), "terminals see no control characters");
    for (bytes, name) in
        [(&b"Px\n."[..], "PERSID"), (b"NQ.", "BINPERSID"), (b"(ios\nsystem\n.", "INST"), (b"(o.", "OBJ")]
    {
        assert!(error(bytes).contains(&format!("the opcode {name}")));
    }
    for (opcode, name) in [(0x81, "NEWOBJ"), (0x82, "EXT1"), (0x92, "NEWOBJ_EX"), (0x97, "NEXT_BUFFER")] {
        assert!(error(&[b'N', b'N', opcode, 0]).contains(&format!("the opcode {name}")));
    }
    // Known names with other arguments, called on other things, or given a state.
    assert!(error(b"cnumpy.core.multiarray\n_reconstruct\n(ccollections\nOrderedDict\nK\0U\x01btR.")
        .contains("_reconstruct"));
    assert!(error(b"c_codecs\nencode\n(Va\nVrot13\ntR.").contains("encode"));
    assert!(error(b"cnumpy\nndarray\n(K\x01tR.").contains("ndarray"));
    assert!(error(b"NNR.").contains("a known name to call"));
    assert!(error(b"}}b.").contains("state for another value"));
}

#[test]
fn damage_is_reported_where_it_is() {
    assert!(error(b"").contains("1 more byte of") && error(b"").contains("byte 0 of 0"));
    for (bytes, word) in [
        (&b"\x80\x09."[..], "protocol 9"),
        (b".", "a value on the stack"),
        (b"(.", "a value on the stack"),
        (b"t.", "a mark"),
        (b"N(a.", "a value on the stack"),
        (b"NNa.", "a list"),
        (b"}Ns.", "a value on the stack"),
        (b"}(Nu.", "a value for every key"),
        (b"h\x05.", "none under 5"),
        (b"q\0.", "a value on the stack"),
        (b"gx\n.", "a number of the memo"),
        (b"I12", "a line"),
        (b"I1x\n.", "a number"),
        (b"L99999999999999999999L\n.", "a number"),
        (b"\xff", "0xff"),
        (b"T\xff\xff\xff\xffabc.", "negative"),
        (b"B\xff\xff\xff\xffabc.", "4294967295 more bytes"),
        (b"\x8e\xff\xff\xff\xff\xff\xff\xff\xffabc.", "18446744073709551615 more bytes"),
        (b"\x95\xff\0\0\0\0\0\0\0N.", "255 more bytes"),
    ] {
        assert!(error(bytes).contains(word), "{bytes:?}: {}", error(bytes));
    }
    for end in 0..ARRAY.len() {
        error(&ARRAY[..end]);
    }
}

#[test]
fn bombs_stay_small() {
    // Ten million lists in lists: too deep. A billion laughs: shared, so small, but deep if it goes on.
    let mut deep = vec![b']'; 1 << 20];
    deep.extend(vec![b'a'; (1 << 20) - 1]);
    deep.push(b'.');
    assert!(error(&deep).contains("nested at most 64 deep"));
    let laughs = |levels: usize| {
        let mut bytes = b"]".to_vec();
        bytes.extend(b"q\0h\0\x86".repeat(levels));
        bytes.push(b'.');
        bytes
    };
    assert!(Pickle::read(Path::new("p"), &laughs(63)).is_ok());
    assert!(error(&laughs(64)).contains("nested at most 64 deep"));
    assert!(error(b"]q\0h\0a.").contains("values that do not contain themselves"));
    assert!(error(b"}q\0Nh\0\x85s.").contains("values that do not contain themselves"));
    // Memo numbers reserve nothing; opcodes are counted.
    assert_eq!(show(b"Nr\xff\xff\xff\xff0j\xff\xff\xff\xff."), "None");
    let many = [vec![b'N'; 5_000_000], vec![b'.']].concat();
    assert!(error(&many).contains("fewer opcodes"));
    let few = Limits { opcodes: 3, depth: 1 };
    assert!(Pickle::read_within(Path::new("p"), b"N0N.", few).is_err());
    assert!(Pickle::read_within(Path::new("p"), b")0.", few).is_err());
    assert!(Pickle::read_within(Path::new("p"), b"))\x86.", Limits { opcodes: 9, depth: 1 }).is_err());
    // One text converted again and again, one list copied again and again.
    let mut encode = b"c_codecs\nencode\n(X\x00\x04\0\0".to_vec();
    encode.extend([b'a'; 1024]);
    encode.extend(b"Vlatin1\ntq\x01".iter().chain(&b"c_codecs\nencode\nh\x01R0".repeat(100)));
    assert!(error(&encode).contains("text converted repeatedly"));
    let mut ordered = b"]".to_vec();
    ordered.extend(b"NN\x86a".repeat(3000));
    ordered.extend(b"\x85q\x01".iter().chain(&b"ccollections\nOrderedDict\nh\x01R0".repeat(3000)));
    assert!(error(&ordered).contains("fewer opcodes"));
}

/// Walks everything, as a consumer would.
pub(super) fn walk(value: Value, steps: &mut usize) {
    if *steps == 0 {
        return;
    }
    *steps -= 1;
    let _ = (value.describe(), value.as_text(), value.as_f64(), format!("{value:?}"));
    if let Some(items) = value.as_sequence() {
        items.iter().for_each(|item| walk(item, steps));
    }
    if let Some(dict) = value.as_dict() {
        dict.iter().for_each(|(key, item)| {
            walk(key, steps);
            walk(item, steps);
        });
    }
    if let Some(array) = value.as_array() {
        assert_eq!(array.shape().iter().product::<usize>() * array.dtype().size, array.bytes().len());
        assert_eq!(array.elements().count(), array.shape().iter().product::<usize>());
    }
}

fn read_and_walk(bytes: &[u8]) {
    if let Ok(pickle) = Pickle::read(Path::new("p"), bytes) {
        assert!(pickle.end() <= bytes.len());
        walk(pickle.root(), &mut 10_000);
    }
}

/// Bytes that are often opcodes, so that random programs get somewhere.
pub(super) fn opcodes() -> impl Strategy<Value = Vec<u8>> {
    let alphabet = b"NKMJGUCTBX()tlad}su]e012qrphgcRb.IFLSV\n\x01\x00\x02'\x80\x85\x86\x87\x88\x8a\x8c\x8f\x90\x91\x93\x94\x95\x96";
    proptest::collection::vec(prop_oneof![4 => proptest::sample::select(&alphabet[..]), 1 => any::<u8>()], 0..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        read_and_walk(&bytes);
    }

    #[test]
    fn arbitrary_programs_never_panic(mut bytes in opcodes()) {
        read_and_walk(&bytes);
        bytes.push(b'.');
        read_and_walk(&bytes);
    }

    #[test]
    fn damaged_pickles_never_panic(flips in proptest::collection::vec((0..ARRAY.len(), any::<u8>()), 1..6), end in 0..=ARRAY.len()) {
        let mut bytes = ARRAY.to_vec();
        for (at, byte) in flips {
            bytes[at] ^= byte;
        }
        read_and_walk(&bytes);
        read_and_walk(&bytes[..end]);
    }
}
