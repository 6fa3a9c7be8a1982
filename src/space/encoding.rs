//! Reading and writing cells in the four encodings that users hold.

use super::cell::{Cell, EDGES};
use super::op::Op;
use crate::error::{Error, Result};
use std::str::FromStr;

/// NASLib's op order: `skip, none, 3x3, 1x1, avg`.
const NASLIB_OPS: [Op; 5] = [Op::SkipConnect, Op::None, Op::NorConv3x3, Op::NorConv1x1, Op::AvgPool3x3];
/// NASLib's edge order, 0→1, 0→2, 0→3, 1→2, 1→3, 2→3, as positions in [`EDGES`].
const NASLIB_EDGES: [usize; 6] = [0, 1, 3, 2, 4, 5];

/// How a cell is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// An architecture string or a NATS-Bench index.
    #[default]
    Arch,
    /// Six canonical op ids in string order, as `3,0,1,0,0,4` or `(3, 0, 1, 0, 0, 4)`.
    Ops,
    /// NASLib's tuple, in its own op and edge order.
    Naslib,
}

impl Encoding {
    /// All, with their names on the command line.
    pub const NAMED: [(&'static str, Encoding); 3] =
        [("arch", Encoding::Arch), ("ops", Encoding::Ops), ("naslib", Encoding::Naslib)];

    /// The encoding of a name.
    ///
    /// # Errors
    /// [`Error::UnknownName`].
    pub fn from_name(name: &str) -> Result<Encoding> {
        let found = Encoding::NAMED.into_iter().find(|(known, _)| *known == name);
        found.map(|(_, encoding)| encoding).ok_or_else(|| Error::UnknownName {
            kind: "encoding",
            found: name.to_string(),
            allowed: Encoding::NAMED.map(|(name, _)| name.to_string()).to_vec(),
        })
    }
}

impl Cell {
    /// Reads a cell. White space around it is ignored.
    ///
    /// # Errors
    /// [`Error::CellSyntax`] with the position, [`Error::CellIndex`], [`Error::SizeSpaceCell`].
    pub fn parse(text: &str, encoding: Encoding) -> Result<Cell> {
        let start = text.len() - text.trim_start().len();
        let body = text.trim();
        match encoding {
            Encoding::Arch => parse_arch_or_index(text, body, start),
            Encoding::Ops => Ok(Cell::new(parse_ids(text, body, start)?.map(|id| Op::ALL[id]))),
            Encoding::Naslib => {
                let ids = parse_ids(text, body, start)?;
                let mut ops = [Op::None; 6];
                for (id, edge) in ids.into_iter().zip(NASLIB_EDGES) {
                    ops[edge] = NASLIB_OPS[id];
                }
                Ok(Cell::new(ops))
            }
        }
    }

    /// The six canonical op ids in string order.
    pub fn op_ids(&self) -> [u8; 6] {
        self.ops().map(|op| op as u8)
    }

    /// NASLib's tuple.
    pub fn naslib(&self) -> [u8; 6] {
        NASLIB_EDGES.map(|edge| {
            let op = self.ops()[edge];
            NASLIB_OPS.iter().position(|&o| o == op).expect("every op stands in NASLib's order") as u8
        })
    }
}

impl FromStr for Cell {
    type Err = Error;

    /// Reads an architecture string or a NATS-Bench index.
    fn from_str(text: &str) -> Result<Cell> {
        Cell::parse(text, Encoding::Arch)
    }
}

/// How a cell looks, for errors.
const ARCH: &str = "A cell looks like |nor_conv_3x3~0|+|none~0|skip_connect~1|+|none~0|none~1|avg_pool_3x3~2| or is an index from 0 to 15624.";
const IDS: &str = "A cell looks like 3,0,1,0,0,4 or (3, 0, 1, 0, 0, 4) in this encoding.";

fn syntax(text: &str, position: usize, remedy: &'static str, expected: impl Into<String>) -> Error {
    let found = match text.get(position..).and_then(|rest| rest.chars().next()) {
        Some(c) => format!("{c:?}"),
        None => "the end".to_string(),
    };
    Error::CellSyntax { text: text.to_string(), position, expected: expected.into(), found, remedy }
}

fn parse_arch_or_index(text: &str, body: &str, start: usize) -> Result<Cell> {
    let digits = body.strip_prefix(['-', '+']).unwrap_or(body);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        return match body.parse::<i64>() {
            Ok(index) => Cell::from_index(index),
            Err(_) => Err(Error::CellIndex { found: body.to_string() }),
        };
    }
    let is_width = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if body.contains(':') && body.split(':').all(is_width) {
        return Err(Error::SizeSpaceCell { text: body.to_string() });
    }
    parse_arch(text, body, start)
}

fn parse_arch(text: &str, body: &str, start: usize) -> Result<Cell> {
    let mut at = 0;
    let expect = |at: &mut usize, literal: &str| {
        for c in literal.chars() {
            if !body[*at..].starts_with(c) {
                return Err(syntax(text, start + *at, ARCH, format!("{c:?}")));
            }
            *at += c.len_utf8();
        }
        Ok(())
    };
    let mut ops = [Op::None; 6];
    for (op, (from, to)) in ops.iter_mut().zip(EDGES) {
        if from == 0 {
            expect(&mut at, if to == 1 { "|" } else { "+|" })?;
        }
        let rest = &body[at..];
        let name = &rest[..rest.find(['~', '|', '+']).unwrap_or(rest.len())];
        *op = Op::from_name(name).map_err(|unknown| {
            let mut error =
                syntax(text, start + at, ARCH, "none, skip_connect, nor_conv_1x1, nor_conv_3x3 or avg_pool_3x3");
            if let (Error::CellSyntax { found, .. }, false, Error::UnknownName { allowed, .. }) =
                (&mut error, name.is_empty(), &unknown)
            {
                *found = format!("{name:?}");
                if let Some(near) = crate::error::nearest(name, allowed) {
                    found.push_str(&format!(" (did you mean {near}?)"));
                }
            }
            error
        })?;
        at += name.len();
        expect(&mut at, ["~0|", "~1|", "~2|"][from])?;
    }
    if at < body.len() {
        return Err(syntax(text, start + at, ARCH, "the end after node 3"));
    }
    Ok(Cell::new(ops))
}

/// Six ids from 0 to 4, separated by commas or white space, in one optional pair of brackets.
fn parse_ids(text: &str, body: &str, start: usize) -> Result<[usize; 6]> {
    let mut inner = (0, body.len());
    for (open, close) in [('(', ')'), ('[', ']')] {
        if body.starts_with(open) {
            if !body.ends_with(close) || body.len() < 2 {
                return Err(syntax(text, start + body.len(), IDS, format!("{close:?}")));
            }
            inner = (1, body.len() - 1);
        }
    }
    let mut ids = [0; 6];
    let mut at = inner.0;
    let bytes = body.as_bytes();
    let blank = |at: usize| at < inner.1 && bytes[at].is_ascii_whitespace();
    for (i, id) in ids.iter_mut().enumerate() {
        while blank(at) {
            at += 1;
        }
        match bytes[at..inner.1].first() {
            Some(digit @ b'0'..=b'4') => *id = (digit - b'0') as usize,
            _ => return Err(syntax(text, start + at, IDS, format!("op id {} of 6, from 0 to 4", i + 1))),
        }
        at += 1;
        let before = at;
        while blank(at) {
            at += 1;
        }
        let last = i == 5;
        if at < inner.1 && bytes[at] == b',' {
            at += 1;
            while last && blank(at) {
                at += 1;
            }
        } else if !last && at == before {
            return Err(syntax(text, start + at, IDS, "a comma"));
        }
    }
    if at < inner.1 {
        return Err(syntax(text, start + at, IDS, "the end after six op ids"));
    }
    Ok(ids)
}
