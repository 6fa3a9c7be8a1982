//! A sweep: which cells are scored, in which order, and which of them a shard takes.

use super::json::object;
use crate::error::{Error, Result};
use crate::space::Cell;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

/// How the cells of a sweep were chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// The whole space, by index.
    All,
    /// Drawn by the sample seed.
    Sample,
    /// Named one by one.
    List,
}

impl Rule {
    /// The word in metadata.
    pub fn name(self) -> &'static str {
        ["all", "sample", "list"][self as usize]
    }
}

/// One of `of` parts of a sweep, which together hold every cell once: every `of`-th cell. As the order of NATS-Bench is none of cost, the
/// parts of the space cost alike. Where there are few cells, a part may have none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: usize,
    of: usize,
}

impl Shard {
    /// The whole.
    pub const WHOLE: Shard = Shard { number: 1, of: 1 };

    /// Part `number`, counted from 1, of `of`.
    ///
    /// # Errors
    /// [`Error::Options`] where there is no such part.
    pub fn new(number: usize, of: usize) -> Result<Shard> {
        match (1..=of).contains(&number) {
            true => Ok(Shard { number, of }),
            false => Err(no_shard(&format!("{number}/{of}"))),
        }
    }

    /// Which part this is, counted from 1.
    pub fn number(self) -> usize {
        self.number
    }

    /// How many parts there are.
    pub fn of(self) -> usize {
        self.of
    }

    /// The number of the part that has this place, counted from 0, among the cells asked for.
    pub fn of_place(self, place: usize) -> usize {
        1 + place % self.of
    }

    /// The places of this part among `count`.
    pub fn places(self, count: usize) -> impl Iterator<Item = usize> {
        (self.number - 1..count).step_by(self.of)
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = Error;

    /// Reads `2/8`.
    fn from_str(text: &str) -> Result<Shard> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        numbers.and_then(|(number, of)| Shard::new(number, of).ok()).ok_or_else(|| no_shard(text))
    }
}

fn no_shard(found: &str) -> Error {
    let remedy = "Write 1/4 for the first of four parts.";
    Error::options("--shard", "a part and how many there are, counted from 1", found, remedy)
}

/// The cells of one process.
pub struct Sweep {
    rule: Rule,
    asked: usize,
    sha256: String,
    shard: Shard,
    cells: Vec<Cell>,
}

impl Sweep {
    /// The part of `asked` that `shard` is.
    pub fn new(rule: Rule, asked: Vec<Cell>, shard: Shard) -> Sweep {
        let sha256 = fingerprint(asked.iter().copied());
        let cells = shard.places(asked.len()).map(|place| asked[place]).collect();
        Sweep { rule, asked: asked.len(), sha256, shard, cells }
    }

    /// What is to be scored, in order.
    pub fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// Which part of the cells asked for this is.
    pub fn shard(&self) -> Shard {
        self.shard
    }

    /// All cells that were asked for, in metadata: rule, count and fingerprint.
    pub fn selection(&self) -> Value {
        Value::Object(object([
            ("rule", Value::from(self.rule.name())),
            ("count", Value::from(self.asked)),
            ("sha256", Value::from(self.sha256.as_str())),
        ]))
    }

    /// The shard in metadata: `2/8`, null for the whole.
    pub fn shard_value(&self) -> Value {
        Value::from((self.shard.of > 1).then(|| self.shard.to_string()))
    }
}

/// SHA-256 of cells in their order: of their indices in decimal, a line feed after each.
pub(super) fn fingerprint(cells: impl Iterator<Item = Cell>) -> String {
    let mut hash = Sha256::new();
    cells.for_each(|cell| hash.update(format!("{}\n", cell.index())));
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::space::Skeleton;

    fn shards(of: usize) -> Vec<Shard> {
        (1..=of).map(|number| Shard::new(number, of).unwrap()).collect()
    }

    #[test]
    fn every_place_is_in_one_shard() {
        for of in [1, 2, 3, 5, 10, 64, 1000] {
            let parts: Vec<Vec<usize>> = shards(of).iter().map(|shard| shard.places(777).collect()).collect();
            let mut all: Vec<usize> = parts.iter().flatten().copied().collect();
            all.sort_unstable();
            assert_eq!(all, (0..777).collect::<Vec<_>>());
        }
        assert_eq!(Shard::new(2, 3).unwrap().places(9).collect::<Vec<_>>(), [1, 4, 7]);
    }

    #[test]
    fn shards_of_the_whole_space_cost_alike() {
        let network = Skeleton::benchmark(10, 32);
        let costs: Vec<f64> = Cell::all().map(|cell| network.macs(&cell) as f64).collect();
        let mean = costs.iter().sum::<f64>() / costs.len() as f64;
        for (most, of) in [(1.006, 2), (1.009, 4), (1.012, 5), (1.011, 8), (1.025, 16), (1.054, 32), (1.083, 64)] {
            for shard in shards(of) {
                let sum: f64 = shard.places(costs.len()).map(|place| costs[place]).sum();
                let cost = sum * of as f64 / costs.len() as f64 / mean;
                assert!(cost < most, "shard {shard}: {cost}");
            }
        }
    }

    #[test]
    fn shards_are_read_and_refused() {
        assert_eq!("2/8".parse::<Shard>().unwrap(), Shard::new(2, 8).unwrap());
        assert_eq!(Shard::new(2, 8).unwrap().to_string(), "2/8");
        for bad in ["", "1", "0/4", "5/4", "1/0", "1/4/2", "-1/4", "a/b"] {
            assert!(bad.parse::<Shard>().unwrap_err().to_string().contains("1/4"), "{bad}");
        }
        let five = (0..5).map(|index| Cell::from_index(index).unwrap()).collect();
        let sweep = Sweep::new(Rule::List, five, Shard::new(2, 3).unwrap());
        assert_eq!(sweep.cells().iter().map(Cell::index).collect::<Vec<_>>(), [1, 4]);
        // sha256sum of "0\n1\n2\n3\n4\n".
        let hash = "026d8ad3dfa1f2aa9da7964947ddedd4e83c6fc008206ebf898699dea80f9804";
        assert_eq!(sweep.selection()["sha256"], hash);
    }
}
