//! The text opcodes of protocol 0: numbers and strings as Python's source code writes them.

/// The bytes of a Python 2 string literal with its quotes: `'a\x00\n'`. `None` if it is malformed.
pub(super) fn string_literal(line: &[u8]) -> Option<Vec<u8>> {
    let (&quote, rest) = line.split_first()?;
    let (&last, body) = rest.split_last()?;
    if !matches!(quote, b'\'' | b'"') || last != quote {
        return None;
    }
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body.iter().copied();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next()? {
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'x' => hex(rest.by_ref().take(2), 2)? as u8,
            same @ (b'\\' | b'\'' | b'"') => same,
            _ => return None,
        });
    }
    Some(bytes)
}

/// The text of a `raw-unicode-escape` line: Latin-1 with `\uXXXX` and `\UXXXXXXXX`. `None` if it is malformed.
pub(super) fn raw_unicode(line: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(line.len());
    let mut rest = line.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        let digits = match (byte, rest.peek()) {
            (b'\\', Some(b'u')) => 4,
            (b'\\', Some(b'U')) => 8,
            _ => {
                text.push(char::from(byte));
                continue;
            }
        };
        rest.next();
        text.push(char::from_u32(hex(rest.by_ref().take(digits), digits)?)?);
    }
    Some(text)
}

fn hex(mut digits: impl Iterator<Item = u8>, count: usize) -> Option<u32> {
    let (value, seen) = digits
        .try_fold((0u32, 0), |(value, seen), digit| Some((value << 4 | char::from(digit).to_digit(16)?, seen + 1)))?;
    (seen == count).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals() {
        assert_eq!(string_literal(br"'a\x00\xff\n\'\\'").unwrap(), b"a\x00\xff\n'\\");
        assert_eq!(string_literal(b"\"it's\"").unwrap(), b"it's");
        for bad in [&b"'"[..], b"", b"'a", b"'a\"", br"'\x0'", br"'\'", br"'\q'", b"a"] {
            assert_eq!(string_literal(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn unicode_lines() {
        assert_eq!(raw_unicode(b"a\xe9\\u000a\\U0001f600\\").unwrap(), "a\u{e9}\n\u{1f600}\\");
        for bad in [&br"\u00"[..], br"\ud800", br"\U00110000", br"\uzzzz"] {
            assert_eq!(raw_unicode(bad), None, "{bad:?}");
        }
    }
}
