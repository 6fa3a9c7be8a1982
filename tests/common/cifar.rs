//! Files of images as the data sets' publishers wrote them: binary records, and batches pickled by Python 2 and 3.

/// A binary file: the labels of each image before it.
pub fn binary(images: &[Vec<u8>], labels: &[u8]) -> Vec<u8> {
    images.iter().flat_map(|image| [labels, image].concat()).collect()
}

/// The text of a Python 2 pickle: SHORT_BINSTRING and a memo number.
fn py2_text(text: &str, memo: u8) -> Vec<u8> {
    [&[b'U', text.len() as u8], text.as_bytes(), &[b'q', memo]].concat()
}

/// Integers as BININT1 or BININT2.
fn integer(value: usize) -> Vec<u8> {
    match u8::try_from(value) {
        Ok(byte) => vec![b'K', byte],
        Err(_) => [b"M", &(value as u16).to_le_bytes()[..]].concat(),
    }
}

/// A batch as Python 2 and numpy 1 wrote torchvision's files: protocol 2, text and array data as BINSTRING.
pub fn py2_batch(images: &[Vec<u8>], keys: &[(&str, &[usize])]) -> Vec<u8> {
    let mut out = b"\x80\x02}q\x01(".to_vec();
    out.extend(py2_text("batch_label", 2));
    out.extend(py2_text("training batch 1 of 5", 3));
    for (i, (key, labels)) in keys.iter().enumerate() {
        out.extend(py2_text(key, 20 + 2 * i as u8));
        out.extend([b']', b'q', 21 + 2 * i as u8, b'(']);
        out.extend(labels.iter().flat_map(|&label| integer(label)));
        out.push(b'e');
    }
    out.extend(py2_text("data", 6));
    out.extend(b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85U\x01b\x87Rq\x09(K\x01");
    out.extend([integer(images.len()), integer(images.first().map_or(0, Vec::len))].concat());
    out.extend(b"\x86cnumpy\ndtype\nq\x0aU\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89T");
    let data = images.concat();
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out.extend(b"tbu.");
    out
}

/// The same as numpy 2 and Python 3 write it in protocol 4.
pub fn py3_batch(images: &[Vec<u8>], key: &str, labels: &[usize]) -> Vec<u8> {
    let text = |text: &str| [&[0x8c, text.len() as u8], text.as_bytes(), &[0x94]].concat();
    let global = |module: &str, name: &str| [text(module), text(name), vec![0x93, 0x94]].concat();
    let data = images.concat();
    let mut out = b"}\x94(".to_vec();
    out.extend(text("data"));
    out.extend(global("numpy._core.multiarray", "_reconstruct"));
    out.extend(global("numpy", "ndarray"));
    out.extend(b"K\x00\x85\x94C\x01b\x94\x87\x94R\x94(K\x01");
    out.extend([integer(images.len()), integer(images.first().map_or(0, Vec::len))].concat());
    out.extend(b"\x86\x94");
    out.extend(global("numpy", "dtype"));
    out.extend([text("u1"), b"\x89\x88\x87\x94R\x94(K\x03".to_vec(), text("|")].concat());
    out.extend(b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00t\x94b\x89B");
    out.extend((data.len() as u32).to_le_bytes());
    out.extend(data);
    out.extend(b"\x94t\x94b");
    out.extend(text(key));
    out.extend(b"]\x94(");
    out.extend(labels.iter().flat_map(|&label| integer(label)));
    out.extend(b"eu.");
    [&b"\x80\x04\x95"[..], &(out.len() as u64).to_le_bytes(), &out].concat()
}
